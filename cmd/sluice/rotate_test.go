package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/internal/s3fake"
	"github.com/sluice-sync/sluice/storage/oss/ossfake"
)

// rotation stands in front of a store. In the middle of an upload the store
// takes other keys, and once it has refused the old ones the files get the new.
type rotation struct {
	store  http.Handler
	rotate func()
	renew  func()

	mu      sync.Mutex
	uploads int // begun
	parts   int // sent, refused or not
	refused int
	renewed bool
}

func (f *rotation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := r.URL.Query()
	if r.Method == http.MethodPost && q.Has("uploads") {
		f.uploads++
	}
	if r.Method == http.MethodPut && q.Has("partNumber") {
		if f.parts++; f.parts == 3 {
			f.rotate()
		}
	}
	answer := &statusWriter{ResponseWriter: w}
	f.store.ServeHTTP(answer, r)
	if answer.status == http.StatusForbidden || answer.status == http.StatusBadRequest {
		if f.refused++; f.refused == 2 { // also the engine's first look
			f.renewed = true
			f.renew()
		}
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// TestKeysAreReplacedInTheMiddleOfAnUpload: the task pauses, reads the files
// again and goes on with the upload it has begun.
func TestKeysAreReplacedInTheMiddleOfAnUpload(t *testing.T) {
	old, fresh := [3]string{"AK1", "SK1", "TOKEN1"}, [3]string{"AK2", "SK2", "TOKEN2"}
	for _, provider := range []string{"minio", "aws", "oss"} {
		t.Run(provider, func(t *testing.T) {
			f := &rotation{}
			past := time.Now().Add(-time.Hour)
			if provider == "oss" {
				s := ossfake.Start(t, ossfake.Options{Credentials: []ossfake.Credential{{ID: old[0], Secret: old[1], Token: old[2]}}})
				s.CreateBucket("bucket", ossfake.Standard)
				f.store, f.rotate = s, func() {
					s.SetCredential(ossfake.Credential{ID: old[0], Secret: old[1], Token: old[2], Expires: past})
					s.SetCredential(ossfake.Credential{ID: fresh[0], Secret: fresh[1], Token: fresh[2]})
				}
			} else {
				o, _ := s3fake.Like(provider)
				o.Keys = []s3fake.Key{{Access: old[0], Secret: old[1], Session: old[2]}}
				s := s3fake.New(t, o)
				s.Bucket("bucket")
				f.store, f.rotate = s, func() {
					s.Change(func(o *s3fake.Options) {
						o.Keys = []s3fake.Key{{Access: old[0], Secret: old[1], Session: old[2], Expires: past}, {Access: fresh[0], Secret: fresh[1], Session: fresh[2]}}
					})
				}
			}
			front := httptest.NewServer(f)
			defer front.Close()
			dir, src := t.TempDir(), t.TempDir()
			write := func(keys [3]string) {
				var errs []error
				for i, name := range []string{"access", "secret", "session"} {
					errs = append(errs, os.WriteFile(filepath.Join(dir, name), []byte(keys[i]+"\n"), 0o600))
				}
				if err := errors.Join(errs...); err != nil {
					t.Error(err)
				}
			}
			write(old)
			f.renew = func() { write(fresh) }
			config := filepath.Join(dir, "config.yaml")
			text := fmt.Sprintf("endpoints:\n  store:\n    provider: %s\n    url: %s\n    region: cn-hangzhou\n    access_key: ${file:%s/access}\n"+
				"    secret_key: ${file:%s/secret}\n    session_token: ${file:%s/session}\n", provider, front.URL, dir, dir, dir)
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			film(t, filepath.Join(src, "film"))
			p := newPerson(t, nil)
			args := []string{"--endpoints", config, "sync", "--skip-precheck", "--give-up-after", "30s", "--multipart-threshold", "8MiB", "--part-size", "5MiB", src, "store://bucket"}
			p.ok(args...)
			if !f.renewed || f.uploads != 1 || f.parts <= filmSize/(5<<20) {
				t.Errorf("%d uploads, %d parts, %d requests refused: the keys were not replaced in the middle of one upload", f.uploads, f.parts, f.refused)
			}
			back := t.TempDir()
			p.ok("--endpoints", config, "sync", "store://bucket", back)
			data, err := os.ReadFile(filepath.Join(back, "film"))
			if want, readErr := os.ReadFile(filepath.Join(src, "film")); err != nil || readErr != nil || !bytes.Equal(data, want) {
				t.Errorf("%d bytes come back, not the %d sent: %v", len(data), len(want), errors.Join(err, readErr))
			}
		})
	}
}
