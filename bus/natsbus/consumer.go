package natsbus

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/sluice-sync/sluice/bus"
)

type eventConsumer struct {
	*puller
	decoder bus.Decoder
}

// Fetch implements bus.Consumer.
func (c *eventConsumer) Fetch(ctx context.Context, most int) ([]bus.Delivery, error) {
	messages, err := c.fetch(ctx, most)
	if err != nil {
		return nil, err
	}
	h := newHandout(c.puller, messages)
	deliveries := make([]bus.Delivery, len(messages))
	for i, m := range messages {
		d := &deliveries[i]
		d.Seq, d.Tries = position(m.Reply)
		d.Event, d.Err = c.decoder.Event(m.Data)
		d.Token = &h.tokens[i]
	}
	return deliveries, nil
}

func (c *eventConsumer) Close() error { return c.close() }

type resultConsumer struct {
	*puller
	decoder bus.Decoder
}

// Fetch implements bus.ResultConsumer.
func (c *resultConsumer) Fetch(ctx context.Context, most int) ([]bus.ResultBatch, error) {
	messages, err := c.fetch(ctx, most)
	if err != nil {
		return nil, err
	}
	h := newHandout(c.puller, messages)
	batches := make([]bus.ResultBatch, len(messages))
	for i, m := range messages {
		b := &batches[i]
		b.Seq, _ = position(m.Reply)
		b.Results, b.Err = c.decoder.Results(m.Data)
		b.Token = &h.tokens[i]
	}
	return batches, nil
}

func (c *resultConsumer) Close() error { return c.close() }

// handout is what one Fetch returned.
type handout struct {
	puller *puller
	tokens []token
	left   atomic.Int32 // tokens not settled
}

// token settles one message by a word sent to its reply subject.
type token struct {
	of      *handout
	reply   string
	settled atomic.Bool
}

var (
	wordAck     = []byte("+ACK")
	wordWorking = []byte("+WPI")
	wordRelease = []byte("-NAK")
)

func newHandout(p *puller, messages []*nats.Msg) *handout {
	h := &handout{puller: p, tokens: make([]token, len(messages))}
	h.left.Store(int32(len(messages)))
	for i, m := range messages {
		h.tokens[i].of, h.tokens[i].reply = h, m.Reply
	}
	p.remember(h)
	return h
}

func (t *token) Ack() error     { return t.settle(wordAck) }
func (t *token) Release() error { return t.settle(wordRelease) }

func (t *token) Working() error {
	if t.settled.Load() {
		return nil
	}
	return classify(t.of.puller.bus.conn.Publish(t.reply, wordWorking))
}

func (t *token) settle(word []byte) error {
	if t.settled.Swap(true) {
		return nil
	}
	t.of.left.Add(-1)
	return classify(t.of.puller.bus.conn.Publish(t.reply, word))
}

// releaseAll gives back what is not settled. A later Ack still counts.
func (h *handout) releaseAll() {
	for i := range h.tokens {
		if t := &h.tokens[i]; !t.settled.Load() {
			_ = h.puller.bus.conn.Publish(t.reply, wordRelease)
		}
	}
}

// position reads stream sequence and number of deliveries from the reply
// subject of a message:
//
//	$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>
//	$JS.ACK.<domain>.<account>.<stream>.<consumer>.<delivered>.<stream seq>.…
func position(reply string) (seq uint64, tries int) {
	field := 4
	if strings.Count(reply, ".") > 8 {
		field = 6
	}
	for range field {
		_, reply, _ = strings.Cut(reply, ".")
	}
	delivered, rest, _ := strings.Cut(reply, ".")
	stored, _, _ := strings.Cut(rest, ".")
	tries, _ = strconv.Atoi(delivered)
	seq, _ = strconv.ParseUint(stored, 10, 64)
	return seq, tries
}
