package http1

import (
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
)

// body is the body of an answer. It gives its connection back when it ends.
// Close may come from another goroutine while Read waits, and ends it.
type body struct {
	c      *conn
	req    *http.Request // its context ends the body
	left   int64         // -1: to the end of the chunks or of the connection
	chunks io.Reader     // nil: there are none
	keep   bool          // the connection may be used after it
	state  atomic.Int32
	err    error // of Read, once it is over; io.EOF is the good end
}

// Who has the connection: in the states ready and reading it is the body's.
const (
	ready   = iota
	reading // Read is under way
	over    // err is set, the connection is gone
	ended   // by Close; the connection is gone, or goes with the Read under way
)

var (
	errClosed     = errors.New("http1: read after Close")
	errConcurrent = errors.New("http1: two reads at once")
)

func (b *body) start(c *conn, f framing, keep bool) {
	b.c, b.left, b.keep = c, f.length, keep
	if f.chunked {
		b.chunks = httputil.NewChunkedReader(c.br)
	}
}

func (b *body) Read(p []byte) (int, error) {
	if !b.state.CompareAndSwap(ready, reading) {
		switch b.state.Load() {
		case over:
			return 0, b.err
		case ended:
			return 0, errClosed
		}
		return 0, errConcurrent
	}
	n, err := b.next(p)
	after := int32(ready)
	if err != nil {
		b.err, after = err, over
	}
	if !b.state.CompareAndSwap(reading, after) { // Close was faster
		b.c.release(false)
		return n, errClosed
	}
	if after == over {
		b.c.release(b.keep && isEOF(err))
	}
	return n, err
}

// next reads. Only the good end is a bare io.EOF, and it comes with the last
// bytes if that is where it is known.
func (b *body) next(p []byte) (n int, err error) {
	switch {
	case b.chunks != nil:
		if n, err = b.chunks.Read(p); isEOF(err) {
			if err = b.trailer(); err == nil {
				return n, io.EOF
			}
		}
	case b.left >= 0:
		n, err = b.c.br.Read(p[:min(int64(len(p)), b.left)])
		if b.left -= int64(n); b.left == 0 {
			return n, io.EOF
		}
	default:
		if n, err = b.c.br.Read(p); isEOF(err) {
			return n, err
		}
	}
	if err != nil {
		err = cause(b.req.Context(), failed("read the body of the answer", err))
	}
	return n, err
}

// maxTrailer bounds what follows the last chunk.
const maxTrailer = 64 << 10

// trailer reads over the headers behind the last chunk.
func (b *body) trailer() error {
	lines, err := b.c.readBlock(maxTrailer)
	if err == nil {
		_, err = parseHeader(lines, nil)
	}
	return err
}

// Close keeps the connection if the rest of the body is here already, and
// closes it otherwise: reading on may take for ever.
func (b *body) Close() error {
	switch b.state.Swap(ended) {
	case ready:
		br := b.c.br
		here := b.left >= 0 && b.left <= int64(br.Buffered())
		if here {
			_, _ = br.Discard(int(b.left)) // from memory
		}
		b.c.release(b.keep && here)
	case reading:
		b.c.close() // Read fails, and releases it
	}
	return nil
}
