package s3fake_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sluice-sync/sluice/internal/s3fake"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/storagetest"
)

// TestRows: with every row of the dialect table each driver fits a store with
// the habits of that provider's.
func TestRows(t *testing.T) {
	for _, d := range drivers() {
		for _, name := range dialect.Names() {
			if d.name == "minio" && row(t, name).DeclareChecksum {
				continue // which it refuses to open, as its own tests show
			}
			t.Run(d.name+" at "+name, func(t *testing.T) {
				t.Parallel()
				conform(t, d, name)
			})
		}
	}
}

func conform(t *testing.T, d driver, provider string) {
	const partSize = 200 << 10 // more than is sent in one piece
	o, ok := s3fake.Like(provider)
	if !ok {
		t.Fatal("nobody knows the habits of its store")
	}
	var passed atomic.Int64 // by which the server's clock is ahead
	o.MinPart, o.RestoreTime = partSize, time.Hour
	o.Now = func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
	server := s3fake.New(t, o)
	var buckets atomic.Int64
	places := map[storage.Bucket]place{}
	open := func(t *testing.T, p place) storage.Bucket {
		b, err := d.open(p)
		if err != nil {
			t.Fatal(err)
		}
		places[b] = p
		return b
	}
	r := row(t, provider)
	h := storagetest.Harness{
		New: func(t *testing.T) storage.Bucket {
			b := open(t, place{server: server, row: r, bucket: fmt.Sprintf("bucket-%d", buckets.Add(1))})
			if err := b.Create(t.Context()); err != nil {
				t.Fatal(err)
			}
			return b
		},
		Reopen:   func(t *testing.T, b storage.Bucket) storage.Bucket { return open(t, places[b]) },
		Refuses:  func(key string) bool { return refuses(r, key) },
		PageSize: pageSize,
		PartSize: partSize,
	}
	if r.Restores() && !o.NoRestore {
		h.Thaw = func(*testing.T, storage.Bucket) { passed.Add(int64(o.RestoreTime)) }
	}
	storagetest.Run(t, h)
}

// refuses says which keys a driver does not even ask for.
func refuses(r dialect.Row, key string) bool {
	if len(key) > 1024 || !utf8.ValidString(key) {
		return true
	}
	if !r.PathKeys {
		return false
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(key, "/"), "/") {
		if name == "" || name == "." || name == ".." || len(name) > 255 {
			return true
		}
	}
	return strings.Contains(key, "\x00")
}
