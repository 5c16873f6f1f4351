package e2e

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// proxy stands before a MinIO server, counts what is asked of it and can
// answer in its place.
type proxy struct {
	*httptest.Server

	mu    sync.Mutex
	lists int
	puts  map[string]int            // whole objects, by path: those that succeeded
	parts map[string]map[string]int // path → part number → successes
	// before may change a request, or answer it itself by returning true;
	// after may change the server's answer, or fail so that the connection
	// breaks. nil: nothing.
	before func(w http.ResponseWriter, r *http.Request) bool
	after  func(*http.Response) error
}

func newProxy(t *testing.T, backend string) *proxy {
	t.Helper()
	to, err := url.Parse(backend)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{puts: map[string]int{}, parts: map[string]map[string]int{}}
	rp := &httputil.ReverseProxy{
		// The Host header stays: it is part of the signature.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(resp *http.Response) error {
			p.count(resp)
			p.mu.Lock()
			after := p.after
			p.mu.Unlock()
			if after == nil {
				return nil
			}
			return after(resp)
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		before := p.before
		p.mu.Unlock()
		if before != nil && before(w, r) {
			return
		}
		rp.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) count(resp *http.Response) {
	r := resp.Request
	q := r.URL.Query()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case r.Method == http.MethodGet && (q.Has("list-type") || q.Has("prefix") && !q.Has("uploads")):
		p.lists++
	case r.Method == http.MethodPut && resp.StatusCode == http.StatusOK && q.Has("uploadId"):
		m := p.parts[r.URL.Path]
		if m == nil {
			m = map[string]int{}
			p.parts[r.URL.Path] = m
		}
		m[q.Get("partNumber")]++
	case r.Method == http.MethodPut && resp.StatusCode == http.StatusOK && strings.Count(r.URL.Path, "/") > 1:
		p.puts[r.URL.Path]++
	}
}

// intercept replaces the function that may answer first.
func (p *proxy) intercept(f func(w http.ResponseWriter, r *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before = f
}

// alter replaces the function that sees answers.
func (p *proxy) alter(f func(*http.Response) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.after = f
}
