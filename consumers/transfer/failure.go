package transfer

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

const (
	quickTries     = 3  // attempts in place before the ledger takes over
	throttledTries = 10 // the same for throttling, which is rarely the object's fault
	quickPause     = 100 * time.Millisecond
	throttledMost  = 5 * time.Second // most between two tries of a throttled act
	retryPause     = time.Second     // before the first retry from the ledger, times four each
	retryMost      = 5 * time.Minute
)

// errDrained leaves an event un-acked because the run is ending.
var errDrained = errors.New("the run is ending")

// stateError is a failure of State or of the bus: it ends the run.
type stateError struct{ err error }

func (e stateError) Error() string { return e.err.Error() }
func (e stateError) Unwrap() error { return e.err }

// sided says which endpoint an error came from.
type sided struct {
	side Side
	err  error
}

func (e sided) Error() string { return e.err.Error() }
func (e sided) Unwrap() error { return e.err }

func at(side Side, err error) error {
	if err == nil {
		return nil
	}
	return sided{side, err}
}

// spent is an error after which no more attempts are made in place; never
// says that none is made later either.
type spent struct {
	err   error
	never bool
}

func (e spent) Error() string { return e.err.Error() }
func (e spent) Unwrap() error { return e.err }

// remedy is what an error of one object calls for.
type remedy uint8

const (
	now   remedy = iota // try again at once, a few times
	later               // by way of the ledger
	once                // one more time by way of the ledger
	never               // nothing will help
)

func remedyOf(err error) remedy {
	if errors.As(err, new(waiting)) {
		return later
	}
	var s spent
	if errors.As(err, &s) {
		if s.never {
			return never
		}
		return later
	}
	switch k, _ := storage.KindOf(err); k {
	case storage.ErrBusy, storage.ErrCorrupt, storage.ErrChanged, storage.ErrNoUpload:
		return now
	case storage.ErrDenied:
		return once
	case storage.ErrExists: // what is in the way mostly stays there until it is deleted
		return once
	case storage.ErrInvalidKey, storage.ErrTooLarge, storage.ErrUnsupported, storage.ErrInvalid, storage.ErrArchived:
		return never
	}
	if storage.IsEndpoint(err) {
		return now // after the endpoint was looked at
	}
	return later
}

// attempts counts the tries in place of one act.
type attempts struct{ own, throttled int }

// again returns nil if a failed act is to be tried once more after pass, or the
// error that stands. An error of an endpoint shuts its gate, so that pass waits
// for as long as it is unusable. If the act fails as often with a gate that
// opens in between, the endpoint answers others and the failure is the act's.
// An endpoint that throttles slows down those it refuses; only one that serves
// nobody any more is paused.
func (r *run) again(ctx context.Context, a *attempts, err error) error {
	var state stateError
	if errors.As(err, &state) || errors.Is(err, errDrained) {
		return err
	}
	if ctx.Err() != nil || r.ending() {
		return errDrained
	}
	if remedyOf(err) != now {
		return err
	}
	kind, _ := storage.KindOf(err)
	var s sided
	if storage.IsEndpoint(err) && errors.As(err, &s) {
		switch g := r.gates[s.side]; kind {
		case storage.ErrThrottled:
			return r.throttled(ctx, g, a, err)
		case storage.ErrNoSpace:
			g.close(err)
			return nil
		default:
			g.close(err)
		}
	}
	if a.own++; a.own >= quickTries {
		return spent{err: err}
	}
	if !r.sleep(ctx, jitter(quickPause<<(a.own-1))) {
		return errDrained
	}
	return nil
}

// throttled slows down one act, or all of them if the endpoint refuses all.
func (r *run) throttled(ctx context.Context, g *gate, a *attempts, err error) error {
	a.throttled++
	all := g.throttled(err)
	switch {
	case a.throttled >= throttledTries:
		return spent{err: err}
	case all:
		return nil
	case !r.sleep(ctx, max(jitter(min(quickPause<<(a.throttled-1), throttledMost)), retryAfter(err))):
		return errDrained
	}
	return nil
}

// pass waits while an endpoint is unusable.
func (r *run) pass(ctx context.Context) error {
	if r.ending() {
		return errDrained
	}
	for _, g := range r.gates {
		if err := g.pass(ctx, r.draining); err != nil {
			return err
		}
	}
	return nil
}

// answered tells the gates of a served request.
func (r *run) answered() {
	for _, g := range r.gates {
		g.answered()
	}
}

// attempt does an act until it succeeds or its error stands.
func (r *run) attempt(ctx context.Context, act func() error) error {
	var a attempts
	for {
		if err := r.pass(ctx); err != nil {
			return err
		}
		err := act()
		if err == nil {
			r.answered()
			return nil
		}
		if err = r.again(ctx, &a, err); err != nil {
			return err
		}
	}
}

func (r *run) ending() bool {
	select {
	case <-r.draining:
		return true
	default:
		return false
	}
}

// sleep waits and reports false if the run ends first.
func (r *run) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.draining:
		return false
	case <-ctx.Done():
		return false
	}
}

// failed makes the result of a handling that an error ended.
func (j *job) failed(err error) bus.Result {
	e := j.d.Event
	res := j.result(done{outcome: bus.GivenUp, size: e.Size})
	_, res.Cause = storage.KindOf(err)
	res.Error = err.Error()
	res.Tries = e.Tries + 1
	if errors.As(err, new(waiting)) {
		return j.parked(res)
	}
	what := remedyOf(err)
	if what == never || res.Tries >= j.cfg.Tries || what == once && res.Tries >= 2 {
		return res
	}
	res.Outcome = bus.Retrying
	res.NextTry = time.Now().Add(max(retryIn(e.Tries), retryAfter(err)))
	e.Force = e.Force || e.Class == bus.ClassRepair // what was asked for stays asked for
	e.Class = bus.ClassRetry
	e.Tries = res.Tries
	res.Event = &e
	return res
}

// retryIn is the pause after the handling that followed so many earlier ones.
func retryIn(tries int) time.Duration {
	d := retryPause
	for range tries {
		if d *= 4; d >= retryMost {
			d = retryMost
			break
		}
	}
	return jitter(d)
}

// jitter spreads a pause over 80 to 120 percent, so that what failed together
// does not come back together.
func jitter(d time.Duration) time.Duration {
	return d*4/5 + rand.N(d*2/5+1)
}
