package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/sluice-sync/sluice/storage/oss/ossfake"
)

// serveOSS runs the tests' double of Alibaba Cloud OSS. It costs more CPU than
// the real one would cost this machine: compare the client's CPU, not the wall.
func serveOSS(addr string) {
	s := ossfake.New(ossfake.Options{Credentials: []ossfake.Credential{{ID: user, Secret: secret}}})
	srv := &http.Server{Addr: addr, Handler: s, ReadHeaderTimeout: time.Minute}
	log.Fatal(srv.ListenAndServe())
}

// ossRow copies small objects to the double, from itself (as another account,
// so that nothing is copied inside it) or from a MinIO, beside the same work
// between two MinIO.
func (b *lab) ossRow(name string, fromOSS bool) row {
	var src, dst place // on MinIO
	target := func() string { return fmt.Sprintf("ali://copy-%d", b.buckets) }
	state := func() error { return os.RemoveAll(b.path("state")) }
	source := func() string {
		if fromOSS {
			return "ali2://source"
		}
		return src.sluice
	}
	return row{
		name: name,
		prepare: func() (err error) {
			if src, err = b.store(b.a, "one")(); err != nil {
				return err
			}
			if dst, err = b.store(b.z, "two")(); err != nil {
				return err
			}
			if err = b.fill(b.a, bucketOf(src), 10_000, 4<<10); err == nil && fromOSS {
				_, err = b.measure([]string{b.bin, "sync", "--quiet", "--create-bucket", src.sluice, "ali://source"})
			}
			return err
		},
		ours: []tool{{"sluice", func() []string {
			return []string{b.bin, "sync", "--quiet", "--create-bucket", source(), target()}
		}, func() error { b.buckets++; return state() }}},
		peers: []tool{{"sluice, MinIO→MinIO", func() []string {
			return []string{b.bin, "sync", "--quiet", src.sluice, dst.sluice}
		}, func() error {
			if err := dst.wipe(); err != nil {
				return err
			}
			return state()
		}}},
		done: func() error {
			if err := src.wipe(); err != nil {
				return err
			}
			return dst.wipe()
		},
	}
}
