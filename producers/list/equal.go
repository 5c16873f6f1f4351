package list

import (
	"strings"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// Rule changes what counts as equal. The zero Rule is the default: sizes, then
// what this task once applied or found equal, then MD5 ETags, then times.
type Rule struct {
	SizeOnly bool // equal sizes are enough
	// Checksum: only checksums count: ETags that are MD5s, digests the stores
	// keep, and for files the MD5 of the bytes, which are read for it. Where
	// the two sides have none in common the object differs.
	Checksum       bool
	Force          bool // everything differs
	Update         bool // what is at the target with the source's time or a later one is left alone
	IgnoreExisting bool // what is at the target is left alone
	Existing       bool // what is not at the target is left alone
	// Metadata: of objects with equal bytes the metadata is compared too, by a
	// look at both of them. Earlier answers do not spare it.
	Metadata bool
}

// verdict is the answer to whether an object needs copying.
type verdict uint8

const (
	equal   verdict = iota // leave it alone
	differs                // publish it
	unknown                // the listings do not say: look at the objects
)

// comparer decides by what the listings show. It is pure.
type comparer struct {
	Rule
	md5              bool // ETags of MD5 form are MD5s on both sides
	srcTree, dstTree bool
	srcGrain         time.Duration // of times in listings
	dstGrain         time.Duration
}

// storeGrain is the precision in which stores show Last-Modified everywhere.
const storeGrain = time.Second

func newComparer(r Rule, src, dst storage.Features) comparer {
	grain := func(f storage.Features) time.Duration {
		if !f.FileTree {
			return storeGrain
		}
		return max(f.MTimeGrain, 1)
	}
	return comparer{
		Rule: r, md5: src.ETagIsMD5 && dst.ETagIsMD5, srcTree: src.FileTree, dstTree: dst.FileTree,
		srcGrain: grain(src), dstGrain: grain(dst),
	}
}

// compare decides on two entries of one key; d is nil if the target has none,
// and ours if it holds what this run wrote. Versions the inventory knows are
// another question: see settled.
func (c *comparer) compare(s, d *storage.Object, ours bool) (verdict, reason) {
	switch {
	case d == nil && c.Existing:
		return equal, skipAbsent
	case d == nil:
		return differs, diffAbsent
	case c.IgnoreExisting && !ours:
		return equal, skipExists
	case c.dstTree && isDir(s) && d.Kind != storage.KindFile, s.Kind == storage.KindDir && isDir(d):
		return equal, skipEqual
	}
	v, why := c.same(s, d)
	if v == equal && c.Metadata && s.Kind == storage.KindFile {
		return unknown, diffMetadata
	}
	if v == differs && c.Update {
		return c.newer(s, d, why)
	}
	return v, why
}

// isDir tells whether an entry stands for a directory: one of a file tree, or
// the empty object by which stores show one. An object with bytes is none.
func isDir(o *storage.Object) bool {
	return o.Kind == storage.KindDir ||
		o.Kind == storage.KindFile && o.Size == 0 && strings.HasSuffix(o.Key, "/")
}

// same compares what is in two entries.
func (c *comparer) same(s, d *storage.Object) (verdict, reason) {
	if s.Kind != d.Kind {
		return differs, diffKind
	}
	if c.Force {
		return differs, diffForced
	}
	if s.Size != d.Size {
		return differs, diffSize
	}
	if c.SizeOnly {
		return equal, skipEqual
	}
	if s.Kind == storage.KindSymlink {
		return unknown, diffLink
	}
	if c.md5 && isMD5(s.ETag) && isMD5(d.ETag) {
		if sameMD5(s.ETag, d.ETag) {
			return equal, skipEqual
		}
		return differs, diffChecksum
	}
	if c.Checksum {
		return unknown, diffChecksum
	}
	if c.dstTree {
		if sameTime(s.ModTime, d.ModTime, max(c.srcGrain, c.dstGrain)) {
			return equal, skipEqual
		}
		if c.srcTree {
			return differs, diffTime
		}
	}
	return unknown, diffTime
}

// newer spares a differing object whose target is not older, if the listings
// show the times that count: those of files.
func (c *comparer) newer(s, d *storage.Object, why reason) (verdict, reason) {
	if !c.srcTree || !c.dstTree {
		return unknown, why
	}
	if notOlder(d.ModTime, s.ModTime, max(c.srcGrain, c.dstGrain)) {
		return equal, skipNewer
	}
	return differs, why
}

// asks tells whether a row of an earlier run could settle what the listings
// do not find equal.
func (c *comparer) asks(s, d *storage.Object) bool {
	return d != nil && s.Size == d.Size && s.Kind == d.Kind && !c.Force && !c.Checksum && !c.Metadata
}

// settled tells whether the inventory overrules a verdict other than equal:
// this very source version was applied, and the target still holds what it
// held then. A row of this run says so under every rule, or closing passes
// would never find an end; an older one only where the rule asks for no proof.
func (c *comparer) settled(row *Row, ours bool, s, d *storage.Object) bool {
	if row.Src == "" || d == nil || s.Size != d.Size || s.Kind != d.Kind || !ours && !c.asks(s, d) {
		return false
	}
	return row.Dst == d.TargetVersion() && row.Src == s.Version()
}

// isMD5 tells whether an ETag has the form of an MD5; storage.Object.PlainMD5
// says the same at the price of an allocation.
func isMD5(etag string) bool {
	if len(etag) != 32 {
		return false
	}
	for i := range len(etag) {
		c := etag[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// sameMD5 compares two ETags of MD5 form, in any case.
func sameMD5(a, b string) bool {
	if a == b {
		return true
	}
	for i := range len(a) {
		if a[i]|0x20 != b[i]|0x20 {
			return false
		}
	}
	return true
}

// sameTime tells whether two times are known and one at a grain.
func sameTime(a, b time.Time, grain time.Duration) bool {
	return a.Sub(b).Abs() < grain && !a.IsZero()
}

func notOlder(target, source time.Time, grain time.Duration) bool {
	return !target.Before(source) || sameTime(target, source, grain)
}

// keptGrain is the precision of a time kept in metadata: tools write whole
// seconds or everything they know.
func keptGrain(t time.Time) time.Duration {
	if t.Nanosecond() == 0 {
		return time.Second
	}
	return 1
}
