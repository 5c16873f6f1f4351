package task

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/store"
)

// finish closes a run: nothing of it must be looked at again.
func (t *Task) finish(ctx context.Context) error {
	t.mu.Lock()
	t.rec.Phase, t.rec.Ended = phaseDone, t.now()
	t.rec.MarkSeq, t.rec.Mark = 0, ""
	t.phase = phaseDone
	rec := t.rec
	t.mu.Unlock()
	b := t.st.Batch()
	defer b.Discard()
	if err := put(b, recordRun, &rec); err != nil {
		return err
	}
	b.DropCursors(rec.ID)
	b.DropCandidates(rec.ID)
	if !t.cfg.RetryOnly {
		if err := t.dropStale(b, rec.Started); err != nil {
			return err
		}
	}
	if err := b.Commit(true); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if err := t.streams.Trim(ctx, bus.Retain{ResultBytes: retainResults}); err != nil {
		return fmt.Errorf("trim: %w", err)
	}
	return nil
}

// dropStale removes failures that this run did not meet again: the object is
// gone or equal by now.
func (t *Task) dropStale(b *store.Batch, since time.Time) error {
	return t.eachFailure(func(f store.Failure) {
		if f.Last.Before(since) {
			b.DropFailure(f.Key)
		}
	})
}

// dropRetrying removes the parked retries of an earlier run: the new listing
// finds what still differs.
func (t *Task) dropRetrying(b *store.Batch) error {
	return t.eachFailure(func(f store.Failure) {
		if !f.GivenUp {
			b.DropFailure(f.Key)
		}
	})
}

func (t *Task) eachFailure(do func(store.Failure)) error {
	for after := ""; ; {
		fs, err := t.st.Failures(after, 1000)
		if err != nil {
			return fmt.Errorf("state: %w", err)
		}
		for _, f := range fs {
			do(f)
			after = f.Key
		}
		if len(fs) < 1000 {
			return nil
		}
	}
}
