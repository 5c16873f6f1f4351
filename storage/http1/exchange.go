package http1

import (
	"errors"
	"net/http"
	"time"
)

// lastWords is how long the answer of a server that has hung up may take: it is
// there already, or never comes.
const lastWords = time.Second

// exchange writes a request and reads the head of its answer. The connection
// belongs to the answer then, and is closed if there is none.
func (c *conn) exchange(req *http.Request, out *outgoing) (*http.Response, error) {
	c.watch(req.Context())
	a, err := c.write(req, out)
	whole := err == nil && a == nil
	if err == nil {
		out.close() // the answer may take long
	}
	switch {
	case whole:
		a, err = c.finalHead(req)
	case err != nil && a == nil && !isBodyError(err): // it may have said why it hung up
		if c.hurry(min(lastWords, c.stall)) == nil {
			a, _ = c.finalHead(req)
			c.armed = time.Time{} // the body has its usual time
		}
	}
	if err != nil && (a == nil || a.StatusCode < 300) {
		c.release(false)
		return nil, err
	}
	return c.answer(req, a, whole)
}

// write writes a request. An answer that comes before the end is returned too;
// the error then says that it is not complete, or why.
func (c *conn) write(req *http.Request, out *outgoing) (early *answer, err error) {
	for {
		if _, err := c.Write(out.buf); err != nil {
			return early, failed("write", err)
		}
		if out.ended {
			return early, nil
		}
		if err := out.next(); err != nil {
			return nil, err
		}
		if early == nil && c.spoken() {
			if early, err = c.earlyHead(req); err != nil {
				return early, err
			}
		}
	}
}

// errRefused goes with an answer that ends a request early.
var errRefused = errors.New("http1: answered before all was sent")

// earlyHead reads what came while a body was sent: a refusal, which ends the
// sending; a final answer, which is kept; or nothing of importance.
func (c *conn) earlyHead(req *http.Request) (*answer, error) {
	a, err := c.readHead(req)
	switch {
	case err != nil:
		return nil, err
	case a.StatusCode >= 300:
		return a, errRefused
	case a.StatusCode >= 200:
		return a, nil
	}
	return nil, nil
}

// maxInterim bounds the answers 1xx before the final one.
const maxInterim = 10

// finalHead reads the head of the answer.
func (c *conn) finalHead(req *http.Request) (*answer, error) {
	for range maxInterim {
		a, err := c.readHead(req)
		if err != nil {
			return nil, err
		}
		switch {
		case a.StatusCode == http.StatusSwitchingProtocols:
			return nil, malformed("a change of the protocol that nobody asked for")
		case a.StatusCode >= 200:
			return a, nil
		}
	}
	return nil, malformed("more than %d interim answers", maxInterim)
}

// spoken tells whether there is something to read. A TLS peer may have sent
// what is not for us; then a short wait shows it.
func (c *conn) spoken() bool {
	if c.br.Buffered() > 0 {
		return true
	}
	if c.look() == quiet {
		return false
	}
	if c.rw == c.raw {
		return true
	}
	if c.hurry(time.Millisecond) != nil {
		return true
	}
	_, err := c.br.Peek(1)
	c.armed = time.Time{}
	return !isTimeout(err)
}
