package minio_test

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluice-sync/sluice/internal/servertest"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/minio"
	"github.com/sluice-sync/sluice/storage/storagetest"
)

const pageSize = 7

func open(t testing.TB, c minio.Config) *minio.Bucket {
	t.Helper()
	if c.Dialect.Name == "" {
		c.Dialect, _ = dialect.Lookup("minio")
	}
	b, err := minio.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConformance(t *testing.T) {
	server := servertest.MinIO(t)
	for _, prefix := range []string{"", "some/dir"} {
		t.Run("prefix "+prefix, func(t *testing.T) { conform(t, server, prefix) })
	}
}

func conform(t *testing.T, server *servertest.MinIOServer, prefix string) {
	configs := map[storage.Bucket]minio.Config{}
	storagetest.Run(t, storagetest.Harness{
		New: func(t *testing.T) storage.Bucket {
			c := minio.Config{
				Endpoint: server.URL, AccessKey: server.AccessKey, SecretKey: server.SecretKey,
				Bucket: server.Bucket(t), Prefix: prefix, PageSize: pageSize,
			}
			b := open(t, c)
			configs[b] = c
			return b
		},
		Reopen:        func(t *testing.T, b storage.Bucket) storage.Bucket { return open(t, configs[b]) },
		Refuses:       func(key string) bool { return refuses(prefix, key) },
		ExpiresIsDate: true, // what Open documents
		PageSize:      pageSize,
		PartSize:      5 << 20,
	})
}

// refuses says what MinIO cannot hold: it keeps objects as files.
func refuses(prefix, key string) bool {
	full := key
	if prefix != "" {
		full = prefix + "/" + key
	}
	if len(full) > 1024 || !utf8.ValidString(full) || strings.Contains(full, "\x00") {
		return true
	}
	clean := path.Clean("/"+full) == "/"+strings.TrimSuffix(full, "/")
	if !clean || full == "/" {
		return true
	}
	for _, part := range strings.Split(full, "/") {
		if len(part) > 255 || part == "." || part == ".." {
			return true
		}
	}
	return false
}
