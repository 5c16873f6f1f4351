package task

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sluice-sync/sluice/bus"
)

var errDead = errors.New("the process is dead")

// fuse ends a process after so many operations: all that it uses fails from
// then on, as if it had been killed there.
type fuse struct {
	left atomic.Int64
	dead atomic.Bool
	blow func()
}

func (f *fuse) burn() error {
	if f.dead.Load() {
		return errDead
	}
	if f.left.Add(-1) != 0 {
		return nil
	}
	f.dead.Store(true)
	f.blow()
	return errDead
}

// kill takes bus and state away from a process. A commit that is under way ends.
func (p *process) kill() {
	p.bus.Close()
	if p.store.Close() == nil {
		return
	}
	p.killer.Go(func() {
		for p.store.Close() != nil { // iterators are open
			time.Sleep(time.Millisecond)
		}
	})
}

// shaky is a bus that loses answers and acks and is full at times, and whose
// operations burn a fuse.
type shaky struct {
	bus.Bus
	w *world
}

func (b shaky) Open(ctx context.Context, task string, o bus.StreamOptions) (bus.Streams, bool, error) {
	if err := b.w.step(); err != nil {
		return nil, false, err
	}
	s, fresh, err := b.Bus.Open(ctx, task, o)
	return shakyStreams{s, b.w}, fresh, err
}

type shakyStreams struct {
	bus.Streams
	w *world
}

func (s shakyStreams) PublishEvents(ctx context.Context, events []bus.Event) (uint64, error) {
	if err := s.w.step(); err != nil {
		_, _ = s.Streams.PublishEvents(ctx, events[:s.w.luck.intN(len(events)+1)])
		return 0, bus.ErrClosed
	}
	if s.w.luck.chance(s.w.full) {
		_, _ = s.Streams.PublishEvents(ctx, events[:s.w.luck.intN(len(events))])
		return 0, bus.ErrFull
	}
	last, err := s.Streams.PublishEvents(ctx, events)
	if err == nil && s.w.step() != nil {
		return 0, bus.ErrClosed
	}
	return last, err
}

func (s shakyStreams) PublishResults(ctx context.Context, batch []bus.Result) (uint64, error) {
	if s.w.step() != nil {
		return 0, bus.ErrClosed
	}
	last, err := s.Streams.PublishResults(ctx, batch)
	if err != nil {
		return last, err
	}
	s.w.reported(batch)
	if s.w.step() != nil {
		return 0, bus.ErrClosed
	}
	if s.w.luck.chance(s.w.unanswered) {
		return 0, errors.New("the answer was lost")
	}
	return last, nil
}

func (s shakyStreams) State(ctx context.Context) (bus.State, error) {
	if s.w.step() != nil {
		return bus.State{}, bus.ErrClosed
	}
	return s.Streams.State(ctx)
}

func (s shakyStreams) Trim(ctx context.Context, r bus.Retain) error {
	if s.w.step() != nil {
		return bus.ErrClosed
	}
	return s.Streams.Trim(ctx, r)
}

func (s shakyStreams) Events(ctx context.Context, class bus.Class) (bus.Consumer, error) {
	c, err := s.Streams.Events(ctx, class)
	return shakyConsumer{c, s.w}, err
}

func (s shakyStreams) Results(ctx context.Context, name string, essential bool) (bus.ResultConsumer, error) {
	c, err := s.Streams.Results(ctx, name, essential)
	return shakyResults{c, s.w}, err
}

type shakyConsumer struct {
	bus.Consumer
	w *world
}

func (c shakyConsumer) Fetch(ctx context.Context, most int) ([]bus.Delivery, error) {
	ds, err := c.Consumer.Fetch(ctx, most)
	for i := range ds {
		ds[i].Token = shakyToken{ds[i].Token, c.w}
	}
	return ds, err
}

type shakyResults struct {
	bus.ResultConsumer
	w *world
}

// Fetch lets results pile up, as a projector that waits for a disk does.
func (c shakyResults) Fetch(ctx context.Context, most int) ([]bus.ResultBatch, error) {
	if c.w.lag > 0 && c.w.luck.chance(0.3) {
		_ = pause(ctx, c.w.lag)
	}
	bs, err := c.ResultConsumer.Fetch(ctx, most)
	for i := range bs {
		bs[i].Token = shakyToken{bs[i].Token, c.w}
	}
	return bs, err
}

// shakyToken loses an ack now and then: the message comes again after AckWait.
type shakyToken struct {
	bus.Token
	w *world
}

func (t shakyToken) Ack() error {
	if t.w.fuse.burn() != nil { // nothing else: whoever acks may hold locks
		return bus.ErrClosed
	}
	if t.w.luck.chance(t.w.unacked) {
		return nil
	}
	return t.Token.Ack()
}
