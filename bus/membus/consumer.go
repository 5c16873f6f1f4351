package membus

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-sync/sluice/bus"
)

// consumer is one user of a durable consumer.
type consumer struct {
	streams *streams
	from    *stream
	durable *durable
	done    chan struct{}
	once    sync.Once
}

// piece is one message handed out.
type piece struct {
	seq   uint64
	tries int
	data  []byte
}

func (c *consumer) fetch(ctx context.Context, most int) ([]piece, error) {
	for {
		pieces, again, changed, err := c.try(ctx, max(1, most))
		if err != nil || len(pieces) > 0 {
			return pieces, err
		}
		if err := c.wait(ctx, again, changed); err != nil {
			return nil, err
		}
	}
}

func (c *consumer) try(ctx context.Context, most int) (pieces []piece, again time.Time, changed <-chan struct{}, err error) {
	if err := c.streams.begin(ctx); err != nil {
		return nil, again, nil, err
	}
	defer c.streams.end()
	select {
	case <-c.done:
		return nil, again, nil, bus.ErrClosed
	default:
	}
	seqs, again := c.from.hand(c.durable, c, most, c.streams.options)
	for _, seq := range seqs {
		pieces = append(pieces, piece{seq, c.durable.given[seq].tries, c.from.messages[seq-c.from.first].data})
	}
	return pieces, again, c.from.changed, nil
}

func (c *consumer) wait(ctx context.Context, again time.Time, changed <-chan struct{}) error {
	var alarm <-chan time.Time
	if !again.IsZero() {
		timer := time.NewTimer(time.Until(again))
		defer timer.Stop()
		alarm = timer.C
	}
	select {
	case <-changed:
	case <-alarm:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
	case <-c.streams.done:
	}
	return nil // the next try finds out what happened
}

// giveBack is called with the store locked.
func (c *consumer) giveBack() {
	for _, g := range c.durable.given {
		if g.owner == c {
			g.until = time.Time{}
		}
	}
	c.from.wake()
}

func (c *consumer) close() error {
	c.once.Do(func() {
		c.streams.bus.store.mu.Lock()
		defer c.streams.bus.store.mu.Unlock()
		close(c.done)
		c.giveBack()
	})
	return nil
}

// token settles one message. A late ack counts, whoever was given it since.
type token struct {
	of      *consumer
	seq     uint64
	settled bool // guarded by the store's mutex
}

func (t *token) Ack() error {
	return t.settle(true, func(*given) { delete(t.of.durable.given, t.seq) })
}

func (t *token) Release() error {
	return t.settle(true, func(g *given) { g.until = time.Time{} })
}

func (t *token) Working() error {
	return t.settle(false, func(g *given) { g.until = time.Now().Add(t.of.streams.options.AckWait) })
}

func (t *token) settle(final bool, do func(*given)) error {
	s := t.of.streams
	s.bus.store.mu.Lock()
	defer s.bus.store.mu.Unlock()
	if t.settled {
		return nil
	}
	if s.bus.isClosed() {
		return bus.ErrClosed
	}
	t.settled = final
	if g := t.of.durable.given[t.seq]; g != nil {
		do(g)
		t.of.from.wake()
	}
	return nil
}

type eventConsumer struct {
	*consumer
	decoder bus.Decoder
}

// Fetch implements bus.Consumer.
func (c *eventConsumer) Fetch(ctx context.Context, most int) ([]bus.Delivery, error) {
	pieces, err := c.fetch(ctx, most)
	if err != nil {
		return nil, err
	}
	deliveries := make([]bus.Delivery, len(pieces))
	for i, p := range pieces {
		e, err := c.decoder.Event(p.data)
		deliveries[i] = bus.Delivery{Event: e, Seq: p.seq, Tries: p.tries, Err: err, Token: &token{of: c.consumer, seq: p.seq}}
	}
	return deliveries, nil
}

func (c *eventConsumer) Close() error { return c.close() }

type resultConsumer struct {
	*consumer
	decoder bus.Decoder
}

// Fetch implements bus.ResultConsumer.
func (c *resultConsumer) Fetch(ctx context.Context, most int) ([]bus.ResultBatch, error) {
	pieces, err := c.fetch(ctx, most)
	if err != nil {
		return nil, err
	}
	batches := make([]bus.ResultBatch, len(pieces))
	for i, p := range pieces {
		results, err := c.decoder.Results(p.data)
		batches[i] = bus.ResultBatch{Seq: p.seq, Results: results, Err: err, Token: &token{of: c.consumer, seq: p.seq}}
	}
	return batches, nil
}

func (c *resultConsumer) Close() error { return c.close() }
