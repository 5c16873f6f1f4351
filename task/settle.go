package task

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-sync/sluice/bus"
)

// stuckLooks is how often, a second apart and with no result in between,
// nothing must be under way while something is pending before that is a loss.
const stuckLooks = 3

// settle waits until everything published is applied or given up and counted,
// and nothing waits to be tried again.
func (t *Task) settle(ctx context.Context) error {
	for looks := 0; ; {
		n, changed := t.pending()
		wait := 10 * time.Millisecond
		if n > 0 {
			wait = time.Second
		}
		if n <= 0 || looks > 0 {
			quiet, err := t.quiet(ctx)
			if err != nil {
				return err
			}
			switch n, _ = t.pending(); {
			case !quiet:
				looks = 0
			case n <= 0:
				return nil
			case looks > stuckLooks:
				return t.lost(n)
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
			looks = 0
		case <-timer.C:
			looks++
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// settleAll settles for the last time: no failures are tried again after it.
func (t *Task) settleAll(ctx context.Context) error {
	for {
		if err := t.settle(ctx); err != nil {
			return err
		}
		if ended, err := t.proj.end(); ended || err != nil {
			return err
		}
	}
}

// quiet tells that no event is on the bus or being handled, no result waits to
// be projected and nothing is to be tried again.
func (t *Task) quiet(ctx context.Context) (bool, error) {
	st, err := t.streams.State(ctx)
	if err != nil || !idle(st) {
		return false, err
	}
	_, retries, err := t.st.NextDue()
	if err != nil {
		return false, fmt.Errorf("state: %w", err)
	}
	return !retries, nil
}

func idle(st bus.State) bool {
	for _, m := range []map[bus.Class]uint64{st.Pending, st.Unacked} {
		for _, n := range m {
			if n != 0 {
				return false
			}
		}
	}
	return st.ResultsPending[projectorName] == 0
}

// lost ends a run of which n events vanished and no mark tells: it would wait
// for ever.
func (t *Task) lost(n int64) error {
	if err := t.keep(true, func(rec *run) { rec.Lost = true }); err != nil {
		return err
	}
	return fmt.Errorf("%w: nothing came of %d published objects; run the same command again, it lists anew", bus.ErrLost, n)
}
