package oss_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/limit"
	"github.com/sluice-sync/sluice/storage/oss"
	"github.com/sluice-sync/sluice/storage/oss/ossfake"
	"github.com/sluice-sync/sluice/storage/retry"
	"github.com/sluice-sync/sluice/storage/s3wire"
	"github.com/sluice-sync/sluice/storage/storagetest"
)

const (
	pageSize = 7
	thawTime = time.Minute // every restore of a double
)

// clock is the time of a double.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

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

func keys() s3wire.Keys { return s3wire.Keys{Access: "AK", Secret: "SKSECRET"} }

// serve starts a double that keeps the keys above.
func serve(t testing.TB, o ossfake.Options) *ossfake.Server {
	t.Helper()
	o.Credentials = []ossfake.Credential{{ID: "AK", Secret: "SKSECRET"}}
	o.WholeIfOutside = true // what OSS does if it is not asked for better
	return ossfake.Start(t, o)
}

func open(t testing.TB, c oss.Config) *oss.Bucket {
	t.Helper()
	if c.Keys == nil {
		c.Keys = s3wire.StaticKeys(keys())
	}
	if c.Region == "" && !strings.Contains(c.Endpoint, ".aliyuncs.com") {
		c.Region = "oss-cn-hangzhou"
	}
	if c.PageSize == 0 {
		c.PageSize = pageSize
	}
	if c.Account == "" {
		c.Account = "AK"
	}
	b, err := oss.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// harness makes buckets at a double.
func harness(t *testing.T, c oss.Config) storagetest.Harness {
	clock := newClock()
	s := serve(t, ossfake.Options{
		NoV1: !c.SignV1, NoV4: c.SignV1, Now: clock.now,
		RestoreTime: func(string, string) time.Duration { return thawTime },
	})
	if c.Endpoint == "" {
		c.Endpoint = s.URL
	} else { // a name that no resolver knows
		c.Limits.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(s.URL) }
	}
	configs, n := map[string]oss.Config{}, 0
	return storagetest.Harness{
		New: func(t *testing.T) storage.Bucket {
			n++
			c := c
			c.Bucket = "bucket-" + strconv.Itoa(n)
			if c.CustomDomain {
				c.Endpoint = "http://" + c.Bucket + ".localhost"
			}
			b := open(t, c)
			if err := b.Create(t.Context()); err != nil {
				t.Fatal(err)
			}
			configs[b.String()] = c
			return b
		},
		Reopen:   func(t *testing.T, b storage.Bucket) storage.Bucket { return open(t, configs[b.String()]) },
		Refuses:  func(key string) bool { return refuses(c.Prefix, key) },
		Thaw:     func(*testing.T, storage.Bucket) { clock.add(thawTime) },
		PageSize: pageSize,
		PartSize: 100 << 10,
	}
}

// refuses says what OSS cannot hold.
func refuses(prefix, key string) bool {
	full := key
	if prefix != "" {
		full = prefix + "/" + key
	}
	return len(full) > 1023 || !utf8.ValidString(full) || strings.HasPrefix(full, "/") || strings.HasPrefix(full, `\`)
}

func TestConformance(t *testing.T) {
	for name, c := range map[string]oss.Config{
		"V4":                     {},
		"V4 in a place":          {Prefix: "some/dir"},
		"V1":                     {SignV1: true},
		"V1 in a place":          {SignV1: true, Prefix: "some/dir"},
		"V4, bucket in the host": {Endpoint: "http://oss-cn-hangzhou.aliyuncs.com"},
		"V1, bucket in the host": {Endpoint: "http://oss-cn-hangzhou.aliyuncs.com", SignV1: true},
		"a custom domain":        {Endpoint: "http://replaced", CustomDomain: true},
	} {
		t.Run(name, func(t *testing.T) { storagetest.Run(t, harness(t, c)) })
	}
}

// TestStack runs the suite through the decorators.
func TestStack(t *testing.T) {
	limits := limit.NewLimits(limit.Config{Lists: 1, Objects: 2, Parts: 1})
	storagetest.Run(t, harness(t, oss.Config{}).Wrapped(func(b storage.Bucket) storage.Bucket {
		return retry.New(limit.New(fault.New(b, 1), limits), retry.Config{})
	}))
}
