package task

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/bus/membus"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/store"
)

// startedAgain interrupts a run that had the time to make a mark, changes the
// world, and expects a new run that copies the rest.
func startedAgain(r *rig, change func(), notice string) {
	r.t.Helper()
	r.fill(40, 0)
	whole := r.cfg.Target
	r.cfg.Target = fault.New(whole, 1, fault.Rule{Ops: []fault.Op{fault.Put}, Delay: time.Second})
	a := r.interrupt(15)
	r.cfg.Target = whole
	if r.record().MarkSeq == 0 {
		r.t.Error("there is no mark")
	}
	change()
	b := r.finish(fmt.Sprintf("found 40, copied %d, skipped %d", 40-a.Copied, a.Copied))
	if b.Run == a.Run || b.Resumed {
		r.t.Errorf("the run went on: %+v", b)
	}
	if !r.noticed(notice) {
		r.t.Errorf("notices: %q", r.notices)
	}
	r.equal()
	r.once()
	// What was lost once does not count as lost again.
	r.fill(40, 1)
	c := r.interrupt(15)
	d := r.finish("found 40, copied 40")
	if c.Run == b.Run || d.Run != c.Run {
		r.t.Errorf("runs %s, %s, %s; notices: %q", b.Run, c.Run, d.Run, r.notices)
	}
}

func TestChangedOptionsBeginARun(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		startedAgain(r, func() { r.cfg.Spec.Rule.Checksum = true }, "options changed")
	})
}

func TestChangedSpeedDoesNot(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		a := r.interrupt(15)
		r.cfg.Spec.Workers, r.cfg.Spec.Tries, r.cfg.Spec.MaxErrors = 2, 9, 100
		if b := r.finish("found 40, copied 40"); b.Run != a.Run {
			t.Errorf("runs %s and %s", a.Run, b.Run)
		}
	})
}

func TestLostStreamsBeginARun(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		startedAgain(r, func() { r.stored = new(membus.Store) }, "lost its streams")
	})
}

func TestRestartedMachineBeginsARun(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		startedAgain(r, func() { r.cfg.BootID = "boot-2" }, "machine was restarted")
	})
}

// record is what the task keeps of its run.
func (r *rig) record() (rec run) {
	r.t.Helper()
	r.state(func(st *store.Task) {
		if ok, err := load(st, recordRun, &rec); !ok || err != nil {
			r.t.Errorf("no run: %v", err)
		}
	})
	return rec
}

// rebuilt replaces the bus by one that holds other messages.
func (r *rig) rebuilt(events, results int) {
	r.t.Helper()
	r.stored = new(membus.Store)
	b := membus.New(membus.Options{Store: r.stored})
	s, _, err := b.Open(context.Background(), "t", bus.StreamOptions{})
	r.no(err)
	for i := range events {
		_, err := s.PublishEvents(context.Background(), []bus.Event{{Op: bus.OpPut, Key: fmt.Sprint(i), Class: bus.ClassScan, Run: "other"}})
		r.no(err)
	}
	for i := range results {
		_, err := s.PublishResults(context.Background(), []bus.Result{{Op: bus.OpPut, Key: fmt.Sprintf("dir/%03d", i), Outcome: bus.Skipped, Run: "other"}})
		r.no(err)
	}
	r.no(s.Close())
	r.no(b.Close())
}

func TestLostResultsBeginARun(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		startedAgain(r, func() { r.rebuilt(100, 0) }, "lost results")
	})
}

func TestLostEventsBeginARun(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		startedAgain(r, func() { r.rebuilt(3, 100) }, "lost events")
	})
}

func TestReplacedEventsBeginARun(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		startedAgain(r, func() { r.rebuilt(100, 100) }, "lost events")
	})
}

// A loss that no mark tells of must not be waited for.
func TestEventsLostWithoutAMark(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		a := r.interrupt(1) // within the first second
		if rec := r.record(); rec.MarkSeq != 0 {
			t.Errorf("%+v", rec)
		}
		r.rebuilt(0, 10)
		s, err := r.run()
		if err == nil || !strings.Contains(err.Error(), "run the same command again") || s.State != StateHalted {
			t.Fatalf("%v, %+v", err, s)
		}
		s = r.finish(fmt.Sprintf("found 40, copied %d, skipped %d", 40-a.Copied, a.Copied))
		if s.Run == a.Run {
			t.Error("the run went on")
		}
		r.equal()
	})
}

// What is lost between runs is not missed.
func TestBusLostBetweenRuns(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		r.cfg.Spec.Workers = 1
		r.finish("found 40, copied 40")
		r.stored = new(membus.Store)
		r.finish("found 40, skipped 40")
		r.fill(40, 1)
		a := r.interrupt(2)
		if b := r.finish("found 40, copied 40"); b.Run != a.Run {
			t.Errorf("the run did not go on: %q", r.notices)
		}
		r.equal()
	})
}

// State that is lost costs a listing, not copies.
func TestStateLost(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		r.put(r.src, "large", noise(1, 320<<10), storage.Metadata{})
		if _, err := r.run(); err != nil {
			t.Fatal(err)
		}
		r.dir, r.stored = t.TempDir(), new(membus.Store)
		r.finish("found 41, skipped 41")
		r.fill(40, 1)
		a := r.interrupt(15)
		r.dir = t.TempDir() // the bus still has events of a run that nobody knows
		r.finish(fmt.Sprintf("found 41, copied %d, skipped %d", 40-a.Copied, 1+a.Copied))
		r.equal()
	})
}
