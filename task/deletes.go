package task

import (
	"context"
	"fmt"
	"io"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/store"
)

// deletes publishes the target keys that the source does not hold, if
// everything says that this is meant.
func (t *Task) deletes(ctx context.Context) error {
	if !t.cfg.Spec.Delete {
		return nil
	}
	n, err := t.st.CandidateCount(t.rec.ID)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if n == 0 {
		return nil
	}
	why, err := t.mayDelete(ctx, n)
	if err != nil {
		return err
	}
	if why != "" {
		t.mu.Lock()
		t.held = n
		t.mu.Unlock()
		return fmt.Errorf("%w: %s; %d objects stay at the target", ErrDeletesHeld, why, n)
	}
	if err := t.keep(true, func(rec *run) { rec.Phase, t.phase = phaseDeleting, phaseDeleting }); err != nil {
		return err
	}
	return t.publishDeletes(ctx)
}

// forgetCandidates drops those of earlier passes before a pass begins: it finds
// them again, unless they came back at the source or are gone at the target.
func (t *Task) forgetCandidates(pass int) error {
	if pass == 0 || !t.cfg.Spec.Delete {
		return nil
	}
	begun, err := t.st.Cursors(t.rec.ID, pass)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if len(begun) > 0 {
		return nil
	}
	b := t.st.Batch()
	b.DropCandidates(t.rec.ID)
	if err := b.Commit(false); err != nil { // before any cursor of the pass
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

// mayDelete says what speaks against deleting n objects; "" if nothing does.
func (t *Task) mayDelete(ctx context.Context, n int64) (string, error) {
	last := t.rec.Passes[len(t.rec.Passes)-1]
	c, _ := t.proj.counters() // the cap is for the whole run
	if last.Unreadable > 0 {
		return fmt.Sprintf("%d directories could not be listed", last.Unreadable), nil
	}
	pages := t.cfg.Source.List(storage.Range{})
	defer pages.Close()
	_, err := pages.Next(ctx)
	if err == io.EOF { //nolint:errorlint // a broken connection may wrap it; only the bare one is the end
		if err := t.cfg.Source.Check(ctx); err != nil {
			return "", err
		}
		switch {
		case last.Source > 0: // as when it was unmounted
			return fmt.Sprintf("the source, which held %d objects when it was listed, is empty now", last.Source), nil
		case t.cfg.Spec.MaxDelete.Given && t.cfg.Spec.MaxDelete.allows(n+c.Deleted, last.Target+c.Deleted):
			return "", nil
		}
		return "the source is empty (--max-delete 100% allows it)", nil
	}
	if err != nil {
		return "", err
	}
	if n, total := n+c.Deleted, last.Target+c.Deleted; !t.cfg.Spec.MaxDelete.allows(n, total) {
		before := ""
		if c.Deleted > 0 {
			before = fmt.Sprintf(" (%d are already)", c.Deleted)
		}
		return fmt.Sprintf("%d of %d objects would be deleted%s, --max-delete is %s", n, total, before, t.cfg.Spec.MaxDelete), nil
	}
	return "", nil
}

// resumeDeletes ends the deletes that an earlier process had found to be
// meant. What has changed since it listed, another closing pass finds.
func (t *Task) resumeDeletes(ctx context.Context) error {
	if err := t.publishDeletes(ctx); err != nil {
		return err
	}
	return t.keep(true, func(rec *run) { rec.Phase, t.phase = phaseScanning, phaseScanning })
}

// publishDeletes turns candidates into events. A candidate is dropped after
// its event is acknowledged, so that a crash repeats at most one batch.
func (t *Task) publishDeletes(ctx context.Context) error {
	for {
		keys, err := t.st.Candidates(t.rec.ID, "", 1000)
		if err != nil {
			return fmt.Errorf("state: %w", err)
		}
		if len(keys) == 0 {
			return t.settle(ctx)
		}
		// Children sort behind their directory and go first.
		evs := make([]bus.Event, 0, len(keys))
		for i := len(keys) - 1; i >= 0; i-- {
			evs = append(evs, bus.Event{Task: t.cfg.Name, Op: bus.OpDelete, Key: keys[i], Class: bus.ClassScan, Run: t.rec.ID})
		}
		if err := t.pub.publish(ctx, evs); err != nil {
			return err
		}
		b := t.st.Batch()
		for _, k := range keys {
			b.DropCandidate(t.rec.ID, k)
		}
		err = b.Commit(true)
		b.Discard()
		if err != nil {
			return fmt.Errorf("state: %w", err)
		}
	}
}

// retryBlocked makes the objects due again whose place at the target was taken:
// where a file has become a directory, or the other way round, what was in the
// way may be deleted by now.
func (t *Task) retryBlocked() error {
	if c, _ := t.proj.counters(); c.Deleted == 0 || !t.cfg.Spec.Delete {
		return nil
	}
	_, exists := storage.KindOf(storage.ErrExists)
	_, err := t.proj.reopen(t.now(), func(f *store.Failure) bool { return f.Cause == exists && f.Op == string(bus.OpPut) })
	return err
}
