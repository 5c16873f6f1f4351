package natsbus

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluice-sync/sluice/bus"
)

// look is a stream with its consumers. The stream is asked first: what a
// consumer then has acked covers at least what the stream held.
type look struct {
	name      string
	stream    jetstream.Stream
	state     jetstream.StreamState
	consumers []*jetstream.ConsumerInfo
}

func (s *streams) look(ctx context.Context, name string) (look, error) {
	if s.isClosed() {
		return look{}, bus.ErrClosed
	}
	stream, err := s.bus.js.Stream(ctx, name)
	if err != nil {
		return look{}, fmt.Errorf("look at %s: %w", name, classify(err))
	}
	l := look{name: name, stream: stream, state: stream.CachedInfo().State}
	list := stream.ListConsumers(ctx)
	for c := range list.Info() {
		l.consumers = append(l.consumers, c)
	}
	if err := list.Err(); err != nil {
		return look{}, fmt.Errorf("look at consumers of %s: %w", name, classify(err))
	}
	return l, nil
}

func (s *streams) isClosed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// State implements bus.Streams. The server's count of what is pending follows
// a moment after the acknowledgement of a publish. So that nobody takes a
// stream for drained that is not, a zero is only reported after the store was
// asked.
func (s *streams) State(ctx context.Context) (st bus.State, err error) {
	err = s.patiently(ctx, func() error { st, err = s.stateNow(ctx); return err })
	return st, err
}

// patiently asks until there is an answer: a server that is away comes back.
func (s *streams) patiently(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if err == nil || ctx.Err() != nil || !passing(err) {
			return err
		}
		if err := s.pub.pause(ctx); err != nil {
			return err
		}
	}
}

func passing(err error) bool {
	for _, p := range []error{context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrConnectionReconnecting} {
		if errors.Is(err, p) {
			return true
		}
	}
	return false
}

func (s *streams) stateNow(ctx context.Context) (bus.State, error) {
	events, err := s.look(ctx, eventsStream(s.task))
	if err != nil {
		return bus.State{}, err
	}
	results, err := s.look(ctx, resultsStream(s.task))
	if err != nil {
		return bus.State{}, err
	}
	st := bus.State{
		FirstSeq: events.state.FirstSeq, LastSeq: events.state.LastSeq, Bytes: events.state.Bytes,
		ResultsLast: results.state.LastSeq,
		Pending:     map[bus.Class]uint64{}, Unacked: map[bus.Class]uint64{}, ResultsPending: map[string]uint64{},
	}
	for _, c := range events.consumers {
		if !isClass(c) {
			continue // somebody else's
		}
		pending := c.NumPending
		if pending == 0 && c.Delivered.Stream < events.state.LastSeq {
			next, err := events.next(ctx, c, c.Delivered.Stream)
			if err != nil {
				return bus.State{}, fmt.Errorf("look at events: %w", classify(err))
			}
			if next <= events.state.LastSeq {
				pending = 1
			}
		}
		st.Pending[bus.Class(c.Name)] = pending
		st.Unacked[bus.Class(c.Name)] = uint64(c.NumAckPending)
	}
	for _, c := range results.consumers {
		first := max(c.Delivered.Stream+1, results.state.FirstSeq)
		st.ResultsPending[c.Name] = results.state.LastSeq + 1 - min(first, results.state.LastSeq+1) + uint64(c.NumAckPending)
	}
	return st, nil
}

// isClass tells a consumer of the task from those that others made.
func isClass(c *jetstream.ConsumerInfo) bool { return slices.Contains(bus.Classes, bus.Class(c.Name)) }

// Mark implements bus.Streams. The digest covers subject, time of storing and
// content, so that an equal event stored later is another one.
func (s *streams) Mark(ctx context.Context, seq uint64) (mark string, err error) {
	err = s.patiently(ctx, func() error { mark, err = s.markNow(ctx, seq); return err })
	return mark, err
}

func (s *streams) markNow(ctx context.Context, seq uint64) (string, error) {
	if s.isClosed() {
		return "", bus.ErrClosed
	}
	name := eventsStream(s.task)
	stream, err := s.bus.js.Stream(ctx, name)
	if err != nil {
		return "", fmt.Errorf("mark %d: %w", seq, classify(err))
	}
	state := stream.CachedInfo().State
	if seq <= s.trims.of(name, state) {
		return "", nil
	}
	m, err := stream.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return "", fmt.Errorf("mark %d: %w: the stream holds %d to %d", seq, bus.ErrLost, state.FirstSeq, state.LastSeq)
	}
	if err != nil {
		return "", fmt.Errorf("mark %d: %w", seq, classify(err))
	}
	h := sha256.New()
	h.Write([]byte(m.Subject))
	h.Write(binary.BigEndian.AppendUint64([]byte{0}, uint64(m.Time.UnixNano())))
	h.Write(m.Data)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Trim implements bus.Streams. How much the retained bytes are is estimated
// from the mean size of a message. Without an essential consumer of results
// only the retain bound keeps them.
func (s *streams) Trim(ctx context.Context, retain bus.Retain) error {
	return s.patiently(ctx, func() error { return s.trimNow(ctx, retain) })
}

func (s *streams) trimNow(ctx context.Context, retain bus.Retain) error {
	events, err := s.look(ctx, eventsStream(s.task))
	if err != nil {
		return err
	}
	if err := s.trim(ctx, events, retain.EventBytes, isClass); err != nil {
		return fmt.Errorf("trim events: %w", classify(err))
	}
	results, err := s.look(ctx, resultsStream(s.task))
	if err != nil {
		return err
	}
	essential := func(c *jetstream.ConsumerInfo) bool { return c.Config.Metadata[metaEssential] != "" }
	if err := s.trim(ctx, results, retain.ResultBytes, essential); err != nil {
		return fmt.Errorf("trim results: %w", classify(err))
	}
	return nil
}

func (s *streams) trim(ctx context.Context, l look, retain int64, essential func(*jetstream.ConsumerInfo) bool) error {
	keep := l.state.LastSeq + 1 // the first sequence to keep
	if retain > 0 && l.state.Msgs > 0 {
		mean := max(1, l.state.Bytes/l.state.Msgs)
		keep -= min(uint64(retain)/mean, l.state.LastSeq)
	}
	for _, c := range l.consumers {
		if keep <= l.state.FirstSeq {
			return nil
		}
		if !essential(c) || c.AckFloor.Stream+1 >= keep {
			continue
		}
		// The floor of a consumer stays at its own last message, however far
		// those of other classes are.
		next, err := l.next(ctx, c, c.AckFloor.Stream)
		if err != nil {
			return err
		}
		keep = min(keep, next)
	}
	if keep <= l.state.FirstSeq {
		return nil
	}
	// What is dropped on purpose is noted first, so that a loss can be told
	// from it.
	if err := s.trims.save(l.name, keep-1); err != nil {
		return err
	}
	return l.stream.Purge(ctx, jetstream.WithPurgeSequence(keep))
}

// next is the first sequence after a given one that a consumer is to see, the
// one after the stream's last if there is none. It asks the store: the
// consumer's own count of what is pending is not up to date.
func (l look) next(ctx context.Context, c *jetstream.ConsumerInfo, after uint64) (uint64, error) {
	if c.Config.FilterSubject == "" {
		return after + 1, nil
	}
	m, err := l.stream.GetMsg(ctx, max(after+1, l.state.FirstSeq), jetstream.WithGetMsgSubject(c.Config.FilterSubject))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return l.state.LastSeq + 1, nil
	}
	if err != nil {
		return 0, err
	}
	return m.Sequence, nil
}
