// Package list merges the listings of a source and a target in lock step and
// publishes an event for every key that differs. It lists several ranges of
// the key space at once, also inside one flat prefix, keeps a durable cursor
// per range, and counts every key exactly once, whatever kills it.
//
// It must not know how objects are copied, what carries the events, what keeps
// its records, or how many workers there are.
package list

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/keymap"
	"github.com/sluice-sync/sluice/metadata"
	"github.com/sluice-sync/sluice/storage"
)

// Errors of a run besides those of storage, of the state and of Publish.
var (
	// ErrOrder: a listing yields keys that do not ascend. Merging it would
	// take what is there for absent.
	ErrOrder = errors.New("listing out of order")
	// ErrRecord: a cursor cannot be read. Drop the cursors of the pass.
	ErrRecord = errors.New("unreadable cursor")
)

// Config says what is compared and where the answers go.
type Config struct {
	Task, Run string         // go into every event; Run also tells rows of this run
	Source    storage.Source // listed, and where a listing does not decide: looked at
	Target    storage.Source // likewise; never written
	Map       keymap.Map     // a single map: only its one key is looked at on both sides

	// Bounds confine both listings: nothing beside them is counted, copied or
	// extraneous.
	Bounds Bounds
	// Named, if not nil, takes the place of both listings: only the keys that it
	// yields are looked at, one by one, on both sides. It returns the next keys
	// after one, ascending, each once, at most most of them; none at the end. It
	// must yield the same in every pass. A key that the source lacks is skipped
	// as "gone". Not with Deletes.
	Named func(after string, most int) ([]string, error)

	// Select tells which source objects take part; nil: all. Those that do not
	// are not counted, and their target keys are not extraneous. KeyRules
	// tells whether a target key may be deleted, and whether a named key of
	// which no object is seen takes part; nil: all. Both are called
	// from several goroutines.
	Select   func(o *storage.Object) bool
	KeyRules func(targetKey string) bool

	Rule          Rule
	Metadata      metadata.Mapper // what copies are given; only with Rule.Metadata
	BulkThreshold int64           // bytes; objects at or above it get class bulk; 0: none
	Ranges        int             // listed at once at most; 0: 4
	// DirMarkers: directories of a file tree that are empty have a counterpart at
	// a target that is none, the empty object by which stores show a directory.
	DirMarkers bool
	Heads      int  // looks at single objects at once at most; 0: 32
	Deletes    bool // collect candidates

	// Publish returns when all events are acknowledged. After an error any of
	// them may have been stored; they are published again. Back-pressure is
	// inside it. It is called from several goroutines.
	Publish func(ctx context.Context, events []bus.Event) error
	State   State

	// Diff makes the run a dry one: nothing is published and nothing saved,
	// State may be nil and only its rows are read. It gets every difference,
	// one call at a time, in no particular order.
	Diff func(Difference)
}

// State is what a lister needs kept. Commits are seen in order after a crash:
// never a later one without an earlier one. The methods are safe for concurrent
// use.
type State interface {
	// Cursors returns the records of this run and pass by their names.
	Cursors(pass int) (map[string][]byte, error)
	// Save commits s as a whole or not at all.
	Save(ctx context.Context, pass int, s Save) error
	// Rows reads the rows of keys in (after, last]; an empty last has no end.
	Rows(after, last string) RowReader
}

// Save is one atomic commit. Adding a candidate that is there changes nothing.
type Save struct {
	Put        map[string][]byte // cursor records; they replace those of the same name; valid during the call
	Candidates []string          // target keys that the source lacks
	Rows       []Seen            // answers to remember
	Sync       bool              // must survive a crash as soon as Save returns
}

// Seen says that the source's version and what the target holds were found
// equal by looking at the objects. It is never of a key that has a row of this run.
type Seen struct{ Key, Src, Dst string }

// RowReader reads rows by source key; calls come in ascending order of keys.
// One goroutine uses it.
type RowReader interface {
	Get(key string) (Row, bool, error)
	Close() error
}

// Row is what is known of a key.
type Row struct {
	Run     string // the run whose counters the row is in
	Outcome string // a bus.Outcome, or "" for an answer from Save.Rows
	// Src is the storage.Object.Version of the source object that was applied
	// or found equal last, Dst the TargetVersion of what the target held then.
	Src, Dst string
}

// Progress is a look at a run.
type Progress struct {
	Source, Target int64 // entries listed
	Totals         Totals
	Ranges         int // not finished
	Complete       bool
}

// Lister compares a source with a target. Run may be called once at a time.
type Lister struct {
	cfg   Config
	rule  comparer
	heads chan struct{} // holds one token per look under way

	maxEvents, maxSteps int // bounds of a chunk; tests make them small

	diffing sync.Mutex // serialises Config.Diff

	mu       sync.Mutex
	counts   tally // of the present run: saved, about to be published, or both
	active   int   // ranges not finished, places reserved by splits included
	nextID   int
	complete bool
}

// New returns a lister; it starts nothing.
func New(cfg Config) *Lister {
	if cfg.Ranges <= 0 {
		cfg.Ranges = 4
	}
	if cfg.Heads <= 0 {
		cfg.Heads = 32
	}
	return &Lister{
		cfg: cfg, rule: newComparer(cfg.Rule, cfg.Source.Features(), cfg.Target.Features()),
		heads: make(chan struct{}, cfg.Heads), maxEvents: maxEvents, maxSteps: maxSteps,
	}
}

// Progress is safe to call at any time. Its counts include events that are
// about to be published, so that results never outrun them.
func (l *Lister) Progress() Progress {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Progress{
		Source: l.counts[nSource], Target: l.counts[nTarget], Totals: l.counts.totals(l.cfg.Deletes),
		Ranges: l.active, Complete: l.complete,
	}
}

// Run makes one pass over both listings, or continues it, and returns when it
// is complete. Pass 0 is the first of a run: no key has a row of this run yet.
// Later ones are closing passes: they publish what still differs from what
// this run left behind. A completed pass returns its totals again and lists
// nothing. After an error nothing is lost: call Run again.
func (l *Lister) Run(ctx context.Context, pass int) (Totals, error) {
	ranges, err := l.load(pass)
	if err != nil {
		return Totals{}, err
	}
	s, ctx := newScan(ctx, l, pass)
	for _, r := range ranges {
		if !r.done {
			s.start(ctx, r, nil)
		}
	}
	if err := s.g.Wait(); err != nil {
		return Totals{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.complete = true
	return l.counts.totals(l.cfg.Deletes), nil
}

// load reads the cursors of a pass and sets the counts to what they say.
func (l *Lister) load(pass int) ([]*keyRange, error) {
	var recs map[string][]byte
	if l.cfg.Diff == nil {
		var err error
		if recs, err = l.cfg.State.Cursors(pass); err != nil {
			return nil, fmt.Errorf("read the cursors: %w", err)
		}
	}
	var ranges []*keyRange
	for name, rec := range recs {
		r, err := decodeRange(rec)
		if err != nil {
			return nil, fmt.Errorf("cursor %s of pass %d: %w", name, pass, err)
		}
		if r.id, err = strconv.Atoi(name); err != nil {
			return nil, fmt.Errorf("%w: named %q", ErrRecord, name)
		}
		ranges = append(ranges, r)
	}
	if len(recs) == 0 {
		ranges = []*keyRange{{pos: l.cfg.Bounds.start(), last: l.cfg.Bounds.To}}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts, l.active, l.nextID, l.complete = tally{}, 0, 0, false
	for _, r := range ranges {
		l.nextID = max(l.nextID, r.id+1)
		l.counts.add(&r.counts)
		if r.intent != nil {
			l.counts.add(&r.intent.counts)
		}
		if !r.done {
			l.active++
		}
	}
	return ranges, nil
}

// count makes what was found visible.
func (l *Lister) count(t *tally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.add(t)
}

// reserve takes the place of one more range if there is one.
func (l *Lister) reserve() (id int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.active >= l.cfg.Ranges {
		return 0, false
	}
	l.active++
	l.nextID++
	return l.nextID - 1, true
}

// release gives a place back.
func (l *Lister) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active--
}

// list opens a listing of one side. Named keys and a single map's one key are
// looked at instead; the target's take the source's names, so that they meet.
func (l *Lister) list(b storage.Source, r storage.Range) storage.Pages {
	if l.cfg.Named != nil {
		return &namedPages{l: l, b: b, r: r}
	}
	from, to, ok := l.cfg.Map.Only()
	if !ok {
		return b.List(r)
	}
	key := from
	if b == l.cfg.Target {
		key = to
	}
	return &onePage{b: b, key: key, as: from, done: r.After >= from}
}

// onePage is the listing of one key.
type onePage struct {
	b       storage.Source
	key, as string
	done    bool
}

func (p *onePage) Next(ctx context.Context) ([]storage.Object, error) {
	if p.done {
		return nil, io.EOF
	}
	p.done = true
	info, err := p.b.Stat(ctx, p.key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, err
	}
	info.Object.Key = p.as
	return []storage.Object{info.Object}, nil
}

func (p *onePage) Close() error { return nil }

// Timing of a range. Both are too short to be noticed.
const (
	gatherTime = 20 * time.Millisecond // how long found differences wait for more
	saveTime   = time.Second           // how long a cursor without events goes unsaved
)
