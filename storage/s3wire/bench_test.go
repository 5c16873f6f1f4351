//go:build unix

package s3wire_test

import (
	"bufio"
	"bytes"
	"fmt"
	"hash/crc64"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/minio"
	"github.com/sluice-sync/sluice/storage/oss"
	"github.com/sluice-sync/sluice/storage/s3"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// nullServer answers requests from memory, as cheaply as sockets allow: what is
// measured is the client. Every answer has the headers given.
func nullServer(b *testing.B, headers string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	b.Cleanup(wg.Wait)
	b.Cleanup(func() { l.Close() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.Cleanup(func() { c.Close() })
			wg.Go(func() { serveNull(c, headers) })
		}
	})
	return l.Addr().String()
}

const common = "HTTP/1.1 200 OK\r\nServer: null\r\nAccept-Ranges: bytes\r\nDate: Tue, 24 Nov 2026 15:00:00 GMT\r\nLast-Modified: Tue, 24 Nov 2026 15:00:00 GMT\r\n" +
	"Etag: \"620f0b67a91f7f74151bc5be745b7110\"\r\nContent-Type: application/octet-stream\r\n"

const (
	amzHeaders = "X-Amz-Request-Id: 18EB03BCE45A47EF\r\nX-Amz-Meta-Mtime: 1700000000.5\r\n"
	ossHeaders = "x-oss-request-id: 5C06A3B67B8B5A3DA422299D\r\nx-oss-object-type: Normal\r\nx-oss-storage-class: Standard\r\nx-oss-server-time: 3\r\n" +
		"x-oss-meta-mtime: 1700000000.5\r\n"
)

func serveNull(c net.Conn, headers string) {
	headers = common + headers + "Content-Length: "
	get := []byte(headers + "4096\r\n\r\n" + strings.Repeat("\x00", 4096))
	put := []byte(headers + "0\r\n\r\n")
	page := nullPage()
	list := []byte(headers + strconv.Itoa(len(page)) + "\r\n\r\n" + page)
	r := bufio.NewReaderSize(c, 64<<10)
	for {
		answer, size, first := get, 0, true
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if first {
				first = false
				switch {
				case line[0] == 'P':
					answer = put
				case bytes.Contains(line, []byte("list-type")):
					answer = list
				}
			}
			if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				size, _ = strconv.Atoi(string(bytes.TrimSpace(v)))
			}
			if len(line) == 2 {
				break
			}
		}
		if _, err := r.Discard(size); err != nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

func nullPage() string {
	var s strings.Builder
	s.WriteString(`<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>`)
	for i := range 1000 {
		fmt.Fprintf(&s, `<Contents><Key>d/f%010d.bin</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&#34;%032x&#34;</ETag><Size>4096</Size><StorageClass>STANDARD</StorageClass></Contents>`, i, i)
	}
	return s.String() + `</ListBucketResult>`
}

// perOp runs op on 32 goroutines and reports the CPU of the whole process,
// the server's part included, per operation.
func perOp(b *testing.B, op func() error) {
	const workers = 32
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
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
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkObjects(b *testing.B) {
	d, _ := dialect.Lookup("minio")
	addr := nullServer(b, amzHeaders)
	m, err := minio.Open(minio.Config{Endpoint: "http://" + addr, AccessKey: "a", SecretKey: "s", Bucket: "bucket", Dialect: d})
	if err != nil {
		b.Fatal(err)
	}
	a, err := s3.Open(s3.Config{AWS: s3.Static("http://"+addr, "us-east-1", "a", "s", ""), Bucket: "bucket", Dialect: d})
	if err != nil {
		b.Fatal(err)
	}
	body := make([]byte, 4096)
	crc := crc64.Checksum(body, crc64.MakeTable(crc64.ECMA))
	o, err := oss.Open(oss.Config{
		Endpoint: "http://" + nullServer(b, fmt.Sprintf("%sx-oss-hash-crc64ecma: %d\r\n", ossHeaders, crc)), Region: "cn-hangzhou", Bucket: "bucket",
		Keys: s3wire.StaticKeys(s3wire.Keys{Access: "a", Secret: "s"}),
	})
	if err != nil {
		b.Fatal(err)
	}
	want := &storage.Object{Key: "some/key.jpg", Size: 4096, ETag: "620f0b67a91f7f74151bc5be745b7110"}
	for name, bucket := range map[string]storage.Bucket{"minio": m, "s3": a, "oss": o} {
		b.Run(name+"/get", func(b *testing.B) {
			perOp(b, func() error {
				r, err := bucket.Open(b.Context(), want.Key, storage.ReadOptions{Length: -1, Want: want})
				if err != nil {
					return err
				}
				defer r.Body.Close()
				_, err = io.Copy(io.Discard, r.Body)
				return err
			})
		})
		b.Run(name+"/put", func(b *testing.B) {
			meta := storage.Metadata{ContentType: "image/jpeg", MTime: time.Unix(1.7e9, 0)}
			perOp(b, func() error {
				_, err := bucket.Put(b.Context(), want.Key, bytes.NewReader(body), storage.PutOptions{Size: 4096, Meta: meta})
				return err
			})
		})
	}
	b.Run("list page of 1000", func(b *testing.B) {
		perOp(b, func() error {
			p := m.List(storage.Range{})
			defer p.Close()
			_, err := p.Next(b.Context())
			return err
		})
	})
	sdk(b, addr, body)
}

// sdk is what minio-go's Core costs for the same.
func sdk(b *testing.B, addr string, body []byte) {
	core, err := miniogo.NewCore(addr, &miniogo.Options{Creds: credentials.NewStaticV4("a", "s", ""), Region: "us-east-1", BucketLookup: miniogo.BucketLookupPath})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("minio-go/get", func(b *testing.B) {
		perOp(b, func() error {
			r, _, _, err := core.GetObject(b.Context(), "bucket", "some/key.jpg", miniogo.GetObjectOptions{})
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.Copy(io.Discard, r)
			return err
		})
	})
	b.Run("minio-go/put", func(b *testing.B) {
		perOp(b, func() error {
			o := miniogo.PutObjectOptions{ContentType: "image/jpeg", DisableContentSha256: true}
			_, err := core.PutObject(b.Context(), "bucket", "some/key.jpg", bytes.NewReader(body), 4096, "", "", o)
			return err
		})
	})
}
