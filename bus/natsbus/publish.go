package natsbus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluice-sync/sluice/bus"
)

const (
	chunkMessages = 512 // published before waiting for their acknowledgements
	chunks        = 4   // under way at once per task
	// ackTimeout is how long an acknowledgement may take. Waiting longer is
	// useless: the server answers in milliseconds or has lost the message.
	ackTimeout = 5 * time.Second
	retryPause = 100 * time.Millisecond
)

// errAgain is a chunk of which something may not be stored: publish it again.
var errAgain = errors.New("not acknowledged")

// chunk is a run of encoded messages, a reusable buffer.
type chunk struct {
	data  []byte
	parts []part
}

type part struct {
	subject string
	end     int // of the message within data
}

func (c *chunk) reset() { c.data, c.parts = c.data[:0], c.parts[:0] }

// publisher stores chunks in the streams of one task. Acknowledgements come
// back on one inbox, named <inbox>.<attempt>.<slot>.
type publisher struct {
	bus   *Bus
	inbox string
	sub   *nats.Subscription
	free  chan *chunk
	done  <-chan struct{} // the streams are closed
	order sync.Mutex      // held while an attempt is written, so that its messages are neighbours

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]*attempt
}

// attempt waits for the acknowledgements of one chunk.
type attempt struct {
	missing     []bool // by slot
	left        int
	first, last uint64 // of slot 0, and the highest
	err         error
	over        chan struct{}
}

func newPublisher(b *Bus, done <-chan struct{}) (*publisher, error) {
	p := &publisher{bus: b, inbox: b.conn.NewInbox(), free: make(chan *chunk, chunks), done: done, waiting: map[uint64]*attempt{}}
	for range chunks {
		p.free <- new(chunk)
	}
	var err error
	p.sub, err = b.conn.Subscribe(p.inbox+".*.*", p.acknowledged)
	return p, err
}

func (p *publisher) close() error { return p.sub.Unsubscribe() }

// take waits until less than the bound is under way and returns a buffer.
func (p *publisher) take(ctx context.Context) (*chunk, error) {
	select {
	case <-p.done:
		return nil, bus.ErrClosed
	default:
	}
	select {
	case c := <-p.free:
		c.reset()
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.done:
		return nil, bus.ErrClosed
	}
}

func (p *publisher) give(c *chunk) { p.free <- c }

// send stores a chunk in order and returns the sequence of its last message.
//
// With an embedded server nobody else publishes to the stream, so it is enough
// to ask for the acknowledgement of the first and the last message: if their
// sequences are as far apart as they are, all between were stored. This halves
// the cost of a message. Otherwise, and if that does not add up, each message
// is acknowledged.
func (p *publisher) send(ctx context.Context, stream string, c *chunk) (uint64, error) {
	each := p.bus.embedded == nil
	for {
		if err := p.connected(ctx); err != nil {
			return 0, err
		}
		last, err := p.attempt(ctx, c, each)
		if err == nil || !errors.Is(err, errAgain) {
			return last, err
		}
		each = true
		if err := p.diagnose(ctx, stream); err != nil {
			return 0, err
		}
		if err := p.pause(ctx); err != nil {
			return 0, err
		}
	}
}

// connected waits for the connection, so that a chunk is not put into the
// client's reconnect buffer over and over.
func (p *publisher) connected(ctx context.Context) error {
	for !p.bus.conn.IsConnected() {
		if p.bus.conn.IsClosed() {
			return bus.ErrClosed
		}
		if err := p.pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *publisher) pause(ctx context.Context) error {
	timer := time.NewTimer(retryPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.done:
		return bus.ErrClosed
	}
}

// diagnose returns an error if publishing again is useless.
func (p *publisher) diagnose(ctx context.Context, stream string) error {
	if p.bus.embedded != nil {
		if err := p.bus.embedded.health(); err != nil {
			return err
		}
	}
	return p.bus.gone(ctx, stream, "")
}

func (p *publisher) attempt(ctx context.Context, c *chunk, each bool) (uint64, error) {
	id, a := p.register(len(c.parts), each)
	defer p.forget(id)
	if err := p.write(id, c, each); err != nil {
		return 0, err
	}
	timer := time.NewTimer(ackTimeout)
	defer timer.Stop()
	select {
	case <-a.over:
	case <-timer.C:
		return 0, errAgain
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-p.done:
		return 0, bus.ErrClosed
	}
	if a.err == nil && !each && a.last-a.first != uint64(len(c.parts)-1) {
		return 0, errAgain
	}
	return a.last, a.err
}

func (p *publisher) write(id uint64, c *chunk, each bool) error {
	prefix := p.inbox + "." + strconv.FormatUint(id, 10) + "."
	p.order.Lock()
	defer p.order.Unlock()
	start := 0
	for i, m := range c.parts {
		reply := ""
		if each || i == 0 || i == len(c.parts)-1 {
			reply = prefix + strconv.Itoa(i)
		}
		if err := p.bus.conn.PublishRequest(m.subject, reply, c.data[start:m.end]); err != nil {
			return publishError(err)
		}
		start = m.end
	}
	return nil
}

func publishError(err error) error {
	if errors.Is(err, nats.ErrReconnectBufExceeded) {
		return errAgain
	}
	return fmt.Errorf("publish: %w", classify(err))
}

func (p *publisher) register(n int, each bool) (uint64, *attempt) {
	a := &attempt{missing: make([]bool, n), over: make(chan struct{})}
	for i := range a.missing {
		if each || i == 0 || i == n-1 {
			a.missing[i] = true
			a.left++
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	p.waiting[p.last] = a
	return p.last, a
}

func (p *publisher) forget(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, id)
}

// again ends all attempts: the connection was lost, and with it maybe
// messages or acknowledgements.
func (p *publisher) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.waiting {
		p.finish(id, errAgain)
	}
}

// finish is called with mu held.
func (p *publisher) finish(id uint64, err error) {
	a := p.waiting[id]
	delete(p.waiting, id)
	a.err = err
	close(a.over)
}

// acknowledged handles one acknowledgement. Those of abandoned attempts find
// nobody waiting.
func (p *publisher) acknowledged(m *nats.Msg) {
	name, slotName, ok := strings.Cut(m.Subject[len(p.inbox)+1:], ".")
	id, err := strconv.ParseUint(name, 10, 64)
	slot, err2 := strconv.Atoi(slotName)
	if !ok || err != nil || err2 != nil {
		return
	}
	seq, err := parseAck(m)
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.waiting[id]
	switch {
	case a == nil || slot >= len(a.missing) || !a.missing[slot]:
		return
	case err != nil:
		p.finish(id, err)
		return
	}
	a.missing[slot] = false
	if slot == 0 {
		a.first = seq
	}
	a.last = max(a.last, seq)
	if a.left--; a.left == 0 {
		p.finish(id, nil)
	}
}

// parseAck reads {"stream":"…","seq":17} or {"error":{…},…}.
func parseAck(m *nats.Msg) (uint64, error) {
	const field = `"seq":`
	if i := bytes.Index(m.Data, []byte(field)); i > 0 && !bytes.Contains(m.Data, []byte(`"error"`)) {
		var seq uint64
		for _, c := range bytes.TrimLeft(m.Data[i+len(field):], " ") {
			if c -= '0'; c > 9 {
				break
			}
			seq = seq*10 + uint64(c)
		}
		if seq > 0 {
			return seq, nil
		}
	}
	var ack struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil || ack.Error == nil {
		return 0, errAgain // nobody listens (JetStream starts or is gone), or nothing we know
	}
	if kind := apiKind(int(ack.Error.ErrorCode), ack.Error.Description); kind != nil {
		return 0, fmt.Errorf("publish: %w: %s", kind, ack.Error.Description)
	}
	if ack.Error.Code == 429 || ack.Error.Code >= 500 && ack.Error.ErrorCode != codeStoreFailed {
		return 0, errAgain // overloaded, or without a leader
	}
	return 0, fmt.Errorf("publish: %w", ack.Error)
}
