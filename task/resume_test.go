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

func TestInterruptedRunGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		a := r.interrupt(15)
		if a.Copied < 15 || a.Copied > 20 || a.Found != a.Copied+a.Pending {
			t.Errorf("interrupted at the 15th of 40 with 4 workers: %+v", a)
		}
		b := r.interrupt(15)
		if b.Copied < a.Copied+15 || b.Copied == 40 {
			t.Errorf("interrupted again: %+v", b)
		}
		c := r.finish("found 40, copied 40")
		if c.Run != a.Run || c.Run != b.Run || a.Resumed || !b.Resumed || !c.Resumed {
			t.Errorf("runs %s, %s, %s; resumed %v, %v, %v", a.Run, b.Run, c.Run, a.Resumed, b.Resumed, c.Resumed)
		}
		r.equal()
		r.once()
		if d := r.finish("found 40, skipped 40"); d.Run == c.Run || d.Resumed {
			t.Errorf("a finished run goes on: %+v", d)
		}
	})
}

// What an earlier run applied is no reason not to do what this one is told.
func TestInterruptedForcedRunGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		r.finish("found 40, copied 40")
		r.forget()
		r.cfg.Spec.Rule.Force = true
		r.interrupt(15)
		r.finish("found 40, copied 40")
		r.once()
		if len(r.wrote) != 40 {
			t.Errorf("%d objects were written again", len(r.wrote))
		}
	})
}

// slowly is a bus whose results come late and whose acks may be lost.
type slowly struct {
	bus.Bus
	by   time.Duration
	deaf bool
}

type slowStreams struct {
	bus.Streams
	slowly
}

type slowResults struct {
	bus.ResultConsumer
	by time.Duration
}

func (b slowly) Open(ctx context.Context, task string, o bus.StreamOptions) (bus.Streams, bool, error) {
	s, fresh, err := b.Bus.Open(ctx, task, o)
	return slowStreams{s, b}, fresh, err
}

func (s slowStreams) Close() error { return s.Streams.Close() }

func (s slowStreams) Events(ctx context.Context, class bus.Class) (bus.Consumer, error) {
	c, err := s.Streams.Events(ctx, class)
	if s.deaf {
		c = deafConsumer{c}
	}
	return c, err
}

type deafConsumer struct{ bus.Consumer }

func (c deafConsumer) Fetch(ctx context.Context, most int) ([]bus.Delivery, error) {
	ds, err := c.Consumer.Fetch(ctx, most)
	for i := range ds {
		ds[i].Token = deafToken{ds[i].Token}
	}
	return ds, err
}

type deafToken struct{ bus.Token }

func (deafToken) Ack() error { return nil }

func (s slowStreams) Results(ctx context.Context, name string, essential bool) (bus.ResultConsumer, error) {
	c, err := s.Streams.Results(ctx, name, essential)
	return slowResults{c, s.by}, err
}

func (c slowResults) Fetch(ctx context.Context, most int) ([]bus.ResultBatch, error) {
	if err := pause(ctx, c.by); err != nil {
		return nil, err
	}
	return c.ResultConsumer.Fetch(ctx, most)
}

// What a killed process reported is known before anything is copied.
func TestResultsOfAKilledProcessComeFirst(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		whole := r.cfg.Target
		r.wrap = func(b bus.Bus) bus.Bus { return slowly{b, time.Hour, true} }
		r.cfg.Target = at(fault.New(whole, 1, fault.Rule{Ops: []fault.Op{fault.Put}, Delay: time.Second}),
			fault.Put, 25, func() { r.live.kill() })
		if s, err := r.run(); err == nil || s.Copied > 0 {
			t.Fatalf("%v, %+v", err, s)
		}
		r.wrap = func(b bus.Bus) bus.Bus { return slowly{b, 300 * time.Millisecond, false} }
		r.cfg.Target = whole
		r.finish("found 40, copied 40")
		r.equal()
		twice := 0
		for _, n := range r.wrote {
			twice += n - 1
		}
		if twice > 2*r.cfg.Spec.Workers { // what was not reported yet
			t.Errorf("%d objects were copied twice", twice)
		}
	})
}

// A large object goes on from the parts that are there.
func TestInterruptedUploadGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.put(r.src, "large", noise(1, 320<<10), storage.Metadata{})
		whole := r.cfg.Target
		r.cfg.Target = at(whole, fault.UploadPart, 10, func() { r.live.stop() })
		if s, err := r.run(); s.State != StateInterrupted {
			t.Fatalf("%+v, %v", s, err)
		}
		sent := 0
		r.cfg.Target = &tap{Bucket: whole, before: func(op fault.Op, _ string) error {
			if op == fault.UploadPart {
				sent++
			}
			return nil
		}}
		r.finish("found 1, copied 1")
		r.equal()
		if sent > 10 {
			t.Errorf("%d of 20 parts were sent after 10", sent)
		}
	})
}

// An upload that nobody will go on with does not outlive the run that finds out.
func TestUploadOfWhatIsGoneIsRemoved(t *testing.T) {
	for _, known := range []bool{true, false} { // its id
		bubble(t, func(t *testing.T, r *rig) {
			r.put(r.src, "large", noise(1, 320<<10), storage.Metadata{})
			whole := r.cfg.Target
			if known {
				r.cfg.Target = at(whole, fault.UploadPart, 10, func() { r.live.stop() })
			} else {
				r.cfg.Target = at(fault.New(whole, 1, fault.Rule{Ops: []fault.Op{fault.CreateUpload}, Effect: fault.Lose}),
					fault.CreateUpload, 2, func() { r.live.stop() })
			}
			if s, err := r.run(); err != ErrInterrupted {
				t.Fatalf("%+v, %v", s, err)
			}
			open, err := r.dst.ListUploads(context.Background(), "")
			if r.no(err); len(open) == 0 {
				t.Fatal("no upload was left")
			}
			r.no(r.src.Delete(context.Background(), "large"))
			r.cfg.Spec.Rule.Checksum = true // a run that knows of no event
			r.cfg.Target = failing(whole, fault.AbortUpload, storage.ErrBusy, 2)
			r.finish("")
		})
	}
}

// One that cannot be removed is told of and does not hold the run up.
func TestUploadThatCannotBeRemovedIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.put(r.src, "large", noise(1, 320<<10), storage.Metadata{})
		whole := r.cfg.Target
		r.cfg.Target = at(whole, fault.UploadPart, 10, func() { r.live.stop() })
		_, _ = r.run()
		r.no(r.src.Delete(context.Background(), "large"))
		r.cfg.Spec.Rule.Checksum = true
		r.cfg.Target = failing(whole, fault.AbortUpload, storage.ErrDenied, 0)
		if s, err := r.run(); err != nil || s.State != StateDone || !r.noticed("unfinished upload stays") {
			t.Errorf("%v, %+v, %q", err, s, r.notices)
		}
		r.cfg.Target = whole
		r.finish("")
	})
}

// Interrupted before anything was found, or between the phases.
func TestInterruptedEarlyAndLate(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(30, 0)
		source := r.cfg.Source
		for n := 1; n <= 4; n++ {
			r.cfg.Source = at(r.src, fault.List, n, func() { r.live.stop() })
			if s, err := r.run(); err != ErrInterrupted {
				t.Fatalf("at page %d: %v, %+v", n, err, s)
			}
		}
		r.cfg.Source = source
		r.finish("found 30, copied 30")
		r.once()
		r.equal()
	})
}

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
