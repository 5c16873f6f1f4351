package analysis

import (
	"slices"
	"strings"

	"github.com/sluice-sync/sluice/storage"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30

	day = 24 * 60 * 60 // seconds
)

// sizeBounds end the size classes, in bytes, not included; the last class has
// no end. 64 MiB and 16 MiB are where parts begin, 5 GiB is what most stores
// take in one piece.
var sizeBounds = [...]int64{1, 4 * kib, 64 * kib, mib, 16 * mib, 64 * mib, 256 * mib, gib, 5 * gib, 50 * gib}

// ageBounds end the age classes, in days.
var ageBounds = [...]int64{1, 7, 30, 90, 365, 2 * 365, 5 * 365}

func sizeClass(n int64) int {
	for i, end := range sizeBounds {
		if n < end {
			return i
		}
	}
	return len(sizeBounds)
}

func ageClass(seconds int64) int {
	for i, end := range ageBounds {
		if seconds < end*day {
			return i
		}
	}
	return len(ageBounds)
}

// maxClasses bounds what is kept of a place that makes names of classes up.
const maxClasses = 64

// otherClasses is the name under which classes beyond maxClasses are counted.
const otherClasses = "other"

// classes count storage classes by the name that the listing gives.
type classes struct {
	all  []classCount
	last int // the class of the object before: mostly that of the next one too
}

type classCount struct {
	name string
	Count
}

func (c *classes) add(class string, size int64) {
	if c.last >= len(c.all) || c.all[c.last].name != class {
		c.last = c.find(class)
	}
	c.all[c.last].add(size)
}

func (c *classes) find(class string) int {
	if len(c.all) >= maxClasses && !c.has(class) {
		class = otherClasses
	}
	if i := slices.IndexFunc(c.all, func(k classCount) bool { return k.name == class }); i >= 0 {
		return i
	}
	c.all = append(c.all, classCount{name: strings.Clone(class)})
	return len(c.all) - 1
}

func (c *classes) has(class string) bool {
	return slices.ContainsFunc(c.all, func(k classCount) bool { return k.name == class })
}

// report adds the classes up by the names that the place gives them.
func (c *classes) report(f storage.Features) (out []Class, archived Count) {
	out = []Class{}
	for _, k := range c.all {
		named, ok := f.ClassNamed(k.name)
		switch {
		case ok:
		case k.name == "" && len(f.Classes) > 0:
			named = f.Classes[0].Name
		default:
			named = k.name
		}
		at := slices.IndexFunc(out, func(o Class) bool { return o.Class == named })
		if at < 0 {
			at = len(out)
			out = append(out, Class{Class: named, Archived: f.Archived(k.name)})
		}
		out[at].plus(k.Count)
		if out[at].Archived {
			archived.plus(k.Count)
		}
	}
	slices.SortFunc(out, func(a, b Class) int { return compare(a.Count, b.Count, a.Class, b.Class) })
	return out, archived
}
