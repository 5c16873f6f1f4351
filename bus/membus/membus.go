// Package membus is the smallest correct bus: everything in memory, under one
// mutex. Simulation and the tests of other packages use it. Its clock is
// package time, so in a testing/synctest bubble AckWait runs on fake time.
//
// It must not know what an event means, nor anything of storage.
package membus

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/sluice-sync/sluice/bus"
)

var _ bus.Bus = (*Bus)(nil)

// Options choose what a bus works on.
type Options struct {
	// Store holds the streams. Give the same one to a later bus and it finds
	// what the earlier one left, as after a restart; one bus at a time may use
	// it. Nil takes a new one.
	Store *Store
}

// Store is what outlives a Bus. The zero value is empty.
type Store struct {
	mu    sync.Mutex // guards everything below it, down to the consumers
	tasks map[string]*taskStreams
	last  uint64 // id of a message
}

func (s *Store) id() uint64 {
	s.last++
	return s.last
}

// taskStreams are the stored streams of a task.
type taskStreams struct{ events, results *stream }

// Bus is a bus.Bus in memory.
type Bus struct {
	store *Store
	done  chan struct{}
	open  map[string]*streams // guarded by store.mu
}

// New returns a bus.
func New(o Options) *Bus {
	if o.Store == nil {
		o.Store = new(Store)
	}
	return &Bus{store: o.Store, done: make(chan struct{}), open: map[string]*streams{}}
}

// Open implements bus.Bus.
func (b *Bus) Open(ctx context.Context, task string, o bus.StreamOptions) (bus.Streams, bool, error) {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if err := b.usable(ctx, task); err != nil {
		return nil, false, err
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	if o.AckWait == 0 {
		o.AckWait = 5 * time.Second
	}
	if o.MaxPending == 0 {
		o.MaxPending = 4096
	}
	stored := b.store.tasks[task]
	fresh := stored == nil
	if fresh {
		stored = &taskStreams{newStream(), newStream()}
		if b.store.tasks == nil {
			b.store.tasks = map[string]*taskStreams{}
		}
		b.store.tasks[task] = stored
	}
	for _, class := range bus.Classes {
		stored.events.consumer(string(class), true)
	}
	stored.events.maxBytes, stored.results.maxBytes = o.MaxBytes, o.MaxBytes
	s := &streams{bus: b, task: task, taskStreams: stored, options: o, done: make(chan struct{})}
	b.open[task] = s
	return s, fresh, nil
}

func (b *Bus) usable(ctx context.Context, task string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.isClosed() {
		return bus.ErrClosed
	}
	if b.open[task] != nil {
		return fmt.Errorf("streams of %s: already open in this process", task)
	}
	return nil
}

// Remove implements bus.Bus. Streams that are open are an error.
func (b *Bus) Remove(ctx context.Context, task string) error {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if err := b.usable(ctx, task); err != nil {
		return err
	}
	delete(b.store.tasks, task)
	return nil
}

// Health implements bus.Bus.
func (b *Bus) Health(context.Context) error {
	if b.isClosed() {
		return bus.ErrClosed
	}
	return nil
}

// Close implements bus.Bus.
func (b *Bus) Close() error {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if b.isClosed() {
		return nil
	}
	close(b.done)
	for _, s := range maps.Clone(b.open) {
		s.close()
	}
	return nil
}

func (b *Bus) isClosed() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}
