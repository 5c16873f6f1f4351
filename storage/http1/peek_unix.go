//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package http1

import "syscall"

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
