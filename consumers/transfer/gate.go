package transfer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

const (
	pauseFirst = time.Second      // between looks at an endpoint, doubling
	pauseMost  = 30 * time.Second // up to here
	checkTime  = 20 * time.Second // a look that takes longer counts as failed

	// throttledRow is how many throttled requests, with none served between
	// them, mean that the endpoint serves nobody. Less than throttledTries, so
	// that one object alone finds it out.
	throttledRow = 8
)

// gate holds back all work on one endpoint while it is unusable. Many workers
// fail at once; one prober looks at the endpoint for all of them.
type gate struct {
	side   Side
	check  func(context.Context) error
	giveUp time.Duration

	shut    atomic.Bool   // so that passing an open gate costs one load
	fallen  chan struct{} // wakes the prober
	tickets chan struct{} // one worker's leave to try
	relapse chan struct{} // a trial failed
	refused atomic.Int32  // throttled requests since one was served

	mu     sync.Mutex
	since  time.Time
	err    error
	opened chan struct{} // closed when the gate opens again
	trial  bool          // workers are let through one by one to find out
	delay  time.Duration // the last pause between trials
	healed time.Time     // when the gate opened last
}

func newGate(side Side, check func(context.Context) error, giveUp time.Duration) *gate {
	return &gate{
		side: side, check: check, giveUp: giveUp, fallen: make(chan struct{}, 1),
		tickets: make(chan struct{}, 1), relapse: make(chan struct{}, 1),
	}
}

func (g *gate) paused() (Pause, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Pause{Side: g.side, Since: g.since, Err: g.err}, g.shut.Load()
}

// pass waits until the gate is open or this caller may try.
func (g *gate) pass(ctx context.Context, draining <-chan struct{}) error {
	if !g.shut.Load() {
		return nil
	}
	g.mu.Lock()
	opened := g.opened
	g.mu.Unlock()
	select {
	case <-opened:
		return nil
	case <-g.tickets:
		return nil
	case <-draining:
		return errDrained
	case <-ctx.Done():
		return errDrained
	}
}

// close shuts the gate because of an endpoint error.
func (g *gate) close(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
	if g.shut.Load() {
		if g.trial {
			g.trial = false
			signal(g.relapse)
		}
		return
	}
	g.since, g.opened = time.Now(), make(chan struct{})
	if time.Since(g.healed) > 2*pauseMost {
		g.delay = 0 // not a relapse: begin with short pauses again
	}
	g.shut.Store(true)
	signal(g.fallen)
}

// throttled notes a throttled request. It shuts the gate, and says so, once
// nobody is served or the endpoint asks for a pause that is worth one.
func (g *gate) throttled(err error) bool {
	if g.refused.Add(1) < throttledRow && retryAfter(err) <= pauseFirst && !g.shut.Load() {
		return false
	}
	g.close(err)
	return true
}

// answered tells the gate that a request was served, which ends a trial.
func (g *gate) answered() {
	if g.refused.Load() != 0 {
		g.refused.Store(0)
	}
	if !g.shut.Load() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.trial {
		g.open()
	}
}

// open lets everybody through. The caller holds the lock.
func (g *gate) open() {
	g.trial, g.err, g.healed = false, nil, time.Now()
	g.shut.Store(false)
	close(g.opened)
}

// reset opens a gate that an earlier run left shut.
func (g *gate) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	drain(g.fallen)
	g.delay = 0
	if g.shut.Load() {
		g.open()
	}
}

// watch is the prober: each time the gate shuts it works until it is open
// again. It returns nil when ctx ends, and an error that wraps ErrGaveUp when
// the endpoint stays unusable for too long.
func (g *gate) watch(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-g.fallen:
		}
		if err := g.heal(ctx); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

func (g *gate) heal(ctx context.Context) error {
	wait := time.Duration(0)
	for {
		p, _ := g.paused()
		kind, _ := storage.KindOf(p.Err)
		// A look proves little about the rate of requests and the room for
		// writes: these are found out by letting work through, later and later.
		trial := kind == storage.ErrThrottled || kind == storage.ErrNoSpace
		if trial {
			wait = g.longer()
		}
		left := g.giveUp - time.Since(p.Since)
		if left <= 0 {
			return fmt.Errorf("%w: %s unusable for %s: %w", ErrGaveUp, g.side, g.giveUp, p.Err)
		}
		if !sleep(ctx, min(max(wait, retryAfter(p.Err)), left)) {
			return nil
		}
		wait = min(max(2*wait, pauseFirst), pauseMost)
		if err := g.look(ctx); storage.IsEndpoint(err) {
			g.mu.Lock()
			g.err = err
			g.mu.Unlock()
			continue
		}
		if !trial {
			g.mu.Lock()
			g.open()
			g.mu.Unlock()
			return nil
		}
		if g.try(ctx, wait) {
			return nil
		}
	}
}

// longer returns the next pause before a trial.
func (g *gate) longer() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.delay = min(max(2*g.delay, pauseFirst), pauseMost)
	return g.delay
}

func (g *gate) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	err := g.check(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &storage.Error{Op: "check", Kind: storage.ErrUnavailable, Err: ctx.Err()}
	}
	return err
}

// try lets one worker through, and another one each time wait passes without
// an outcome. It returns false after a failure.
func (g *gate) try(ctx context.Context, wait time.Duration) (done bool) {
	drain(g.relapse)
	g.mu.Lock()
	g.trial = true
	opened := g.opened
	g.mu.Unlock()
	defer drain(g.tickets)
	tick := time.NewTicker(wait)
	defer tick.Stop()
	for {
		signal(g.tickets)
		select {
		case <-opened:
			return true
		case <-g.relapse:
			return false
		case <-ctx.Done():
			return true
		case <-tick.C:
		}
	}
}

func retryAfter(err error) time.Duration {
	var e *storage.Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func drain(c chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// sleep waits and reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
