package natsbus

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sluice-sync/sluice/bus"
)

const (
	// pullLife is how long the server keeps a pull request. One that was lost
	// (the server restarted) costs as much and pullGrace.
	pullLife  = 5 * time.Second
	pullGrace = time.Second
)

// puller fetches from one durable consumer. It keeps requests for at most the
// number of messages its caller wants at once, so that what waits in the
// client is taken soon: AckWait runs from delivery.
type puller struct {
	bus              *Bus
	stream, consumer string
	next             string // subject of pull requests
	inbox            string
	ch               chan *nats.Msg
	sub              *nats.Subscription
	streamsDone      <-chan struct{}
	done             chan struct{}
	kick             chan struct{} // requests may have been lost
	close1           sync.Once
	limit            int
	ackWait          time.Duration

	fetching sync.Mutex // held by fetch; guards the next three
	asked    int        // requested and not yet taken from ch
	lost     time.Time  // when the last request is over for certain
	taken    time.Time  // end of the last fetch

	mu     sync.Mutex
	reply  string     // of any message
	handed []*handout // not all settled; for close
	prune  int        // length of handed at which to look again
}

func newPuller(s *streams, stream, consumer string) (*puller, error) {
	p := &puller{
		bus: s.bus, stream: stream, consumer: consumer,
		next:  "$JS.API.CONSUMER.MSG.NEXT." + stream + "." + consumer,
		inbox: s.bus.conn.NewInbox(), ch: make(chan *nats.Msg, s.options.MaxPending+64),
		streamsDone: s.done, done: make(chan struct{}), kick: make(chan struct{}, 1),
		limit: s.options.MaxPending, ackWait: s.options.AckWait, prune: 16,
	}
	var err error
	p.sub, err = s.bus.conn.ChanSubscribe(p.inbox, p.ch)
	return p, err
}

// fetch returns 1 to most messages.
func (p *puller) fetch(ctx context.Context, most int) ([]*nats.Msg, error) {
	p.fetching.Lock()
	defer p.fetching.Unlock()
	if err := p.ended(ctx); err != nil {
		return nil, err
	}
	p.giveBackStale()
	defer func() { p.taken = time.Now() }()
	most = max(1, min(most, p.limit))
	first, err := p.wait(ctx, most)
	if err != nil {
		return nil, err
	}
	messages := append(make([]*nats.Msg, 0, min(most, len(p.ch)+1)), first)
	for len(messages) < most {
		m := p.buffered()
		if m == nil {
			break
		}
		messages = append(messages, m)
	}
	return messages, nil
}

func (p *puller) ended(ctx context.Context) error {
	select {
	case <-p.done:
		return bus.ErrClosed
	case <-p.streamsDone:
		return bus.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	default:
		return nil
	}
}

// wait asks for messages and waits for the first.
func (p *puller) wait(ctx context.Context, most int) (*nats.Msg, error) {
	for {
		if m := p.buffered(); m != nil {
			return m, p.ask(most)
		}
		if err := p.ask(most); err != nil {
			return nil, err
		}
		timer := time.NewTimer(time.Until(p.lost))
		var m *nats.Msg
		select {
		case m = <-p.ch:
		case <-timer.C:
			p.asked = len(p.ch)
		case <-p.kick:
			p.asked = len(p.ch)
		case <-ctx.Done():
		case <-p.done:
		case <-p.streamsDone:
		}
		timer.Stop()
		if err := p.ended(ctx); err != nil && m == nil {
			return nil, err
		}
		if m == nil {
			continue
		}
		if p.message(m) {
			return m, nil
		}
		if p.asked == 0 && m.Header.Get("Status") != "408" {
			if err := p.refused(ctx); err != nil {
				return nil, err
			}
		}
	}
}

// ask requests messages when less than half of what is wanted is under way.
func (p *puller) ask(most int) error {
	if p.asked > most/2 {
		return nil
	}
	if c := p.bus.conn; !c.IsConnected() && !c.IsClosed() {
		p.lost = time.Now().Add(retryPause) // else requests would pile up in the client
		return nil
	}
	n := most - p.asked
	request := make([]byte, 0, 64)
	request = strconv.AppendInt(append(request, `{"batch":`...), int64(n), 10)
	request = strconv.AppendInt(append(request, `,"expires":`...), int64(pullLife), 10)
	if err := p.bus.conn.PublishRequest(p.next, p.inbox, append(request, '}')); err != nil {
		return classify(err)
	}
	p.asked += n
	p.lost = time.Now().Add(pullLife + pullGrace)
	return nil
}

// buffered takes the next message that has arrived, nil for none.
func (p *puller) buffered() *nats.Msg {
	for {
		select {
		case m := <-p.ch:
			if p.message(m) {
				return m
			}
		default:
			return nil
		}
	}
}

// message counts what arrived and tells messages of the stream from the
// server's word that a request is over.
func (p *puller) message(m *nats.Msg) bool {
	if m.Reply != "" {
		p.asked = max(0, p.asked-1)
		return true
	}
	rest, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
	if err != nil {
		rest = p.asked
	}
	p.asked = max(0, p.asked-rest)
	return false
}

// refused finds out why a request was not served: the consumer is gone, or
// the server has no leader or no JetStream for the moment.
func (p *puller) refused(ctx context.Context) error {
	if err := p.bus.gone(ctx, p.stream, p.consumer); err != nil {
		return err
	}
	timer := time.NewTimer(retryPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-p.done:
	case <-p.streamsDone:
	}
	return p.ended(ctx)
}

// giveBackStale returns what has waited in the buffer while the caller did not
// fetch: the server may have handed it out again meanwhile.
func (p *puller) giveBackStale() {
	if time.Since(p.taken) < p.ackWait/2 {
		return
	}
	for m := p.buffered(); m != nil; m = p.buffered() {
		_ = p.bus.conn.Publish(m.Reply, wordRelease)
	}
}

// close gives back what is in the buffer and what was handed out and not
// settled.
func (p *puller) close() error {
	p.close1.Do(func() {
		close(p.done)
		p.fetching.Lock()
		defer p.fetching.Unlock()
		_ = p.sub.Drain() // what is under way still arrives before the flush is answered
		p.bus.flush()
		for m := p.buffered(); m != nil; m = p.buffered() {
			_ = p.bus.conn.Publish(m.Reply, wordRelease)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, h := range p.handed {
			h.releaseAll()
		}
		p.handed = nil
		p.bus.settle(p.reply)
		p.forgetRequests()
	})
	return nil
}

// forgetRequests lets an embedded server notice that nobody waits for what was
// asked of it, by asking for the consumer's state. A server that shuts down
// tells all who wait and gives them 50 ms (Server.signalPullConsumers).
func (p *puller) forgetRequests() {
	if p.bus.embedded == nil || !p.bus.conn.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	_, _ = p.bus.js.Consumer(ctx, p.stream, p.consumer)
}

// remember keeps a handout for close. Those of which all is settled are
// dropped; the server bounds the others by MaxPending, but a caller who never
// settles must not make this grow.
func (p *puller) remember(h *handout) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reply = h.tokens[0].reply
	p.handed = append(p.handed, h)
	if len(p.handed) < p.prune {
		return
	}
	kept := p.handed[:0]
	for _, h := range p.handed[max(0, len(p.handed)-p.limit):] {
		if h.left.Load() > 0 {
			kept = append(kept, h)
		}
	}
	clear(p.handed[len(kept):])
	p.handed = kept
	p.prune = 2*len(kept) + 16
}
