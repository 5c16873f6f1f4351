package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/sluice-sync/sluice/internal/servertest"
)

// analyze runs the command with --json.
func (p *person) analyze(args ...string) (l analysisLine) {
	p.t.Helper()
	out := p.ok(append([]string{"analyze", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &l); err != nil || strings.Count(out, "\n") != 1 {
		p.t.Fatalf("%v in %s", err, out)
	}
	if l.Type != "analysis" {
		p.t.Errorf("type %q", l.Type)
	}
	return l
}

func TestAnalyzeADirectory(t *testing.T) {
	dir, p := t.TempDir(), newPerson(t, nil)
	for name, n := range map[string]int{"a/x/1.jpg": 10, "a/x/2.JPG": 20, "a/3.txt": 70_000, "b/4": 0, "5.jpg": 2 << 20} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "none"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("5.jpg", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	l := p.analyze(dir)
	switch {
	case l.Source != dir || !l.Complete || l.Sample != nil || l.Keys != 7:
		t.Errorf("%s: complete %v, %d keys", l.Source, l.Complete, l.Keys)
	case l.Objects != 5 || l.Count.Bytes != 2<<20+70_030 || l.Kinds.Directories != 1 || l.Kinds.Symlinks != 1:
		t.Errorf("%+v, %+v", l.Count, l.Kinds)
	case l.Prefixes[0].ByObjects[0].Name.Name != "a/" || l.Extensions.ByObjects[0].Objects != 3 || l.Largest[0].Name.Name != "5.jpg":
		t.Errorf("%+v", l.Report)
	}
	if l := p.analyze(dir, "--include", "*.jpg", "--max-size", "1MiB"); l.Objects != 1 || !l.Selected {
		t.Errorf("filtered: %+v", l.Count)
	}
	if l := p.analyze(dir, "--sample", "3"); l.Keys != 3 || l.Complete || l.Sample == nil || l.Sample.Places != 1 {
		t.Errorf("sample: %d keys, %+v", l.Keys, l.Sample)
	}
	if out := p.ok("analyze", dir); !strings.HasPrefix(out, dir+": 5 objects, 2.1 MiB\n") || !strings.Contains(out, "sluice sync SRC DST\n") {
		t.Errorf("it says\n%s", out)
	}
	p.refused(exitUsage, "is one object: analyze the directory it is in, "+dir, "analyze", filepath.Join(dir, "5.jpg"))
	p.refused(exitFailed, "source: ", "analyze", filepath.Join(dir, "nowhere"))
	p.refused(exitUsage, "--rate", "analyze", dir, "--rate", "quick")
	p.refused(exitUsage, "--rate", "analyze", dir, "--rate", "0")
	p.refused(exitUsage, "--latency", "analyze", dir, "--latency", "0s")
	p.refused(exitUsage, "--sample", "analyze", dir, "--sample=-1")
	p.refused(exitUsage, "want SRC", "analyze")
	p.refused(exitUsage, "no flag --workers", "analyze", dir, "--workers", "5")
}

// manyObjects fills a bucket with n empty objects in directories of 100.
func manyObjects(t *testing.T, m *servertest.MinIOServer, bucket string, n int) {
	t.Helper()
	c := m.Client(t)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < n; i += 8 {
				key := fmt.Sprintf("in/dir%02d/%05d.bin", i/100, i)
				if _, err := c.PutObject(t.Context(), bucket, key, strings.NewReader(""), 0, miniogo.PutObjectOptions{}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func TestAnalyzeAStore(t *testing.T) {
	m := servertest.MinIO(t)
	bucket, p := m.Bucket(t), newPerson(t, m)
	manyObjects(t, m, bucket, 1300)
	l := p.analyze("store://" + bucket)
	if l.Objects != 1300 || !l.Complete || l.Prefixes[1].Names != 13 || l.Prefixes[0].ByObjects[0].Objects != 1300 || l.Extensions.Names != 1 {
		t.Errorf("%+v", l)
	}
	if l := p.analyze("store://"+bucket+"/in", "--include", "dir03/"); l.Objects != 100 || l.Keys != 1300 || l.Prefixes[0].Names != 1 {
		t.Errorf("%d objects of %d keys", l.Objects, l.Keys)
	}
	l = p.analyze("store://"+bucket+"/in", "--sample", "200")
	if l.Keys != 200 || l.Complete || l.Sample == nil || l.Sample.Places < 50 || l.Prefixes[0].Names != 13 {
		t.Errorf("sample: %d keys, %+v, of %d directories", l.Keys, l.Sample, l.Prefixes[0].Names)
	}
	if l := p.analyze("store://"+bucket, "--sample", "5000"); l.Objects != 1300 || !l.Complete || l.Sample != nil {
		t.Errorf("sample of all: %+v", l)
	}
	p.refused(exitUsage, "is one object", "analyze", "store://"+bucket+"/in/dir00/00000.bin")
	p.refused(exitFailed, "no such bucket", "analyze", "store://no-such-bucket")
	cutOff(t, p, m, bucket)
}

// cutOff lets a listing end at its second page: by the user, and by the store.
func cutOff(t *testing.T, p *person, m *servertest.MinIOServer, bucket string) {
	behind, err := url.Parse(m.URL)
	if err != nil {
		t.Fatal(err)
	}
	to := httputil.NewSingleHostReverseProxy(behind)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	byUser := true
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		switch {
		case q.Get("continuation-token")+q.Get("start-after") == "":
			to.ServeHTTP(w, r)
		case byUser:
			interrupt()
			<-r.Context().Done()
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer proxy.Close()
	env := append(p.env, fmt.Sprintf("SLUICE_ENDPOINT_CUT=minio+http://%s:%s@%s", m.AccessKey, m.SecretKey, strings.TrimPrefix(proxy.URL, "http://")))
	for _, c := range []struct {
		code      int
		out, says string
	}{
		{exitInterrupted, "This is not all", "interrupted; this is what was counted so far"},
		{exitFailed, "This is not all", "access denied"},
	} {
		var stdout, stderr bytes.Buffer
		a := &app{stdout: &stdout, stderr: &stderr, env: env}
		cmd := a.command()
		cmd.SetArgs([]string{"analyze", "cut://" + bucket})
		code := report(&stderr, cmd.ExecuteContext(ctx))
		if out := stdout.String(); code != c.code || !strings.Contains(out, c.out) || !strings.Contains(out, ": 1,000 objects") || !strings.Contains(stderr.String(), c.says) {
			t.Errorf("exit %d, want %d and %q\n%s%s", code, c.code, c.says, out, stderr.String())
		}
		byUser, ctx = false, t.Context()
	}
}
