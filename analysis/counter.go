// Package analysis counts what a listing holds and says what a copy of it
// would take. It is pure: no I/O, no clock, no flags, no terminal. It must not
// know drivers, nor who lists.
//
// Memory does not grow with the number of objects: names are kept in tables of
// a fixed size (see Ranking for when their figures are estimates).
package analysis

import (
	"strings"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// Config says how objects are counted.
type Config struct {
	Now      time.Time        // ages are counted back from it
	Features storage.Features // of the place that is listed: its storage classes
	// Scattered: objects come from several places of the key space, as a sample
	// has them. Else they come in ascending order of their keys, as listings
	// are, and the figures of prefixes are exact.
	Scattered bool
}

// Count is a number of objects and of their bytes.
type Count struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

func (c *Count) add(size int64) {
	c.Objects++
	c.Bytes += size
}

func (c *Count) plus(o Count) {
	c.Objects += o.Objects
	c.Bytes += o.Bytes
}

// largestKept is how many of the largest objects a report names.
const largestKept = 20

// Counter counts objects. It is not safe for concurrent use.
type Counter struct {
	cfg   Config
	now   int64 // seconds since 1970
	all   Count
	kinds Kinds

	sizes   [len(sizeBounds) + 1]Count
	ages    [len(ageBounds) + 1]Count
	future  Count
	oldest  int64 // seconds since 1970, of the objects seen
	newest  int64
	classes classes
	dirs    prefixes
	exts    tally
	largest []Large // the largest first
	hard    [len(flawNames)]Hard
}

// New returns a counter that has seen nothing.
func New(c Config) *Counter {
	return &Counter{
		cfg: c, now: c.Now.Unix(), exts: newTally(false),
		dirs: prefixes{ones: newTally(!c.Scattered), twos: newTally(!c.Scattered)},
	}
}

// Seen returns what has been counted so far.
func (c *Counter) Seen() Count { return c.all }

// Add counts an entry of a listing. Only what has bytes counts as an object;
// other entries are counted by their kind alone.
func (c *Counter) Add(o *storage.Object) {
	if o.Kind != storage.KindFile {
		c.kinds.add(o.Kind)
		return
	}
	c.all.add(o.Size)
	c.sizes[sizeClass(o.Size)].add(o.Size)
	c.age(o)
	c.classes.add(o.Class, o.Size)
	l := look(o.Key)
	c.dirs.add(o.Key, l.first, l.second, o.Size)
	c.exts.at(l.extension(o.Key)).add(o.Size)
	if l.flaws != 0 {
		c.flawed(o.Key, l.flaws)
	}
	if len(c.largest) < largestKept || o.Size > c.largest[largestKept-1].Size {
		c.large(o)
	}
}

func (c *Counter) age(o *storage.Object) {
	at := o.ModTime.Unix()
	if c.all.Objects == 1 {
		c.oldest, c.newest = at, at
	}
	c.oldest, c.newest = min(c.oldest, at), max(c.newest, at)
	if at > c.now+day { // less than that is a clock that is wrong, or was written meanwhile
		c.future.add(o.Size)
		return
	}
	c.ages[ageClass(c.now-at)].add(o.Size)
}

// large puts an object among the largest. Of two of one size the one that came
// first stays.
func (c *Counter) large(o *storage.Object) {
	at := len(c.largest)
	for at > 0 && c.largest[at-1].Size < o.Size {
		at--
	}
	if len(c.largest) < largestKept {
		c.largest = append(c.largest, Large{})
	}
	copy(c.largest[at+1:], c.largest[at:])
	c.largest[at] = Large{name(strings.Clone(o.Key)), o.Size, o.ModTime, o.Class}
}

func (c *Counter) flawed(key string, flaws flaw) {
	for i := range c.hard {
		if flaws&(1<<i) == 0 {
			continue
		}
		if c.hard[i].Objects == 0 {
			c.hard[i] = Hard{Flaw: flawNames[i], Example: name(strings.Clone(key))}
		}
		c.hard[i].Objects++
	}
}
