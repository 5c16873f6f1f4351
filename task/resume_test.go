package task

import (
	"context"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
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
	of slowly
}

type slowResults struct {
	bus.ResultConsumer
	by time.Duration
}

func (b slowly) Open(ctx context.Context, task string, o bus.StreamOptions) (bus.Streams, bool, error) {
	s, fresh, err := b.Bus.Open(ctx, task, o)
	return slowStreams{s, b}, fresh, err
}

func (s slowStreams) Events(ctx context.Context, class bus.Class) (bus.Consumer, error) {
	c, err := s.Streams.Events(ctx, class)
	if s.of.deaf {
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
	return slowResults{c, s.of.by}, err
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
