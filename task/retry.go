package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/store"
)

// retryLease is how long a retry that was published is not published again.
// Its result replaces the ledger row; a lost one is tried again after it.
const retryLease = 30 * time.Minute

// retryLoop publishes what the ledger says is due, until ctx ends.
func (t *Task) retryLoop(ctx context.Context) error {
	for {
		n, err := t.publishDue(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if n > 0 {
			continue
		}
		wait := time.Second
		at, ok, err := t.st.NextDue()
		if err != nil {
			return fmt.Errorf("state: %w", err)
		}
		if ok {
			wait = min(wait, max(at.Sub(t.now()), 10*time.Millisecond))
		}
		if pause(ctx, wait) != nil {
			return nil
		}
	}
}

func (t *Task) publishDue(ctx context.Context) (int, error) {
	due, err := t.st.Due(t.now(), 256)
	if err != nil {
		return 0, fmt.Errorf("state: %w", err)
	}
	if len(due) == 0 {
		return 0, nil
	}
	evs := make([]bus.Event, 0, len(due))
	var dec bus.Decoder
	for _, f := range due {
		ev, err := dec.Event(f.Event)
		if err != nil {
			return 0, fmt.Errorf("state: failure of %q: %w", f.Key, err)
		}
		// The run stays: the counters have the key only if it is of theirs.
		ev.Class, ev.Tries = bus.ClassRetry, f.Tries
		evs = append(evs, ev)
	}
	if err := t.pub.publish(ctx, evs); err != nil {
		return 0, err
	}
	return len(due), t.proj.lease(due, t.now().Add(retryLease))
}

// RetryFailures makes every given-up object due again and returns how many.
func (t *Task) RetryFailures() (int, error) {
	t.mu.Lock()
	proj := t.proj
	t.mu.Unlock()
	if proj == nil {
		return 0, errors.New("the task is about to begin: try again in a moment")
	}
	return proj.reopen(t.now(), func(*store.Failure) bool { return true })
}
