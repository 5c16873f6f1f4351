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
