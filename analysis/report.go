package analysis

import (
	"time"
	"unicode/utf8"

	"github.com/sluice-sync/sluice/storage"
)

// Report is what was counted. Its JSON is stable: fields are only added.
type Report struct {
	Count             // objects with bytes
	Kinds  Kinds      `json:"kinds"`
	Oldest *time.Time `json:"oldest,omitempty"` // nil without objects
	Newest *time.Time `json:"newest,omitempty"`

	Sizes    []Size  `json:"sizes"`
	Ages     []Age   `json:"ages"`
	Future   Count   `json:"future"`  // modified more than a day from now
	Classes  []Class `json:"classes"` // with the most objects first
	Archived Count   `json:"archived"`

	Prefixes   []Ranking `json:"prefixes"` // at a depth of one and of two
	Extensions Ranking   `json:"extensions"`
	Largest    []Large   `json:"largest"` // the largest first, at most 20
	Hard       []Hard    `json:"hard_keys"`
}

// Kinds are entries that are no objects with bytes.
type Kinds struct {
	Directories int64 `json:"directories"` // empty ones
	Symlinks    int64 `json:"symlinks"`
	Special     int64 `json:"special"`    // FIFOs, sockets, devices
	Unreadable  int64 `json:"unreadable"` // directories of which nothing is known
}

func (k *Kinds) add(kind storage.Kind) {
	switch kind {
	case storage.KindDir:
		k.Directories++
	case storage.KindSymlink:
		k.Symlinks++
	case storage.KindSpecial:
		k.Special++
	case storage.KindUnreadable:
		k.Unreadable++
	}
}

// Size is a class of objects of fewer bytes than Below, and no fewer than the
// class before. Below is 0 for the last one, which has no end.
type Size struct {
	Below int64 `json:"below_bytes,omitempty"`
	Count
}

// Age is a class of objects modified less than Below days ago, and no less than
// the class before. Below is 0 for the last one, which has no end.
type Age struct {
	Below int64 `json:"below_days,omitempty"`
	Count
}

// Class is a storage class.
type Class struct {
	Class    string `json:"class"` // "" on a place that has only one
	Archived bool   `json:"archived"`
	Count
}

// Name is a key or a part of one.
type Name struct {
	Name  string `json:"name"`
	Bytes []byte `json:"name_b64,omitempty"` // where it is not valid UTF-8
}

func name(s string) Name {
	n := Name{Name: s}
	if !utf8.ValidString(s) {
		n.Bytes = []byte(s)
	}
	return n
}

// rankedNames is how many names a ranking gives in each order.
const rankedNames = 20

// Ranking are the names with the most objects and with the most bytes.
type Ranking struct {
	Depth int   `json:"depth,omitempty"` // of prefixes: in directories
	Names int64 `json:"names"`           // how many there are; an upper bound if Estimated
	// Estimated: there were too many names to keep, so figures may be too low,
	// each by no more than its Missed, and a name of no more than that may lack.
	Estimated bool     `json:"estimated"`
	ByObjects []Ranked `json:"by_objects"`
	ByBytes   []Ranked `json:"by_bytes"`
}

// Ranked is a name with what was counted under it. Prefixes end in "/"; objects
// that lie less deep are counted under the directory they are in, "" for those
// in none. Extensions begin with a dot; "" is for objects without.
type Ranked struct {
	Name
	Count
	Missed Count `json:"missed_at_most,omitzero"`
}

// Large is one of the largest objects.
type Large struct {
	Name
	Size    int64     `json:"size"`
	ModTime time.Time `json:"mtime"`
	Class   string    `json:"class,omitempty"`
}

// Hard are objects whose keys some places cannot hold.
type Hard struct {
	Flaw    string `json:"flaw"`
	Objects int64  `json:"objects"`
	Example Name   `json:"example"`
}

// Report ends the count: nothing may be added afterwards.
func (c *Counter) Report() *Report {
	r := &Report{
		Count: c.all, Kinds: c.kinds, Future: c.future, Extensions: c.exts.ranking(0),
		Largest: append([]Large{}, c.largest...), Hard: []Hard{},
	}
	if c.all.Objects > 0 {
		oldest, newest := time.Unix(c.oldest, 0).UTC(), time.Unix(c.newest, 0).UTC()
		r.Oldest, r.Newest = &oldest, &newest
	}
	for i, n := range c.sizes {
		s := Size{Count: n}
		if i < len(sizeBounds) {
			s.Below = sizeBounds[i]
		}
		r.Sizes = append(r.Sizes, s)
	}
	for i, n := range c.ages {
		a := Age{Count: n}
		if i < len(ageBounds) {
			a.Below = ageBounds[i]
		}
		r.Ages = append(r.Ages, a)
	}
	r.Classes, r.Archived = c.classes.report(c.cfg.Features)
	c.dirs.end()
	r.Prefixes = []Ranking{c.dirs.ones.ranking(1), c.dirs.twos.ranking(2)}
	for _, h := range c.hard {
		if h.Objects > 0 {
			r.Hard = append(r.Hard, h)
		}
	}
	return r
}

func (t *tally) ranking(depth int) Ranking {
	r := Ranking{Depth: depth, Names: t.added, Estimated: t.dropped > 0 && !t.once, ByObjects: []Ranked{}, ByBytes: []Ranked{}}
	for _, e := range t.head(rankedNames, byObjects) {
		r.ByObjects = append(r.ByObjects, e.ranked())
	}
	for _, e := range t.head(rankedNames, byBytes) {
		r.ByBytes = append(r.ByBytes, e.ranked())
	}
	return r
}

func (e *entry) ranked() Ranked { return Ranked{name(e.name), e.Count, e.missed} }
