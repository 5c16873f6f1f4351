package e2e

import (
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
	// before may answer a request itself by returning true; nil: nothing.
	before func(w http.ResponseWriter, r *http.Request) bool
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
		ModifyResponse: p.count,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
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

func (p *proxy) count(resp *http.Response) error {
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
	return nil
}

// intercept replaces the function that may answer first.
func (p *proxy) intercept(f func(w http.ResponseWriter, r *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before = f
}
