package http1_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage/http1"
)

// zeros is a large body that counts what was taken of it.
type zeros struct{ taken atomic.Int64 }

func (z *zeros) Read(p []byte) (int, error) {
	z.taken.Add(int64(len(p)))
	clear(p)
	return len(p), nil
}

const large = 64 << 20

func put(t *testing.T, tr http.RoundTripper, url string) (resp *http.Response, body string, taken int64, err error) {
	var z zeros
	resp, body, err = fetch(tr, newRequest(t, http.MethodPut, url, io.LimitReader(&z, large), large))
	return resp, body, z.taken.Load(), err
}

// both runs a test against a plain server and one with TLS.
func both(t *testing.T, handle func(*peer), test func(t *testing.T, s *server, conf *tls.Config)) {
	t.Run("plain", func(t *testing.T) { test(t, serve(t, handle), nil) })
	t.Run("TLS", func(t *testing.T) {
		s, conf := serveTLS(t, handle)
		test(t, s, conf)
	})
}

const slowDown = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nConnection: close\r\nContent-Length: 8\r\n\r\nSlowDown"

// TestRefusedEarly: a server that answers in mid-upload is heard, whether it
// hangs up, reads on or does neither; the last one after the stall time.
func TestRefusedEarly(t *testing.T) {
	for name, then := range map[string]func(p *peer){
		"hangs up":       func(p *peer) {},
		"reads on":       func(p *peer) { p.hold() },
		"reads no more":  func(p *peer) { time.Sleep(700 * time.Millisecond) },
		"shuts one side": func(p *peer) { p.shut(); time.Sleep(50 * time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, func(p *peer) {
				p.head()
				_, _ = io.CopyN(io.Discard, p.r, 300<<10)
				p.say(slowDown)
				then(p)
			}, func(t *testing.T, s *server, conf *tls.Config) {
				tr := transport(t, http1.Config{TLS: conf, Stall: 400 * time.Millisecond})
				for range 5 {
					resp, body, taken, err := put(t, tr, s.url)
					if err != nil {
						t.Fatal(err)
					}
					if resp.StatusCode != 503 || body != "SlowDown" || resp.Header.Get("Retry-After") != "7" || taken > large/2 {
						t.Errorf("%d, %q after %d bytes", resp.StatusCode, body, taken)
					}
				}
				if s.conns.Load() != 5 {
					t.Errorf("%d connections for 5 requests", s.conns.Load())
				}
			})
		})
	}
}

// TestRefusedWithoutClose: the connection of a request that was not sent whole
// is not used again, whatever the server thinks of it.
func TestRefusedWithoutClose(t *testing.T) {
	both(t, func(p *peer) {
		p.head()
		p.say("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
		p.hold()
	}, func(t *testing.T, s *server, conf *tls.Config) {
		tr := transport(t, http1.Config{TLS: conf})
		for n := range 2 {
			resp, _, _, err := put(t, tr, s.url)
			if err != nil || resp.StatusCode != 403 || s.conns.Load() != int64(n+1) {
				t.Fatalf("%v, %v on connection %d", resp, err, s.conns.Load())
			}
		}
	})
}

// TestInterimEarly: an answer 1xx does not end a request.
func TestInterimEarly(t *testing.T) {
	both(t, func(p *peer) {
		for r := p.head(); r != nil; r = p.head() {
			p.say("HTTP/1.1 100 Continue\r\n\r\n")
			_, _ = io.CopyN(io.Discard, r.Body, large/2)
			p.say("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
			if n, _ := io.Copy(io.Discard, r.Body); n != large/2 {
				return
			}
			p.say(okay)
		}
	}, func(t *testing.T, s *server, conf *tls.Config) {
		tr := transport(t, http1.Config{TLS: conf})
		for range 2 {
			if resp, body, _, err := put(t, tr, s.url); err != nil || resp.StatusCode != 200 || body != "ok" {
				t.Fatalf("%q, %v", body, err)
			}
		}
		if s.conns.Load() != 1 {
			t.Errorf("%d connections", s.conns.Load())
		}
	})
}

// TestSuccessEarly: a success counts only if everything was sent.
func TestSuccessEarly(t *testing.T) {
	for name, whole := range map[string]bool{"reads all": true, "hangs up": false} {
		t.Run(name, func(t *testing.T) {
			both(t, func(p *peer) {
				r := p.head()
				p.say("HTTP/1.1 200 OK\r\n")
				if p.say("Content-Length: 2\r\n\r\nok"); whole {
					_, _ = io.Copy(io.Discard, r.Body)
					p.hold()
				}
			}, func(t *testing.T, s *server, conf *tls.Config) {
				resp, body, taken, err := put(t, transport(t, http1.Config{TLS: conf}), s.url)
				if whole && (err != nil || body != "ok" || taken < large) {
					t.Errorf("%v, %q after %d bytes: %v", resp, body, taken, err)
				}
				if !whole && err == nil {
					t.Errorf("status %d after %d bytes", resp.StatusCode, taken)
				}
			})
		})
	}
}

// TestTicket: what a TLS peer says on its own behalf is no answer.
func TestTicket(t *testing.T) {
	s, conf := serveTLS(t, answer(okay))
	conf.ClientSessionCache = tls.NewLRUClientSessionCache(1) // makes the server send a ticket
	for range 3 {
		tr := transport(t, http1.Config{TLS: conf, Stall: 2 * time.Second})
		if resp, body, _, err := put(t, tr, s.url); err != nil || resp.StatusCode != 200 || body != "ok" {
			t.Errorf("%q, %v", body, err)
		}
	}
}

// TestHangsUp: without an answer there is only the error.
func TestHangsUp(t *testing.T) {
	both(t, func(p *peer) {
		p.head()
		_, _ = io.CopyN(io.Discard, p.r, 300<<10)
	}, func(t *testing.T, s *server, conf *tls.Config) {
		start := time.Now()
		if _, _, _, err := put(t, transport(t, http1.Config{TLS: conf}), s.url); err == nil || !strings.HasPrefix(err.Error(), "http1: ") {
			t.Error(err)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("took %v", d)
		}
	})
}
