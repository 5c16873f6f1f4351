//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package http1

// CanPeek tells whether this platform lets a kept connection be looked at before
// it is used. Without that one that the server has closed shows only under a
// request, and bytes that nobody asked for are taken for an answer.
const CanPeek = false

// peekAt cannot tell: a connection that was closed shows when it is used.
func (c *conn) peekAt(uintptr) { c.seen = quiet }
