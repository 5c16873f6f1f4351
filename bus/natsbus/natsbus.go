// Package natsbus is the bus on NATS JetStream: on a server inside this process
// that no one else can reach (OpenEmbedded), or on an external server or
// cluster (Connect). The code behind both is the same. It is the only importer
// of nats.go and nats-server.
//
// Per task it keeps two streams with file storage, limits retention and
// discard-new: sluice_<task>_events (subjects sluice.<task>.events.<class>.<op>)
// and sluice_<task>_results (subject sluice.<task>.results). Each class has a
// durable pull consumer named after it, results have consumers by name.
//
// It must not know what an event means, nor anything of storage.
package natsbus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluice-sync/sluice/bus"
)

var _ bus.Bus = (*Bus)(nil)

// Bus is a bus.Bus on JetStream.
type Bus struct {
	conn     *nats.Conn
	js       jetstream.JetStream
	embedded *embedded // nil with an external server
	done     chan struct{}

	mu   sync.Mutex
	open map[string]*streams // nil value: being opened
}

func newBus(conn *nats.Conn, e *embedded) (*Bus, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	return &Bus{conn: conn, js: js, embedded: e, done: make(chan struct{}), open: map[string]*streams{}}, nil
}

// Open implements bus.Bus. A task is named with letters, digits, - and _, at
// most 100 of them. fresh is true if either stream had to be made, and if
// messages are missing that were not trimmed.
func (b *Bus) Open(ctx context.Context, task string, o bus.StreamOptions) (bus.Streams, bool, error) {
	if !validName(task) {
		return nil, false, fmt.Errorf("open streams: task name %q cannot be part of a subject", task)
	}
	if err := b.reserve(task); err != nil {
		return nil, false, err
	}
	s, fresh, err := b.openStreams(ctx, task, o)
	if b.embedded != nil && isDamaged(err) {
		// The server can neither recover nor replace the files.
		if err = b.deleteStreams(ctx, task); err == nil {
			s, fresh, err = b.openStreams(ctx, task, o)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		delete(b.open, task)
		return nil, false, fmt.Errorf("open streams of %s: %w", task, classify(err))
	}
	if b.isClosed() {
		delete(b.open, task)
		_ = s.close()
		return nil, false, bus.ErrClosed
	}
	b.open[task] = s
	return s, fresh, nil
}

func (b *Bus) reserve(task string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed() {
		return bus.ErrClosed
	}
	if _, ok := b.open[task]; ok {
		return fmt.Errorf("open streams of %s: already open in this process", task)
	}
	b.open[task] = nil
	return nil
}

// Remove implements bus.Bus. Streams that are open in this process are an error.
func (b *Bus) Remove(ctx context.Context, task string) error {
	if !validName(task) {
		return fmt.Errorf("remove streams: task name %q cannot be part of a subject", task)
	}
	if err := b.reserve(task); err != nil {
		return err
	}
	defer b.release(task, nil)
	if err := b.deleteStreams(ctx, task); err != nil {
		return fmt.Errorf("remove streams of %s: %w", task, classify(err))
	}
	return nil
}

func (b *Bus) deleteStreams(ctx context.Context, task string) error {
	for _, stream := range []string{eventsStream(task), resultsStream(task)} {
		if err := b.js.DeleteStream(ctx, stream); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
		if b.embedded != nil { // what the server could not recover it does not delete
			if err := os.RemoveAll(b.embedded.streamDir(stream)); err != nil {
				return err
			}
		}
	}
	return b.removeTrims(task)
}

func (b *Bus) release(task string, s *streams) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open[task] == s {
		delete(b.open, task)
	}
}

// Health implements bus.Bus. An embedded server whose disk was full once, or
// that could not write for another reason, takes no more messages even after
// the cause is gone: close the bus and open it again.
func (b *Bus) Health(ctx context.Context) error {
	if b.isClosed() {
		return bus.ErrClosed
	}
	if b.embedded != nil {
		return b.embedded.health()
	}
	if !b.conn.IsConnected() {
		return fmt.Errorf("bus: not connected to %s: %w", b.conn.Opts.Url, nats.ErrDisconnected)
	}
	if _, err := b.js.AccountInfo(ctx); err != nil {
		return fmt.Errorf("bus: %w", classify(err))
	}
	return nil
}

// Close implements bus.Bus.
func (b *Bus) Close() error {
	b.mu.Lock()
	if b.isClosed() {
		b.mu.Unlock()
		return nil
	}
	close(b.done)
	open := b.open
	b.open = map[string]*streams{}
	b.mu.Unlock()
	for _, s := range open {
		if s != nil {
			_ = s.close()
		}
	}
	b.flush()
	b.conn.Close()
	if b.embedded != nil {
		return b.embedded.stop()
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

// settleTimeout is what closing grants acks that are on their way. Those that
// do not arrive are harmless: their messages come again.
const settleTimeout = 2 * time.Second

func (b *Bus) flush() {
	if b.conn.IsConnected() {
		_ = b.conn.FlushTimeout(settleTimeout)
	}
}

// settle waits until the server has worked off all that was said about
// messages of one consumer, by saying one thing more and asking for an answer.
func (b *Bus) settle(reply string) {
	if reply != "" && b.conn.IsConnected() {
		_, _ = b.conn.Request(reply, wordWorking, settleTimeout)
	}
}

// reconnected tells those who wait that what they wait for may never come.
func (b *Bus) reconnected() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.open {
		if s != nil {
			s.again()
		}
	}
}

func eventsStream(task string) string  { return "sluice_" + task + "_events" }
func resultsStream(task string) string { return "sluice_" + task + "_results" }

func validName(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	for _, c := range []byte(s) {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}
