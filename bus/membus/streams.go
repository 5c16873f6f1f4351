package membus

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluice-sync/sluice/bus"
)

const maxBatch = 256 // results per message

// streams are the open streams of a task.
type streams struct {
	bus  *Bus
	task string
	*taskStreams
	options   bus.StreamOptions
	done      chan struct{}
	consumers []*consumer
}

// begin locks the store for one operation.
func (s *streams) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.bus.store.mu.Lock()
	if s.isClosed() {
		s.bus.store.mu.Unlock()
		return bus.ErrClosed
	}
	return nil
}

func (s *streams) end() { s.bus.store.mu.Unlock() }

func (s *streams) isClosed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// PublishEvents implements bus.Streams.
func (s *streams) PublishEvents(ctx context.Context, events []bus.Event) (uint64, error) {
	for _, e := range events {
		if !slices.Contains(bus.Classes, e.Class) || e.Op != bus.OpPut && e.Op != bus.OpDelete {
			return 0, fmt.Errorf("publish event: class %q with operation %q has no subject", e.Class, e.Op)
		}
	}
	if len(events) == 0 {
		return 0, nil
	}
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	defer s.end()
	defer s.events.wake()
	for i := range events {
		if err := s.events.add(message{string(events[i].Class), bus.AppendEvent(nil, &events[i]), s.bus.store.id()}); err != nil {
			return 0, fmt.Errorf("publish event: %w", err)
		}
	}
	return s.events.last(), nil
}

// PublishResults implements bus.Streams.
func (s *streams) PublishResults(ctx context.Context, batch []bus.Result) (uint64, error) {
	if len(batch) == 0 {
		return 0, nil
	}
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	defer s.end()
	defer s.results.wake()
	for part := range slices.Chunk(batch, maxBatch) {
		if err := s.results.add(message{"", bus.AppendResults(nil, part), s.bus.store.id()}); err != nil {
			return 0, fmt.Errorf("publish results: %w", err)
		}
	}
	return s.results.last(), nil
}

// Events implements bus.Streams.
func (s *streams) Events(ctx context.Context, class bus.Class) (bus.Consumer, error) {
	if !slices.Contains(bus.Classes, class) {
		return nil, fmt.Errorf("consume events: no class %q", class)
	}
	c, err := s.consume(ctx, s.events, string(class), true)
	if err != nil {
		return nil, err
	}
	return &eventConsumer{consumer: c}, nil
}

// Results implements bus.Streams.
func (s *streams) Results(ctx context.Context, name string, essential bool) (bus.ResultConsumer, error) {
	c, err := s.consume(ctx, s.results, name, essential)
	if err != nil {
		return nil, err
	}
	return &resultConsumer{consumer: c}, nil
}

func (s *streams) consume(ctx context.Context, from *stream, name string, essential bool) (*consumer, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.end()
	c := &consumer{streams: s, from: from, durable: from.consumer(name, essential), done: make(chan struct{})}
	s.consumers = append(s.consumers, c)
	return c, nil
}

// State implements bus.Streams.
func (s *streams) State(ctx context.Context) (bus.State, error) {
	if err := s.begin(ctx); err != nil {
		return bus.State{}, err
	}
	defer s.end()
	st := bus.State{
		FirstSeq: s.events.first, LastSeq: s.events.last(), Bytes: uint64(s.events.bytes), ResultsLast: s.results.last(),
		Pending: map[bus.Class]uint64{}, Unacked: map[bus.Class]uint64{}, ResultsPending: map[string]uint64{},
	}
	for name, d := range s.events.consumers {
		st.Pending[bus.Class(name)] = s.events.pending(d)
		st.Unacked[bus.Class(name)] = uint64(len(d.given))
	}
	for name, d := range s.results.consumers {
		st.ResultsPending[name] = s.results.pending(d) + uint64(len(d.given))
	}
	return st, nil
}

// Mark implements bus.Streams.
func (s *streams) Mark(ctx context.Context, seq uint64) (string, error) {
	if err := s.begin(ctx); err != nil {
		return "", err
	}
	defer s.end()
	switch {
	case seq < s.events.first:
		return "", nil
	case seq > s.events.last():
		return "", fmt.Errorf("mark %d: %w: the stream ends at %d", seq, bus.ErrLost, s.events.last())
	}
	return s.events.messages[seq-s.events.first].digest(), nil
}

// Trim implements bus.Streams.
func (s *streams) Trim(ctx context.Context, retain bus.Retain) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	s.events.trim(retain.EventBytes)
	s.results.trim(retain.ResultBytes)
	return nil
}

// Close implements bus.Streams.
func (s *streams) Close() error {
	s.bus.store.mu.Lock()
	defer s.bus.store.mu.Unlock()
	if !s.isClosed() {
		s.close()
	}
	return nil
}

// close is called with the store locked.
func (s *streams) close() {
	close(s.done)
	delete(s.bus.open, s.task)
	for _, c := range s.consumers {
		c.giveBack()
	}
}
