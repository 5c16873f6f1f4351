package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/sluice-sync/sluice/internal/servertest"
)

// same checks that two buckets hold the same keys, sizes and bytes.
func (m minioStore) same(a, b string) {
	m.t.Helper()
	left, right := m.list(a), m.list(b)
	for k, o := range left {
		r, ok := right[k]
		switch {
		case !ok:
			m.t.Errorf("%q is missing", k)
		case r.Size != o.Size:
			m.t.Errorf("%q: %d bytes, want %d", k, r.Size, o.Size)
		case r.ETag != o.ETag:
			m.t.Errorf("%q: ETag %s, want %s", k, r.ETag, o.ETag)
		}
	}
	for k := range right {
		if _, ok := left[k]; !ok {
			m.t.Errorf("%q is too much", k)
		}
	}
}

func TestMinIOPairsCopyOnceAndKeepTheWholeObject(t *testing.T) {
	t.Parallel()
	server := servertest.MinIO(t)
	m := newStore(t, server)
	one, two := server.Bucket(t), server.Bucket(t)
	u := newUser(t, endpointEnv("STORE", server.URL, server))
	src, back := t.TempDir(), t.TempDir()
	sampleTree(t, src, 4, 50)
	var film bytes.Buffer
	_, _ = film.ReadFrom(pattern(7, 13<<20+1))
	write(t, filepath.Join(src, "film"), film.String())
	old := time.Date(2021, 3, 4, 5, 6, 7, 891234567, time.UTC)
	if err := os.Chtimes(filepath.Join(src, "film"), old, old); err != nil {
		t.Fatal(err)
	}
	parts := []string{"--multipart-threshold", "8MiB", "--part-size", "5MiB"}
	legs := [][]string{
		append(parts, src, "store://"+one+"/in"), append(parts, "store://"+one+"/in", "store://"+two), append(parts, "store://"+two, back),
	}
	for _, leg := range legs {
		if s := u.sync(leg...); s.Copied != 201 || s.Found != 201 {
			t.Errorf("%v: %+v", leg, s)
		}
		if s := u.sync(leg...); s.Copied != 0 || s.Skipped != 201 {
			t.Errorf("%v again: %+v", leg, s)
		}
	}
	sameTree(t, src, back)
	if fi, err := os.Stat(filepath.Join(back, "film")); err != nil || !fi.ModTime().Equal(old) {
		t.Errorf("mtime did not come back: %v, %v", fi, err)
	}
	m.holds(two, "film", 7, 13<<20+1)
	if err := os.RemoveAll(u.state()); err != nil {
		t.Fatal(err)
	}
	for _, leg := range legs {
		if s := u.sync(leg...); s.Copied != 0 {
			t.Errorf("%v without state: %+v", leg, s)
		}
	}
}

func TestHeadersAndUserMetadataAreKept(t *testing.T) {
	t.Parallel()
	server := servertest.MinIO(t)
	m := newStore(t, server)
	one, two := server.Bucket(t), server.Bucket(t)
	opts := minio.PutObjectOptions{
		ContentType: "text/x-odd", ContentEncoding: "gzip", ContentLanguage: "de", ContentDisposition: `attachment; filename="x"`,
		CacheControl: "max-age=7", Expires: time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC), UserMetadata: map[string]string{"Colour": "blue"},
	}
	body := "\x1f\x8b not really gzip"
	if _, err := m.PutObject(context.Background(), one, "k", strings.NewReader(body), int64(len(body)), opts); err != nil {
		t.Fatal(err)
	}
	// Over two endpoints of other names, so that the bytes go through us.
	u := newUser(t, endpointEnv("STORE", server.URL, server), endpointEnv("OTHER", newProxy(t, server.URL).URL, server))
	u.sync("store://"+one, "other://"+two)
	o, err := m.StatObject(context.Background(), two, "k", minio.StatObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/x-odd", "Content-Encoding": "gzip", "Content-Language": "de", "Cache-Control": "max-age=7",
		"Content-Disposition": `attachment; filename="x"`, "X-Amz-Meta-Colour": "blue",
	} {
		if got := o.Metadata.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !o.Expires.Equal(opts.Expires) {
		t.Errorf("Expires: %s, want %s", o.Expires, opts.Expires)
	}
	if o.Size != int64(len(body)) {
		t.Errorf("%d bytes, want %d as stored", o.Size, len(body))
	}
	if o.Metadata.Get("X-Amz-Meta-Mtime") == "" {
		t.Error("the source's mtime is not kept")
	}
}

func TestBadEndpointsAreOneLineWithinTenSeconds(t *testing.T) {
	t.Parallel()
	server := servertest.MinIO(t)
	bucket := server.Bucket(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), "A")
	wrong := &servertest.MinIOServer{AccessKey: server.AccessKey, SecretKey: "wrongsecret"}
	closed := fmt.Sprintf("http://127.0.0.1:%d", servertest.FreePort(t))
	u := newUser(t, endpointEnv("GOOD", server.URL, server), endpointEnv("WRONG", server.URL, wrong), endpointEnv("CLOSED", closed, server))
	for _, c := range []struct{ target, says string }{
		{"wrong://" + bucket, "credentials"},
		{"good://no-such-bucket", "no such bucket"},
		{"closed://" + bucket, "unreachable"},
	} {
		start := time.Now()
		r := u.run("sync", dir, c.target)
		if r.code != 1 || !strings.Contains(r.errOut, c.says) || strings.Count(r.errOut, "\n") > 2 || time.Since(start) > 10*time.Second {
			t.Errorf("%s: exit %d after %s:\n%s", c.target, r.code, time.Since(start), r.errOut)
		}
		if strings.Contains(r.errOut+r.out, server.SecretKey) || strings.Contains(r.errOut, wrong.SecretKey) {
			t.Errorf("%s: a secret is in the output", c.target)
		}
	}
	if r := u.run("sync", "--create-bucket", dir, "good://made-by-us"); r.code != 0 {
		t.Errorf("--create-bucket: exit %d: %s", r.code, r.errOut)
	}
}

func TestServerFaultsAreSurvived(t *testing.T) {
	t.Parallel()
	server := servertest.MinIO(t)
	m := newStore(t, server)
	src, dst := server.Bucket(t), server.Bucket(t)
	for i := range 300 {
		m.put(src, fmt.Sprintf("k/%03d", i), int64(i), 3000)
	}
	m.put(src, "large", 1, 22<<20)
	p := newProxy(t, server.URL)
	var n atomic.Int64
	p.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		i := n.Add(1)
		if i > 300 {
			return false
		}
		switch i % 23 {
		case 3:
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, "<Error><Code>SlowDown</Code><Message>slow down</Message></Error>")
			return true
		case 9:
			w.WriteHeader(http.StatusInternalServerError)
			return true
		case 15: // the connection breaks
			panic(http.ErrAbortHandler)
		}
		return false
	})
	// Two endpoints, so that the bytes go through us and not from bucket to bucket.
	u := newUser(t, endpointEnv("STORE", p.URL, server), endpointEnv("OTHER", newProxy(t, p.URL).URL, server))
	s := u.sync("--multipart-threshold", "8MiB", "--part-size", "5MiB", "store://"+src, "other://"+dst)
	if s.Copied != 301 || s.Failed != 0 {
		t.Errorf("summary: %+v", s)
	}
	for i := range 300 {
		if i%30 == 0 {
			m.holds(dst, fmt.Sprintf("k/%03d", i), int64(i), 3000)
		}
	}
	m.holds(dst, "large", 1, 22<<20)
	m.same(src, dst)
	if n := m.openUploads(dst); n != 0 {
		t.Errorf("%d uploads were left open", n)
	}
}

func TestOneBadObjectDoesNotStopTheOthersAndCanBeRetried(t *testing.T) {
	t.Parallel()
	server := servertest.MinIO(t)
	m := newStore(t, server)
	src, dst := t.TempDir(), server.Bucket(t)
	sampleTree(t, src, 2, 50)
	write(t, filepath.Join(src, "bad", "one"), "1")
	write(t, filepath.Join(src, "bad", "two"), "2")
	p := newProxy(t, server.URL)
	refuse := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/bad/") {
			return false
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
		return true
	}
	p.intercept(refuse)
	u := newUser(t, endpointEnv("STORE", p.URL, server))
	r := u.run("sync", "--json", "--retries", "1", src, "store://"+dst)
	all := lines(t, r.out)
	s := all[len(all)-1]
	if r.code != 3 || s.Failed != 2 || s.Copied != 100 || s.State != "done" {
		t.Fatalf("exit %d, %+v\n%s", r.code, s, r.errOut)
	}
	if l := u.ok("failures", "list", s.Task); !strings.Contains(l.out, `"bad/one"`) || !strings.Contains(l.out, "denied") {
		t.Errorf("failures list:\n%s", l.out)
	}
	if e := u.ok("failures", "export", "--format", "csv", s.Task); strings.Count(e.out, "\n") != 3 {
		t.Errorf("failures export:\n%s", e.out)
	}
	p.intercept(nil)
	u.ok("failures", "retry", s.Task)
	if l := u.ok("failures", "list", s.Task); !strings.Contains(l.out, "no failures") {
		t.Errorf("after the retry:\n%s", l.out)
	}
	m.holdsText(dst, "bad/one", "1")

	write(t, filepath.Join(src, "bad", "three"), "3")
	write(t, filepath.Join(src, "bad", "four"), "4")
	p.intercept(refuse)
	r = u.run("sync", "--retries", "1", "--max-errors", "1", src, "store://"+dst)
	if r.code != 4 {
		t.Errorf("--max-errors: exit %d\n%s", r.code, r.errOut)
	}
}

func (m minioStore) holdsText(bucket, key, text string) {
	m.t.Helper()
	o, err := m.GetObject(context.Background(), bucket, key, minio.GetObjectOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
	defer o.Close()
	if at, err := differs(o, strings.NewReader(text)); err != nil || at >= 0 {
		m.t.Errorf("%s/%s differs at byte %d: %v", bucket, key, at, err)
	}
}

func TestBusLostBetweenKillsIsNoticed(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, bus string){
		"deleted": func(t *testing.T, bus string) {
			if err := os.RemoveAll(bus); err != nil {
				t.Fatal(err)
			}
		},
		"truncated": func(t *testing.T, bus string) {
			err := filepath.Walk(bus, func(p string, fi os.FileInfo, err error) error {
				if err == nil && strings.HasSuffix(p, ".blk") {
					return os.Truncate(p, fi.Size()/2)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			src, dst := t.TempDir(), t.TempDir()
			sampleTree(t, src, 5, 100)
			args := []string{"sync", "--json", "--requests-per-second", "300", src, dst}
			u.killed(1200*time.Millisecond, args...)
			ents, err := os.ReadDir(u.state())
			if err != nil || len(ents) != 1 {
				t.Fatal(ents, err)
			}
			damage(t, filepath.Join(u.state(), ents[0].Name(), "bus"))
			u.sync(src, dst)
			sameTree(t, src, dst)
			if s := u.sync(src, dst); s.Copied != 0 {
				t.Errorf("the next run copied %d again", s.Copied)
			}
		})
	}
}
