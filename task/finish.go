package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/store"
)

// clockSlack is how far the target's clock may be from ours.
const clockSlack = 5 * time.Minute

// finish closes a run: nothing of it must be looked at again.
func (t *Task) finish(ctx context.Context) error {
	if t.rec.Phase != phaseDone && t.cfg.RetryOnly {
		return nil // it goes on when the task itself is run
	}
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
		if err := t.dropStale(b, rec); err != nil {
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

// dropUploads removes uploads that nothing will go on with, once everything is
// settled: their objects have gone from the source or take part no more.
func (t *Task) dropUploads(ctx context.Context) error {
	m, ok := storage.As[storage.Multipart](t.cfg.Target)
	if !ok {
		return nil
	}
	var left []store.KeyRecord
	if err := eachUpload(t.st, func(r store.KeyRecord) { left = append(left, r) }); err != nil {
		return err
	}
	for _, r := range left {
		err := abort(ctx, m, r)
		for tries := 1; storage.IsTransient(err) && tries < 5 && pause(ctx, time.Duration(tries)*100*time.Millisecond) == nil; tries++ {
			err = abort(ctx, m, r)
		}
		switch {
		case err == nil:
			if err := t.state.DropUpload(r.Key); err != nil {
				return fmt.Errorf("state: %w", err)
			}
		case ctx.Err() != nil || storage.IsEndpoint(err):
			return fmt.Errorf("remove an unfinished upload: %w", err)
		default: // the next run tries again
			t.cfg.Notify(Warn, "an unfinished upload stays at the target: "+err.Error())
		}
	}
	return nil
}

// abort removes an upload, or, if its id was never learnt, all of its key that
// may be it.
func abort(ctx context.Context, m storage.Multipart, r store.KeyRecord) error {
	u, err := transfer.DecodeUpload(r.Record)
	if err == nil && u.ID != "" {
		return m.AbortUpload(ctx, r.Key, u.ID)
	}
	open, err := m.ListUploads(ctx, r.Key)
	if errors.Is(err, storage.ErrUnsupported) {
		return nil
	}
	for _, o := range open {
		if err == nil && o.Key == r.Key && !o.Started.Before(u.Begun.Add(-clockSlack)) {
			err = m.AbortUpload(ctx, o.Key, o.ID)
		}
	}
	return err
}

// dropStale removes failures that this run did not meet again: the object is
// gone or equal by now, also where trying it again failed. Those of its own
// keys stay, whatever the clock did, and so do new ones of no key.
func (t *Task) dropStale(b *store.Batch, rec run) error {
	return t.eachFailure(func(f store.Failure) error {
		row, _, err := t.st.Row(f.Key)
		if err != nil {
			return fmt.Errorf("state: %w", err)
		}
		if row.Run != rec.ID && (f.Cause != "unknown_message" || !f.Last.After(rec.Started)) {
			b.DropFailure(f.Key)
		}
		return nil
	})
}

// dropRetrying removes the parked retries of an earlier run: the new listing
// finds what still differs.
func (t *Task) dropRetrying(b *store.Batch) error {
	return t.eachFailure(func(f store.Failure) error {
		if !f.GivenUp {
			b.DropFailure(f.Key)
		}
		return nil
	})
}

func (t *Task) eachFailure(do func(store.Failure) error) error {
	for after := ""; ; {
		fs, err := t.st.Failures(after, 1000)
		if err != nil {
			return fmt.Errorf("state: %w", err)
		}
		for _, f := range fs {
			if err := do(f); err != nil {
				return err
			}
			after = f.Key
		}
		if len(fs) < 1000 {
			return nil
		}
	}
}
