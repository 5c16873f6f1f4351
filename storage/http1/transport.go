// Package http1 is an http.RoundTripper for HTTP/1.1 that works on its caller's
// goroutine: the caller writes its request and reads its answer itself. The two
// goroutines that net/http keeps for every connection, and the wake-ups between
// them, cost a program that moves many small objects up to a fifth of its CPU.
//
// It does less than net/http: no proxies, no HTTP/2, no request bodies of
// unknown length, no Upgrade, no decoding of bodies, no httptrace; trailers are
// checked and dropped. The values of an answer's headers are parts of one
// string: whoever keeps one for long should clone it.
//
// It must not know S3, drivers, retry policy or the environment.
package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Config bounds connections. Zero values stand for the defaults named.
type Config struct {
	MaxIdle     int           // connections kept for later requests, to all hosts together; 128. Not fewer than workers
	IdleTimeout time.Duration // how long they are kept; 50 s
	DialTimeout time.Duration // to connect, and again for the TLS handshake; 5 s
	// Stall is how long nothing may move on a connection that is in use before
	// the request or its body fails with a timeout; 60 s. It may take a quarter
	// longer. Time spent in the request's Body does not count.
	Stall time.Duration
	// TLS is cloned for every connection. ServerName is the host's unless set
	// here; the protocol is always HTTP/1.1. nil is crypto/tls's default.
	TLS *tls.Config
}

// Transport sends requests. It is safe for concurrent use.
type Transport struct {
	c      Config
	dialer net.Dialer
	pool   pool
}

// New makes no connection.
func New(c Config) *Transport {
	c.MaxIdle = or(c.MaxIdle, 128)
	c.IdleTimeout = or(c.IdleTimeout, 50*time.Second)
	c.DialTimeout = or(c.DialTimeout, 5*time.Second)
	c.Stall = or(c.Stall, time.Minute)
	if c.TLS == nil {
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return &Transport{
		c:      c,
		dialer: net.Dialer{Timeout: c.DialTimeout, KeepAlive: 30 * time.Second},
		pool:   pool{max: c.MaxIdle, timeout: c.IdleTimeout},
	}
}

func or[T comparable](v, instead T) T {
	var zero T
	if v == zero {
		return instead
	}
	return v
}

// RoundTrip sends a request and returns the answer as soon as its headers are
// there. It closes req.Body before it returns, whatever happens, and does not
// read it later.
//
// The end of the request's context ends everything but a Read of req.Body that
// blocks; also the answer's Body fails then. The error is the context's.
//
// A kept connection may have been closed by the server at any moment. If no
// byte of an answer has come on one, the request is sent once more on a new
// connection, by the rule of net/http: either nothing was written yet, or the
// method is GET, HEAD, OPTIONS or TRACE, or the request has an
// Idempotency-Key. PUT and DELETE are not among them: the first try may have
// been carried out, so a repeated PUT with a precondition would be refused
// because of itself, and a repeated DELETE could hit what came after it.
// Besides, nothing of the body must have been given away: it is sent again from
// memory if it fitted there, and GetBody is not asked.
//
// If the server answers before it has got the whole body, sending stops, and
// the answer is returned if it is a refusal (300 and above). A success is
// returned only after everything was written.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	out := outgoing{body: req.Body}
	defer out.close()
	resp, err := t.send(req, &out)
	if err != nil {
		return nil, cause(req.Context(), err)
	}
	return resp, nil
}

func (t *Transport) send(req *http.Request, out *outgoing) (*http.Response, error) {
	ctx := req.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkURL(req.URL); err != nil {
		return nil, err
	}
	block := blocks.Get().(*[blockSize]byte)
	defer blocks.Put(block)
	// The body is asked first: a kept connection is then used at once after it
	// was found alive.
	if err := out.begin(req, block[:0]); err != nil {
		return nil, err
	}
	to := target{req.URL.Scheme, req.URL.Host}
	c := t.pool.take(to)
	if c == nil {
		return t.sendFresh(ctx, to, req, out)
	}
	resp, err := c.exchange(req, out)
	if err != nil && c.unheard(req, out) && ctx.Err() == nil {
		return t.sendFresh(ctx, to, req, out)
	}
	return resp, err
}

func (t *Transport) sendFresh(ctx context.Context, to target, req *http.Request, out *outgoing) (*http.Response, error) {
	c, err := t.dial(ctx, to, req.URL)
	if err != nil {
		return nil, err
	}
	return c.exchange(req, out)
}

// CloseIdleConnections closes the connections that are kept. Those in use are
// kept again after their use.
func (t *Transport) CloseIdleConnections() { t.pool.closeAll() }

// target is whom a connection leads to.
type target struct{ scheme, host string }

func checkURL(u *url.URL) error {
	switch {
	case u == nil || u.Host == "":
		return errors.New("http1: the request names no host")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("http1: the request's scheme is neither http nor https")
	}
	return nil
}

// dial connects.
func (t *Transport) dial(ctx context.Context, to target, u *url.URL) (*conn, error) {
	host, port := u.Hostname(), u.Port()
	if port == "" {
		if port = "80"; to.scheme == "https" {
			port = "443"
		}
	}
	raw, err := t.dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	c := newConn(&t.pool, to, raw, t.c.Stall)
	if to.scheme == "https" {
		if err := c.handshake(ctx, t.c.TLS, host, t.c.DialTimeout); err != nil {
			raw.Close()
			return nil, err
		}
	}
	return c, nil
}
