package minio_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/minio"
)

// TestSuccessThatIsNone: copies and Complete may fail behind a status of 200.
func TestSuccessThatIsNone(t *testing.T) {
	for name, answer := range map[string]string{
		"error":      `<?xml version="1.0"?><Error><Code>InternalError</Code><Message>m</Message></Error>`,
		"nothing":    "",
		"broken off": "<CopyObjectResult><ETag>",
		"a page":     "<html></html>",
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(w, answer)
			}))
			defer s.Close()
			b := open(t, minio.Config{Endpoint: s.URL, AccessKey: "AKSECRET", SecretKey: "SKSECRET", Bucket: "bucket"})
			obj := storage.Object{Key: "from", Size: 5, ETag: "e"}
			_, err := b.CopyFrom(t.Context(), b, obj, "to", storage.CopyOptions{})
			wantTransient(t, "copy", err)
			_, err = b.CopyPart(t.Context(), b, obj, 0, 5, "to", "id", 1)
			wantTransient(t, "copy part", err)
			_, err = b.CompleteUpload(t.Context(), "to", "id", []storage.Part{{Number: 1, Size: 5, ETag: "e"}})
			wantTransient(t, "complete", err)
			_, err = b.CreateUpload(t.Context(), "to", storage.UploadOptions{})
			wantTransient(t, "create upload", err)
		})
	}
}

func wantTransient(t *testing.T, what string, err error) {
	t.Helper()
	if kind, name := storage.KindOf(err); !errors.Is(kind, storage.ErrBusy) {
		t.Errorf("%s: %v (%s), want ErrBusy", what, err, name)
	}
}

func TestOpenRefuses(t *testing.T) {
	aws, _ := dialect.Lookup("aws")
	if _, err := minio.Open(minio.Config{Endpoint: "http://127.0.0.1:1", Bucket: "bucket", Dialect: aws}); err == nil {
		t.Error("took a dialect that it cannot speak")
	}
	if _, err := minio.Open(minio.Config{Endpoint: "nonsense", Bucket: "bucket"}); err == nil {
		t.Error("took an endpoint that is none")
	}
}
