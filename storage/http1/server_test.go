package http1_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage/http1"
)

// echo answers with the request's body, or with as many bytes as the path says,
// with a length or in chunks.
func echo(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("size")); err == nil {
		b = pattern(n)
	}
	if r.URL.Query().Get("chunks") == "" {
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	} else {
		w.Header().Set("Trailer", "X-Sum")
		defer w.Header().Set("X-Sum", "1")
	}
	w.Write(b)
}

func pattern(n int) []byte { return bytes.Repeat([]byte("0123456789abcdefg"), n/17+1)[:n] }

// TestTrust: what a certificate must be for, and the errors by which people are
// told.
func TestTrust(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = discardLog
	s.StartTLS()
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var verification *tls.CertificateVerificationError
	for what, c := range map[string]struct {
		conf *tls.Config
		as   []any
	}{
		"trusted":          {&tls.Config{RootCAs: pool}, nil},
		"any":              {&tls.Config{InsecureSkipVerify: true}, nil},
		"unknown":          {nil, []any{&unknown, &verification}},
		"for someone else": {&tls.Config{RootCAs: pool, ServerName: "other.test"}, []any{&name, &verification}},
	} {
		var before string
		if c.conf != nil {
			before = fmt.Sprint(c.conf.ServerName, c.conf.NextProtos)
		}
		resp, _, err := get(t, transport(t, http1.Config{TLS: c.conf}), s.URL+"/?size=5")
		for _, as := range c.as {
			if !errors.As(err, as) {
				t.Errorf("%s: %v is no %T", what, err, as)
			}
		}
		if c.as == nil && (err != nil || resp.Proto != "HTTP/1.1") {
			t.Errorf("%s: %v, %v", what, resp, err)
		}
		if c.conf != nil && before != fmt.Sprint(c.conf.ServerName, c.conf.NextProtos) {
			t.Errorf("%s: the configuration was changed", what)
		}
	}
}

// TestUnreachable: the errors of the network are there to be found.
func TestUnreachable(t *testing.T) {
	tr := transport(t, http1.Config{DialTimeout: 3 * time.Second})
	var op *net.OpError
	if _, _, err := get(t, tr, "http://127.0.0.1:1/"); !errors.As(err, &op) || op.Op != "dial" {
		t.Error(err)
	}
	var dns *net.DNSError
	if _, _, err := get(t, tr, "http://name.invalid/"); !errors.As(err, &dns) {
		t.Error(err)
	}
	s := serve(t, func(p *peer) { p.say("HTTP/1.1 400 Bad Request\r\n\r\n") })
	var header tls.RecordHeaderError
	if _, _, err := get(t, tr, "https"+s.url[4:]); !errors.As(err, &header) {
		t.Error(err)
	}
}

// TestMixed: many requests of all kinds at once, some given up, get their own
// answers and nobody else's.
func TestMixed(t *testing.T) {
	for _, withTLS := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", withTLS), func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(echo))
			s.Config.ErrorLog = discardLog
			conf, rounds := &tls.Config{}, 40
			if withTLS {
				rounds = 10 // handshakes are dear
				s.StartTLS()
				conf.RootCAs = x509.NewCertPool()
				conf.RootCAs.AddCert(s.Certificate())
			} else {
				s.Start()
			}
			defer s.Close()
			tr := transport(t, http1.Config{TLS: conf, MaxIdle: 20})
			before := runtime.NumGoroutine()
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					for range rounds {
						if err := anyRequest(tr, s.URL); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			tr.CloseIdleConnections()
			s.CloseClientConnections()
			for n := 0; runtime.NumGoroutine() > before+2 && n < 100; n++ {
				time.Sleep(20 * time.Millisecond)
			}
			if now := runtime.NumGoroutine(); now > before+2 {
				t.Errorf("%d goroutines, %d before", now, before)
			}
		})
	}
}

// anyRequest makes a request that is echoed, or read, or given up somewhere.
func anyRequest(tr http.RoundTripper, url string) error {
	data := pattern(rand.IntN(3) * rand.IntN(200_000))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	mayFail := rand.IntN(5) == 0
	if mayFail {
		defer time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, cancel).Stop()
	}
	var req *http.Request
	switch rand.IntN(3) {
	case 0:
		req, _ = http.NewRequestWithContext(ctx, http.MethodPut, url, bytes.NewReader(data))
	case 1:
		req, _ = http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/?size=%d", url, len(data)), nil)
	default:
		req, _ = http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/?chunks=1&size=%d", url, len(data)), nil)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return unlessCanceled(mayFail, err)
	}
	defer resp.Body.Close()
	if rand.IntN(4) == 0 { // leave the rest
		data = data[:rand.IntN(len(data)+1)]
		got := make([]byte, len(data))
		_, err = io.ReadFull(resp.Body, got)
		if err == nil && !bytes.Equal(got, data) {
			return errors.New("other bytes")
		}
		return unlessCanceled(mayFail, err)
	}
	got, err := io.ReadAll(resp.Body)
	if err == nil && !bytes.Equal(got, data) {
		return fmt.Errorf("%d other bytes, want %d", len(got), len(data))
	}
	return unlessCanceled(mayFail, err)
}

func unlessCanceled(mayFail bool, err error) error {
	if mayFail && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
