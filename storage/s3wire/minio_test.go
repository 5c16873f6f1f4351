package s3wire_test

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"io"
	"maps"
	"net/http"
	"testing"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/sluice-sync/sluice/internal/servertest"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// flip changes one bit of every body on its way.
type flip struct{ http.RoundTripper }

func (f flip) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body = &flipped{ReadCloser: r.Body, at: r.ContentLength / 2}
	}
	return f.RoundTripper.RoundTrip(r)
}

type flipped struct {
	io.ReadCloser
	at int64
}

func (f *flipped) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if 0 <= f.at && f.at < int64(n) {
		p[f.at] ^= 1
	}
	f.at -= int64(n)
	return n, err
}

// TestFlippedBit: a real MinIO refuses, or the answer shows, what was damaged
// on the way, in every form of proof, for objects and parts.
func TestFlippedBit(t *testing.T) {
	server := servertest.MinIO(t)
	bucket := server.Bucket(t)
	for _, row := range []string{"minio", "s3"} {
		for _, size := range []int{1, 4096, 200 << 10, 6 << 20} {
			for _, given := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %d bytes, MD5 given %v", row, size, given), func(t *testing.T) {
					data := bytes.Repeat([]byte{7}, size)
					var sum func() []byte
					if given {
						sum = func() []byte { s := md5.Sum(data); return s[:] }
					}
					good := minioClient(t, server, bucket, row, nil)
					bad := minioClient(t, server, bucket, row, func(r http.RoundTripper) http.RoundTripper { return flip{r} })
					o := storage.PutOptions{Size: int64(size), MD5: sum}
					if _, err := bad.Put(t.Context(), "k", bytes.NewReader(data), o); err == nil {
						t.Error("a damaged object was taken")
					} else {
						wantKind(t, err, storage.ErrCorrupt)
					}
					if _, err := good.Put(t.Context(), "k", bytes.NewReader(data), o); err != nil {
						t.Error(err)
					}
					core := miniogo.Core{Client: server.Client(t)}
					id, err := core.NewMultipartUpload(t.Context(), bucket, "m", miniogo.PutObjectOptions{})
					if err != nil {
						t.Fatal(err)
					}
					p := storage.PartOptions{Size: int64(size), MD5: sum}
					_, err = bad.UploadPart(t.Context(), "m", id, 1, bytes.NewReader(data), p)
					wantKind(t, err, storage.ErrCorrupt)
					if _, err = good.UploadPart(t.Context(), "m", id, 1, bytes.NewReader(data), p); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

func minioClient(t *testing.T, server *servertest.MinIOServer, bucket, row string, wrap func(http.RoundTripper) http.RoundTripper) *s3wire.Client {
	t.Helper()
	tr, err := s3wire.RoundTripper(s3wire.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.CloseIdleConnections)
	d, _ := dialect.Lookup(row)
	conf := s3wire.Config{
		Endpoint: server.URL, Region: "us-east-1", Bucket: bucket, Dialect: d, Transport: tr,
		Keys: s3wire.StaticKeys(s3wire.Keys{Access: server.AccessKey, Secret: server.SecretKey}),
	}
	if wrap != nil {
		conf.Transport = wrap(tr)
	}
	c, err := s3wire.New(conf)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestWrongKeys names the endpoint's errors apart.
func TestWrongKeys(t *testing.T) {
	server := servertest.MinIO(t)
	bucket := server.Bucket(t)
	for name, c := range map[string]struct {
		access, secret, bucket string
		kind                   error
	}{
		"no such key id": {"nobody", server.SecretKey, bucket, storage.ErrCredentials},
		"wrong secret":   {server.AccessKey, "wrong", bucket, storage.ErrCredentials},
		"no such bucket": {server.AccessKey, server.SecretKey, "none-of-that-name", storage.ErrNoBucket},
	} {
		t.Log(name)
		conf := minioClient(t, server, c.bucket, "minio", nil).Config
		conf.Keys = s3wire.StaticKeys(s3wire.Keys{Access: c.access, Secret: c.secret})
		b, err := s3wire.New(conf)
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, b.Check(t.Context()), c.kind)
		_, err = b.Put(t.Context(), "k", bytes.NewReader(nil), storage.PutOptions{})
		wantKind(t, err, c.kind)
		_, err = b.Open(t.Context(), "k", storage.ReadOptions{Length: -1})
		wantKind(t, err, c.kind)
	}
}

// TestMinIOTags: a real MinIO takes tags with an object, counts them in its
// answers and lists them.
func TestMinIOTags(t *testing.T) {
	server := servertest.MinIO(t)
	c := minioClient(t, server, server.Bucket(t), "minio", nil)
	for _, tags := range []map[string]string{nil, {"k": "v"}, {"team": "a b+c=d", "x/y:z": "_.-@", "empty": ""}} {
		if _, err := c.Put(t.Context(), "k", bytes.NewReader(nil), storage.PutOptions{Meta: storage.Metadata{Tags: tags}}); err != nil {
			t.Fatal(err)
		}
		got, err := c.Tags(t.Context(), "k")
		if err != nil || !maps.Equal(got, tags) {
			t.Errorf("tags %v, %v; want %v", got, err, tags)
		}
		i, err := c.Stat(t.Context(), "k")
		if some := i.Tagged == storage.TagsSome; err != nil || some != (len(tags) > 0) {
			t.Errorf("%d tags: stat says %d, %v", len(tags), i.Tagged, err)
		}
	}
	_, err := c.Tags(t.Context(), "missing")
	wantKind(t, err, storage.ErrNotFound)
	_, err = c.Put(t.Context(), "k", bytes.NewReader(nil), storage.PutOptions{Meta: storage.Metadata{StorageClass: "NO_SUCH"}})
	wantKind(t, err, storage.ErrInvalid)
	wantKind(t, c.Restore(t.Context(), "k", 1, ""), storage.ErrUnsupported)
}
