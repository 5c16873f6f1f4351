package list

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

// Bounds of a chunk. An intent holds a chunk's events, so that they are small
// enough to be written at once and large enough to be worth a commit.
const (
	maxEvents  = 1024
	maxSteps   = 8192
	maxPerHead = 8 // undecided pairs for each look at once
)

// chunk is what a stretch of the merge found: all keys up to pos are decided.
type chunk struct {
	began  time.Time
	steps  int
	pos    string
	done   bool // the range ends here
	counts tally
	events []bus.Event
	cands  []string
	seen   []Seen
	pairs  []pair
	diffs  []Difference
}

// pair is a key that the listings alone do not decide.
type pair struct {
	s, d    *storage.Object
	why     reason
	ours    bool // it is counted as one that has a row of this run
	keep    bool // its row must stay as it is
	verdict verdict
}

// merge works off the next keys of both listings. It ends early rather than
// let differences wait for a slow page.
func (w *worker) merge(ctx context.Context) (*chunk, error) {
	c := &chunk{began: time.Now(), pos: w.pos}
	defer w.closeRows()
	for !c.done && c.steps < w.maxSteps && len(c.events)+len(c.pairs) < w.maxEvents && len(c.pairs) < maxPerHead*w.cfg.Heads {
		if w.src.empty() || w.dst.empty() {
			ok, err := w.fill(ctx, c)
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
		}
		if err := w.step(ctx, c); err != nil {
			return nil, err
		}
		c.steps++
	}
	return c, nil
}

// fill waits until both sides have a head or are at their end; ok is false if
// the chunk should not wait for that.
func (w *worker) fill(ctx context.Context, c *chunk) (ok bool, err error) {
	var deadline time.Time
	if c.steps > 0 {
		deadline = c.began.Add(gatherTime)
	}
	for _, s := range []*stream{w.src, w.dst} {
		if s.empty() {
			s.ahead(ctx) // both, before either is waited for
		}
	}
	for _, s := range []*stream{w.src, w.dst} {
		for s.empty() {
			if ok, err := s.wait(ctx, deadline); !ok || err != nil {
				return false, err
			}
			if !w.slow {
				s.ahead(ctx)
			}
		}
	}
	return true, nil
}

// step decides on the lower of the two heads, or on both if they are one key.
func (w *worker) step(ctx context.Context, c *chunk) error {
	s, d := w.src.head(), w.dst.head()
	order := 0
	switch {
	case s == nil && d == nil:
		c.done = true
		return nil
	case d == nil:
		order = -1
	case s == nil:
		order = 1
	default:
		order = strings.Compare(s.Key, d.Key)
	}
	if order <= 0 {
		w.src.i++
		c.pos = s.Key
		c.counts[nSource]++
	}
	if order < 0 {
		return w.decide(ctx, c, s, nil)
	}
	w.dst.i++
	c.pos = d.Key
	if d.Kind == kindGone { // a named key: both sides have an entry of it
		return w.decide(ctx, c, s, nil)
	}
	c.counts[nTarget]++
	covered := w.cfg.Deletes && (w.cfg.KeyRules == nil || w.cfg.KeyRules(w.targetKey(d.Key)))
	if covered {
		c.counts[nScope]++
	}
	if d.Kind == storage.KindUnreadable {
		c.counts[nTargetUnreadable]++
	}
	if order == 0 {
		return w.decide(ctx, c, s, d)
	}
	if covered {
		return w.extraneous(ctx, c, d)
	}
	return nil
}

// decide handles a source entry; d is nil if the target lacks the key.
func (w *worker) decide(ctx context.Context, c *chunk, s, d *storage.Object) error {
	if s.Kind == storage.KindUnreadable {
		c.counts[nUnreadable]++
	}
	if !w.selected(s) {
		return nil
	}
	var row Row
	if w.closing {
		var err error
		if row, err = w.row(s.Key); err != nil {
			return err
		}
	}
	ours := w.closing && row.Run == w.cfg.Run // in pass 0 every key is new
	if skip, why := w.cannotHold(s); skip {
		w.skip(c, s, why, ours)
		return nil
	}
	if d == nil && w.dirLike(s) {
		held, err := w.hasBelow(ctx, w.dst, w.cfg.Target, s.Key)
		if err != nil {
			return err
		}
		if held {
			w.skip(c, s, skipEqual, ours)
			return nil
		}
	}
	return w.weigh(c, s, d, row, ours)
}

// weigh compares what can be compared.
func (w *worker) weigh(c *chunk, s, d *storage.Object, row Row, ours bool) error {
	v, why := differs, diffUnreadable
	if s.Kind != storage.KindUnreadable {
		written := ours && d != nil && w.cfg.Rule.IgnoreExisting && row.Dst == d.TargetVersion()
		v, why = w.rule.compare(s, d, written)
	}
	if v == equal {
		w.skip(c, s, why, ours)
		return nil
	}
	if !w.closing && w.rule.asks(s, d) {
		var err error
		if row, err = w.row(s.Key); err != nil {
			return err
		}
	}
	switch {
	case w.rule.settled(&row, ours, s, d):
		w.skip(c, s, skipEqual, ours)
	case ours && row.Outcome == string(bus.GivenUp):
		// Final for this run, and reported.
	case v == unknown:
		c.pairs = append(c.pairs, pair{s: s, d: d, why: why, ours: ours, keep: row.Run == w.cfg.Run, verdict: unknown})
	default:
		w.publish(c, s, d, why, ours)
	}
	return nil
}

// cannotHold tells what no copy is made of, and why.
func (w *worker) cannotHold(s *storage.Object) (bool, reason) {
	switch {
	case s.Kind == kindGone:
		return true, skipGone
	case s.Kind == storage.KindSpecial:
		return true, skipSpecial
	case s.Kind == storage.KindDir && !w.rule.dstTree && !w.cfg.DirMarkers:
		return true, skipDir
	case s.Kind == storage.KindSymlink && !w.rule.dstTree:
		return true, skipSymlink
	}
	return false, 0
}

// dirLike tells whether an entry asks for a directory at a file tree.
func (w *worker) dirLike(s *storage.Object) bool { return w.rule.dstTree && isDir(s) }

// extraneous handles a target entry that the source lacks and the key rules
// cover. Only what a task could have written is a candidate. A directory is
// none if the other side holds anything below it: file trees list only empty
// directories.
func (w *worker) extraneous(ctx context.Context, c *chunk, d *storage.Object) error {
	if d.Kind == storage.KindUnreadable || d.Kind == storage.KindSpecial {
		return nil
	}
	if strings.HasSuffix(d.Key, "/") && (w.rule.srcTree || w.rule.dstTree) {
		held, err := w.hasBelow(ctx, w.src, w.cfg.Source, d.Key)
		if held || err != nil {
			return err
		}
	}
	key := w.targetKey(d.Key)
	c.counts[nCandidates]++
	if w.cfg.Diff != nil {
		c.diffs = append(c.diffs, Difference{Op: Delete, Key: key, Reason: diffExtraneous.String(), Target: d})
		return nil
	}
	c.cands = append(c.cands, key)
	return nil
}

// hasBelow tells whether a side, whose head is past dir, has keys below it.
// They may all lie beyond the end of this range, or not be named: then a
// listing must tell.
func (w *worker) hasBelow(ctx context.Context, side *stream, b storage.Source, dir string) (bool, error) {
	if w.cfg.Named == nil {
		if o := side.head(); o != nil {
			return strings.HasPrefix(o.Key, dir), nil
		}
		if w.last == "" || !strings.HasPrefix(w.last, dir) {
			return false, nil
		}
	}
	return below(ctx, b.List(storage.Range{After: dir}), dir)
}

// skip counts an object that needs nothing. One with a row of this run is in
// the counters of that row.
func (w *worker) skip(c *chunk, s *storage.Object, why reason, ours bool) {
	if !ours {
		c.counts.skip(why, bytesOf(s))
	}
}

// publish adds the event of an object.
func (w *worker) publish(c *chunk, s, d *storage.Object, why reason, ours bool) {
	if ours {
		c.counts[nRepublished]++
	} else {
		c.counts[nPublished]++
		c.counts[nPublishedBytes] += bytesOf(s)
	}
	kind := kindOf(s.Kind)
	if w.cfg.Diff != nil {
		op := Update
		if d == nil {
			op = Copy
		}
		c.diffs = append(c.diffs, Difference{Op: op, Key: s.Key, Kind: kind, Reason: why.String(), Source: s, Target: d})
		return
	}
	class := bus.ClassScan
	if w.cfg.BulkThreshold > 0 && s.Kind == storage.KindFile && s.Size >= w.cfg.BulkThreshold {
		class = bus.ClassBulk
	}
	if c.events == nil {
		c.events = make([]bus.Event, 0, w.maxEvents)
	}
	c.events = append(c.events, bus.Event{
		Task: w.cfg.Task, Op: bus.OpPut, Key: s.Key, Kind: kind, Size: s.Size, MTime: s.ModTime, ETag: s.ETag,
		Inode: s.Inode, CTime: s.CTime, StorageClass: s.Class, Class: class, Run: w.cfg.Run,
	})
}

// row looks a key up; the zero Row if nothing is known of it.
func (w *worker) row(key string) (Row, error) {
	if w.cfg.State == nil {
		return Row{}, nil
	}
	if w.rows == nil {
		w.rows = w.cfg.State.Rows(w.pos, w.last)
	}
	row, _, err := w.rows.Get(key)
	if err != nil {
		return Row{}, fmt.Errorf("read the row of %q: %w", key, err)
	}
	return row, nil
}

// closeRows ends the reading of rows with the chunk, so that it pins nothing
// for long and a later chunk sees what was written meanwhile.
func (w *worker) closeRows() {
	if w.rows != nil {
		_ = w.rows.Close() // Get has told what went wrong
		w.rows = nil
	}
}

func (w *worker) targetKey(source string) string {
	key, _ := w.cfg.Map.Target(source)
	return key
}

func kindOf(k storage.Kind) bus.Kind {
	switch k {
	case storage.KindDir:
		return bus.KindDir
	case storage.KindSymlink:
		return bus.KindSymlink
	case storage.KindUnreadable:
		return bus.KindUnreadable
	}
	return ""
}

// bytesOf is the size that counts: that of what is copied byte by byte.
func bytesOf(o *storage.Object) int64 {
	if o.Kind == storage.KindFile {
		return o.Size
	}
	return 0
}
