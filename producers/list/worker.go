package list

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

// Op is what a difference asks for.
type Op string

// The operations of a dry run.
const (
	Copy   Op = "copy"   // the target has no such key
	Update Op = "update" // it has another object
	Delete Op = "delete" // the source has no such key
)

// Difference is one finding of a dry run. Source and Target are nil where that
// side has nothing, and valid only during the call.
type Difference struct {
	Op     Op
	Key    string // the source's key; of a delete the target's
	Kind   bus.Kind
	Reason string // "absent", "kind", "size", "mtime", "checksum", "link", "forced", "unknown", "unreadable", "extraneous"
	Source *storage.Object
	Target *storage.Object
}

// scan is one Run under way.
type scan struct {
	*Lister
	pass    int
	closing bool
	g       *errgroup.Group
	slots   chan struct{} // holds one token per range being worked off
}

func newScan(ctx context.Context, l *Lister, pass int) (*scan, context.Context) {
	g, ctx := errgroup.WithContext(ctx)
	return &scan{Lister: l, pass: pass, closing: pass > 0, g: g, slots: make(chan struct{}, l.cfg.Ranges)}, ctx
}

// start works a range off beside the others; begun is a page that a split has
// listed already.
func (s *scan) start(ctx context.Context, r *keyRange, begun *probe) {
	s.g.Go(func() error {
		w := &worker{scan: s, keyRange: r, patience: minPages}
		if begun != nil {
			w.horizon = begun.horizon
		}
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			begun.drop()
			return ctx.Err()
		}
		defer func() { <-s.slots }()
		return w.run(ctx, begun)
	})
}

// worker works one range off.
type worker struct {
	*scan
	*keyRange
	src, dst *stream
	rows     RowReader // of the present chunk, once it is needed

	// Found since the last Save.
	cands []string
	seen  []Seen
	saved time.Time

	record []byte // the cursor, encoded; kept for its room

	slow bool // publishing holds the listing up: reading ahead gains nothing

	horizon  string // no key beyond it was seen when somebody looked; "" is not known
	patience int    // pages to list before the next try to split
}

// run ends when the range is done. What a killed process had been about to
// publish comes first.
func (w *worker) run(ctx context.Context, begun *probe) error {
	w.saved = time.Now()
	if w.intent != nil {
		if err := w.undone(); err != nil {
			return err
		}
		if err := w.deliver(ctx); err != nil {
			return err
		}
	}
	w.open(begun)
	listing, cancel := context.WithCancel(ctx) // ends the pages read ahead
	defer func() {
		cancel()
		w.src.close()
		w.dst.close()
	}()
	for !w.done {
		c, err := w.merge(listing)
		if err == nil {
			err = w.resolve(ctx, c)
		}
		if err != nil {
			_ = w.save(ctx, false, nil) // or what was published is published again
			return err
		}
		if err := w.commit(ctx, c); err != nil {
			return err
		}
		if err := w.split(ctx); err != nil {
			return err
		}
	}
	w.release()
	return w.save(ctx, false, nil)
}

// undone leaves of an intent the events that nothing came of yet. In the first
// pass a row of this run is the result of just these; later it may be older.
func (w *worker) undone() error {
	if w.closing {
		return nil
	}
	defer w.closeRows()
	var events []bus.Event
	for _, e := range w.intent.events {
		row, err := w.row(e.Key)
		if err != nil {
			return err
		}
		if row.Run != w.cfg.Run {
			events = append(events, e)
		}
	}
	w.intent.events = events
	return nil
}

// open begins both listings, the one that was begun already excepted.
func (w *worker) open(begun *probe) {
	r := storage.Range{After: w.pos, Last: w.last}
	side := func(place string, b storage.Source) *stream {
		if begun != nil && begun.place == place {
			s := newStream(place, begun.pages, r, w.cfg.Bounds)
			s.coming = make(chan fetched, 1)
			s.coming <- fetched{page: begun.page}
			return s
		}
		return newStream(place, w.list(b, r), r, w.cfg.Bounds)
	}
	w.src = side(placeSource, w.cfg.Source)
	w.dst = side(placeTarget, w.cfg.Target)
}

// Names of the sides in errors.
const (
	placeSource = "the source"
	placeTarget = "the target"
)

// commit makes a chunk durable. One with events is saved before they are
// published, so that a crash between the two publishes the same events again
// and counts them once; any other waits for the next save.
func (w *worker) commit(ctx context.Context, c *chunk) error {
	w.intent = &intent{pos: c.pos, done: c.done, counts: c.counts, events: c.events}
	w.cands = append(w.cands, c.cands...)
	w.seen = append(w.seen, c.seen...)
	if len(c.events) > 0 {
		if err := w.save(ctx, true, nil); err != nil {
			return err
		}
		w.count(&c.counts)
		return w.deliver(ctx)
	}
	w.count(&c.counts)
	w.fold()
	w.report(c.diffs)
	if len(w.cands)+len(w.seen) >= w.maxSteps || time.Since(w.saved) >= saveTime {
		return w.save(ctx, false, nil)
	}
	return nil
}

// deliver publishes the intent and makes it a part of what is done.
func (w *worker) deliver(ctx context.Context) error {
	began := time.Now()
	if len(w.intent.events) > 0 {
		if err := w.cfg.Publish(ctx, w.intent.events); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	w.slow = time.Since(began) > 5*gatherTime
	w.fold()
	return nil
}

// save commits the cursor with everything found since the last save, and with
// the cursor of a range that was split off.
func (w *worker) save(ctx context.Context, sync bool, other *keyRange) error {
	if w.cfg.Diff != nil {
		w.cands, w.seen, w.saved = nil, nil, time.Now()
		return nil
	}
	w.record = w.encode(w.record[:0])
	put := map[string][]byte{w.name(): w.record}
	if other != nil {
		put[other.name()] = other.encode(nil)
	}
	err := w.cfg.State.Save(ctx, w.pass, Save{Put: put, Candidates: w.cands, Rows: w.seen, Sync: sync})
	if err != nil {
		return fmt.Errorf("save the cursor: %w", err)
	}
	w.cands, w.seen, w.saved = nil, nil, time.Now()
	return nil
}

func (w *worker) report(diffs []Difference) {
	if len(diffs) == 0 {
		return
	}
	w.diffing.Lock()
	defer w.diffing.Unlock()
	for _, d := range diffs {
		w.cfg.Diff(d)
	}
}
