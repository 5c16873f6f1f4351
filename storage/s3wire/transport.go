package s3wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/sluice-sync/sluice/storage/http1"
)

// Limits bound connections. The zero value is good for 128 workers.
type Limits struct {
	MaxIdle int           // kept-alive connections; 0: 128. Not fewer than workers
	Dial    time.Duration // to connect, and again for TLS; 0: 5 s
	Stall   time.Duration // a connection on which nothing moves for that long fails; 0: 60 s
	// Proxy as in http.Transport; nil: none. The environment is the caller's business.
	Proxy func(*http.Request) (*url.URL, error)

	CAFile             string // PEM file of certificates to trust instead of the system's
	InsecureSkipVerify bool   // trust any certificate
}

// Connections carry a Client's own requests: connections of storage/http1, and
// those of Transport for a request that goes through a proxy, or all of them on
// a platform where http1 cannot look at what it has kept.
type Connections struct {
	own     *http1.Transport
	proxied *http.Transport
	proxy   func(*http.Request) (*url.URL, error) // nil: none
}

// RoundTripper returns connections for a Client.
func RoundTripper(l Limits) (*Connections, error) {
	proxied, err := Transport(l)
	if err != nil {
		return nil, err
	}
	own := http1.New(http1.Config{
		MaxIdle: or(l.MaxIdle, maxIdle), IdleTimeout: idleTime, DialTimeout: or(l.Dial, dialTime), Stall: or(l.Stall, stallTime),
		TLS: proxied.TLSClientConfig,
	})
	return &Connections{own: own, proxied: proxied, proxy: l.Proxy}, nil
}

// RoundTrip asks for every request anew whether it goes through a proxy: the
// answer is the caller's business and may change.
func (c *Connections) RoundTrip(req *http.Request) (*http.Response, error) {
	if !http1.CanPeek {
		return c.proxied.RoundTrip(req)
	}
	if c.proxy != nil {
		through, err := c.proxy(req)
		if err != nil {
			closeBody(req.Body)
			return nil, err
		}
		if through != nil {
			return c.proxied.RoundTrip(req)
		}
	}
	return c.own.RoundTrip(req)
}

// CloseIdleConnections closes what is kept for later requests.
func (c *Connections) CloseIdleConnections() {
	c.own.CloseIdleConnections()
	c.proxied.CloseIdleConnections()
}

const (
	maxIdle   = 128
	dialTime  = 5 * time.Second
	stallTime = time.Minute
	idleTime  = 50 * time.Second // stores close theirs after 60 s and more
)

// Transport returns the connections of net/http that SDKs want: HTTP/1.1,
// bodies never decoded, nothing that can hang for ever.
func Transport(l Limits) (*http.Transport, error) {
	conf, err := tlsConfig(l)
	if err != nil {
		return nil, err
	}
	idle, dial, stall := or(l.MaxIdle, maxIdle), or(l.Dial, dialTime), or(l.Stall, stallTime)
	d := &net.Dialer{Timeout: dial, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: l.Proxy,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := d.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &watched{c, stall}, nil
		},
		TLSClientConfig:     conf,
		TLSHandshakeTimeout: dial,
		MaxIdleConns:        idle,
		MaxIdleConnsPerHost: idle,
		IdleConnTimeout:     idleTime,
		DisableCompression:  true,
		WriteBufferSize:     64 << 10, // headers and a small body leave in one write
		ReadBufferSize:      16 << 10, // and arrive in one read; larger reads go past it
	}, nil
}

func tlsConfig(l Limits) (*tls.Config, error) {
	conf := &tls.Config{InsecureSkipVerify: l.InsecureSkipVerify, MinVersion: tls.VersionTLS12} //nolint:gosec // asked for
	if l.CAFile == "" {
		return conf, nil
	}
	pem, err := os.ReadFile(l.CAFile)
	if err != nil {
		return nil, err
	}
	conf.RootCAs = x509.NewCertPool()
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New(l.CAFile + " holds no certificate")
	}
	return conf, nil
}

func or[T comparable](v, instead T) T {
	var zero T
	if v == zero {
		return instead
	}
	return v
}

// watched is a connection that fails when nothing moves. Writing counts also
// for the answer that is awaited meanwhile.
type watched struct {
	net.Conn
	stall time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	if err := w.SetReadDeadline(time.Now().Add(w.stall)); err != nil {
		return 0, err
	}
	return w.Conn.Read(p)
}

func (w *watched) Write(p []byte) (int, error) {
	if err := w.SetDeadline(time.Now().Add(w.stall)); err != nil {
		return 0, err
	}
	return w.Conn.Write(p)
}
