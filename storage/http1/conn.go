package http1

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"syscall"
	"time"
)

const readBuffer = 16 << 10 // larger reads go past it

// conn is one connection. One goroutine at a time uses it.
type conn struct {
	pool  *pool
	to    target
	raw   net.Conn
	rw    net.Conn // raw, or TLS over it
	br    *bufio.Reader
	head  []byte // of the answer being read
	stall time.Duration
	armed time.Time // when the deadline was set last
	// abort ends all reads and writes for good. It is what the end of a context
	// does: a closed connection, unlike one with a deadline in the past, cannot
	// be brought back to life by whoever sets the next deadline.
	abort func()
	stop  func() bool // takes abort back from the context; nil: there is nothing to take back

	reused bool      // it has carried a request before
	wrote  bool      // some of this request
	heard  bool      // some of its answer
	idleAt time.Time // when it was kept

	sock syscall.RawConn // nil: cannot be peeked at
	peek func(fd uintptr)
	seen peeked
	one  [1]byte
}

// peeked is what a look at a socket finds.
type peeked int

const (
	quiet   peeked = iota // nothing to read; also where nothing can be known
	waiting               // bytes to read
	closed                // the end, or an error
)

func newConn(p *pool, to target, raw net.Conn, stall time.Duration) *conn {
	c := &conn{pool: p, to: to, raw: raw, rw: raw, stall: stall}
	c.br = bufio.NewReaderSize(c, readBuffer)
	c.abort = func() { raw.Close() }
	if s, ok := raw.(syscall.Conn); ok {
		if c.sock, _ = s.SyscallConn(); c.sock != nil { // an error leaves nil
			c.peek = c.peekAt
		}
	}
	return c
}

func (c *conn) handshake(ctx context.Context, conf *tls.Config, host string, limit time.Duration) error {
	conf = conf.Clone()
	if conf.ServerName == "" {
		conf.ServerName = host
	}
	conf.NextProtos = []string{"http/1.1"}
	t := tls.Client(c.raw, conf)
	if err := c.raw.SetDeadline(time.Now().Add(limit)); err != nil {
		return failed("TLS handshake", err)
	}
	if err := t.HandshakeContext(ctx); err != nil {
		return failed("TLS handshake", err)
	}
	c.rw = t
	return nil
}

// watch makes the end of ctx end what happens on the connection.
func (c *conn) watch(ctx context.Context) {
	c.wrote, c.heard = false, false
	if ctx.Done() != nil {
		c.stop = context.AfterFunc(ctx, c.abort)
	}
}

// release ends a request's use of the connection and keeps it if it is in
// order and nobody has begun to abort it.
func (c *conn) release(inOrder bool) {
	if c.stop != nil {
		// false: abort is running, or will any moment now.
		inOrder = c.stop() && inOrder
		c.stop = nil
	}
	if inOrder && c.br.Buffered() == 0 {
		c.pool.put(c)
	} else {
		c.close()
	}
}

// close takes no leave of a TLS peer, as that may block; lengths and the
// framing of chunks tell him all the same what is complete.
func (c *conn) close() { c.raw.Close() }

// refresh moves the deadline if a good part of it has passed: setting it costs
// as much as a small read.
func (c *conn) refresh() error {
	now := time.Now()
	if now.Sub(c.armed) < c.stall/4 {
		return nil
	}
	c.armed = now
	return c.raw.SetDeadline(now.Add(c.stall + c.stall/4))
}

// hurry sets a deadline of its own, for reads that come at once or not at all.
func (c *conn) hurry(d time.Duration) error {
	c.armed = time.Now()
	return c.raw.SetDeadline(c.armed.Add(d))
}

func (c *conn) Read(p []byte) (int, error) {
	if err := c.refresh(); err != nil {
		return 0, err
	}
	return c.rw.Read(p)
}

func (c *conn) Write(p []byte) (int, error) {
	if err := c.refresh(); err != nil {
		return 0, err
	}
	n, err := c.rw.Write(p)
	c.wrote = c.wrote || n > 0
	return n, err
}

// unheard tells whether a request that failed may be sent again: RoundTrip
// states the rule.
func (c *conn) unheard(req *http.Request, out *outgoing) bool {
	if !c.reused || c.heard || !out.intact {
		return false
	}
	if !c.wrote {
		return true
	}
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return len(req.Header["Idempotency-Key"]) > 0 || len(req.Header["X-Idempotency-Key"]) > 0
}

// alive tells whether a kept connection is as it should be: open, and silent.
// What comes unasked is no answer to the next request.
func (c *conn) alive() bool {
	if c.look() != quiet {
		return false
	}
	if c.rw == c.raw {
		return true
	}
	// What TLS has read already shows without reading more from the socket.
	return c.hurry(-time.Second) == nil && c.nothing()
}

// nothing tells whether a read finds nothing within the deadline, and brings
// the usual one back.
func (c *conn) nothing() bool {
	n, err := c.rw.Read(c.one[:])
	c.armed = time.Time{}
	return n == 0 && isTimeout(err)
}

// look peeks at the socket.
func (c *conn) look() peeked {
	if c.peek == nil {
		return quiet
	}
	if err := c.sock.Control(c.peek); err != nil {
		return closed
	}
	return c.seen
}
