package task

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/store"
)

// failing makes a call fail for some keys, at most so often in all (0: always).
func failing(b storage.Bucket, op fault.Op, kind error, times int, keys ...string) *fault.Bucket {
	return fault.New(b, 1, fault.Rule{Ops: []fault.Op{op}, Effect: fault.Fail, Err: kind, Times: times, Match: func(key string) bool {
		for _, k := range keys {
			if k == key {
				return true
			}
		}
		return len(keys) == 0
	}})
}

func TestObjectThatFailsIsTriedAgainAndGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		whole := r.cfg.Target
		r.cfg.Spec.Tries = 3
		r.cfg.Target = failing(whole, fault.Put, storage.ErrBusy, 0, "dir/003", "dir/004")
		began := time.Now()
		s := r.finish("found 40, copied 38, failed 2")
		if took := time.Since(began); took < 4*time.Second || took > time.Minute {
			t.Errorf("3 tries took %s", took)
		}
		fs := r.ledger()
		if len(fs) != 2 || !fs[0].GivenUp || fs[0].Tries != 3 || fs[0].Cause != "busy" || !fs[0].First.Before(fs[0].Last) {
			t.Errorf("ledger: %+v", fs)
		}
		if s.BytesFound != 40*100+39*40/2 {
			t.Errorf("%+v", s)
		}
		r.cfg.Target = whole
		r.finish("found 40, copied 2, skipped 38")
		r.equal()
		if fs := r.ledger(); len(fs) != 0 {
			t.Errorf("ledger: %+v", fs)
		}
	})
}

func TestObjectThatHealsIsCopied(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		r.cfg.Target = failing(r.cfg.Target, fault.Put, storage.ErrBusy, 10, "dir/003")
		p := r.start()
		time.Sleep(2 * time.Second)
		s := p.Snapshot()
		r.says(s, "found 40, copied 39, pending 1")
		if s.Retrying != 1 || s.State != StateRunning {
			t.Errorf("%+v", s)
		}
		s, err := p.wait()
		r.no(err)
		r.says(s, "found 40, copied 40")
		r.equal()
	})
}

// A given-up object that is gone by the next run is no failure any more.
func TestFailureOfWhatIsGoneIsForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		r.cfg.Spec.Tries = 1
		whole := r.cfg.Target
		r.cfg.Target = failing(whole, fault.Put, storage.ErrBusy, 0, "dir/003", "dir/004")
		r.finish("found 40, copied 38, failed 2")
		r.no(r.src.Delete(context.Background(), "dir/003"))
		r.finish("found 39, skipped 38, failed 1")
		if fs := r.ledger(); len(fs) != 1 || fs[0].Key != "dir/004" {
			t.Errorf("ledger: %+v", fs)
		}
	})
}

func TestMaxErrors(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(200, 0)
		r.cfg.Spec.Tries, r.cfg.Spec.MaxErrors = 1, 3
		whole := r.cfg.Target
		r.cfg.Target = failing(whole, fault.Put, storage.ErrDenied, 0, "dir/001", "dir/002", "dir/003", "dir/005", "dir/006")
		s, err := r.run()
		if !errors.Is(err, ErrMaxErrors) || s.State != StateHalted || s.Failed < 3 || s.Found != s.Copied+s.Pending+s.Failed {
			t.Fatalf("%v, %+v", err, s)
		}
		// The same command goes on; what was given up before does not stop it.
		r.cfg.Target = whole
		again := r.finish(fmt.Sprintf("found 200, copied %d, failed %d", 200-s.Failed, s.Failed))
		if again.Run != s.Run {
			t.Error("another run")
		}
		r.once()
		r.finish(fmt.Sprintf("found 200, copied %d, skipped %d", s.Failed, 200-s.Failed))
		r.equal()
	})
}

// The limit counts also where it is reached by the last object.
func TestMaxErrorsAtTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(1, 0)
		r.cfg.Spec.Tries, r.cfg.Spec.MaxErrors = 1, 1
		r.cfg.Target = failing(r.cfg.Target, fault.Put, storage.ErrDenied, 0)
		if s, err := r.run(); !errors.Is(err, ErrMaxErrors) || s.Failed != 1 {
			t.Errorf("%v, %+v", err, s)
		}
	})
}

// A state that fails ends the process; what was published is not lost.
func TestStateThatFails(t *testing.T) {
	for _, op := range []fault.Op{fault.List, fault.Put, fault.UploadPart, fault.CompleteUpload} {
		t.Run(string(op), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.fill(40, 0)
				r.put(r.src, "large", noise(1, 320<<10), storage.Metadata{})
				whole := r.cfg.Target
				r.cfg.Target = at(whole, op, 1, func() {
					r.live.killer.Go(func() {
						for r.live.store.Close() != nil {
							time.Sleep(time.Millisecond)
						}
					})
				})
				s, err := r.run()
				if !errors.Is(err, store.ErrClosed) || s.State != StateHalted || s.Seconds > 1 {
					t.Fatalf("%v, %+v", err, s)
				}
				r.cfg.Target = whole
				r.finish("found 41, copied 41")
				r.equal()
			})
		})
	}
}

func TestFullDiskPauses(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		var free atomic.Uint64
		free.Store(100 << 20)
		r.cfg.FreeBytes = func() (uint64, error) { return free.Load(), nil }
		r.cfg.Target = fault.New(r.cfg.Target, 1, fault.Rule{Ops: []fault.Op{fault.Put}, Delay: 300 * time.Millisecond})
		p := r.start()
		time.Sleep(time.Minute)
		s := p.Snapshot()
		if s.State != StatePaused || !strings.Contains(s.Why, "100 MiB are free") || s.Copied == 0 || s.Pending == 0 {
			t.Errorf("%+v", s)
		}
		free.Store(300 << 20)
		s, err := p.wait()
		r.no(err)
		r.says(s, "found 40, copied 40")
		if s.Seconds > 70 || !r.noticed("only 100 MiB") || !r.noticed("there is space") || len(r.notices) != 2 {
			t.Errorf("after %v s: %q", s.Seconds, r.notices)
		}
		r.once()
	})
}

func TestFullDiskCanBeInterrupted(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		full := r.cfg
		r.cfg.FreeBytes = func() (uint64, error) { return 0, nil }
		r.cfg.Target = fault.New(r.cfg.Target, 1, fault.Rule{Ops: []fault.Op{fault.Put}, Delay: 300 * time.Millisecond})
		p := r.start()
		time.Sleep(time.Minute)
		p.stop()
		if s, err := p.wait(); err != ErrInterrupted || s.State != StateInterrupted {
			t.Errorf("%v, %+v", err, s)
		}
		r.cfg = full
		r.finish("found 40, copied 40")
	})
}

func TestUnreachableEndpointGivesUpAndResumes(t *testing.T) {
	for _, down := range []string{"source", "target"} {
		t.Run(down, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.fill(40, 0)
				r.cfg.Spec.GiveUpAfter = time.Minute
				healthy := r.cfg
				outage := fault.Rule{After: 30, Effect: fault.Fail, Err: storage.ErrUnavailable}
				if down == "source" {
					r.cfg.Source = fault.New(r.src, 1, outage)
				} else {
					r.cfg.Target = fault.New(r.cfg.Target, 1, outage)
				}
				p := r.start()
				time.Sleep(30 * time.Second)
				if s := p.Snapshot(); s.State != StatePaused || s.Why == "" || s.Failed+s.Retrying != 0 {
					t.Errorf("%+v", s)
				}
				s, err := p.wait()
				if !errors.Is(err, transfer.ErrGaveUp) || s.State != StateHalted || s.Failed+s.Retrying != 0 {
					t.Fatalf("%v, %+v", err, s)
				}
				r.cfg = healthy
				if again := r.finish("found 40, copied 40"); again.Run != s.Run {
					t.Error("another run")
				}
				r.equal()
			})
		})
	}
}
