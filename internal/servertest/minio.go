package servertest

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	miniogo "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// MinIOServer is a MinIO that runs until the test ends, with one drive in a
// temporary directory.
type MinIOServer struct {
	URL       string
	AccessKey string
	SecretKey string

	bin, dir string
	port     int
	process  *Process
	buckets  atomic.Int64
}

// MinIO starts a server on loopback.
func MinIO(t testing.TB) *MinIOServer {
	t.Helper()
	m := &MinIOServer{
		AccessKey: "sluice-test", SecretKey: "sluice/test+secret",
		bin: Binary(t, "minio"), dir: t.TempDir(), port: FreePort(t),
	}
	m.URL = "http://" + Addr(m.port)
	m.Restart(t)
	return m
}

// Kill ends the server with SIGKILL; its data stays.
func (m *MinIOServer) Kill() { m.process.Kill() }

// Restart starts a killed server again, on the same port and data.
func (m *MinIOServer) Restart(t testing.TB) {
	t.Helper()
	env := []string{
		"MINIO_ROOT_USER=" + m.AccessKey, "MINIO_ROOT_PASSWORD=" + m.SecretKey,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "HOME=" + m.dir,
	}
	m.process = Start(t, m.ready, env, m.bin, "server", "--quiet", "--address", Addr(m.port), m.dir+"/data")
}

func (m *MinIOServer) ready() bool {
	resp, err := http.Get(m.URL + "/minio/health/ready")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK && m.knowsUsers()
}

// knowsUsers tells whether the server refuses a stranger. It calls itself ready
// a moment before it can tell users apart, and answers strangers 503 till then.
func (m *MinIOServer) knowsUsers() bool {
	c, err := miniogo.New(Addr(m.port), &miniogo.Options{
		Creds: credentials.NewStaticV4("nobody", "nobodys-secret", ""), Region: "us-east-1", MaxRetries: 1,
	})
	if err != nil {
		return false
	}
	_, err = c.ListBuckets(context.Background())
	return miniogo.ToErrorResponse(err).StatusCode == http.StatusForbidden
}

// Client returns an SDK client, for what a test wants to see with other eyes.
func (m *MinIOServer) Client(t testing.TB) *miniogo.Client {
	t.Helper()
	c, err := miniogo.New(Addr(m.port), &miniogo.Options{Creds: credentials.NewStaticV4(m.AccessKey, m.SecretKey, ""), Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Bucket makes an empty bucket and returns its name.
func (m *MinIOServer) Bucket(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test-%d", m.buckets.Add(1))
	if err := m.Client(t).MakeBucket(context.Background(), name, miniogo.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}
