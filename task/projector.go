package task

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/metadata"
	"github.com/sluice-sync/sluice/store"
)

// projector turns results into inventory, ledger and counters. It is their
// only writer; the retry scheduler's leases go through it too.
type projector struct {
	st  *store.Task
	in  bus.ResultConsumer
	run string
	now func() time.Time

	mu      sync.Mutex
	c       counters
	changed chan struct{} // closed and replaced with each commit
	ended   bool          // no failures are tried again any more
}

func newProjector(st *store.Task, in bus.ResultConsumer, runID string, now func() time.Time) (*projector, error) {
	p := &projector{st: st, in: in, run: runID, now: now, changed: make(chan struct{})}
	if _, err := load(st, recordCounters, &p.c); err != nil {
		return nil, err
	}
	if p.c.Run != runID {
		p.c = counters{Run: runID, ResultSeq: p.c.ResultSeq}
	}
	return p, nil
}

// counters returns a copy, and a channel that is closed at the next change.
func (p *projector) counters() (counters, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.c
	c.Skipped = maps.Clone(c.Skipped)
	return c, p.changed
}

// work projects until ctx ends.
func (p *projector) work(ctx context.Context) error {
	for {
		batches, err := p.in.Fetch(ctx, 16)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("read results: %w", err)
		}
		if err := p.apply(batches); err != nil {
			return err
		}
	}
}

// drain projects what is stored already and returns when nothing is pending.
func (p *projector) drain(ctx context.Context, s bus.Streams, durable string) error {
	for {
		st, err := s.State(ctx)
		if err != nil {
			return err
		}
		if st.ResultsPending[durable] == 0 {
			return nil
		}
		wait, cancel := context.WithTimeout(ctx, time.Second)
		batches, err := p.in.Fetch(wait, 16)
		cancel()
		if err != nil {
			if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
				continue
			}
			return err
		}
		if err := p.apply(batches); err != nil {
			return err
		}
	}
}

// apply commits some batches at once, synced, and acks them after.
func (p *projector) apply(batches []bus.ResultBatch) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.c
	next.Skipped = maps.Clone(p.c.Skipped)
	b := p.st.Batch()
	defer b.Discard()
	w := &writer{st: p.st, b: b, c: &next, rows: map[string]store.Row{}, ledger: map[string]*store.Failure{}, now: p.now()}
	for _, m := range batches {
		if m.Err != nil {
			continue // not ours to understand; nothing of it can be counted
		}
		for i := range m.Results {
			if err := w.result(&m.Results[i]); err != nil {
				return fmt.Errorf("state: %w", err)
			}
		}
		next.ResultSeq = max(next.ResultSeq, m.Seq)
	}
	if err := w.flush(); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if err := put(b, recordCounters, &next); err != nil {
		return err
	}
	if err := b.Commit(true); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	p.c = next
	close(p.changed)
	p.changed = make(chan struct{})
	for _, m := range batches {
		if err := m.Token.Ack(); err != nil {
			return fmt.Errorf("ack results: %w", err)
		}
	}
	return nil
}

// writer folds results into one batch. Rows and failures of the batch are held
// in memory first, since one key may come twice.
type writer struct {
	st     *store.Task
	b      *store.Batch
	c      *counters
	rows   map[string]store.Row
	ledger map[string]*store.Failure // nil: to be dropped
	now    time.Time
}

func (w *writer) row(key string) (store.Row, error) {
	if r, ok := w.rows[key]; ok {
		return r, nil
	}
	r, _, err := w.st.Row(key)
	return r, err
}

func (w *writer) result(r *bus.Result) error {
	old, err := w.row(r.Key)
	if err != nil {
		return err
	}
	row := store.Row{Run: r.Run, Src: old.Src, Dst: old.Dst, Size: r.Size, Moved: r.Moved, At: r.At, Unvouched: r.Unvouched}
	if old.Run == w.c.Run {
		row.Run = old.Run // a late result of another run tells what became of a key of ours
	}
	var put, del string
	if old.Run == row.Run {
		put, del = splitOutcome(old.Outcome)
		row.Moved += old.Moved
	}
	if r.Op == bus.OpDelete {
		if put != "" {
			row.Size, row.Unvouched = old.Size, old.Unvouched
		}
		if r.Outcome == bus.Deleted {
			row.Src, row.Dst = "", ""
		}
		row.Outcome = joinOutcome(put, outcomeOf(r))
	} else {
		if r.Outcome == bus.Copied || r.Src != "" {
			row.Src, row.Dst = r.Src, r.Dst
		}
		if r.Outcome == bus.Copied && r.Moved == 0 && put == string(bus.Copied) {
			row.Unvouched = old.Unvouched
		}
		row.Outcome = joinOutcome(outcomeOf(r), del)
	}
	if row.Run == w.c.Run {
		w.notKept(r)
		w.count(&old, -1)
		w.count(&row, 1)
		w.c.Moved += r.Moved
	}
	w.rows[r.Key] = row
	return w.failure(r)
}

// notKept remembers what the target could not hold, and of which key first.
func (w *writer) notKept(r *bus.Result) {
	for _, name := range metadata.Losses(r.Lost) {
		if _, ok := w.c.NotKept[name]; ok {
			continue
		}
		w.c.NotKept = maps.Clone(w.c.NotKept)
		if w.c.NotKept == nil {
			w.c.NotKept = map[string]string{}
		}
		w.c.NotKept[name] = r.Key
	}
}

// count adds a row of this run to the counters, or takes it off. A key counts
// once as a put and once as a delete.
func (w *writer) count(row *store.Row, n int64) {
	if row.Run != w.c.Run {
		return
	}
	put, del := splitOutcome(row.Outcome)
	outcome, reason, _ := strings.Cut(put, ":")
	switch bus.Outcome(outcome) {
	case bus.Copied:
		w.c.Copied += n
		w.c.Bytes += n * row.Size
		if row.Unvouched {
			w.c.Unvouched += n
		}
	case bus.Skipped:
		if w.c.Skipped == nil {
			w.c.Skipped = map[string]int64{}
		}
		w.c.Skipped[reason] += n
		w.c.SkipBytes += n * row.Size
		if w.c.Skipped[reason] == 0 {
			delete(w.c.Skipped, reason)
		}
	case bus.GivenUp:
		w.c.Failed += n
		w.c.SkipBytes += n * row.Size
	case bus.Retrying:
		w.c.Retrying += n
		if reason == causeArchived {
			w.c.Restoring += n
		}
	}
	switch bus.Outcome(strings.TrimPrefix(del, deletePrefix)) {
	case bus.Deleted:
		w.c.Deleted += n
	case bus.Retrying:
		w.c.RetryDel += n
	case bus.GivenUp:
		w.c.FailedDel += n
	}
}

// deletePrefix marks the outcomes of deletes in rows; a reason follows a colon.
const deletePrefix = "delete/"

// causeArchived is storage.KindOf's word for what waits for its restore.
const causeArchived = "archived"

// outcomeOf is what a row keeps of a result's outcome: enough to take it off
// the counters again.
func outcomeOf(r *bus.Result) string {
	o := string(r.Outcome)
	switch {
	case r.Outcome == bus.Skipped:
		o += ":" + r.Reason
	case r.Outcome == bus.Retrying && r.Cause == causeArchived:
		o += ":" + causeArchived
	}
	if r.Op == bus.OpDelete {
		o = deletePrefix + o
	}
	return o
}

// joinOutcome makes a row's outcome: that of the key's last put in the run,
// that of its last delete, or "copied;delete/deleted" of both.
func joinOutcome(put, del string) string {
	if put == "" || del == "" {
		return put + del
	}
	return put + ";" + del
}

func splitOutcome(s string) (put, del string) {
	if strings.HasPrefix(s, deletePrefix) {
		return "", s
	}
	put, del, _ = strings.Cut(s, ";")
	return put, del
}

func (w *writer) flush() error {
	for key, row := range w.rows {
		w.b.PutRow(key, row)
	}
	for key, f := range w.ledger {
		if f == nil {
			_, found, err := w.st.Failure(key)
			if err != nil {
				return err
			}
			if found {
				w.b.DropFailure(key)
			}
			continue
		}
		w.b.PutFailure(*f)
	}
	return nil
}

// begin starts the counters of a new run, which count from the last result
// that the bus has: it may be another bus. The caller commits them.
func (p *projector) begin(run string, last uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.run = run
	p.c = counters{Run: run, ResultSeq: last}
}
