package ossfake_test

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-sync/sluice/storage/oss/ossfake"
)

// bkt is the bucket that most tests use.
const bkt = "bucket-one"

// start returns a double with a bucket, and a client of it that signs V4.
func start(t *testing.T, o ossfake.Options) (*ossfake.Server, *oss.Client) {
	t.Helper()
	s := ossfake.Start(t, o)
	s.CreateBucket(bkt, "")
	return s, client(t, s.URL, oss.AuthVersion(oss.AuthV4))
}

// client returns one that knows the double's preset key and region.
func client(t *testing.T, url string, o ...oss.ClientOption) *oss.Client {
	t.Helper()
	return clientOf(t, url, "AK", "SK", o...)
}

func clientOf(t *testing.T, url, id, secret string, o ...oss.ClientOption) *oss.Client {
	t.Helper()
	h := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(h.CloseIdleConnections)
	o = append([]oss.ClientOption{oss.Region("cn-hangzhou"), oss.HTTPClient(h)}, o...)
	c, err := oss.New(url, id, secret, o...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// dialing makes a client reach the double whatever the host is.
func dialing(t *testing.T, s *ossfake.Server) oss.ClientOption {
	addr := strings.TrimPrefix(s.URL, "http://")
	h := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}}
	t.Cleanup(h.CloseIdleConnections)
	return oss.HTTPClient(h)
}

// reply is the answer to a request that the SDK only signed.
type reply struct {
	status int
	code   string
	header http.Header
	body   string
	err    error // of the connection, or of the body
}

type params map[string]any

type headers map[string]string

// send signs and sends a request.
func send(c *oss.Client, method, key string, p params, h headers, body string) reply {
	return sendTo(c, method, bkt, key, p, h, body)
}

func sendTo(c *oss.Client, method, bucket, key string, p params, h headers, body string) reply {
	var data io.Reader
	if body != "" {
		data = strings.NewReader(body)
	}
	if h["Accept-Encoding"] == "" {
		plain := headers{"Accept-Encoding": "identity"}
		for k, v := range h {
			plain[k] = v
		}
		h = plain
	}
	resp, err := c.Conn.Do(method, bucket, key, p, h, data, 0, nil)
	if resp == nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, header: resp.Headers}
	var se oss.ServiceError
	if errors.As(err, &se) {
		r.code = se.Code
	}
	b, err := io.ReadAll(resp.Body)
	r.body, r.err = string(b), err
	return r
}

// put writes an object or ends the test.
func put(t *testing.T, c *oss.Client, key, body string, h headers) reply {
	t.Helper()
	r := send(c, "PUT", key, nil, h, body)
	want(t, r, 200, "")
	return r
}

// want checks an answer's status and error code.
func want(t *testing.T, r reply, status int, code string) {
	t.Helper()
	if r.err != nil || r.status != status || r.code != code {
		t.Errorf("answer %d %q (%v), want %d %q: %s", r.status, r.code, r.err, status, code, r.body)
	}
}

// equal compares two values.
func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func md5Of(body string) string {
	sum := md5.Sum([]byte(body))
	return base64.StdEncoding.EncodeToString(sum[:])
}
