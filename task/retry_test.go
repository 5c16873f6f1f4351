package task

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/store"
)

func TestRetryOnly(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		r.cfg.Spec.Tries = 1
		whole := r.cfg.Target
		r.cfg.Target = failing(whole, fault.Put, storage.ErrBusy, 0, "dir/003", "dir/004")
		a := r.finish("found 40, copied 38, failed 2")
		// Nothing is listed; what fails again fails again.
		r.cfg.RetryOnly = true
		r.cfg.Source = fault.New(r.src, 1, fault.Rule{Ops: []fault.Op{fault.List}, Effect: fault.Fail})
		r.cfg.Target = failing(whole, fault.Put, storage.ErrBusy, 0, "dir/004")
		b := r.finish("found 40, copied 39, failed 1")
		r.cfg.Target = whole
		c := r.finish("found 40, copied 40")
		d := r.finish("found 40, copied 40")
		if a.Run != b.Run || a.Run != c.Run || a.Run != d.Run {
			t.Errorf("runs %s, %s, %s, %s", a.Run, b.Run, c.Run, d.Run)
		}
		r.once()
		r.equal()
		r.cfg.RetryOnly, r.cfg.Source = false, r.src
		r.finish("found 40, skipped 40")
	})
}

// Retries between the parts of a run that was stopped do not end the run.
func TestRetryOnlyOfARunThatDidNotEnd(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(200, 0)
		r.cfg.Spec.Tries, r.cfg.Spec.MaxErrors = 1, 2
		whole := r.cfg.Target
		r.cfg.Target = failing(whole, fault.Put, storage.ErrDenied, 0, "dir/001", "dir/002")
		s, err := r.run()
		if !errors.Is(err, ErrMaxErrors) {
			t.Fatalf("%v, %+v", err, s)
		}
		r.cfg.Target = whole
		r.cfg.RetryOnly = true
		if s, err = r.run(); err != nil || s.Failed != 0 {
			t.Fatalf("%v, %+v", err, s)
		}
		r.cfg.RetryOnly = false
		again := r.finish("found 200, copied 200")
		if again.Run != s.Run {
			t.Error("another run")
		}
		r.once()
		r.equal()
	})
}

func TestRetryOnlyRefusesALostRun(t *testing.T) {
	for name, change := range map[string]func(r *rig){
		"bus":     func(r *rig) { r.rebuilt(0, 0) },
		"boot":    func(r *rig) { r.cfg.BootID = "boot-2" },
		"options": func(r *rig) { r.cfg.Spec.Rule.Checksum = true },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.fill(40, 0)
				a := r.interrupt(15)
				change(r)
				r.cfg.RetryOnly = true
				for range 2 {
					if s, err := r.run(); err == nil || !strings.Contains(err.Error(), "run the task itself") {
						t.Fatalf("%v, %+v", err, s)
					}
				}
				r.cfg.RetryOnly = false
				r.finish(fmt.Sprintf("found 40, copied %d, skipped %d", 40-a.Copied, a.Copied))
				r.equal()
			})
		})
	}
}

func TestRetryOnlyWithoutAnything(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(3, 0)
		r.cfg.RetryOnly = true
		s, err := r.run()
		r.no(err)
		r.says(s, "")
		r.cfg.RetryOnly = false
		r.finish("found 3, copied 3")
	})
}

// Failures may be tried again while the task runs, also those of an earlier run.
func TestRetryFailuresOfARunningTask(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		r.cfg.Spec.Tries = 1
		whole := r.cfg.Target
		r.cfg.Target = failing(whole, fault.Put, storage.ErrBusy, 0, "dir/000", "dir/039")
		r.finish("found 40, copied 38, failed 2")
		// The new run has not come to the last page when all is tried again; its
		// workers are held up so that the retries come first.
		r.cfg.Target = fault.New(whole, 1, fault.Rule{Ops: []fault.Op{fault.Put}, Delay: time.Second})
		r.cfg.Source = fault.New(r.src, 1, fault.Rule{Ops: []fault.Op{fault.List}, After: 2, Delay: 3 * time.Second})
		p := r.start()
		time.Sleep(5 * time.Second)
		if n, err := p.RetryFailures(); n == 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		for range 300 {
			if s := p.Snapshot(); s.Found > 40 {
				t.Errorf("%+v", s)
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		s, err := p.wait()
		r.no(err)
		if s.Found != 40 || s.Failed+s.Pending+s.Retrying != 0 || s.Copied < 1 || s.Copied > 2 {
			t.Errorf("%+v", s)
		}
		r.equal()
		if fs := r.ledger(); len(fs) != 0 {
			t.Errorf("ledger: %+v", fs)
		}
	})
}

func TestRetryFailuresBeforeTheTaskRuns(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s, err := store.Open(r.dir, store.Options{})
		r.no(err)
		defer s.Close()
		r.cfg.Store = s
		if n, err := New(r.cfg).RetryFailures(); err == nil {
			t.Errorf("%d failures of a task that does not run", n)
		}
	})
}
