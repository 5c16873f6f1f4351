package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/sluice-sync/sluice/internal/servertest"
	"github.com/sluice-sync/sluice/space"
	"github.com/sluice-sync/sluice/store"
	"github.com/sluice-sync/sluice/task"
)

// person runs commands in this process, or in one that can be killed.
type person struct {
	t     *testing.T
	env   []string
	state string
}

func newPerson(t *testing.T, m *servertest.MinIOServer) *person {
	p := &person{t: t, state: t.TempDir()}
	p.env = []string{"SLUICE_STATE=" + p.state, "HOME=" + t.TempDir()}
	if m != nil {
		p.env = append(p.env, fmt.Sprintf("SLUICE_ENDPOINT_STORE=minio+http://%s:%s@%s", m.AccessKey, m.SecretKey, strings.TrimPrefix(m.URL, "http://")))
	}
	return p
}

func (p *person) run(args ...string) (code int, out, errOut string) {
	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: &stderr, env: p.env}
	cmd := a.command()
	cmd.SetArgs(args)
	code = report(&stderr, cmd.ExecuteContext(p.t.Context()))
	return code, stdout.String(), stderr.String()
}

func (p *person) ok(args ...string) string {
	p.t.Helper()
	code, out, errOut := p.run(args...)
	if code != exitOK {
		p.t.Fatalf("sluice %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errOut)
	}
	return out
}

// refused runs what must fail with a code and words.
func (p *person) refused(code int, says string, args ...string) {
	p.t.Helper()
	if got, out, errOut := p.run(args...); got != code || !strings.Contains(errOut, says) {
		p.t.Errorf("sluice %s: exit %d, want %d and %q\n%s%s", strings.Join(args, " "), got, code, says, out, errOut)
	}
}

func (p *person) uploads(args ...string) (rows []uploadRow) {
	p.t.Helper()
	dec := json.NewDecoder(strings.NewReader(p.ok(append([]string{"uploads"}, append(args, "--json")...)...)))
	for {
		var r uploadRow
		if err := dec.Decode(&r); err == io.EOF {
			return rows
		} else if err != nil {
			p.t.Fatal(err)
		}
		rows = append(rows, r)
	}
}

const childArgs = "SLUICE_TEST_CHILD_ARGS"

// asChild ends the process if it is one of start's.
func asChild(t *testing.T) {
	if args := os.Getenv(childArgs); args != "" {
		a := &app{stdout: io.Discard, stderr: os.Stderr, env: os.Environ()}
		cmd := a.command()
		cmd.SetArgs(strings.Split(args, "\n"))
		os.Exit(report(os.Stderr, cmd.ExecuteContext(t.Context())))
	}
}

func (p *person) start(args ...string) *exec.Cmd {
	p.t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+p.t.Name()+"$")
	cmd.Env = append(append(os.Environ(), p.env...), childArgs+"="+strings.Join(args, "\n"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

// until waits for something that another process does.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	over := time.After(time.Minute)
	for !ok() {
		select {
		case <-over:
			t.Fatalf("no %s within a minute", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestUploadsToAStoreOfAKilledTask(t *testing.T) {
	asChild(t)
	m := servertest.MinIO(t)
	bucket, src := m.Bucket(t), t.TempDir()
	film(t, filepath.Join(src, "film"))
	open := func() (n int) {
		for u := range m.Client(t).ListIncompleteUploads(t.Context(), bucket, "", true) {
			if u.Err != nil {
				t.Fatal(u.Err)
			}
			n++
		}
		return n
	}
	killedTask(t, newPerson(t, m), src, "store://"+bucket+"/in", open)
}

func TestUploadsToADirectoryOfAKilledTask(t *testing.T) {
	asChild(t)
	m := servertest.MinIO(t)
	bucket, file, dst := m.Bucket(t), filepath.Join(t.TempDir(), "film"), t.TempDir()
	film(t, file)
	if _, err := m.Client(t).FPutObject(t.Context(), bucket, "film", file, miniogo.PutObjectOptions{PartSize: 5 << 20}); err != nil {
		t.Fatal(err)
	}
	open := func() int {
		temps, err := filepath.Glob(filepath.Join(dst, ".sluice*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(temps)
	}
	killedTask(t, newPerson(t, m), "store://"+bucket, dst, open)
}

const filmSize = 40 << 20

func film(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, bytes.Repeat([]byte("film"), filmSize/4), 0o600); err != nil {
		t.Fatal(err)
	}
}

// killedTask looks at the upload of a task while it runs and after it was
// killed, aborts it, and lets the task end.
func killedTask(t *testing.T, p *person, src, dst string, open func() int) {
	args := []string{"sync", "--multipart-threshold", "8MiB", "--part-size", "5MiB", src, dst}
	child := p.start(append(args, "--bandwidth", "5MiB")...)
	name := space.Name(src, dst)
	until(t, "control socket", func() bool {
		_, err := os.Stat(filepath.Join(p.state, name, "control.sock"))
		return err == nil
	})
	until(t, "part", func() bool {
		rows := p.uploads("list", src, dst)
		return len(rows) == 1 && rows[0].Parts > 0
	})
	for _, args := range [][]string{{name}, {src, dst}, {dst}, {dst, "--all", "--older-than", "0s"}} {
		p.refused(exitFailed, "is being run by another process", append([]string{"uploads", "abort"}, args...)...)
	}
	if open() == 0 {
		t.Fatal("the upload is gone, and its task runs")
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	for _, args := range [][]string{{name[:5]}, {src, dst}, {dst}, {dst, "--all"}} {
		rows := p.uploads(append([]string{"list"}, args...)...)
		if len(rows) != 1 {
			t.Fatalf("list %s: %+v", args, rows)
		}
		r := rows[0]
		if r.State != uploadOpen || r.Task != name || r.Target != dst || r.Key != "film" || r.ID == "" || r.Size != filmSize ||
			r.Parts < 1 || r.Bytes != int64(r.Parts)*5<<20 || time.Since(r.Started) > time.Minute {
			t.Errorf("list %s: %+v", args, r)
		}
	}
	if out := p.ok("uploads", "list", name); !strings.Contains(out, `"film"`) || !strings.Contains(out, "40 MiB") {
		t.Errorf("list says\n%s", out)
	}
	if out := p.ok("uploads", "abort", name, "--older-than", "1h"); out != "no unfinished uploads\n" || open() == 0 {
		t.Errorf("abort of older ones says %q", out)
	}
	p.refused(exitUsage, "--older-than", "uploads", "abort", dst, "--all")
	if out := p.ok("uploads", "abort", name); !strings.HasPrefix(out, `aborted "film" at `+dst+": ") || strings.Count(out, "\n") != 1 {
		t.Errorf("abort says %q", out)
	}
	if n := open(); n != 0 {
		t.Errorf("%d uploads are left", n)
	}
	if out := p.ok("uploads", "list", name); out != "no unfinished uploads\n" {
		t.Errorf("list says %q", out)
	}
	p.ok(args...)
}

// remember writes uploads into the state of a task as a killed one leaves it.
func (p *person) remember(name, target string, records map[string]string) {
	p.t.Helper()
	sp, err := space.Open(p.state, name)
	if err != nil {
		p.t.Fatal(err)
	}
	defer sp.Close()
	st, err := store.Open(sp.DBDir(), store.Options{})
	if err != nil {
		p.t.Fatal(err)
	}
	b := st.Task(name).Batch()
	for key, rec := range records {
		b.PutUpload(key, []byte(rec))
	}
	if err := errors.Join(b.Commit(true), st.Close(), sp.WriteStatus(task.Snapshot{Target: target})); err != nil {
		p.t.Fatal(err)
	}
}

func TestUploadsOfAllTools(t *testing.T) {
	m := servertest.MinIO(t)
	bucket := m.Bucket(t)
	p := newPerson(t, m)
	core := miniogo.Core{Client: m.Client(t)}
	ids := map[string]string{}
	for _, key := range []string{"x/theirs", "x/task/known", "x/task/unnamed", "y/other"} {
		id, err := core.NewMultipartUpload(t.Context(), bucket, key, miniogo.PutObjectOptions{})
		if err == nil {
			_, err = core.PutObjectPart(t.Context(), bucket, key, id, 1, strings.NewReader("12345"), 5, miniogo.PutObjectPartOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
		ids[key] = id
	}
	now := time.Now().Format(time.RFC3339Nano)
	p.remember("task-1", "store://"+bucket+"/x/task", map[string]string{
		"known":   fmt.Sprintf(`{"v":1,"begun":%q,"id":%q,"size":9,"part_size":5}`, now, ids["x/task/known"]),
		"unnamed": fmt.Sprintf(`{"v":1,"begun":%q}`, now), // killed before the id was known
		"ended":   fmt.Sprintf(`{"v":1,"begun":%q,"id":%q,"size":9,"part_size":5}`, now, ids["y/other"]),
	})
	p.remember("elsewhere-2", "gone://bucket", nil) // its endpoint is defined no more

	states := func(rows []uploadRow) string {
		var words []string
		for _, r := range rows {
			words = append(words, fmt.Sprintf("%s %s %s %d", r.State, r.Task, r.Key, r.Bytes))
		}
		return strings.Join(words, ", ")
	}
	for args, want := range map[string]string{
		"task-1":                         "gone task-1 ended 0, open task-1 known 5, open task-1 unnamed 5",
		"store://" + bucket:              "gone task-1 ended 0, open task-1 known 5, open task-1 unnamed 5",
		"store://" + bucket + "/y":       "",
		"store://" + bucket + "/x":       "gone task-1 ended 0, open task-1 known 5, open task-1 unnamed 5",
		"store://" + bucket + "/y --all": "open  other 5",
		"store://" + bucket + "/x --all": "open task-1 task/known 5, open  task/unnamed 5, open  theirs 5",
		"task-1 --all":                   "open task-1 known 5, open  unnamed 5",
		"task-1 --all --older-than 1h":   "",
	} {
		if got := states(p.uploads(append([]string{"list"}, strings.Fields(args)...)...)); got != want {
			t.Errorf("list %s\n got %s\nwant %s", args, got, want)
		}
	}
	p.refused(exitUsage, "no such task", "uploads", "list", "nobody")
	p.refused(exitUsage, "LOCATION", "uploads", "list", "nowhere://b")
	p.refused(exitFailed, "no such bucket", "uploads", "list", "store://no-such-bucket", "--all")

	sp, err := space.Open(p.state, "task-1")
	if err != nil {
		t.Fatal(err)
	}
	p.refused(exitFailed, "task task-1: the task is being run", "uploads", "abort", "store://"+bucket+"/x", "--all", "--older-than", "0s")
	sp.Close()
	if got := states(p.uploads("abort", "store://"+bucket+"/x", "--all", "--older-than", "0s")); got != "aborted task-1 task/known 5, aborted  task/unnamed 5, aborted  theirs 5" {
		t.Errorf("abort --all: %s", got)
	}
	if got := states(p.uploads("abort", "task-1")); got != "forgot task-1 ended 0, forgot task-1 unnamed 0" {
		t.Errorf("abort of what is gone: %s", got)
	}
	if got := states(p.uploads("list", "store://"+bucket, "--all")); got != "open  y/other 5" {
		t.Errorf("left: %s", got)
	}
}

// TestDangerousEndpointsAreLogged: once a command, however often it opens them.
func TestDangerousEndpointsAreLogged(t *testing.T) {
	p := newPerson(t, nil)
	p.env = append(p.env, "SLUICE_ENDPOINT_BAD=minio+https://127.0.0.1:1?insecure_skip_verify=true")
	for _, args := range [][]string{{"sync", "bad://bucket/x", t.TempDir()}, {"sync", t.TempDir(), "bad://bucket/x"}, {"uploads", "list", "bad://bucket/x", "--all"}} {
		code, _, errOut := p.run(args...)
		if n := strings.Count(errOut, "bad://bucket/x: the certificate of the store is not checked"); code != exitFailed || n != 1 {
			t.Errorf("%v: exit %d, warned %d times:\n%s", args, code, n, errOut)
		}
	}
}
