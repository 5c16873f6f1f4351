//go:build unix

package http1_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage/http1"
)

// childServer runs serveNull in a process of its own: its CPU is not counted.
func childServer(b *testing.B) string {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HTTP1_SERVER=1", "GOMAXPROCS=2")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(addr)
}

func BenchmarkRoundTrip(b *testing.B) {
	addr := childServer(b)
	own := http1.New(http1.Config{})
	defer own.CloseIdleConnections()
	std := &http.Transport{MaxIdleConns: 128, MaxIdleConnsPerHost: 128, DisableCompression: true, WriteBufferSize: 64 << 10, ReadBufferSize: 16 << 10}
	defer std.CloseIdleConnections()
	for _, t := range []struct {
		name string
		rt   http.RoundTripper
	}{{"http1", own}, {"net/http", std}} {
		b.Run("get/"+t.name, func(b *testing.B) { perOp(b, func() error { return get4K(b, t.rt, addr) }) })
		b.Run("put/"+t.name, func(b *testing.B) { perOp(b, func() error { return put4K(b, t.rt, addr) }) })
	}
}

// request is what s3wire sends.
func request(b *testing.B, method, addr string, body []byte) *http.Request {
	req, err := http.NewRequestWithContext(b.Context(), method, "http://"+addr+"/bucket/some/key.jpg", nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header = http.Header{
		"Accept-Encoding": {"identity"}, "User-Agent": {"sluice"}, "X-Amz-Date": {"20260102T030405Z"},
		"X-Amz-Content-Sha256": {"UNSIGNED-PAYLOAD"},
		"Authorization":        {"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" + strings.Repeat("0", 64)},
	}
	if body != nil {
		req.ContentLength = int64(len(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.Body, _ = req.GetBody()
	}
	return req
}

func get4K(b *testing.B, rt http.RoundTripper, addr string) error {
	return finish(rt.RoundTrip(request(b, http.MethodGet, addr, nil)))
}

var small = make([]byte, 4096)

func put4K(b *testing.B, rt http.RoundTripper, addr string) error {
	return finish(rt.RoundTrip(request(b, http.MethodPut, addr, small)))
}

func finish(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// perOp runs op on 32 goroutines and reports the CPU of this process per call.
func perOp(b *testing.B, op func() error) {
	const workers = 32
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ReportAllocs()
	before := cpu()
	b.ResetTimer()
	for range workers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := op(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64((cpu()-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
