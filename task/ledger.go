package task

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/store"
)

// failure keeps the ledger: a row as long as the key is not settled.
func (w *writer) failure(r *bus.Result) error {
	if r.Outcome != bus.Retrying && r.Outcome != bus.GivenUp {
		w.ledger[r.Key] = nil
		return nil
	}
	first := r.At
	if f, ok := w.ledger[r.Key]; ok && f != nil {
		first = f.First
	} else if !ok {
		f, found, err := w.st.Failure(r.Key)
		if err != nil {
			return err
		}
		if found {
			first = f.First
		}
	}
	f := &store.Failure{
		Key: r.Key, Op: string(r.Op), Class: string(r.Class), Cause: r.Cause, Error: r.Error, Tries: r.Tries,
		First: first, Last: r.At, NextTry: r.NextTry, GivenUp: r.Outcome == bus.GivenUp,
	}
	ev := r.Event
	if ev == nil {
		ev = &bus.Event{Task: r.Task, Op: r.Op, Key: r.Key, Kind: r.Kind, Size: r.Size, Class: r.Class, Run: r.Run}
	}
	f.Event = bus.AppendEvent(nil, ev)
	w.ledger[r.Key] = f
	return nil
}

// lease puts off retries that were just published.
func (p *projector) lease(due []store.Failure, until time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.st.Batch()
	defer b.Discard()
	for _, f := range due {
		// A result may have settled it in the meantime.
		now, ok, err := p.st.Failure(f.Key)
		if err != nil {
			return fmt.Errorf("state: %w", err)
		}
		if ok && now.NextTry.Equal(f.NextTry) && !now.GivenUp {
			now.NextTry = until
			b.PutFailure(now)
		}
	}
	if err := b.Commit(true); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

// end ends the trying again of failures, unless some are to be tried again.
func (p *projector) end() (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, due, err := p.st.NextDue()
	if err != nil {
		return false, fmt.Errorf("state: %w", err)
	}
	p.ended = !due
	return p.ended, nil
}

// reopen makes the given-up objects that which tells due now, with a full set
// of tries.
func (p *projector) reopen(now time.Time, which func(*store.Failure) bool) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return 0, errors.New("the task is about to end: try again in a moment")
	}
	next := p.c
	next.Skipped = maps.Clone(p.c.Skipped)
	w := &writer{st: p.st, c: &next}
	for after := ""; ; {
		fs, err := p.st.Failures(after, 1000)
		if err != nil {
			return n, fmt.Errorf("state: %w", err)
		}
		b := p.st.Batch()
		for _, f := range fs {
			after = f.Key
			if !f.GivenUp || !which(&f) {
				continue
			}
			n++
			if err := w.reopen(b, f, now); err != nil {
				b.Discard()
				return n, fmt.Errorf("state: %w", err)
			}
		}
		if err := put(b, recordCounters, &next); err != nil {
			b.Discard()
			return n, err
		}
		err = b.Commit(true)
		b.Discard()
		if err != nil {
			return n, fmt.Errorf("state: %w", err)
		}
		p.c = next
		next.Skipped = maps.Clone(next.Skipped)
		if len(fs) < 1000 {
			break
		}
	}
	close(p.changed)
	p.changed = make(chan struct{})
	return n, nil
}

// reopen takes one failure off the counters and parks it as due.
func (w *writer) reopen(b *store.Batch, f store.Failure, now time.Time) error {
	f.GivenUp, f.Tries, f.NextTry = false, 0, now
	b.PutFailure(f)
	old, ok, err := w.st.Row(f.Key)
	if err != nil || !ok {
		return err
	}
	row := old
	put, del := splitOutcome(old.Outcome)
	again := outcomeOf(&bus.Result{Op: bus.Op(f.Op), Outcome: bus.Retrying})
	if bus.Op(f.Op) == bus.OpDelete {
		row.Outcome = joinOutcome(put, again)
	} else {
		row.Outcome = joinOutcome(again, del)
	}
	w.count(&old, -1)
	w.count(&row, 1)
	b.PutRow(f.Key, row)
	return nil
}
