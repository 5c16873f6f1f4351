package analysis

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluice-sync/sluice/storage"
)

// samplePlaces is from how many places a sample is taken at least.
const samplePlaces = 64

// Places chooses where in a key space of which nothing is known a sample is
// taken. It asks for a few keys, leaps over all that begin as the last of them
// does, asks again behind that, and goes on with shorter leaps where it leapt
// over something. So every directory is seen before a second look is taken
// into one. It is not safe for concurrent use.
//
// A sample shows what there is, not in which proportion: a directory of ten
// objects is looked at as early as one of a million.
type Places struct {
	left, each int
	gaps       [][]gap // by depth, the shallow first
	now        gap     // the one that Next spoke of
	from       string  // where that range begins
}

// gap is a stretch of the key space of which nothing is known: keys k with
// after < k <= last, all of which begin as after does, for depth bytes.
type gap struct {
	after, last string // last "": no end
	depth       int
	step        int // bytes that the next leap keeps beyond depth; grows where nothing is found
}

// NewPlaces chooses places for a sample of n keys.
func NewPlaces(n int) *Places {
	return &Places{left: n, each: max(1, n/samplePlaces), gaps: [][]gap{{{step: 1}}}}
}

// Next returns a range and how many of its first keys to take. ok is false if
// the sample is large enough, or every key was taken.
func (p *Places) Next() (r storage.Range, take int, ok bool) {
	for p.left > 0 {
		g, found := p.pop()
		if !found {
			break
		}
		from := g.leap()
		if g.last != "" && from >= g.last { // nothing lies behind such a leap
			g.depth, g.step = g.depth+g.step, 2*g.step
			p.push(g)
			continue
		}
		p.now, p.from = g, from
		return storage.Range{After: from, Last: g.last}, min(p.each, p.left), true
	}
	return r, 0, false
}

// leap is a key behind all keys that begin as after does, for depth+step
// bytes; after itself if that is all of it. It is valid UTF-8 if after is,
// since some stores refuse to start a listing elsewhere.
func (g gap) leap() string {
	n := g.depth + g.step
	if n >= len(g.after) {
		if g.depth >= len(g.after) {
			return g.after
		}
		n = len(g.after)
	}
	for n < len(g.after) && !utf8.RuneStart(g.after[n]) {
		n++
	}
	return max(g.after, g.after[:n]+string(utf8.MaxRune))
}

// Took tells what was found in the range that Next returned: how many keys,
// the last of them, and whether there may be more behind it.
func (p *Places) Took(n int, last string, more bool) {
	p.left -= n
	g := p.now
	if p.from > g.after {
		near := gap{after: g.after, last: p.from, depth: g.depth + g.step, step: 1}
		if n == 0 {
			near.step = 2 * g.step
		}
		p.push(near)
	}
	if n > 0 && more {
		// The key alone: a part of a page would keep all of it.
		p.push(gap{after: strings.Clone(last), last: g.last, depth: g.depth, step: 1})
	}
}

// Whole tells whether every key was taken.
func (p *Places) Whole() bool {
	return !slices.ContainsFunc(p.gaps, func(at []gap) bool { return len(at) > 0 })
}

func (p *Places) push(g gap) {
	if g.last != "" && g.after >= g.last {
		return // nothing is in it
	}
	g.depth = min(g.depth, len(g.after))
	for len(p.gaps) <= g.depth {
		p.gaps = append(p.gaps, nil)
	}
	p.gaps[g.depth] = append(p.gaps[g.depth], g)
}

// pop returns the gap that has waited longest among the shallowest.
func (p *Places) pop() (g gap, ok bool) {
	for d, at := range p.gaps {
		if len(at) > 0 {
			g, p.gaps[d] = at[0], at[1:]
			return g, true
		}
	}
	return g, false
}
