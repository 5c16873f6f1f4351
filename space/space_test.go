package space

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNameIsReadableAndDistinct(t *testing.T) {
	for _, c := range []struct{ src, dst, prefix string }{
		{"/data/Photos 2026/", "minio://b/", "photos-2026-"},
		{"minio://bucket/", "/x", "bucket-"},
		{"/", "/x", "task-"},
		{"/" + strings.Repeat("a", 99), "/x", strings.Repeat("a", 24) + "-"},
	} {
		if n := Name(c.src, c.dst); !strings.HasPrefix(n, c.prefix) || len(n) != len(c.prefix)+6 {
			t.Errorf("Name(%q, %q) = %q, want %s and 6 digits", c.src, c.dst, n, c.prefix)
		}
	}
	if Name("a", "bc") == Name("ab", "c") {
		t.Error("two pairs of locations share a name")
	}
}

func TestSecondOwnerIsRefusedWithPID(t *testing.T) {
	if dir := os.Getenv("SPACE_TEST_CHILD"); dir != "" {
		_, err := Open(dir, "t")
		var used *InUseError
		if !errors.As(err, &used) || used.PID != os.Getppid() {
			t.Fatalf("second process got %v", err)
		}
		return
	}
	root := t.TempDir()
	s, err := Open(root, "t")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSecondOwnerIsRefusedWithPID$")
	cmd.Env = append(os.Environ(), "SPACE_TEST_CHILD="+root)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(root, "t")
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	again.Close()
}

func TestStatusNamesOwner(t *testing.T) {
	root := t.TempDir()
	s, err := Open(root, "t")
	if err != nil {
		t.Fatal(err)
	}
	type snap struct{ Found int }
	if err := s.WriteStatus(snap{7}); err != nil {
		t.Fatal(err)
	}
	var got snap
	if pid, err := Status(root, "t", &got); err != nil || pid != os.Getpid() || got.Found != 7 {
		t.Errorf("while owned: pid %d, %+v, %v", pid, got, err)
	}
	s.Close()
	if pid, err := Status(root, "t", &got); err != nil || pid != 0 {
		t.Errorf("after Close: pid %d, %v", pid, err)
	}
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	for _, n := range []string{"photos-aaaaaa", "photos-bbbbbb", "x-cccccc"} {
		s, err := Open(root, n)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	if n, err := Find(root, "x"); n != "x-cccccc" || err != nil {
		t.Errorf("Find(x) = %q, %v", n, err)
	}
	if _, err := Find(root, "photos"); err == nil || !strings.Contains(err.Error(), "photos-bbbbbb") {
		t.Errorf("an ambiguous prefix gave %v", err)
	}
	if _, err := Find(root, "nope"); !errors.Is(err, ErrNone) {
		t.Errorf("an unknown prefix gave %v", err)
	}
	if _, err := Find(filepath.Join(root, "absent"), "x"); !errors.Is(err, ErrNone) {
		t.Errorf("an absent root gave %v", err)
	}
}

func TestControlSocketWorksBelowLongPaths(t *testing.T) {
	root := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	s, err := Open(root, "t")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- s.Serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) }))
	}()
	c := Client(root, "t")
	var body string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline) && body == ""; {
		if resp, err := c.Get("http://space/hello"); err == nil {
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			body = string(b)
		}
	}
	if body != "/hello" {
		t.Errorf("the control socket answered %q", body)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(s.Dir, "control.sock")); err == nil {
		t.Error("the socket was left behind")
	}
}

func TestRemoveLeavesNothing(t *testing.T) {
	root := t.TempDir()
	s, err := Open(root, "t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(s.BusDir(), "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(); err != nil {
		t.Fatal(err)
	}
	if names, err := Names(root); len(names) != 0 || err != nil {
		t.Errorf("left %v, %v", names, err)
	}
}

// TestTasksThatShareASpace: each has a directory and a lock of its own, and
// bus, db, socket and the first lock are of all.
func TestTasksThatShareASpace(t *testing.T) {
	root := t.TempDir()
	s, err := Open(root, "file-111111")
	if err != nil {
		t.Fatal(err)
	}
	one, err := s.Task("one-222222")
	if err != nil {
		t.Fatal(err)
	}
	if two, err := s.Task("two-333333"); err != nil || two.Close() != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(s.BusDir(), "lock"), 0o700); err != nil { // a bus has one of its own
		t.Fatal(err)
	}
	if one.DBDir() != s.DBDir() || one.BusDir() != s.BusDir() || one.Dir == s.Dir || !one.Shared() || s.Shared() {
		t.Errorf("%+v of %+v", one, s)
	}
	if err := one.WriteStatus(map[string]int{"n": 1}); err != nil {
		t.Fatal(err)
	}
	const full = "file-111111/one-222222"
	if names, err := Names(root); err != nil || strings.Join(names, " ") != full+" file-111111/two-333333" {
		t.Errorf("names: %v %v", names, err)
	}
	for _, name := range []string{full, "one-222222", "one", "on", "file-111111/o"} {
		if got, err := Find(root, name); err != nil || got != full {
			t.Errorf("%q finds %q, %v", name, got, err)
		}
	}
	if got, err := Find(root, "file"); err == nil {
		t.Errorf("what means two tasks finds %q", got)
	}
	var v map[string]int
	if pid, err := Status(root, full, &v); err != nil || pid != os.Getpid() || v["n"] != 1 {
		t.Errorf("status: pid %d, %v, %v", pid, v, err)
	}
	if pid, err := Status(root, "file-111111/two-333333", &v); err != nil || pid != 0 {
		t.Errorf("a task that nobody runs has pid %d, %v", pid, err)
	}
	var used *InUseError
	if _, err := Open(root, "file-111111/two-333333"); !errors.As(err, &used) {
		t.Errorf("the space of a running task opens: %v", err)
	}
	one.Close()
	s.Close()
	if one, err = Open(root, full); err != nil || one.Name != "one-222222" {
		t.Fatalf("%+v %v", one, err)
	}
	if _, err := Open(root, "file-111111"); !errors.As(err, &used) {
		t.Errorf("the space opens twice: %v", err)
	}
	if err := one.Remove(); err != nil {
		t.Fatal(err)
	}
	if names, _ := Names(root); len(names) != 1 {
		t.Errorf("names: %v", names)
	}
	two, err := Open(root, "file-111111/two-333333")
	if err != nil {
		t.Fatal(err)
	}
	if err := two.Remove(); err != nil {
		t.Fatal(err)
	}
	if ents, _ := os.ReadDir(root); len(ents) != 0 {
		t.Errorf("left behind: %v", ents)
	}
}
