package analysis

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// A table holds at most tallyMost names. Then it is cut down to the heads of
// both its orders, by objects and by bytes, of half of tallyKept each.
const (
	tallyMost = 4096
	tallyKept = 1024
)

// tally counts by name in bounded memory. As long as there were few names the
// figures are exact. Later those of a name that was cut off and came again
// start anew: they are too low, by no more than entry.missed.
//
// This is lossy counting with two weights: what a cut drops is smaller than
// all that it keeps in either order, and the bound is the sum of the largest
// figures dropped by each cut (Manku and Motwani, Approximate Frequency Counts
// over Data Streams, 2002).
type tally struct {
	// once: a name comes once, with all it has. Then what a cut drops never
	// comes again, and the heads are exact however many names there are.
	once  bool
	names map[string]*entry
	last  *entry // the name before: mostly the next one too

	added   int64 // names put in; with once, how many there are
	dropped int64
	missed  Count // of a name that is put in now, at most
	floor   Count // with once: a name that is not above it in either figure would be cut
}

type entry struct {
	name string
	Count
	missed Count
}

func newTally(once bool) tally { return tally{once: once, names: map[string]*entry{}} }

// at returns the entry of a name, to add to before the next call.
func (t *tally) at(name string) *entry {
	if t.last != nil && t.last.name == name {
		return t.last
	}
	e := t.names[name]
	if e == nil {
		if len(t.names) >= tallyMost {
			t.cut()
		}
		t.added++
		e = &entry{name: strings.Clone(name), missed: t.missed} // a part of a key would keep its whole page
		t.names[e.name] = e
	}
	t.last = e
	return e
}

// whole counts a name with all that it has.
func (t *tally) whole(name string, c Count) {
	if t.once && c.Objects <= t.floor.Objects && c.Bytes <= t.floor.Bytes {
		t.added++
		t.dropped++
		return
	}
	t.at(name).plus(c)
}

func (t *tally) cut() {
	kept := make(map[string]*entry, tallyMost)
	many, heavy := t.head(tallyKept/2, byObjects), t.head(tallyKept/2, byBytes)
	t.floor = Count{many[len(many)-1].Objects, heavy[len(heavy)-1].Bytes}
	for _, e := range append(many, heavy...) {
		kept[e.name] = e
	}
	var most Count
	for name, e := range t.names {
		if kept[name] == nil {
			t.dropped++
			most = Count{max(most.Objects, e.Objects), max(most.Bytes, e.Bytes)}
		}
	}
	if !t.once {
		t.missed.plus(most)
	}
	t.names, t.last = kept, nil
}

// head returns the first n names of an order.
func (t *tally) head(n int, order func(a, b *entry) int) []*entry {
	all := slices.SortedFunc(maps.Values(t.names), order)
	return all[:min(n, len(all))]
}

func byObjects(a, b *entry) int { return compare(a.Count, b.Count, a.name, b.name) }

func byBytes(a, b *entry) int {
	return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Objects, a.Objects), cmp.Compare(a.name, b.name))
}

// compare puts more objects first, then more bytes, then names in their order.
func compare(a, b Count, aName, bName string) int {
	return cmp.Or(cmp.Compare(b.Objects, a.Objects), cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(aName, bName))
}
