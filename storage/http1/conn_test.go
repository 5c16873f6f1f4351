package http1

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

// tape is a connection that plays what a server says and records the writes.
type tape struct {
	io.Reader
	writes []int
	fails  error // of Write
	closed bool
}

func (c *tape) Write(p []byte) (int, error) {
	if c.fails != nil {
		return 0, c.fails
	}
	c.writes = append(c.writes, len(p))
	return len(p), nil
}

func (c *tape) Close() error                     { c.closed = true; return nil }
func (c *tape) LocalAddr() net.Addr              { return nil }
func (c *tape) RemoteAddr() net.Addr             { return nil }
func (c *tape) SetDeadline(time.Time) error      { return nil }
func (c *tape) SetReadDeadline(time.Time) error  { return nil }
func (c *tape) SetWriteDeadline(time.Time) error { return nil }

// play makes one exchange with a tape and returns the answer and its body.
func play(req *http.Request, c *tape) (*http.Response, []byte, error) {
	p := &pool{timeout: time.Hour, max: -1} // keeps nothing
	out := outgoing{body: req.Body}
	if err := out.begin(req, make([]byte, 0, blockSize)); err != nil {
		return nil, nil, err
	}
	resp, err := newConn(p, target{}, c, time.Minute).exchange(req, &out)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, b, err
}

// TestOneWrite: headers and a small body leave together.
func TestOneWrite(t *testing.T) {
	for size, want := range map[int]int{0: 1, 4096: 1, 60 << 10: 1, 100 << 10: 2} {
		req := httptest.NewRequest(http.MethodPut, "http://host/key", bytes.NewReader(make([]byte, size)))
		c := &tape{Reader: strings.NewReader("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")}
		if _, _, err := play(req, c); err != nil || len(c.writes) != want {
			t.Errorf("%d bytes: writes of %d, %v", size, c.writes, err)
		}
	}
}

// TestSingleBytes: how an answer is cut into packets means nothing.
func TestSingleBytes(t *testing.T) {
	for _, wire := range []string{
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nETag: x\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nETag: x\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nETag: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\n",
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{"bytes": iotest.OneByteReader, "halves": iotest.HalfReader, "with EOF": iotest.DataErrReader} {
			resp, body, err := play(httptest.NewRequest(http.MethodGet, "http://host/", nil), &tape{Reader: wrap(strings.NewReader(wire))})
			if err != nil || string(body) != "hello" || resp.Header.Get("Etag") != "x" {
				t.Errorf("%s of %.60q: %q, %v", name, wire, body, err)
			}
		}
	}
}

// TestNothingWritten: a request of which no byte has left is sent again whatever
// it is, body and all, though its reader is spent.
func TestNothingWritten(t *testing.T) {
	var got []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = append(got, fmt.Sprint(r.Method, len(b)))
	}))
	defer s.Close()
	tr := New(Config{})
	defer tr.CloseIdleConnections()
	for _, size := range []int64{10, 1 << 20} {
		host := strings.TrimPrefix(s.URL, "http://")
		tr.pool.put(newConn(&tr.pool, target{"http", host}, &tape{Reader: strings.NewReader(""), fails: syscall.EPIPE}, time.Minute))
		req, _ := http.NewRequest(http.MethodPost, s.URL, io.LimitReader(zero{}, size))
		req.ContentLength = size
		resp, err := tr.RoundTrip(req)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		tr.CloseIdleConnections()
	}
	if strings.Join(got, " ") != "POST10 POST1048576" {
		t.Error(got)
	}
}

type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestCanceledDial: also connecting ends with the context.
func TestCanceledDial(t *testing.T) {
	tr := New(Config{})
	tr.dialer.ControlContext = func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, want := range []error{context.Canceled, context.DeadlineExceeded} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if errors.Is(want, context.Canceled) {
			time.AfterFunc(10*time.Millisecond, cancel)
		}
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:9/", nil)
		if _, err := tr.RoundTrip(req); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		cancel()
	}
}

// TestBodyStates: a connection goes back once, and only from a body that came
// to its end.
func TestBodyStates(t *testing.T) {
	const wire = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
	for name, c := range map[string]struct {
		wire string
		use  func(b io.ReadCloser) error
		want error
		kept bool
	}{
		"read":           {wire, func(b io.ReadCloser) error { _, err := io.ReadAll(b); return err }, nil, true},
		"read twice":     {wire, func(b io.ReadCloser) error { io.ReadAll(b); _, err := b.Read(make([]byte, 9)); return err }, io.EOF, true},
		"read, closed":   {wire, func(b io.ReadCloser) error { io.ReadAll(b); return b.Close() }, nil, true},
		"closed twice":   {wire, func(b io.ReadCloser) error { b.Close(); return b.Close() }, nil, true},
		"closed, read":   {wire, func(b io.ReadCloser) error { b.Close(); _, err := b.Read(make([]byte, 9)); return err }, errClosed, true},
		"nothing read":   {wire, func(b io.ReadCloser) error { _, err := b.Read(nil); return err }, nil, false},
		"rest is here":   {wire, func(b io.ReadCloser) error { b.Read(make([]byte, 2)); return b.Close() }, nil, true},
		"rest is away":   {wire[:len(wire)-1], func(b io.ReadCloser) error { b.Read(make([]byte, 2)); return b.Close() }, nil, false},
		"none is here":   {wire[:len(wire)-3], func(b io.ReadCloser) error { b.Read(make([]byte, 2)); return b.Close() }, nil, false},
		"more than that": {wire + "!", func(b io.ReadCloser) error { _, err := io.ReadAll(b); return err }, nil, false},
	} {
		p := &pool{timeout: time.Hour, max: 9}
		req := httptest.NewRequest(http.MethodGet, "http://host/", nil)
		var out outgoing
		if err := out.begin(req, nil); err != nil {
			t.Fatal(err)
		}
		resp, err := newConn(p, target{}, &tape{Reader: strings.NewReader(c.wire)}, time.Minute).exchange(req, &out)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.use(resp.Body); !errors.Is(err, c.want) || (len(p.idle) == 1) != c.kept {
			t.Errorf("%s: %v, %d connections kept", name, err, len(p.idle))
		}
		p.closeAll()
	}
}

// TestCloseWakesRead: Close ends a Read that waits, and the connection goes.
func TestCloseWakesRead(t *testing.T) {
	for range 100 {
		client, server := net.Pipe()
		go func() {
			buf := make([]byte, 4096)
			_, _ = server.Read(buf)
			_, _ = io.WriteString(server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell")
		}()
		p := &pool{timeout: time.Hour, max: 9}
		req := httptest.NewRequest(http.MethodGet, "http://host/", nil)
		var out outgoing
		if err := out.begin(req, nil); err != nil {
			t.Fatal(err)
		}
		resp, err := newConn(p, target{}, client, time.Minute).exchange(req, &out)
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan error)
		go func() { _, err := io.ReadAll(resp.Body); read <- err }()
		time.Sleep(100 * time.Microsecond)
		resp.Body.Close()
		if err := <-read; !errors.Is(err, errClosed) {
			t.Errorf("Read says %v", err)
		}
		if _, err := server.Read(make([]byte, 1)); err == nil || len(p.idle) > 0 {
			t.Errorf("the connection lives: %v", err)
		}
		server.Close()
	}
}
