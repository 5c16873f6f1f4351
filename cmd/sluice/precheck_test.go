package main

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/sluice-sync/sluice/internal/s3fake"
	"github.com/sluice-sync/sluice/internal/servertest"
	"github.com/sluice-sync/sluice/precheck"
)

// checklist runs precheck and returns its one line and the exit code.
func (p *person) checklist(args ...string) (l precheckLine, code int) {
	p.t.Helper()
	code, out, errOut := p.run(append([]string{"precheck", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &l); err != nil || strings.Count(out, "\n") != 1 || l.Type != "precheck" {
		p.t.Fatalf("%v: %s%s", err, out, errOut)
	}
	return l, code
}

// wants holds one item of the checklist.
func (p *person) wants(id string, want precheck.Status, says string, args ...string) {
	p.t.Helper()
	l, code := p.checklist(args...)
	for _, i := range l.Items {
		if i.ID == id {
			if i.Status != want || !strings.Contains(i.Seen+" "+i.Mend, says) {
				p.t.Errorf("%+v, want %s with %q", i, want, says)
			}
			if (code == exitFailed) != (l.Status == precheck.Fail) || code != exitOK && code != exitFailed {
				p.t.Errorf("exit %d for %s", code, l.Status)
			}
			return
		}
	}
	p.t.Errorf("no item %s", id)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestPrecheckOnMinIO: of every pair of a directory and a real store, the
// checklist passes, within 2 s, and leaves nothing.
func TestPrecheckOnMinIO(t *testing.T) {
	m := servertest.MinIO(t)
	p := newPerson(t, m)
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a"), "A")
	store := "store://" + m.Bucket(t)
	p.ok("sync", dir, store)
	for _, pair := range [][]string{
		{dir, "store://" + m.Bucket(t)}, {store, "store://" + m.Bucket(t)}, {store, t.TempDir()}, {dir, t.TempDir()}, {dir, filepath.Join(t.TempDir(), "new", "dir")},
		{store + "/a", "store://" + m.Bucket(t) + "/b"}, {filepath.Join(dir, "a"), t.TempDir()},
	} {
		start := time.Now()
		l, code := p.checklist(pair...)
		if took := time.Since(start); code != exitOK || l.Status != precheck.Pass || took > 2*time.Second {
			t.Errorf("%v: exit %d after %s: %+v %+v", pair, code, took, l.Items.Of(precheck.Fail), l.Items.Of(precheck.Warn))
		}
		text := p.ok(append([]string{"precheck", "--deep"}, pair...)...)
		if strings.Count(text, "\n") != len(l.Items)+1 || !strings.HasPrefix(text, l.Source+" -> "+l.Target+"\n") {
			t.Errorf("%v says\n%s", pair, text)
		}
		if out := p.ok("precheck", "--quiet", pair[0], pair[1]); out != "" {
			t.Errorf("quiet: %q", out)
		}
		if l.Task == "" || strings.HasPrefix(pair[1], "/") && fileCount(t, pair[1]) != 0 {
			t.Errorf("%v: something is left, or the task %q has no name", pair, l.Task)
		}
		if bucket, _, in := strings.Cut(strings.TrimPrefix(pair[1], "store://"), "/"); !in {
			for o := range m.Client(t).ListObjectsIter(t.Context(), bucket, miniogo.ListObjectsOptions{Recursive: true}) {
				t.Errorf("%v: %s is left", pair, o.Key)
			}
		}
	}
	if out := p.ok("status"); strings.Count(out, "\n") != 2 {
		t.Errorf("a check made a task:\n%s", out)
	}
}

func fileCount(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return len(entries)
}

// TestPrecheckFindsFaults: what a person does wrong with a real store.
func TestPrecheckFindsFaults(t *testing.T) {
	m := servertest.MinIO(t)
	p := newPerson(t, m)
	p.env = append(p.env, "SLUICE_ENDPOINT_BAD=minio+http://"+m.AccessKey+":wrong@"+strings.TrimPrefix(m.URL, "http://"), "SLUICE_ENDPOINT_GONE=minio+http://a:b@127.0.0.1:1")
	dir, store := t.TempDir(), "store://"+m.Bucket(t)
	writeFile(t, filepath.Join(dir, "sub", "a"), "A")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(dir, "sub"), link); err != nil {
		t.Fatal(err)
	}
	p.wants("target.credentials", precheck.Fail, "secret key", dir, strings.Replace(store, "store", "bad", 1))
	p.wants("source.credentials", precheck.Fail, "secret key", strings.Replace(store, "store", "bad", 1), dir)
	p.wants("target.reachable", precheck.Fail, "network", dir, "gone://bucket")
	p.wants("target.reachable", precheck.Fail, "--create-bucket", dir, "store://none")
	p.wants("target.reachable", precheck.Pass, "makes it", "--create-bucket", dir, "store://none")
	p.wants("source.reachable", precheck.Fail, "name of the source", filepath.Join(dir, "none"), store)
	p.wants("apart", precheck.Fail, link, dir, link)
	p.wants("apart", precheck.Fail, link, dir, filepath.Join(link, "new"))
	p.wants("class", precheck.Fail, "no class GLACIER", "--storage-class", "GLACIER", dir, store)
	p.wants("deletes", precheck.Warn, "none", "--delete", "--max-delete", "none", dir, store)
	p.wants("target.write", precheck.Skipped, "dry run", "--dry-run", dir, store)
	p.wants("options", precheck.Warn, "--expires", "--expires", "drop", store, t.TempDir())
	writeFile(t, filepath.Join(dir, "file"), "")
	p.wants("target.write", precheck.Fail, "make the directory", store, filepath.Join(dir, "file", "below"))
	p.refused(exitUsage, "inside each other", "precheck", dir, filepath.Join(dir, "sub"))

	code, text, errOut := p.run("precheck", dir, strings.Replace(store, "store", "bad", 1))
	if code != exitFailed || errOut != "" || strings.Count(text, "to mend it: ") != 1 || !strings.Contains(text, "\nfail     target takes the credentials") {
		t.Errorf("exit %d\n%s%s", code, text, errOut)
	}
	full := *p
	full.env = append(full.env, "SLUICE_STATE="+filepath.Join(dir, "file"))
	full.wants("state.write", precheck.Fail, "--state-dir", dir, store)
}

// TestPrecheckOfTheBus: an external server, with JetStream, without, and with
// too little room.
func TestPrecheckOfTheBus(t *testing.T) {
	p := newPerson(t, nil)
	src, dst := t.TempDir(), t.TempDir()
	small := filepath.Join(t.TempDir(), "nats.conf")
	writeFile(t, small, fmt.Sprintf("jetstream { store_dir: %q, max_file_store: 100MB }\n", t.TempDir()))
	good := servertest.StartNATS(t, t.TempDir(), servertest.FreePort(t)).URL
	p.wants("bus", precheck.Skipped, "embedded", src, dst)
	p.wants("bus", precheck.Pass, "answers", "--nats", good, src, dst)
	p.wants("bus", precheck.Pass, "answers", "--nats", good, "--dry-run", src, dst)
	p.wants("bus", precheck.Fail, "JetStream", "--nats", servertest.StartNATS(t, "", servertest.FreePort(t)).URL, src, dst)
	p.wants("bus", precheck.Fail, "2 GiB", "--nats", servertest.StartNATS(t, "", servertest.FreePort(t), "-c", small).URL, src, dst)
	p.wants("bus", precheck.Fail, "--nats", "--nats", "nats://127.0.0.1:1", src, dst)
}

// TestFirstStartIsChecked: a new task is checked, and only that.
func TestFirstStartIsChecked(t *testing.T) {
	server := s3fake.New(t, s3fake.Options{Denied: ".sluice-precheck"})
	server.Bucket("bucket")
	server.Bucket("other")
	p := newPerson(t, nil)
	p.env = append(p.env, "SLUICE_ENDPOINT_FAKE=minio+http://"+s3fake.AccessKey+":"+strings.ReplaceAll(s3fake.SecretKey, "/", "%2F")+"@"+strings.TrimPrefix(server.URL(), "http://"))
	src := t.TempDir()
	writeFile(t, filepath.Join(src, "a"), "A")
	code, out, errOut := p.run("sync", src, "fake://bucket")
	if code != exitFailed || out != "" || strings.Count(errOut, "sluice:") != 1 || strings.Count(errOut, "  fail: ") != 2 || !strings.Contains(errOut, "s3:PutObject") {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
	if n := fileCount(t, p.state); n != 0 {
		t.Errorf("%d entries in the state of what was not begun", n)
	}
	p.ok("sync", "--dry-run", src, "fake://bucket")
	p.ok("sync", "--skip-precheck", src, "fake://bucket")
	p.ok("sync", src, "fake://bucket") // has a state by now
	server.Change(func(o *s3fake.Options) { o.Denied = "" })
	_, _, errOut = p.run("sync", "--delete", "--max-delete", "none", src, "fake://other")
	if strings.Count(errOut, "level=warning") != 1 || !strings.Contains(errOut, "--max-delete is none") {
		t.Errorf("warnings: %s", errOut)
	}
	server.Change(func(o *s3fake.Options) { o.Denied = ".sluice-precheck" })
	if out := p.ok("sync", src, "fake://other"); !strings.Contains(out, "skipped 1") {
		t.Errorf("the second start: %s", out)
	}
}

// TestPrecheckWarnsOfTrust: a certificate that is not checked is told.
func TestPrecheckWarnsOfTrust(t *testing.T) {
	server := s3fake.New(t, s3fake.Options{})
	server.Bucket("bucket")
	secure := httptest.NewTLSServer(server)
	defer secure.Close()
	p := newPerson(t, nil)
	at := "minio+https://" + s3fake.AccessKey + ":" + strings.ReplaceAll(s3fake.SecretKey, "/", "%2F") + "@" + strings.TrimPrefix(secure.URL, "https://")
	p.env = append(p.env, "SLUICE_ENDPOINT_OPEN="+at+"?insecure_skip_verify=true", "SLUICE_ENDPOINT_CLOSED="+at)
	p.wants("target.reachable", precheck.Warn, "insecure_skip_verify", t.TempDir(), "open://bucket")
	p.wants("source.reachable", precheck.Warn, "insecure_skip_verify", "open://bucket", t.TempDir())
	p.wants("target.reachable", precheck.Fail, "ca_file", t.TempDir(), "closed://bucket")
}
