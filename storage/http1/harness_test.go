package http1_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage/http1"
)

// peer is a connection as the server sees it.
type peer struct {
	net.Conn
	r *bufio.Reader
	n int // its number, from 1
}

// request reads a request with its body; nil at the end.
func (p *peer) request() *http.Request {
	r := p.head()
	if r == nil {
		return nil
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil
	}
	return r
}

// head reads a request without its body.
func (p *peer) head() *http.Request {
	r, err := http.ReadRequest(p.r)
	if err != nil {
		return nil
	}
	return r
}

func (p *peer) say(s string) { _, _ = io.WriteString(p, s) }

const (
	okay  = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
)

// hold waits until the client has hung up.
func (p *peer) hold() { _, _ = io.Copy(io.Discard, p.r) }

var discardLog = log.New(io.Discard, "", 0)

// shut ends what the server says, and leaves open what it hears.
func (p *peer) shut() {
	if c, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
}

// server hands its connections to a function that may misbehave.
type server struct {
	url   string
	conns atomic.Int64
	gone  chan int // numbers of connections that are over

	mu   sync.Mutex
	open map[net.Conn]bool
}

func serve(t testing.TB, handle func(*peer)) *server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, "http://"+l.Addr().String(), handle)
}

// serveTLS returns a server and what a client must trust.
func serveTLS(t testing.TB, handle func(*peer)) (*server, *tls.Config) {
	own := httptest.NewUnstartedServer(nil)
	own.StartTLS()
	t.Cleanup(own.Close)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: own.TLS.Certificates, DynamicRecordSizingDisabled: true,
		ClientAuth: tls.RequestClientCert, // tickets then come after the handshake
	})
	if err != nil {
		t.Fatal(err)
	}
	trust := x509.NewCertPool()
	trust.AddCert(own.Certificate())
	return serveOn(t, l, "https://"+l.Addr().String(), handle), &tls.Config{RootCAs: trust}
}

func serveOn(t testing.TB, l net.Listener, url string, handle func(*peer)) *server {
	s := &server{url: url, open: map[net.Conn]bool{}, gone: make(chan int, 10_000)}
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.open {
			c.Close()
		}
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.open[c] = true
			s.mu.Unlock()
			n := int(s.conns.Add(1))
			wg.Go(func() {
				defer func() { s.gone <- n }()
				defer c.Close()
				handle(&peer{c, bufio.NewReader(c), n})
			})
		}
	})
	return s
}

// waitGone waits until one more connection is over.
func (s *server) waitGone(t testing.TB) {
	t.Helper()
	select {
	case <-s.gone:
	case <-time.After(10 * time.Second):
		t.Fatal("the connection stays open")
	}
}

func transport(t testing.TB, c http1.Config) *http1.Transport {
	tr := http1.New(c)
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// tracked is a body that knows whether it was closed.
type tracked struct {
	io.Reader
	closed atomic.Int64
}

func (b *tracked) Close() error { b.closed.Add(1); return nil }

func newRequest(t testing.TB, method, url string, body io.Reader, size int64) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Body, req.ContentLength = io.NopCloser(body), size
	}
	return req
}

// fetch sends a request and reads the answer.
func fetch(rt http.RoundTripper, req *http.Request) (*http.Response, string, error) {
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

func get(t testing.TB, rt http.RoundTripper, url string) (*http.Response, string, error) {
	t.Helper()
	return fetch(rt, newRequest(t, http.MethodGet, url, nil, 0))
}

// wantOK makes a request that must succeed.
func wantOK(t testing.TB, rt http.RoundTripper, url string) {
	t.Helper()
	if _, body, err := get(t, rt, url); err != nil || body != "ok" {
		t.Fatalf("%q, %v", body, err)
	}
}

func wantError(t testing.TB, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want one that says %q", err, text)
	}
}
