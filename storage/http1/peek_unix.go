//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package http1

import "syscall"

// CanPeek tells whether this platform lets a kept connection be looked at before
// it is used. Without that one that the server has closed shows only under a
// request, and bytes that nobody asked for are taken for an answer.
const CanPeek = true

// peekAt looks for bytes without taking them; Go's sockets never block.
func (c *conn) peekAt(fd uintptr) {
	for {
		n, _, err := syscall.Recvfrom(int(fd), c.one[:], syscall.MSG_PEEK)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			c.seen = quiet
		case err == nil && n > 0:
			c.seen = waiting
		default:
			c.seen = closed
		}
		return
	}
}
