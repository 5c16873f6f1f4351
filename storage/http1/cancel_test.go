package http1_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage/http1"
)

// stages are servers that stop at some point of a request.
var stages = map[string]struct {
	tls    bool
	method string
	handle func(p *peer)
	body   bool // it is the body that fails
}{
	"handshake": {tls: true, handle: func(p *peer) { p.raw().hold() }},
	"write":     {method: http.MethodPut, handle: func(p *peer) { p.head(); time.Sleep(500 * time.Millisecond) }},
	"answer":    {handle: func(p *peer) { p.request(); p.hold() }},
	"put":       {method: http.MethodPut, handle: func(p *peer) { p.request(); p.hold() }},
	"interim":   {handle: func(p *peer) { p.request(); p.say("HTTP/1.1 102 Processing\r\n\r\n"); p.hold() }},
	"head":      {handle: func(p *peer) { p.request(); p.say("HTTP/1.1 200 OK\r\nX"); p.hold() }},
	"body":      {body: true, handle: func(p *peer) { p.request(); p.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"); p.hold() }},
	"to the end": {body: true, handle: func(p *peer) {
		p.request()
		p.say("HTTP/1.1 200 OK\r\n\r\nok")
		p.hold()
	}},
	"chunks": {body: true, handle: func(p *peer) {
		p.request()
		p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok")
		p.hold()
	}},
	"trailer": {body: true, handle: func(p *peer) {
		p.request()
		p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
		p.hold()
	}},
}

// raw is the connection below TLS.
func (p *peer) raw() *peer {
	if c, ok := p.Conn.(*tls.Conn); ok {
		return &peer{Conn: c.NetConn(), r: p.r}
	}
	return p
}

// run makes a request that stops at a stage and returns its error.
func run(t *testing.T, ctx context.Context, tr http.RoundTripper, method, url string, wantBody bool) error {
	t.Helper()
	body := &tracked{Reader: io.LimitReader(new(zeros), large)}
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPut {
		req.Body, req.ContentLength = body, large
	}
	resp, err := tr.RoundTrip(req)
	if method == http.MethodPut && body.closed.Load() != 1 {
		t.Error("the body of the request was not closed")
	}
	if !wantBody {
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	if _, again := resp.Body.Read(make([]byte, 1)); !errors.Is(again, err) {
		t.Errorf("a second read says %v, not %v", again, err)
	}
	return err
}

// TestCanceled: the end of the context ends a request wherever it is, and its
// connection with it.
func TestCanceled(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range stages {
		for how, start := range map[string]struct {
			ctx  func() (context.Context, func())
			want []error
		}{
			"cancel": {func() (context.Context, func()) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(30*time.Millisecond, cancel)
				return ctx, cancel
			}, []error{context.Canceled}},
			"cause": {func() (context.Context, func()) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(30*time.Millisecond, func() { cancel(boom) })
				return ctx, func() { cancel(nil) }
			}, []error{context.Canceled, boom}},
			"deadline": {func() (context.Context, func()) {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
				return ctx, cancel
			}, []error{context.DeadlineExceeded}},
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				s, conf := serverFor(t, c.tls, c.handle)
				tr := transport(t, http1.Config{TLS: conf})
				ctx, cancel := start.ctx()
				defer cancel()
				err := run(t, ctx, tr, c.method, s.url, c.body)
				for _, want := range start.want {
					if !errors.Is(err, want) {
						t.Errorf("error %v, want %v", err, want)
					}
				}
				s.waitGone(t)
			})
		}
	}
}

func serverFor(t *testing.T, withTLS bool, handle func(p *peer)) (*server, *tls.Config) {
	if withTLS {
		return serveTLS(t, handle)
	}
	return serve(t, handle), nil
}

// TestCanceledBefore: nothing is connected, and the body is closed.
func TestCanceledBefore(t *testing.T) {
	s := serve(t, answer(okay))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(t, ctx, transport(t, http1.Config{}), http.MethodPut, s.url, false); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if s.conns.Load() != 0 {
		t.Error("connected")
	}
}

// TestStalls: where nothing moves, there is a timeout, and none of the context.
func TestStalls(t *testing.T) {
	for name, c := range stages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, conf := serverFor(t, c.tls, c.handle)
			tr := transport(t, http1.Config{TLS: conf, Stall: 50 * time.Millisecond, DialTimeout: 50 * time.Millisecond})
			start := time.Now()
			err := run(t, t.Context(), tr, c.method, s.url, c.body)
			var timeout net.Error
			if !errors.As(err, &timeout) || !timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			if d := time.Since(start); d < 50*time.Millisecond {
				t.Errorf("after %v", d)
			}
			s.waitGone(t)
		})
	}
}

// TestMoves: what is slow but moves does not fail, however long it takes.
func TestMoves(t *testing.T) {
	const pause = 30 * time.Millisecond
	s := serve(t, func(p *peer) {
		p.head()
		for range 10 { // 64 MiB, read as slowly
			_, _ = io.CopyN(io.Discard, p.r, large/10)
			time.Sleep(pause)
		}
		_, _ = io.CopyN(io.Discard, p.r, large-large/10*10)
		for _, c := range "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" {
			p.say(string(c))
			time.Sleep(pause / 4)
		}
		for range 10 {
			p.say("x")
			time.Sleep(pause)
		}
	})
	if _, body, _, err := put(t, transport(t, http1.Config{Stall: 200 * time.Millisecond}), s.url); err != nil || len(body) != 10 {
		t.Errorf("%q, %v", body, err)
	}
}

// TestSlowBody: the time that the request's own body takes is none of the
// connection's.
func TestSlowBody(t *testing.T) {
	s := serve(t, answer(okay))
	pr, pw := io.Pipe()
	go func() {
		for range 5 {
			_, _ = pw.Write(make([]byte, 100_000))
			time.Sleep(60 * time.Millisecond)
		}
		pw.Close()
	}()
	req := newRequest(t, http.MethodPut, s.url, pr, 500_000)
	if _, body, err := fetch(transport(t, http1.Config{Stall: 40 * time.Millisecond}), req); err != nil || body != "ok" {
		t.Errorf("%q, %v", body, err)
	}
}

// TestCanceledAtTheEnd: contexts that end in the very moment in which a
// connection goes back never hurt the request that gets it next.
func TestCanceledAtTheEnd(t *testing.T) {
	both(t, answer(okay), func(t *testing.T, s *server, conf *tls.Config) {
		tr := transport(t, http1.Config{TLS: conf})
		rounds := 500
		if conf != nil { // handshakes are dear
			rounds = 50
		}
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := range rounds {
					ctx, cancel := context.WithCancel(t.Context())
					go func() {
						time.Sleep(time.Duration((i*7+w)%60) * 3 * time.Microsecond)
						cancel()
					}()
					req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
					if _, body, err := fetch(tr, req); err == nil && body != "ok" || err != nil && !errors.Is(err, context.Canceled) {
						t.Errorf("%q, %v", body, err)
					}
					req = newRequest(t, http.MethodPut, s.url, strings.NewReader("x"), 1)
					if _, body, err := fetch(tr, req); err != nil || body != "ok" {
						t.Errorf("the next request: %q, %v", body, err)
					}
					cancel()
				}
			})
		}
		wg.Wait()
		t.Logf("%d connections", s.conns.Load())
	})
}
