// Package bus carries events from producers to consumers and results from
// consumers to whoever listens. A stream sequence is an offset; an ack moves
// it. JetStream (embedded or external) and an in-memory bus implement it; the
// suite in bus/bustest holds them to this contract.
//
// It must not know what an event means, nor anything of storage. It is the
// only importer of nats.go and nats-server.
package bus

import (
	"context"
	"errors"
	"time"
)

// Errors by what a caller can do.
var (
	ErrFull   = errors.New("stream is full")        // back-pressure: wait until consumers have caught up, publish again
	ErrNoDisk = errors.New("bus has no disk space") // pause until there is space
	ErrLost   = errors.New("bus lost acknowledged messages or its streams")
	ErrClosed = errors.New("bus is closed")
)

// Bus opens the streams of tasks.
type Bus interface {
	// Open makes or opens the two streams of a task. fresh tells that they did
	// not exist. Opening one that is open in this process is an error.
	Open(ctx context.Context, task string, o StreamOptions) (s Streams, fresh bool, err error)
	// Remove deletes the streams of a task and all they hold; none is success.
	Remove(ctx context.Context, task string) error
	// Health says whether the bus can take messages: nil, ErrNoDisk, ErrClosed,
	// or what is wrong.
	Health(ctx context.Context) error
	// Close ends the bus: consumers' Fetch returns ErrClosed. It waits for all
	// that it started.
	Close() error
}

// StreamOptions bound a task's streams. Zero values take the defaults.
type StreamOptions struct {
	MaxBytes int64         // of the events stream; default 1 GiB
	AckWait  time.Duration // default 5 s
	// MaxPending bounds the deliveries un-acked per class; default 4096.
	MaxPending int
}

// Streams are the two streams of one task.
type Streams interface {
	// PublishEvents stores events in order and returns the sequence of the
	// last one after all are acknowledged. On an error any subset may have
	// been stored: publish all again, duplicates are harmless. It blocks while
	// the client has too many unacknowledged messages; a full stream is ErrFull.
	PublishEvents(ctx context.Context, events []Event) (last uint64, err error)
	// PublishResults stores the batch as one message (at most 256 results, and
	// split when larger than the bus's message limit) and returns after the
	// acknowledgement.
	PublishResults(ctx context.Context, batch []Result) (last uint64, err error)
	// Events opens the durable consumer of a class.
	Events(ctx context.Context, class Class) (Consumer, error)
	// Results opens a durable consumer of results by name; essential ones hold
	// trimming back.
	Results(ctx context.Context, name string, essential bool) (ResultConsumer, error)
	// State looks at the streams.
	State(ctx context.Context) (State, error)
	// Mark returns the digest (hex) of the event stored at a sequence, to
	// recognise a lost tail after which sequences were used again; ErrLost if
	// nothing is stored there (and it was not trimmed).
	Mark(ctx context.Context, seq uint64) (string, error)
	// Trim drops events and results that every essential consumer has acked
	// and that the retain bounds no longer keep.
	Trim(ctx context.Context, retain Retain) error
	// Close ends the consumers and lets the task be opened again.
	Close() error
}

// Retain says what trimming leaves for replay and audit.
type Retain struct {
	EventBytes  int64 // 0 keeps no acked event
	ResultBytes int64
}

// State is a look at the streams.
type State struct {
	FirstSeq, LastSeq uint64 // events
	Bytes             uint64
	ResultsLast       uint64
	Pending           map[Class]uint64  // not yet delivered
	Unacked           map[Class]uint64  // delivered, not acked
	ResultsPending    map[string]uint64 // by consumer: not yet acked, delivered or not
}

// Consumer hands out events of one class. Fetch may be called by one goroutine
// at a time; deliveries may be acked by any.
type Consumer interface {
	// Fetch returns at least one and at most max deliveries, waiting for the
	// first until ctx ends (its error) or the bus is closed (ErrClosed). While
	// the bus is unreachable it waits.
	Fetch(ctx context.Context, max int) ([]Delivery, error)
	// Close gives deliveries that were not acked back at once, where the bus can.
	Close() error
}

// Delivery is one event handed out. Unless Ack or Working is called it is
// handed out again after AckWait.
type Delivery struct {
	Event Event
	Seq   uint64
	Tries int   // how often it has been handed out, from 1
	Err   error // the message could not be understood; Event holds what could
	Token Token
}

// Token settles one delivery. Its methods do no waiting and may be called
// more than once.
type Token interface {
	Ack() error     // done, or recorded elsewhere
	Working() error // restarts AckWait
	Release() error // hand out again at once, to anybody
}

// ResultConsumer hands out result batches in order.
type ResultConsumer interface {
	// Fetch returns the next batches, at least one message's, as Consumer.Fetch does.
	Fetch(ctx context.Context, maxMessages int) ([]ResultBatch, error)
	Close() error
}

// ResultBatch is one message of the results stream.
type ResultBatch struct {
	Seq     uint64
	Results []Result
	Err     error
	Token   Token
}
