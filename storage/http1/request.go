package http1

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// blockSize is what a request is written in: headers and a small body leave in
// one write.
const blockSize = 64 << 10

var blocks = sync.Pool{New: func() any { return new([blockSize]byte) }}

// outgoing is a request on its way: what is to be written next, and the rest of
// its body.
type outgoing struct {
	body   io.ReadCloser // nil: none, or closed
	left   int64         // bytes of it that are still to be read
	buf    []byte        // to be written next
	ended  bool          // nothing comes after buf
	intact bool          // buf is the beginning of the request
}

// begin encodes the headers and reads as much of the body as fits behind them.
func (o *outgoing) begin(req *http.Request, buf []byte) error {
	var err error
	if o.left, err = bodyLength(req); err != nil {
		return err
	}
	if o.buf, err = appendHead(buf, req, o.left); err != nil {
		return err
	}
	o.intact = true
	if o.body == nil {
		o.ended = true
		return nil
	}
	o.buf = slices.Grow(o.buf, 4<<10) // room, should the headers have filled the block
	return o.fill()
}

// next replaces what was written by what follows.
func (o *outgoing) next() error {
	o.buf, o.intact = o.buf[:0], false
	return o.fill()
}

// fill reads the body until half of the buffer is full. The last bytes are not
// written before the body has ended where it should: a request with a body of
// another length is never completed.
func (o *outgoing) fill() error {
	for hesitant := 0; !o.ended; {
		room := o.buf[len(o.buf):cap(o.buf)]
		if o.left > 0 && len(room) <= cap(o.buf)/2 {
			return nil
		}
		want := min(o.left, int64(len(room)-1))
		if want == o.left {
			want++ // to see that it ends
		}
		n, err := o.body.Read(room[:want])
		if int64(n) > o.left {
			return &bodyError{errors.New("goes on after its announced length")}
		}
		o.buf, o.left = o.buf[:len(o.buf)+n], o.left-int64(n)
		if o.ended = isEOF(err); o.ended && o.left > 0 {
			return &bodyError{fmt.Errorf("ended %d bytes early: %w", o.left, io.ErrUnexpectedEOF)}
		}
		if err != nil && !o.ended {
			return &bodyError{err}
		}
		if hesitant++; n > 0 {
			hesitant = 0
		} else if hesitant == 100 {
			return &bodyError{io.ErrNoProgress}
		}
	}
	return nil
}

// close closes the request's body once.
func (o *outgoing) close() {
	if o.body != nil {
		o.body.Close()
		o.body = nil
	}
}

// bodyLength is what Content-Length says.
func bodyLength(req *http.Request) (int64, error) {
	n := req.ContentLength
	switch {
	case req.Body == nil && n > 0:
		return 0, fmt.Errorf("http1: a Content-Length of %d without a body", n)
	case req.Body == nil || req.Body == http.NoBody:
		return 0, nil
	case n < 0:
		return 0, errors.New("http1: a body of unknown length")
	}
	return n, nil
}

// appendHead writes the request line and the headers. It refuses what would
// become something else on the wire.
func appendHead(b []byte, req *http.Request, length int64) ([]byte, error) {
	method, uri, host := or(req.Method, http.MethodGet), req.URL.RequestURI(), or(req.Host, req.URL.Host)
	if method == http.MethodConnect || !isToken(method) {
		return nil, fmt.Errorf("http1: method %q", method)
	}
	if !isGraphic(uri) {
		return nil, fmt.Errorf("http1: blanks or control characters in the path or query %q", uri)
	}
	if !isGraphic(host) || !isASCII(host) || strings.ContainsAny(host, "/?#@\\") {
		return nil, fmt.Errorf("http1: host %q", host)
	}
	b = append(append(append(append(b, method...), ' '), uri...), " HTTP/1.1\r\nHost: "...)
	b = append(appendHost(b, host), "\r\n"...)
	for name, values := range req.Header {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
			continue // what the request itself says counts
		}
		if !isToken(name) {
			return nil, fmt.Errorf("http1: header name %q", name)
		}
		for _, v := range values {
			if !isValue(v) {
				return nil, fmt.Errorf("http1: control characters in the value of header %s", name) // which may be secret
			}
			b = append(append(append(append(b, name...), ": "...), v...), "\r\n"...)
		}
	}
	if req.Close && !hasToken(req.Header["Connection"], "close") {
		b = append(b, "Connection: close\r\n"...)
	}
	if length > 0 || method == http.MethodPut || method == http.MethodPost || method == http.MethodPatch {
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), length, 10), "\r\n"...)
	}
	return append(b, "\r\n"...), nil
}

// appendHost leaves out the zone of an IPv6 address: it means something on this
// machine only.
func appendHost(b []byte, host string) []byte {
	if end := strings.LastIndexByte(host, ']'); end > 0 && host[0] == '[' {
		if zone := strings.IndexByte(host[:end], '%'); zone > 0 {
			return append(append(b, host[:zone]...), host[end:]...)
		}
	}
	return append(b, host...)
}
