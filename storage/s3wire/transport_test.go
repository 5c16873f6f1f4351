package s3wire_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// TestProxy: every request goes the way that Proxy names for it.
func TestProxy(t *testing.T) {
	var direct, proxied atomic.Int64
	hold := func(n *atomic.Int64, absolute bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			if absolute != r.URL.IsAbs() {
				t.Errorf("asked for %q", r.RequestURI)
			}
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Etag", `"x"`)
		}
	}
	store := httptest.NewServer(hold(&direct, false))
	defer store.Close()
	proxy := httptest.NewServer(hold(&proxied, true))
	defer proxy.Close()
	to, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{3, 300 << 10} {
		asked := 0
		boom := errors.New("no proxy today")
		c := client(t, store.URL, "minio", s3wire.Limits{Stall: time.Second, Proxy: func(r *http.Request) (*url.URL, error) {
			if asked++; asked == 1 {
				return nil, nil
			}
			if strings.HasSuffix(r.URL.Path, "broken") {
				return nil, boom
			}
			return to, nil
		}}, nil)
		put := func(key string) error {
			data := make([]byte, size)
			_, err := c.Put(t.Context(), key, bytes.NewReader(data), storage.PutOptions{Size: int64(size)})
			return err
		}
		direct.Store(0)
		proxied.Store(0)
		for _, want := range [][2]int64{{1, 0}, {1, 1}, {1, 2}} {
			if err := put("k"); err != nil || direct.Load() != want[0] || proxied.Load() != want[1] {
				t.Errorf("%v, %d direct, %d through the proxy, want %d", err, direct.Load(), proxied.Load(), want)
			}
		}
		err := put("broken")
		wantKind(t, err, storage.ErrUnavailable)
		if !errors.Is(err, boom) {
			t.Error(err)
		}
	}
}

// TestTrust: a store is trusted by the file of certificates, or by force.
func TestTrust(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]s3wire.Limits{"file": {CAFile: ca}, "any": {InsecureSkipVerify: true}} {
		if err := client(t, s.URL, "minio", l, nil).Check(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := client(t, s.URL, "minio", s3wire.Limits{}, nil).Check(t.Context())
	wantKind(t, err, storage.ErrUnavailable)
	if err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("does not say what is wrong: %v", err)
	}
	for _, file := range []string{filepath.Join(t.TempDir(), "none"), os.Args[0]} {
		if _, err := s3wire.RoundTripper(s3wire.Limits{CAFile: file}); err == nil {
			t.Errorf("%s was taken for certificates", file)
		}
	}
}
