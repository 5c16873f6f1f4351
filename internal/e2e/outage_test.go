package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStoreKilledInTheMiddle takes a store away for some seconds: as target, as
// source, and as both. The task pauses, says why, and goes on by itself.
func TestStoreKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	const small, large = 80, 2
	for _, pair := range throughMe {
		t.Run(pair, func(t *testing.T) {
			t.Parallel()
			l := newSafetyLab(t)
			src, dst := l.ends(t, pair, small, large)
			p := l.u.start(append(append([]string{"sync", "--json", "--interval", "50ms", "--requests-per-second", "60", "--bandwidth", "10MiB"}, inParts...), src, dst)...)
			p.until(30*time.Second, "copied objects", func(l line) bool { return l.Copied > 10 })
			l.server.Kill()
			if s := p.until(10*time.Second, "pause", paused); !strings.Contains(s.Why, "unreachable") || s.Failed > 0 {
				t.Errorf("paused with %+v", s)
			}
			time.Sleep(2 * time.Second) // the outage
			l.server.Restart(t)
			code, s := p.summary()
			if code != 0 || s.Found != small+large || s.Copied != small+large || s.Resumed {
				t.Errorf("exit %d, %+v: %s", code, s, p.err.String())
			}
			l.holds(t, dst, small, large)
		})
	}
}

// TestSourceRootVanishes takes the source away while a sync with deletes runs,
// as when a disk is unmounted.
func TestSourceRootVanishes(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	dir := t.TempDir()
	src, dst := tree{t, filepath.Join(dir, "src")}, tree{t, filepath.Join(dir, "dst")}
	sampleTree(t, src.root, 3, 10)
	u.sync(src.root, dst.root)
	before := dst.files()
	for i := range 60 { // with which there are few enough for no cap on deletes
		src.put(fmt.Sprintf("new/%02d", i), "new")
	}
	args := []string{"sync", "--json", "--interval", "20ms", "--delete", "--give-up-after", "2s",
		"--requests-per-second", "40", src.root, dst.root}
	for _, empty := range []bool{false, true} { // gone, or the empty place where it was mounted
		p := u.start(args...)
		p.until(30*time.Second, "copied object", func(l line) bool { return l.Copied > 0 })
		away := src.root + ".away"
		if err := os.Rename(src.root, away); err != nil {
			t.Fatal(err)
		}
		if empty {
			if err := os.Mkdir(src.root, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		r := p.wait()
		if s := p.last(); s.Deleted != 0 || r.code == 0 && s.Copied+s.Skipped != s.Found {
			t.Errorf("empty %t: exit %d, %+v: %s", empty, r.code, s, r.errOut)
		}
		t.Logf("empty %t: exit %d: %s", empty, r.code, r.errOut)
		after := dst.files()
		for key := range before {
			if _, ok := after[key]; !ok {
				t.Errorf("empty %t: %s was deleted", empty, key)
			}
		}
		_ = os.Remove(src.root)
		if err := os.Rename(away, src.root); err != nil {
			t.Fatal(err)
		}
	}
	u.sync(args[2:]...)
	if !maps.Equal(src.files(), dst.files()) {
		t.Error("with the source back, the target differs")
	}
}

// TestStoppedProcesses freezes the program, and the server of its bus, for
// longer than a delivery may stay unacknowledged.
func TestStoppedProcesses(t *testing.T) {
	t.Parallel()
	l := newNATSLab(t)
	src, dst := t.TempDir(), t.TempDir()
	const n = 300
	sampleTree(t, src, 3, n/3)
	p := l.u.start(l.args(src, dst)...)
	freeze := func(stop func(syscall.Signal) error, d time.Duration) {
		t.Helper()
		at := p.last().Copied
		p.until(30*time.Second, "copied objects", func(l line) bool { return l.Copied > at+30 })
		if err := stop(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		time.Sleep(d) // of being frozen
		if err := stop(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	freeze(func(s syscall.Signal) error { return p.cmd.Process.Signal(s) }, 11*time.Second)
	freeze(l.nats.Signal, 7*time.Second)
	if code, s := p.summary(); code != 0 || s.Found != n || s.Copied != n {
		t.Errorf("exit %d, %+v: %s", code, s, p.err.String())
	}
	sameTree(t, src, dst)
}
