package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func sampleTree(t *testing.T, root string, dirs, files int) {
	t.Helper()
	for d := range dirs {
		for f := range files {
			write(t, filepath.Join(root, fmt.Sprintf("d%02d", d), fmt.Sprintf("f%03d.txt", f)), fmt.Sprintf("%d/%d", d, f))
		}
	}
}

func TestLocalToLocalCopiesOnceAndThenOnlyChanges(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	src, dst := t.TempDir(), filepath.Join(t.TempDir(), "new", "target")
	sampleTree(t, src, 10, 30)
	if err := os.MkdirAll(filepath.Join(src, "empty", "dir"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../d00/f000.txt", filepath.Join(src, "d01", "link")); err != nil {
		t.Fatal(err)
	}
	old := time.Date(2020, 2, 3, 4, 5, 6, 789000000, time.UTC)
	if err := os.Chtimes(filepath.Join(src, "d00", "f000.txt"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(src, "d00", "f001.txt"), 0o640); err != nil {
		t.Fatal(err)
	}

	if s := u.sync(src, dst); s.Found != 302 || s.Copied != 302 {
		t.Errorf("first run: %+v", s)
	}
	sameTree(t, src, dst)
	if fi, err := os.Stat(filepath.Join(dst, "d00", "f000.txt")); err != nil || !fi.ModTime().Equal(old) {
		t.Errorf("mtime: %v, %v", fi, err)
	}
	if fi, err := os.Stat(filepath.Join(dst, "d00", "f001.txt")); err != nil || fi.Mode().Perm() != 0o640 {
		t.Errorf("mode: %v, %v", fi, err)
	}
	if fi, err := os.Stat(filepath.Join(dst, "empty", "dir")); err != nil || !fi.IsDir() {
		t.Errorf("the empty directory is missing: %v", err)
	}
	if s := u.sync(src, dst); s.Copied != 0 || s.Skipped != 302 {
		t.Errorf("second run: %+v", s)
	}
	write(t, filepath.Join(src, "d03", "f003.txt"), "changed")
	write(t, filepath.Join(src, "d03", "new.txt"), "new")
	if s := u.sync(src, dst); s.Copied != 2 || s.Found != 303 {
		t.Errorf("after two changes: %+v", s)
	}
	sameTree(t, src, dst)
	if err := os.RemoveAll(u.state()); err != nil {
		t.Fatal(err)
	}
	if s := u.sync(src, dst); s.Copied != 0 || s.Skipped != 303 {
		t.Errorf("without state: %+v", s)
	}
}

func TestDeleteFollowsTheSourceAndKeepsTheCap(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	src, dst := t.TempDir(), t.TempDir()
	sampleTree(t, src, 5, 40)
	u.sync(src, dst)
	write(t, filepath.Join(dst, "extra", "deep", "x"), "x")
	write(t, filepath.Join(dst, "extra2"), "x")
	if s := u.sync(src, dst); s.Deleted != 0 {
		t.Errorf("deleted without being asked: %+v", s)
	}
	dry := u.ok("sync", "--delete", "--dry-run", src, dst)
	if !strings.Contains(dry.out, "extra2") || !strings.Contains(dry.out, "delete") {
		t.Errorf("dry run says:\n%s", dry.out)
	}
	if _, err := os.Stat(filepath.Join(dst, "extra2")); err != nil {
		t.Error("the dry run deleted something")
	}
	if s := u.sync("--delete", src, dst); s.Deleted != 2 {
		t.Errorf("with --delete: %+v", s)
	}
	sameTree(t, src, dst)

	// More than the cap: nothing at all is deleted.
	for d := range 4 {
		if err := os.RemoveAll(filepath.Join(src, fmt.Sprintf("d%02d", d))); err != nil {
			t.Fatal(err)
		}
	}
	r := u.run("sync", "--delete", src, dst)
	if r.code != 1 || !strings.Contains(r.errOut, "--max-delete") {
		t.Errorf("over the cap: exit %d, %s", r.code, r.errOut)
	}
	if n := countFiles(t, dst); n != 200 {
		t.Errorf("over the cap %d files are left, want all 200", n)
	}
	if s := u.sync("--delete", "--max-delete", "80%", src, dst); s.Deleted != 160 {
		t.Errorf("with a higher cap: %+v", s)
	}
	sameTree(t, src, dst)

	// Filters and an empty source never delete what they do not speak of.
	write(t, filepath.Join(dst, "other.log"), "x")
	if s := u.sync("--delete", "--max-delete", "none", "--newer-than", "1s", "--exclude", "*.log", src, dst); s.Deleted != 0 {
		t.Errorf("filters deleted: %+v", s)
	}
	if err := os.RemoveAll(filepath.Join(src, "d04")); err != nil {
		t.Fatal(err)
	}
	before := countFiles(t, dst)
	if r := u.run("sync", "--delete", src, dst); r.code != 1 || !strings.Contains(r.errOut, "empty") {
		t.Errorf("empty source: exit %d, %s", r.code, r.errOut)
	}
	if n := countFiles(t, dst); n != before {
		t.Errorf("an empty source deleted %d files", before-n)
	}
}

func countFiles(t *testing.T, root string) (n int) {
	t.Helper()
	err := filepath.Walk(root, func(_ string, fi os.FileInfo, err error) error {
		if err == nil && fi.Mode().IsRegular() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOneFileIsCopiedAsThatFile(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	src, dst := t.TempDir(), t.TempDir()
	write(t, filepath.Join(src, "a"), "A")
	write(t, filepath.Join(src, "b"), "B")
	u.sync(filepath.Join(src, "a"), dst)
	u.sync(filepath.Join(src, "a"), filepath.Join(dst, "renamed"))
	u.sync(filepath.Join(src, "b"), filepath.Join(dst, "sub")+"/")
	for _, p := range []string{"a", "renamed", "sub/b"} {
		if _, err := os.Stat(filepath.Join(dst, p)); err != nil {
			t.Error(err)
		}
	}
	if n := countFiles(t, dst); n != 3 {
		t.Errorf("%d files at the target, want 3", n)
	}
	if s := u.sync(filepath.Join(src, "a"), dst); s.Copied != 0 || s.Found != 1 {
		t.Errorf("again: %+v", s)
	}
}

func TestSecondProcessIsRefusedWithThePID(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	src, dst := t.TempDir(), t.TempDir()
	sampleTree(t, src, 2, 50)
	cmd := u.command("sync", "--requests-per-second", "20", src, dst)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	waitFor(t, func() bool { return strings.Contains(u.run("status").out, "running") })
	r := u.run("sync", src, dst)
	if r.code != 1 || !strings.Contains(r.errOut, fmt.Sprintf("pid %d", cmd.Process.Pid)) {
		t.Errorf("exit %d, %s", r.code, r.errOut)
	}
	other := t.TempDir()
	if s := u.sync(src, other); s.Copied != 100 {
		t.Errorf("another task beside it: %+v", s)
	}
	if r := u.run("forget", src, dst); r.code != 1 {
		t.Errorf("forget of a running task: exit %d, %s", r.code, r.errOut)
	}
}

// waitFor asks until it holds, for 30 s at most.
func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !what(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still not so after 30 s")
		}
	}
}

func TestInterruptDrainsAndResumes(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	src, dst := t.TempDir(), t.TempDir()
	sampleTree(t, src, 5, 60)
	cmd := u.command("sync", "--json", "--requests-per-second", "100", src, dst)
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return countFiles(t, dst) > 20 })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit %d, want 130", code)
	}
	all := lines(t, out.String())
	if last := all[len(all)-1]; last.State != "interrupted" {
		t.Errorf("last line: %+v", last)
	}
	if s := u.sync(src, dst); s.Found != 300 || s.Copied != 300 {
		t.Errorf("resumed: %+v", s)
	}
	sameTree(t, src, dst)
}

func TestBadInputIsOneClearLine(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"sync"}, 2, "SRC and DST"},
		{[]string{"snyc", "a", "b"}, 2, "sync"},
		{[]string{"sync", "--wrokers", "3", dir, dir + "/x"}, 2, "--workers"},
		{[]string{"sync", "--workers", "0", dir, "/tmp/x"}, 2, "--workers"},
		{[]string{"sync", "--min-size", "huge", dir, "/tmp/x"}, 2, "--min-size"},
		{[]string{"sync", "--include", "re:(", dir, "/tmp/x"}, 2, "re:("},
		{[]string{"sync", dir, dir}, 2, "same"},
		{[]string{"sync", dir, dir + "/inside"}, 2, "inside"},
		{[]string{"sync", dir, "nowhere://b/p"}, 2, "nowhere"},
		{[]string{"sync", filepath.Join(dir, "absent"), "/tmp/x"}, 1, "absent"},
		{[]string{"status", "nope"}, 2, "nope"},
		{[]string{"failures", "list", "nope"}, 2, "nope"},
		{[]string{"failures", "lst", "nope"}, 2, "list"},
	} {
		r := u.run(c.args...)
		if r.code != c.code || !strings.Contains(r.errOut, c.says) || strings.Count(r.errOut, "\n") > 2 {
			t.Errorf("sluice %s: exit %d, want %d and %q:\n%s", strings.Join(c.args, " "), r.code, c.code, c.says, r.errOut)
		}
	}
}

func TestForgetRemovesTheState(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	src, dst := t.TempDir(), t.TempDir()
	write(t, filepath.Join(src, "a"), "A")
	name := u.sync(src, dst).Task
	if r := u.ok("status", "--json"); !strings.Contains(r.out, name) {
		t.Errorf("status: %s", r.out)
	}
	u.ok("forget", name[:len(name)-2])
	if ents, _ := os.ReadDir(u.state()); len(ents) != 0 {
		t.Errorf("left: %v", ents)
	}
	if _, err := os.Stat(filepath.Join(dst, "a")); err != nil {
		t.Errorf("forget touched the target: %v", err)
	}
}
