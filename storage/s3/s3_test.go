package s3_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluice-sync/sluice/internal/servertest"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/s3"
	"github.com/sluice-sync/sluice/storage/storagetest"
)

const pageSize = 7

func row(t testing.TB, name string) dialect.Row {
	t.Helper()
	r, ok := dialect.Lookup(name)
	if !ok {
		t.Fatalf("no row %s", name)
	}
	return r
}

func open(t testing.TB, c s3.Config) *s3.Bucket {
	t.Helper()
	b, err := s3.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestConformance runs against MinIO, with a prefix, which all else is tested without.
func TestConformance(t *testing.T) {
	server := servertest.MinIO(t)
	configs := map[storage.Bucket]s3.Config{}
	storagetest.Run(t, storagetest.Harness{
		New: func(t *testing.T) storage.Bucket {
			c := s3.Config{
				AWS:    s3.Static(server.URL, "us-east-1", server.AccessKey, server.SecretKey, ""),
				Bucket: server.Bucket(t), Prefix: "some/dir/", Dialect: row(t, "minio"), Account: server.URL, PageSize: pageSize,
			}
			b := open(t, c)
			configs[b] = c
			return b
		},
		Reopen:        func(t *testing.T, b storage.Bucket) storage.Bucket { return open(t, configs[b]) },
		Refuses:       refuses,
		ExpiresIsDate: true,
		PageSize:      pageSize,
		PartSize:      5 << 20,
	})
}

// refuses says what MinIO cannot hold below a prefix.
func refuses(key string) bool {
	full := "some/dir/" + key
	for _, name := range strings.Split(strings.TrimSuffix(full, "/"), "/") {
		if name == "" || name == "." || name == ".." || len(name) > 255 {
			return true
		}
	}
	return len(full) > 1024 || !utf8.ValidString(full) || strings.Contains(full, "\x00")
}

// TestDeclaredChecksum: where parts must be announced with their checksum, as
// on Amazon, the finished object has one of all its bytes.
func TestDeclaredChecksum(t *testing.T) {
	server := servertest.MinIO(t)
	d := row(t, "aws")
	d.PathStyle = true // MinIO has no name for every bucket
	b := open(t, s3.Config{AWS: s3.Static(server.URL, "us-east-1", server.AccessKey, server.SecretKey, ""), Bucket: server.Bucket(t), Dialect: d})
	data := bytes.Repeat([]byte("0123456789"), 600_000)
	id, err := b.CreateUpload(t.Context(), "k", storage.UploadOptions{Size: int64(len(data)), PartSize: 5 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var parts []storage.Part
	for i, bytesOf := range [][]byte{data[:5<<20], data[5<<20:]} {
		p, err := b.UploadPart(t.Context(), "k", id, i+1, bytes.NewReader(bytesOf), storage.PartOptions{Size: int64(len(bytesOf))})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	if _, err := b.CompleteUpload(t.Context(), "k", id, parts); err != nil {
		t.Fatal(err)
	}
	i, err := b.Stat(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	want := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	if len(i.Checksums) != 1 || i.Checksums[0].Algorithm != "CRC32C" || binary.BigEndian.Uint32(i.Checksums[0].Value) != want {
		t.Errorf("checksums %+v, want CRC32C %08x", i.Checksums, want)
	}
}

// TestEndpoint: Amazon's addresses come from the SDK.
func TestEndpoint(t *testing.T) {
	b := open(t, s3.Config{AWS: s3.Static("", "eu-west-1", "a", "s", ""), Bucket: "bucket", Dialect: row(t, "aws")})
	if b.Endpoint != "https://s3.eu-west-1.amazonaws.com" || b.String() != "s3://bucket/" {
		t.Errorf("%s at %s", b, b.Endpoint)
	}
}
