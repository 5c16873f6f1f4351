package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// taskStatus is what `status --json` says of a task.
type taskStatus struct {
	line
	PID   int
	Phase string
}

func (u *user) status(args ...string) (all []taskStatus) {
	u.t.Helper()
	out := u.ok(append([]string{"status", "--json"}, args...)...).out
	for s := range strings.SplitSeq(strings.TrimSpace(out), "\n") {
		var l taskStatus
		if s == "" {
			continue
		}
		if err := json.Unmarshal([]byte(s), &l); err != nil {
			u.t.Fatalf("%q: %v", s, err)
		}
		if l.Found != l.Copied+l.Skipped+l.Pending+l.Failed {
			u.t.Errorf("found is not the sum: %s", s)
		}
		all = append(all, l)
	}
	return all
}

// TestManySyncsAtOnce runs different tasks beside each other on one state
// directory, some of them with one end in common.
func TestManySyncsAtOnce(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	const files = 120
	src := [2]string{t.TempDir(), t.TempDir()}
	for _, s := range src {
		sampleTree(t, s, 4, files/4)
	}
	dst := t.TempDir()
	var runs []*process
	for i := range 4 {
		runs = append(runs, u.start("sync", "--json", "--interval", "50ms", "--requests-per-second", "100",
			src[i%2], filepath.Join(dst, fmt.Sprint(i))))
	}
	for _, p := range runs {
		p.until(30*time.Second, "copied objects", func(l line) bool { return l.Copied > 0 && l.Pending > 0 })
	}
	names := map[string]bool{}
	for _, l := range u.status() {
		names[l.Task] = true
	}
	if len(names) != 4 {
		t.Errorf("status shows %v, want 4 tasks", names)
	}
	for i, p := range runs {
		if code, s := p.summary(); code != 0 || s.Copied != files {
			t.Errorf("task %d: exit %d, %+v", i, code, s)
		}
		sameTree(t, src[i%2], filepath.Join(dst, fmt.Sprint(i)))
	}
}

// TestOnlyOneOfManyStartsRuns starts the same task many times at once.
func TestOnlyOneOfManyStartsRuns(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	src, dst := t.TempDir(), t.TempDir()
	sampleTree(t, src, 2, 50)
	args := []string{"sync", "--json", "--requests-per-second", "60", src, dst}
	var runs []*process
	for range 6 {
		runs = append(runs, u.start(args...))
	}
	won := 0
	for _, p := range runs {
		r := p.wait()
		switch {
		case r.code == 0:
			won++
		case r.code != 1 || !strings.Contains(r.errOut, "pid ") || strings.Count(r.errOut, "\n") > 2:
			t.Errorf("exit %d: %s", r.code, r.errOut)
		}
	}
	if won != 1 {
		t.Errorf("%d of the processes ran the task, want 1", won)
	}
	sameTree(t, src, dst)
}

// TestStatusWhileItRunsAndAfter looks at a task as it runs, after kill -9, as it
// runs again, and when it is done.
func TestStatusWhileItRunsAndAfter(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	src, dst := t.TempDir(), t.TempDir()
	sampleTree(t, src, 5, 60)
	if r := u.ok("status"); !strings.Contains(r.out, "no tasks") {
		t.Errorf("before any task: %s", r.out)
	}
	rate := func(n string) []string {
		return []string{"sync", "--json", "--interval", "20ms", "--requests-per-second", n, src, dst}
	}
	p := u.start(rate("40")...)
	task := p.until(30*time.Second, "copied objects", func(l line) bool { return l.Copied > 10 }).Task
	var s taskStatus
	waitFor(t, func() bool { // it writes its snapshot each second
		s = u.status(task)[0]
		return s.State == "running" && s.Copied > 10
	})
	if s.PID != p.cmd.Process.Pid || s.Task != task || s.Pending == 0 {
		t.Errorf("while it runs: %+v", s)
	}
	if out := u.ok("status", src, dst).out; !strings.Contains(out, fmt.Sprintf("running (pid %d)", s.PID)) {
		t.Errorf("in words: %s", out)
	}
	u.ok("failures", "list", task) // through the control socket
	p.kill()
	if s := u.status(task[:len(task)-3])[0]; s.State != "killed" || s.PID != 0 || s.Copied < 10 {
		t.Errorf("after kill -9: %+v", s)
	}
	again := u.start(rate("200")...)
	again.until(30*time.Second, "progress line", func(l line) bool { return l.Resumed && l.Copied > 10 })
	again.wait()
	if s := u.status()[0]; s.State != "done" || s.PID != 0 || s.Copied != 300 {
		t.Errorf("when it is done: %+v", s)
	}
}

// TestForgetAfterAKill removes the state of a task that died, while others
// stay; what is at the target is not copied again.
func TestForgetAfterAKill(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	src, dst := t.TempDir(), t.TempDir()
	sampleTree(t, src, 2, 50)
	other := u.sync(src, filepath.Join(dst, "other")).Task
	p := u.start("sync", "--json", "--interval", "50ms", "--requests-per-second", "60", src, filepath.Join(dst, "this"))
	task := p.until(30*time.Second, "copied objects", func(l line) bool { return l.Copied > 10 }).Task
	if r := u.run("forget", task); r.code != 1 || !strings.Contains(r.errOut, fmt.Sprintf("pid %d", p.cmd.Process.Pid)) {
		t.Errorf("while it runs: exit %d: %s", r.code, r.errOut)
	}
	p.kill()
	u.ok("forget", src, filepath.Join(dst, "this"))
	if all := u.status(); len(all) != 1 || all[0].Task != other {
		t.Errorf("left: %+v", all)
	}
	if r := u.run("forget", task); r.code != 2 {
		t.Errorf("forget twice: exit %d: %s", r.code, r.errOut)
	}
	if s := u.sync(src, filepath.Join(dst, "this")); s.Resumed || s.Skipped < 10 || s.Copied+s.Skipped != 100 {
		t.Errorf("from nothing: %+v", s)
	}
}

// TestAmbiguousTaskNames are refused with the names.
func TestAmbiguousTaskNames(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	src, dst := filepath.Join(t.TempDir(), "photos"), t.TempDir()
	write(t, filepath.Join(src, "a"), "A")
	one, two := u.sync(src, filepath.Join(dst, "1")).Task, u.sync(src, filepath.Join(dst, "2")).Task
	for _, cmd := range [][]string{{"status", "photos"}, {"forget", "photos"}, {"failures", "list", "photos"}, {"failures", "retry", "photos"}} {
		if r := u.run(cmd...); r.code == 0 || !strings.Contains(r.errOut, one) || !strings.Contains(r.errOut, two) {
			t.Errorf("%q: exit %d: %s", cmd, r.code, r.errOut)
		}
	}
	if n := len(u.status()); n != 2 {
		t.Errorf("%d tasks are left, want 2", n)
	}
}

// TestStatusNeverSeesHalfASnapshot reads while the owner writes, and dies.
func TestStatusNeverSeesHalfASnapshot(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	src, dst := t.TempDir(), t.TempDir()
	sampleTree(t, src, 2, 400) // longer at work than it takes to look
	args := []string{"sync", "--quiet", "--requests-per-second", "60", src, dst}
	p := u.start(args...)
	waitFor(t, func() bool { return len(u.status()) == 1 })
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-p.ended:
					return
				default:
					u.status()
				}
			}
		})
	}
	waitFor(t, func() bool { return u.status()[0].Copied > 30 })
	p.signal(syscall.SIGKILL)
	readers.Wait()
	if s := u.status()[0]; s.State != "killed" {
		t.Errorf("after the kill: %+v", s)
	}
	u.sync(src, dst)
	if ents, err := os.ReadDir(u.state()); err != nil || len(ents) != 1 {
		t.Errorf("%v, %v", ents, err)
	}
}
