// Package bustest is the suite that every bus passes. It knows only the
// contract in package bus.
package bustest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-sync/sluice/bus"
)

// Open opens a bus. Called again after Close it finds what was left, as after
// a restart of the process.
type Open func(t testing.TB) bus.Bus

// Run runs the suite. newBus makes an empty bus for one test. With bubble set
// each test runs in a testing/synctest bubble, on fake time.
func Run(t *testing.T, bubble bool, newBus func(t testing.TB) Open) {
	for _, group := range [][]test{publishing, handing, durability, looking} {
		for _, test := range group {
			t.Run(test.name, func(t *testing.T) {
				if !bubble {
					test.run(&env{TB: t, open: newBus(t)})
					return
				}
				synctest.Test(t, func(t *testing.T) { test.run(&env{TB: t, open: newBus(t)}) })
			})
		}
	}
}

type test struct {
	name string
	run  func(*env)
}

// env is one test's bus.
type env struct {
	testing.TB
	open Open
	bus  bus.Bus
}

const (
	task = "task-1"
	// wait bounds what must happen; long, because the machine may be busy.
	wait = 30 * time.Second
	// ackWait is used where redelivery is waited for.
	ackWait = 300 * time.Millisecond
	// never is an AckWait that a test does not live to see.
	never = time.Hour
)

func (e *env) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	e.Cleanup(cancel)
	return ctx
}

// streams opens the bus if need be, and the task's streams.
func (e *env) streams(o bus.StreamOptions) (bus.Streams, bool) {
	e.Helper()
	if e.bus == nil {
		b := e.open(e.TB)
		e.bus = b
		e.Cleanup(func() { e.ok(b.Close()) })
	}
	s, fresh, err := e.bus.Open(e.ctx(), task, o)
	e.ok(err)
	return s, fresh
}

func (e *env) restart() {
	e.Helper()
	e.ok(e.bus.Close())
	e.bus = nil
}

func (e *env) ok(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

func (e *env) events(s bus.Streams, class bus.Class) bus.Consumer {
	e.Helper()
	c, err := s.Events(e.ctx(), class)
	e.ok(err)
	return c
}

func (e *env) results(s bus.Streams, name string, essential bool) bus.ResultConsumer {
	e.Helper()
	c, err := s.Results(e.ctx(), name, essential)
	e.ok(err)
	return c
}

// publish stores n events of a class with the keys prefix0 … and returns the
// last sequence.
func (e *env) publish(s bus.Streams, class bus.Class, prefix string, n int) uint64 {
	e.Helper()
	last, err := s.PublishEvents(e.ctx(), batch(class, prefix, n))
	e.ok(err)
	return last
}

func batch(class bus.Class, prefix string, n int) []bus.Event {
	events := make([]bus.Event, n)
	for i := range events {
		events[i] = bus.Event{Task: task, Op: bus.OpPut, Key: fmt.Sprint(prefix, i), Size: int64(i), Class: class, Run: "run"}
	}
	return events
}

func (e *env) publishResults(s bus.Streams, keys ...string) uint64 {
	e.Helper()
	results := make([]bus.Result, len(keys))
	for i, key := range keys {
		results[i] = bus.Result{Task: task, Run: "run", Op: bus.OpPut, Key: key, Class: bus.ClassScan, Outcome: bus.Copied}
	}
	last, err := s.PublishResults(e.ctx(), results)
	e.ok(err)
	return last
}

// fetch returns exactly n deliveries.
func (e *env) fetch(c bus.Consumer, n int) []bus.Delivery {
	e.Helper()
	var all []bus.Delivery
	for len(all) < n {
		got, err := c.Fetch(e.ctx(), n-len(all))
		if err != nil {
			e.Fatalf("after %d of %d deliveries: %v", len(all), n, err)
		}
		if len(got) == 0 || len(got) > n-len(all) {
			e.Fatalf("Fetch returned %d deliveries, at most %d were asked for", len(got), n-len(all))
		}
		all = append(all, got...)
	}
	return all
}

func (e *env) fetchResults(c bus.ResultConsumer, n int) []bus.ResultBatch {
	e.Helper()
	var all []bus.ResultBatch
	for len(all) < n {
		got, err := c.Fetch(e.ctx(), n-len(all))
		if err != nil {
			e.Fatalf("after %d of %d batches: %v", len(all), n, err)
		}
		all = append(all, got...)
	}
	return all
}

func (e *env) ack(deliveries ...bus.Delivery) {
	e.Helper()
	for _, d := range deliveries {
		e.ok(d.Token.Ack())
	}
}

// drain acks all that the consumers get, until stop is called.
func (e *env) drain(consumers ...bus.Consumer) (stop func()) {
	ctx, cancel := context.WithCancel(e.ctx())
	var wg sync.WaitGroup
	for _, c := range consumers {
		wg.Go(func() {
			for {
				got, err := c.Fetch(ctx, 100)
				if err != nil {
					return
				}
				for _, d := range got {
					if err := d.Token.Ack(); err != nil {
						e.Error(err)
					}
				}
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

// keys checks keys and their order.
func (e *env) keys(got []bus.Delivery, want ...string) {
	e.Helper()
	if len(got) != len(want) {
		e.Fatalf("%d deliveries, want %d", len(got), len(want))
	}
	for i, d := range got {
		if d.Event.Key != want[i] || d.Err != nil {
			e.Fatalf("delivery %d is %q (%v), want %q", i, d.Event.Key, d.Err, want[i])
		}
	}
}

// until asks for the state until it satisfies: acks take effect a moment later.
func (e *env) until(s bus.Streams, what string, done func(bus.State) bool) bus.State {
	e.Helper()
	ctx := e.ctx()
	for {
		st, err := s.State(ctx)
		if err != nil {
			e.Fatalf("waiting for %s: %v", what, err)
		}
		if done(st) {
			return st
		}
		select {
		case <-ctx.Done():
			e.Fatalf("no %s: %+v", what, st)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// quiet checks that nothing is handed out for a while.
func (e *env) quiet(c bus.Consumer, d time.Duration) {
	e.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if got, err := c.Fetch(ctx, 1); err == nil {
		e.Fatalf("handed out %+v", got)
	} else if ctx.Err() == nil {
		e.Fatal(err)
	}
}
