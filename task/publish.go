package task

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sluice-sync/sluice/bus"
)

// maxBacklog bounds the events that wait for a worker, so that 100 million
// keys need neither memory nor a huge stream.
const maxBacklog = 50_000

// publisher stores events on the bus and waits where it must: for the backlog
// to shrink, for a full stream to be trimmed, for disk space.
type publisher struct {
	streams bus.Streams
	backlog func() (waiting int64, changed <-chan struct{})
	gate    *gate

	mu   sync.Mutex
	last uint64
}

// lastSeq is the sequence of the last acknowledged event; 0: none yet.
func (p *publisher) lastSeq() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// publish returns when all events are acknowledged.
func (p *publisher) publish(ctx context.Context, evs []bus.Event) error {
	if err := p.room(ctx); err != nil {
		return err
	}
	for {
		if err := p.gate.wait(ctx); err != nil {
			return err
		}
		last, err := p.streams.PublishEvents(ctx, evs)
		if err == nil {
			p.mu.Lock()
			p.last = max(p.last, last)
			p.mu.Unlock()
			return nil
		}
		switch {
		case errors.Is(err, bus.ErrFull):
			if err := p.streams.Trim(ctx, bus.Retain{ResultBytes: retainResults}); err != nil {
				return err
			}
		case errors.Is(err, bus.ErrNoDisk):
		default:
			return err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// room waits until the backlog is below its bound.
func (p *publisher) room(ctx context.Context) error {
	for {
		n, changed := p.backlog()
		if n < maxBacklog {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gate holds work back while the disk under the state is nearly full.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // closed while work may go on
	why  string
}

func newGate() *gate {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	return g
}

func (g *gate) wait(ctx context.Context) error {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// set closes the gate with a reason, or opens it with none. It tells whether
// that was a change.
func (g *gate) set(why string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.why
	g.why = why
	switch {
	case was == "" && why != "":
		g.open = make(chan struct{})
	case was != "" && why == "":
		close(g.open)
	}
	return (was == "") != (why == "")
}

func (g *gate) reason() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.why
}
