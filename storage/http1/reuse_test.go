package http1_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage/http1"
)

// answer answers every request in the same way.
func answer(s string) func(*peer) {
	return func(p *peer) {
		for p.request() != nil {
			p.say(s)
		}
	}
}

// TestOneConnection: requests one after another need no second connection.
func TestOneConnection(t *testing.T) {
	both(t, answer(okay), func(t *testing.T, s *server, conf *tls.Config) {
		tr := transport(t, http1.Config{TLS: conf})
		for range 50 {
			wantOK(t, tr, s.url)
		}
		if n := s.conns.Load(); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// TestClosedBetween: what the server closed while nobody used it is not used,
// so that also a PUT finds a connection that works.
func TestClosedBetween(t *testing.T) {
	if !http1.CanPeek {
		t.Skip("nobody can know here")
	}
	both(t, func(p *peer) {
		p.request()
		p.say(okay)
	}, func(t *testing.T, s *server, conf *tls.Config) {
		tr := transport(t, http1.Config{TLS: conf})
		for range 20 {
			req := newRequest(t, http.MethodPut, s.url, strings.NewReader("x"), 1)
			if _, _, err := fetch(tr, req); err != nil {
				t.Fatal(err)
			}
			s.waitGone(t)
		}
	})
}

// TestUnasked: what a server says while nobody has asked is nobody's answer.
func TestUnasked(t *testing.T) {
	if !http1.CanPeek {
		t.Skip("nobody can know here")
	}
	const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	said := make(chan bool)
	both(t, func(p *peer) {
		for p.request() != nil {
			p.say(okay)
			<-said
			p.say(evil)
			said <- true
		}
	}, func(t *testing.T, s *server, conf *tls.Config) {
		tr := transport(t, http1.Config{TLS: conf})
		for range 20 {
			wantOK(t, tr, s.url)
			said <- true
			<-said
		}
	})
}

// TestHiddenByTLS: what has come with the end of a body may be inside of
// crypto/tls, where no look at the socket finds it.
func TestHiddenByTLS(t *testing.T) {
	const head, evil = "HTTP/1.1 200 OK\r\nContent-Length: 49000\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	const full = 3 * 16384 // in whole records, so that the last one is read past the buffer
	body := strings.Repeat("x", 49000)
	fill := "X: " + strings.Repeat("y", full-len(head)-len("X: \r\n\r\n")-len(body)) + "\r\n\r\n"
	sent := make(chan bool)
	s, conf := serveTLS(t, func(p *peer) {
		for p.request() != nil {
			p.say(head + fill + body + evil)
			sent <- true
		}
	})
	tr := transport(t, http1.Config{TLS: conf})
	for range 20 {
		resp, err := tr.RoundTrip(newRequest(t, http.MethodGet, s.url, nil, 0))
		if err != nil {
			t.Fatal(err)
		}
		<-sent
		got := make([]byte, len(body))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != body {
			t.Fatalf("%.20q, %v", got, err)
		}
		resp.Body.Close()
	}
}

// TestAgain: which requests are sent once more if a kept connection dies under
// them.
func TestAgain(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		body   string
		head   http.Header
		said   string // before the server hangs up
		again  bool
	}{
		"GET":                {method: "GET", again: true},
		"HEAD":               {method: "HEAD", again: true},
		"OPTIONS":            {method: "OPTIONS", again: true},
		"TRACE":              {method: "TRACE", again: true},
		"no method":          {method: "", again: true},
		"GET with a body":    {method: "GET", body: "x", again: true},
		"PUT":                {method: "PUT", body: "x"},
		"POST":               {method: "POST", body: "x"},
		"DELETE":             {method: "DELETE"},
		"POST with a key":    {method: "POST", body: "x", head: http.Header{"Idempotency-Key": {"1"}}, again: true},
		"a byte of answer":   {method: "GET", said: "H"},
		"half an answer":     {method: "GET", said: "HTTP/1.1 200 OK\r\nContent-"},
		"an interim answer":  {method: "GET", said: "HTTP/1.1 102 Processing\r\n\r\n"},
		"a malformed answer": {method: "GET", said: "nonsense\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(p *peer) {
				for n := 1; p.request() != nil; n++ {
					if p.n == 1 && n == 2 {
						p.say(c.said)
						return
					}
					p.say(empty)
				}
			}, func(t *testing.T, s *server, conf *tls.Config) {
				tr := transport(t, http1.Config{TLS: conf})
				if _, _, err := get(t, tr, s.url); err != nil {
					t.Fatal(err)
				}
				req := newRequest(t, c.method, s.url, nil, 0)
				body := &tracked{Reader: strings.NewReader(c.body)}
				if c.body != "" {
					req.Body, req.ContentLength = body, int64(len(c.body))
				}
				if c.head != nil {
					req.Header = c.head
				}
				_, _, err := fetch(tr, req)
				if (err == nil) != c.again || s.conns.Load() == 2 != c.again {
					t.Errorf("%v after %d connections, want it sent again: %v", err, s.conns.Load(), c.again)
				}
				if c.body != "" && body.closed.Load() != 1 {
					t.Errorf("the body was closed %d times", body.closed.Load())
				}
			})
		})
	}
}

// TestNotAgain: a body of which a part was given away is not sent again.
func TestNotAgain(t *testing.T) {
	s := serve(t, func(p *peer) {
		p.request()
		p.say(okay)
		p.head()
		_, _ = io.CopyN(io.Discard, p.r, 300<<10)
	})
	tr := transport(t, http1.Config{})
	wantOK(t, tr, s.url)
	req := newRequest(t, http.MethodPut, s.url, io.LimitReader(new(zeros), large), large)
	req.Header.Set("Idempotency-Key", "1")
	if _, _, err := fetch(tr, req); err == nil || s.conns.Load() != 1 {
		t.Errorf("%v after %d connections", err, s.conns.Load())
	}
}

// TestAgainOnce: a server that always hangs up is asked twice, a new
// connection once.
func TestAgainOnce(t *testing.T) {
	var asked atomic.Int64
	s := serve(t, func(p *peer) {
		for p.request() != nil {
			if asked.Add(1) > 1 {
				return
			}
			p.say(okay)
		}
	})
	tr := transport(t, http1.Config{})
	wantOK(t, tr, s.url)
	for n, want := range []int64{3, 4} {
		if _, _, err := get(t, tr, s.url); err == nil || asked.Load() != want {
			t.Errorf("request %d: %v, asked %d times, want %d", n, err, asked.Load(), want)
		}
	}
}

// several makes n requests at the same time, each on a connection of its own.
func several(t *testing.T, tr *http1.Transport, url string, n int) {
	t.Helper()
	var bodies []io.Closer
	for range n {
		resp, err := tr.RoundTrip(newRequest(t, http.MethodGet, url, nil, 0))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, resp.Body)
	}
	for _, b := range bodies { // their bytes have come with the headers
		b.Close()
	}
}

func TestMaxIdle(t *testing.T) {
	s := serve(t, answer(okay))
	tr := transport(t, http1.Config{MaxIdle: 2})
	several(t, tr, s.url, 5)
	for range 3 {
		s.waitGone(t)
	}
	several(t, tr, s.url, 2)
	if n := s.conns.Load(); n != 5 {
		t.Errorf("%d connections", n)
	}
	none := transport(t, http1.Config{MaxIdle: -1})
	several(t, none, s.url, 3)
	for range 3 {
		s.waitGone(t)
	}
}

// TestIdleTimeout: old connections go without anybody asking for one.
func TestIdleTimeout(t *testing.T) {
	s := serve(t, answer(okay))
	tr := transport(t, http1.Config{IdleTimeout: 50 * time.Millisecond})
	for n := range 2 {
		several(t, tr, s.url, 3)
		for range 3 {
			s.waitGone(t)
		}
		if got := s.conns.Load(); got != int64(3*(n+1)) {
			t.Errorf("%d connections", got)
		}
	}
}

func TestCloseIdleConnections(t *testing.T) {
	s := serve(t, answer(okay))
	tr := transport(t, http1.Config{})
	for range 2 {
		several(t, tr, s.url, 3)
		tr.CloseIdleConnections()
		for range 3 {
			s.waitGone(t)
		}
	}
	tr.CloseIdleConnections()
}

// TestLastUsedFirst: so that surplus connections grow old and go.
func TestLastUsedFirst(t *testing.T) {
	var mu sync.Mutex
	var used []int
	s := serve(t, func(p *peer) {
		for p.request() != nil {
			mu.Lock()
			used = append(used, p.n)
			mu.Unlock()
			p.say(okay)
		}
	})
	tr := transport(t, http1.Config{})
	several(t, tr, s.url, 3)
	for range 5 {
		wantOK(t, tr, s.url)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, n := range used[3:] {
		if n != used[2] {
			t.Fatalf("used connections %v", used)
		}
	}
}

// TestHosts: a connection is used for its own host only.
func TestHosts(t *testing.T) {
	a, b := serve(t, answer(okay)), serve(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb"))
	tr := transport(t, http1.Config{})
	for range 5 {
		wantOK(t, tr, a.url)
		if _, body, err := get(t, tr, b.url); err != nil || body != "b" {
			t.Errorf("%q, %v", body, err)
		}
	}
	if a.conns.Load() != 1 || b.conns.Load() != 1 {
		t.Errorf("%d and %d connections", a.conns.Load(), b.conns.Load())
	}
}
