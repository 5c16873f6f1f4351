package list

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluice-sync/sluice/storage"
)

// What a split may cost. A try makes at most maxProbes requests, of which a
// successful one becomes the new range's first page; a split cuts each side's
// present page and one read ahead. A range has listed minPages pages of the
// probed side before its first try, and twice as many before each further one
// that follows a failure, so that all of it stays below the requests that list.
const (
	minPages  = 12
	maxProbes = 3
)

// probe is a listing that was begun somewhere ahead of a range.
type probe struct {
	place   string
	after   string // where it began
	pages   storage.Pages
	page    []storage.Object // its first page
	horizon string           // no key was seen beyond it; "" is not known
}

// drop ends a probe that nobody goes on with; there may be none. What is read
// no more cannot fail in a way that matters.
func (p *probe) drop() {
	if p != nil {
		_ = p.pages.Close()
	}
}

// split gives the far part of what is left of the range to another worker, if
// there is place for one and a key far enough ahead is found.
func (w *worker) split(ctx context.Context) error {
	if _, _, single := w.cfg.Map.Only(); single || w.done || w.cfg.Named != nil {
		return nil
	}
	side, b := w.probed()
	if side == nil || side.seen < w.patience {
		return nil
	}
	id, ok := w.reserve()
	if !ok {
		return nil
	}
	p, err := w.explore(ctx, side, b)
	w.src.seen, w.dst.seen = 0, 0
	if p == nil {
		w.release()
		w.patience *= 2
		return err
	}
	w.patience = minPages
	other := &keyRange{id: id, pos: p.after, last: w.last}
	w.last = p.after
	if err := w.save(ctx, true, other); err != nil {
		p.drop()
		return err
	}
	w.src.cut(w.last)
	w.dst.cut(w.last)
	w.horizon = ""
	w.start(ctx, other, p)
	return nil
}

// probed returns the side that can be listed from anywhere and has more to list.
func (w *worker) probed() (*stream, storage.Source) {
	src := w.cfg.Source.Features().CheapRanges && !w.src.eof
	dst := w.cfg.Target.Features().CheapRanges && !w.dst.eof
	switch {
	case src && (!dst || w.src.seen >= w.dst.seen):
		return w.src, w.cfg.Source
	case dst:
		return w.dst, w.cfg.Target
	}
	return nil, nil
}

// explore looks for the farthest of some places ahead that has a full page
// behind it. A place that has none bounds what is left: the horizon.
func (w *worker) explore(ctx context.Context, side *stream, b storage.Source) (*probe, error) {
	if w.horizon <= w.pos {
		w.horizon = ""
	}
	end := w.last
	if w.horizon != "" {
		end = w.horizon
	}
	places := midpoints(w.pos, end, side.page)
	places = slices.DeleteFunc(places, func(p string) bool { return p <= side.prev }) // listed already
	var best *probe
	lo, hi := 0, len(places) // places[:lo] are too far, places[hi:] are not the farthest
	for n := 0; n < maxProbes && lo < hi; n++ {
		i := (lo + hi) / 2
		p, err := w.probe(ctx, side, b, places[i])
		if err != nil {
			best.drop()
			return nil, err
		}
		if len(p.page) < side.largest {
			p.drop()
			lo, w.horizon = i+1, p.after
			continue
		}
		best.drop()
		best, hi = p, i
	}
	if best != nil {
		best.horizon = w.horizon
	}
	return best, nil
}

// probe lists the first page after a place.
func (w *worker) probe(ctx context.Context, side *stream, b storage.Source, after string) (*probe, error) {
	p := &probe{place: side.place, after: after, pages: b.List(storage.Range{After: after, Last: w.last})}
	page, err := p.pages.Next(ctx)
	if err != nil && !isEnd(err) {
		p.drop()
		return nil, fmt.Errorf("split a range: %w", err)
	}
	p.page = page
	return p, nil
}

// midpoints returns places between pos and end ("" is open), the farthest
// first, at which a range that has come to pos may be split. page is the
// listing's present page: it tells at which depth keys vary, and which bytes
// occur there.
//
// A place is a head of pos and one larger byte: about the middle of the bytes
// that may stand there. The shorter the head, the farther the place; which of
// them still has keys behind it, a search finds out. Long prefixes are not
// searched to their root: a part of the key space that eight more places could
// not name holds more keys than anybody has.
func midpoints(pos, end string, page []storage.Object) []string {
	if len(page) == 0 {
		return nil
	}
	alphabet := varying(page)
	shallow := 0
	if end != "" {
		shallow = common(pos, end)
	}
	deep := max(common(page[0].Key, page[len(page)-1].Key), shallow) + 1
	var places []string
	for d := shallow; d <= deep && d < len(pos); d++ {
		top := 256
		if end != "" && d == shallow && d < len(end) {
			top = int(end[d])
		}
		if b, ok := middle(&alphabet, int(pos[d]), top); ok {
			places = append(places, pos[:d]+string([]byte{b}))
		}
	}
	return places[max(0, len(places)-8):]
}

// middle returns the middle one of the bytes of an alphabet between lo and hi,
// neither included.
func middle(alphabet *[256]bool, lo, hi int) (byte, bool) {
	n := 0
	for b := lo + 1; b < hi; b++ {
		if alphabet[b] {
			n++
		}
	}
	if n == 0 {
		return 0, false
	}
	n /= 2
	for b := lo + 1; ; b++ {
		if alphabet[b] {
			if n == 0 {
				return byte(b), true
			}
			n--
		}
	}
}

// varying returns the bytes that stand where the keys of a page differ.
func varying(page []storage.Object) (alphabet [256]bool) {
	if len(page) == 0 {
		return alphabet
	}
	first := page[0].Key
	var differs []bool
	for i := range page {
		key := page[i].Key
		for len(differs) < len(key) {
			differs = append(differs, false)
		}
		for j := range len(key) {
			if j >= len(first) || key[j] != first[j] {
				differs[j] = true
			}
		}
	}
	for i := range page {
		for j := range len(page[i].Key) {
			if differs[j] {
				alphabet[page[i].Key[j]] = true
			}
		}
	}
	return alphabet
}

// common is the length of the longest common head of two keys.
func common(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
