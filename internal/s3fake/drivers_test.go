package s3fake_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/internal/s3fake"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/minio"
	"github.com/sluice-sync/sluice/storage/s3"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

const pageSize = 7

// place is a bucket of a server and how a driver is to reach it.
type place struct {
	server *s3fake.Server
	row    dialect.Row
	bucket string
	region string
	keys   func(context.Context) (s3wire.Keys, error) // nil: the server's own
}

// driver opens a place.
type driver struct {
	name string
	open func(place) (storage.Bucket, error)
}

func drivers() []driver {
	return []driver{
		{"s3", func(p place) (storage.Bucket, error) {
			endpoint, limits := p.address()
			return s3.Open(s3.Config{
				AWS: s3.Keyed(endpoint, p.region, p.credentials()), Bucket: p.bucket, Dialect: p.row,
				Account: "fake", Limits: limits, PageSize: pageSize,
			})
		}},
		{"minio", func(p place) (storage.Bucket, error) {
			endpoint, limits := p.address()
			return minio.Open(minio.Config{
				Endpoint: endpoint, Region: p.region, Keys: p.credentials(), Bucket: p.bucket, Dialect: p.row,
				Limits: limits, PageSize: pageSize,
			})
		}},
	}
}

func (p place) credentials() func(context.Context) (s3wire.Keys, error) {
	if p.keys != nil {
		return p.keys
	}
	return s3wire.StaticKeys(s3wire.Keys{Access: s3fake.AccessKey, Secret: s3fake.SecretKey})
}

// address is that of the path or of the name, as the row wants it.
func (p place) address() (string, s3wire.Limits) {
	if p.row.PathStyle {
		return p.server.URL(), s3wire.Limits{}
	}
	return "http://" + s3fake.Host, s3wire.Limits{Proxy: p.server.Proxy}
}

func row(t *testing.T, name string) dialect.Row {
	t.Helper()
	r, ok := dialect.Lookup(name)
	if !ok {
		t.Fatalf("no row %s", name)
	}
	return r
}

// bucket opens a fresh bucket of a server with the habits given.
func (d driver) bucket(t *testing.T, provider string, o s3fake.Options) (storage.Bucket, *s3fake.Server) {
	t.Helper()
	server := s3fake.New(t, o)
	server.Bucket("bucket")
	b, err := d.open(place{server: server, row: row(t, provider), bucket: "bucket"})
	if err != nil {
		t.Fatal(err)
	}
	return b, server
}

// each runs a test with every driver.
func each(t *testing.T, f func(*testing.T, driver)) {
	for _, d := range drivers() {
		t.Run(d.name, func(t *testing.T) { f(t, d) })
	}
}

func put(t *testing.T, b storage.Bucket, key, data string, m storage.Metadata) storage.Object {
	t.Helper()
	o, err := b.Put(t.Context(), key, strings.NewReader(data), storage.PutOptions{Size: int64(len(data)), Meta: m})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func wantKind(t *testing.T, what string, err, want error) {
	t.Helper()
	if kind, name := storage.KindOf(err); !errors.Is(kind, want) {
		t.Errorf("%s: %v (%s), want %v", what, err, name, want)
	}
}

func wantAbsent(t *testing.T, b storage.Bucket, key string) {
	t.Helper()
	_, err := b.Stat(t.Context(), key)
	wantKind(t, "stat "+key, err, storage.ErrNotFound)
}
