package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/internal/servertest"
)

// fatTree makes 40 files of 512 KiB and one of 12 MiB, and says how many.
func fatTree(t *testing.T, root string) int64 {
	t.Helper()
	for i := range 40 {
		writePattern(t, filepath.Join(root, fmt.Sprintf("f%02d", i)), int64(i), 512<<10)
	}
	writePattern(t, filepath.Join(root, "large"), 99, 12<<20)
	return 41
}

// onlyWhole checks that what is visible at a target is as at the source.
func onlyWhole(t *testing.T, src, dst string) {
	t.Helper()
	ents, err := os.ReadDir(dst)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range ents {
		want, err := os.ReadFile(filepath.Join(src, e.Name()))
		if os.IsNotExist(err) {
			continue // a temporary file
		}
		got, err2 := os.ReadFile(filepath.Join(dst, e.Name()))
		if err != nil || err2 != nil || string(got) != string(want) {
			t.Errorf("%s is visible and not whole: %d of %d bytes, %v, %v", e.Name(), len(got), len(want), err, err2)
		}
	}
}

func paused(l line) bool { return l.State == "paused" }

// TestFullTargetPausesAndGoesOnWithSpace fills the disk under a local target.
func TestFullTargetPausesAndGoesOnWithSpace(t *testing.T) {
	t.Parallel()
	if !inOwnMounts(t) {
		return
	}
	tree := t.TempDir()
	want := fatTree(t, tree)
	server := servertest.MinIO(t)
	bucket := server.Bucket(t)
	u := newUser(t, endpointEnv("STORE", server.URL, server))
	u.sync(tree, "store://"+bucket)
	for name, src := range map[string]string{"local": tree, "MinIO": "store://" + bucket} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t, endpointEnv("STORE", server.URL, server))
			d := newDisk(t, 48)
			d.leave(10)
			dst := d.path("target")
			p := u.start("sync", "--json", "--interval", "100ms", "--multipart-threshold", "4MiB", "--part-size", "2MiB", src, dst)
			if l := p.until(10*time.Second, "pause", paused); !strings.Contains(l.Why, "no space") || l.Failed > 0 {
				t.Errorf("paused with: %+v", l)
			}
			onlyWhole(t, tree, dst)
			d.empty()
			code, s := p.summary()
			if code != 0 || s.Found != want || s.Copied != want {
				t.Errorf("with space: exit %d, %+v", code, s)
			}
			sameTree(t, tree, dst)
		})
	}
}

// TestFullTargetStopsResumable ends the program while the target is full: by
// kill -9, by Ctrl-C and by --give-up-after.
func TestFullTargetStopsResumable(t *testing.T) {
	t.Parallel()
	if !inOwnMounts(t) {
		return
	}
	src := t.TempDir()
	want := fatTree(t, src)
	for name, end := range map[string]func(t *testing.T, p *process){
		"killed": func(_ *testing.T, p *process) { p.kill() },
		"interrupted": func(t *testing.T, p *process) {
			p.signal(os.Interrupt)
			if r := p.wait(); r.code != 130 {
				t.Errorf("exit %d, want 130", r.code)
			}
		},
		"gave up": func(t *testing.T, p *process) {
			r := p.wait()
			if r.code != 1 || !strings.Contains(r.errOut, "no space") || !strings.Contains(r.errOut, "make room") {
				t.Errorf("exit %d: %s", r.code, r.errOut)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			d := newDisk(t, 48)
			d.leave(10)
			dst := d.path("target")
			args := []string{"sync", "--json", "--interval", "100ms", "--give-up-after", "3s",
				"--multipart-threshold", "4MiB", "--part-size", "2MiB", src, dst}
			p := u.start(args...)
			p.until(10*time.Second, "pause", paused)
			end(t, p)
			onlyWhole(t, src, dst)
			d.empty()
			if s := u.sync(args[2:]...); s.Found != want || s.Copied != want || !s.Resumed {
				t.Errorf("the same command: %+v", s)
			}
			sameTree(t, src, dst)
		})
	}
}

// fullState is a sync of many small files whose state lies on a small disk.
func fullState(t *testing.T, files int) (u *user, d *disk, args []string, src, dst string) {
	t.Helper()
	u, d = newUser(t), newDisk(t, 320) // the task pauses below 256
	u.env = append(u.env, "SLUICE_STATE="+d.path("state"))
	src, dst = t.TempDir(), filepath.Join(t.TempDir(), "target")
	sampleTree(t, src, 10, files/10)
	return u, d, []string{"sync", "--json", "--interval", "100ms", "--requests-per-second", "250", src, dst}, src, dst
}

// TestFullStatePausesAndGoesOnWithSpace lets the free space under the state
// fall below the floor.
func TestFullStatePausesAndGoesOnWithSpace(t *testing.T) {
	t.Parallel()
	if !inOwnMounts(t) {
		return
	}
	const files = 1000
	for name, resume := range map[string]func(u *user, p *process, d *disk, args []string) line{
		"by itself": func(_ *user, p *process, d *disk, _ []string) line {
			d.empty()
			_, s := p.summary()
			return s
		},
		"after a kill": func(u *user, p *process, d *disk, args []string) line {
			p.kill()
			again := u.start(args...) // still no space: it waits as before
			again.until(10*time.Second, "pause", paused)
			d.empty()
			_, s := again.summary()
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			u, d, args, src, dst := fullState(t, files)
			p := u.start(args...)
			p.until(30*time.Second, "copied objects", func(l line) bool { return l.Copied > 50 })
			d.leave(200)
			l := p.until(10*time.Second, "pause", paused)
			if !strings.Contains(l.Why, "256 MiB") || !strings.Contains(l.Why, "state") {
				t.Errorf("paused with: %+v", l)
			}
			if s := resume(u, p, d, args); s.State != "done" || s.Found != files || s.Copied != files {
				t.Errorf("with space: %+v", s)
			}
			sameTree(t, src, dst)
		})
	}
}

// TestStateDiskFilledAtOnce takes the last byte under the state before the
// floor can be noticed, and gives the space back a moment later or after long.
// The program may pause or stop, but says so within 10 s, and loses nothing.
func TestStateDiskFilledAtOnce(t *testing.T) {
	t.Parallel()
	if !inOwnMounts(t) {
		return
	}
	const files = 1000
	for name, full := range map[string]time.Duration{"for a moment": 300 * time.Millisecond, "for long": 12 * time.Second} {
		if testing.Short() && full > time.Second {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, d, args, src, dst := fullState(t, files)
			p := u.start(args...)
			p.until(30*time.Second, "copied objects", func(l line) bool { return l.Copied > 100 })
			d.leave(0)
			select {
			case <-p.ended:
			case <-time.After(full):
				d.empty()
			}
			goesOnOrSaysWhy(t, p)
			r := p.wait()
			if r.code != 0 && (r.code != 1 || !strings.Contains(r.errOut, "no space left") || strings.Count(r.errOut, "sluice:") != 1) {
				t.Errorf("exit %d: %s", r.code, r.errOut)
			}
			d.leave(280)
			if s := u.sync(args[2:]...); s.Found != files || s.Copied+s.Skipped != files {
				t.Errorf("exit %d, and with space: %+v", r.code, s)
			}
			sameTree(t, src, dst)
			if s := u.sync(src, dst); s.Copied != 0 || s.Skipped != files {
				t.Errorf("again: %+v", s)
			}
		})
	}
}

// goesOnOrSaysWhy fails if a program that runs has neither paused nor copied
// anything for 10 s.
func goesOnOrSaysWhy(t *testing.T, p *process) {
	t.Helper()
	copied, at := p.last().Copied, time.Now()
	for began := at; time.Since(at) < 10*time.Second && time.Since(began) < patience/2; {
		select {
		case <-p.ended:
			return
		case <-time.After(50 * time.Millisecond):
		}
		if l := p.last(); paused(l) || l.Copied > copied {
			copied, at = l.Copied, time.Now()
		}
		if time.Since(at) > 10*time.Second {
			t.Errorf("for 10 s nothing was copied and nothing said: %+v", p.last())
		}
	}
}
