package natsbus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluice-sync/sluice/bus"
)

const (
	defaultMaxBytes   = 1 << 30
	defaultAckWait    = 5 * time.Second
	defaultMaxPending = 4096
	maxBatch          = 256                    // results per message
	duplicates        = 100 * time.Millisecond // the least the server takes; no message has an id
	metaEssential     = "sluice_essential"     // on consumers that hold trimming back
)

// streams are the two streams of a task.
type streams struct {
	bus      *Bus
	task     string
	options  bus.StreamOptions
	subjects map[subjectKey]string
	pub      *publisher
	trims    *trims
	done     chan struct{}

	mu        sync.Mutex
	closed    bool
	consumers []*puller
}

type subjectKey struct {
	class bus.Class
	op    bus.Op
}

func (b *Bus) openStreams(ctx context.Context, task string, o bus.StreamOptions) (*streams, bool, error) {
	s := &streams{bus: b, task: task, options: withDefaults(o), subjects: map[subjectKey]string{}, done: make(chan struct{})}
	for _, class := range bus.Classes {
		for _, op := range []bus.Op{bus.OpPut, bus.OpDelete} {
			s.subjects[subjectKey{class, op}] = s.classSubject(class) + "." + string(op)
		}
	}
	var err error
	if s.trims, err = b.loadTrims(task); err != nil {
		return nil, false, err
	}
	freshEvents, err := s.ensureStream(ctx, eventsStream(task), "sluice."+task+".events.*.*")
	if err != nil {
		return nil, false, err
	}
	freshResults, err := s.ensureStream(ctx, resultsStream(task), s.resultsSubject())
	if err != nil {
		return nil, false, err
	}
	if b.embedded != nil && !freshEvents {
		if err := s.expire(ctx); err != nil {
			return nil, false, err
		}
	}
	// All classes have their consumer from the start: what nobody has consumed
	// yet must not be trimmed.
	for _, class := range bus.Classes {
		c := s.consumerConfig(string(class), s.classSubject(class)+".*")
		if _, err := b.js.CreateOrUpdateConsumer(ctx, eventsStream(task), c); err != nil {
			return nil, false, err
		}
	}
	s.pub, err = newPublisher(b, s.done)
	return s, freshEvents || freshResults, err
}

// Shortening a consumer's AckWait makes the server look in 100 ms for deliveries
// that are older (consumer.updateConfig).
const (
	expireWait  = time.Millisecond
	expireCheck = 200 * time.Millisecond
)

// expire hands out at once what an earlier process took and neither acked nor
// gave back, because it was killed: an embedded server has no other client, so
// nobody is at work on it. What it acked stays acked. If it is cut short, the
// deliveries come after AckWait, as they would without it.
func (s *streams) expire(ctx context.Context) error {
	stale := false
	for _, class := range bus.Classes {
		c, err := s.bus.js.Consumer(ctx, eventsStream(s.task), string(class))
		if errors.Is(err, jetstream.ErrConsumerNotFound) || err == nil && c.CachedInfo().NumAckPending == 0 {
			continue
		}
		if err != nil {
			return err
		}
		config := c.CachedInfo().Config
		config.AckWait = expireWait
		if _, err := s.bus.js.UpdateConsumer(ctx, eventsStream(s.task), config); err != nil {
			return err
		}
		stale = true
	}
	if !stale {
		return nil
	}
	timer := time.NewTimer(expireCheck)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func withDefaults(o bus.StreamOptions) bus.StreamOptions {
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.AckWait == 0 {
		o.AckWait = defaultAckWait
	}
	if o.MaxPending == 0 {
		o.MaxPending = defaultMaxPending
	}
	return o
}

func (s *streams) classSubject(c bus.Class) string {
	return "sluice." + s.task + ".events." + string(c)
}

func (s *streams) resultsSubject() string { return "sluice." + s.task + ".results" }

// ensureStream opens a stream or makes it. It is fresh if it was made, or if
// messages are missing that no Trim has dropped: the store was damaged. The bound of one that exists is
// brought to what is asked for; all else stays as an operator may have set it.
// Direct gets are not allowed, because a replica that is behind may answer
// them, and trimming and marks need the truth.
func (s *streams) ensureStream(ctx context.Context, name, subject string) (fresh bool, err error) {
	have, err := s.bus.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = s.bus.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: name, Subjects: []string{subject}, Storage: jetstream.FileStorage,
			Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, MaxBytes: s.options.MaxBytes,
			Duplicates: duplicates,
		})
		if err == nil {
			err = s.trims.save(name, 0)
		}
		return true, err
	}
	if err != nil {
		return false, err
	}
	config, state := have.CachedInfo().Config, have.CachedInfo().State
	holes := state.FirstSeq > s.trims.of(name, state)+1 || state.Msgs > 0 && state.Msgs != state.LastSeq-state.FirstSeq+1
	if config.MaxBytes != s.options.MaxBytes {
		config.MaxBytes = s.options.MaxBytes
		_, err = s.bus.js.UpdateStream(ctx, config)
	}
	return holes, err
}

func (s *streams) consumerConfig(name, filter string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: name, FilterSubject: filter, DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: s.options.AckWait,
		MaxDeliver: -1, MaxAckPending: s.options.MaxPending,
	}
}

// PublishEvents implements bus.Streams.
func (s *streams) PublishEvents(ctx context.Context, events []bus.Event) (last uint64, err error) {
	for _, e := range events {
		if s.subjects[subjectKey{e.Class, e.Op}] == "" {
			return 0, fmt.Errorf("publish event: class %q with operation %q has no subject", e.Class, e.Op)
		}
	}
	for len(events) > 0 {
		n := min(len(events), chunkMessages)
		if last, err = s.publishEvents(ctx, events[:n]); err != nil {
			return 0, err
		}
		events = events[n:]
	}
	return last, nil
}

func (s *streams) publishEvents(ctx context.Context, events []bus.Event) (uint64, error) {
	c, err := s.pub.take(ctx)
	if err != nil {
		return 0, err
	}
	defer s.pub.give(c)
	for i := range events {
		e := &events[i]
		c.data = bus.AppendEvent(c.data, e)
		c.parts = append(c.parts, part{s.subjects[subjectKey{e.Class, e.Op}], len(c.data)})
	}
	return s.pub.send(ctx, eventsStream(s.task), c)
}

// PublishResults implements bus.Streams.
func (s *streams) PublishResults(ctx context.Context, batch []bus.Result) (last uint64, err error) {
	for len(batch) > 0 {
		n := min(len(batch), maxBatch)
		if last, err = s.publishResults(ctx, batch[:n]); err != nil {
			return 0, err
		}
		batch = batch[n:]
	}
	return last, nil
}

// publishResults halves a batch until it fits a message.
func (s *streams) publishResults(ctx context.Context, batch []bus.Result) (uint64, error) {
	c, err := s.pub.take(ctx)
	if err != nil {
		return 0, err
	}
	c.data = bus.AppendResults(c.data, batch)
	if int64(len(c.data)) > s.bus.conn.MaxPayload() && len(batch) > 1 {
		s.pub.give(c)
		if _, err := s.publishResults(ctx, batch[:len(batch)/2]); err != nil {
			return 0, err
		}
		return s.publishResults(ctx, batch[len(batch)/2:])
	}
	defer s.pub.give(c)
	c.parts = append(c.parts, part{s.resultsSubject(), len(c.data)})
	return s.pub.send(ctx, resultsStream(s.task), c)
}

// Events implements bus.Streams.
func (s *streams) Events(_ context.Context, class bus.Class) (bus.Consumer, error) {
	if s.subjects[subjectKey{class, bus.OpPut}] == "" {
		return nil, fmt.Errorf("consume events: no class %q", class)
	}
	p, err := s.consume(eventsStream(s.task), string(class))
	if err != nil {
		return nil, fmt.Errorf("consume events of class %s: %w", class, err)
	}
	return &eventConsumer{puller: p}, nil
}

// Results implements bus.Streams. Names are as task names are.
func (s *streams) Results(ctx context.Context, name string, essential bool) (bus.ResultConsumer, error) {
	if !validName(name) {
		return nil, fmt.Errorf("consume results: %q cannot name a consumer", name)
	}
	c := s.consumerConfig(name, "")
	if essential {
		c.Metadata = map[string]string{metaEssential: "true"}
	}
	if s.isClosed() {
		return nil, bus.ErrClosed
	}
	if err := s.rewind(ctx, name, &c); err != nil {
		return nil, fmt.Errorf("consume results as %s: %w", name, classify(err))
	}
	if _, err := s.bus.js.CreateOrUpdateConsumer(ctx, resultsStream(s.task), c); err != nil {
		return nil, fmt.Errorf("consume results as %s: %w", name, classify(err))
	}
	p, err := s.consume(resultsStream(s.task), name)
	if err != nil {
		return nil, fmt.Errorf("consume results as %s: %w", name, err)
	}
	return &resultConsumer{puller: p}, nil
}

// rewind makes a results consumer hand out at once what it handed to a process
// that died: results have one reader at a time, so nobody else holds them. If
// the new consumer is never made, the next opening reads all that is retained,
// which is as harmless as any redelivery.
func (s *streams) rewind(ctx context.Context, name string, c *jetstream.ConsumerConfig) error {
	old, err := s.bus.js.Consumer(ctx, resultsStream(s.task), name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	info := old.CachedInfo()
	if info.NumAckPending > 0 {
		if err := s.bus.js.DeleteConsumer(ctx, resultsStream(s.task), name); err != nil {
			return err
		}
	} else if info.Config.DeliverPolicy == jetstream.DeliverAllPolicy {
		return nil
	}
	// Where a consumer starts cannot be changed later: keep what it has.
	c.DeliverPolicy, c.OptStartSeq = jetstream.DeliverByStartSequencePolicy, info.Config.OptStartSeq
	if info.NumAckPending > 0 {
		c.OptStartSeq = info.AckFloor.Stream + 1
	}
	return nil
}

func (s *streams) consume(stream, name string) (*puller, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, bus.ErrClosed
	}
	p, err := newPuller(s, stream, name)
	if err != nil {
		return nil, classify(err)
	}
	s.consumers = append(s.consumers, p)
	return p, nil
}

// Close implements bus.Streams.
func (s *streams) Close() error {
	err := s.close()
	s.bus.release(s.task, s)
	return err
}

func (s *streams) close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.done)
	consumers := s.consumers
	s.mu.Unlock()
	for _, p := range consumers {
		_ = p.close()
	}
	return classify(s.pub.close())
}

// again makes publishers publish and consumers ask again.
func (s *streams) again() {
	s.pub.again()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.consumers {
		select {
		case p.kick <- struct{}{}:
		default:
		}
	}
}
