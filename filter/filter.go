// Package filter says which keys and objects take part in a task: ordered
// include and exclude rules, sizes and times. It is pure: no I/O, no clock.
// It must not know where keys come from or what is done with what it selects.
//
// # Rules
//
// The last rule that matches a key decides. If no rule matches, the first rule
// of the list decides: behind an include the rest is out, behind an exclude
// (and without any rule) the rest is in. So "include *.jpg" alone selects the
// JPEGs, and "exclude *.tmp" alone all but the temporary files.
//
// # Patterns
//
// A key is a string of bytes with components separated by "/"; its base name is
// what follows the last "/". A pattern matches a key whole, from the start of
// any component to the end of the key:
//
//	*.jpg        a base name that ends in .jpg, at any depth
//	a/b.txt      /a/b.txt, x/a/b.txt
//	/a/b.txt     only a/b.txt at the root: a leading "/" anchors
//	cache/       everything below any directory cache
//	/cache/      everything below the one at the root
//	*            any bytes within one component, also none
//	**           any bytes, "/" too; as a whole component ("a/**/b") any
//	             number of directories, also none
//	?            one character but "/" (of a key that is not UTF-8: one byte)
//	[a-z] [!a-z] one character of a set, or not of it; never "/"
//	{a,b/c}      either; may be nested; read as if each were written out
//	\*           the character itself
//	re:EXPR      a regular expression (RE2, Go's syntax) that is looked for
//	             anywhere in the key; a byte that is not UTF-8 counts as U+FFFD
//
// Matching tells capitals from small letters. An empty directory has a key that
// ends in "/", so "cache/" matches the empty directory cache and "cache" does not.
package filter

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// Rule includes or excludes the keys that match a pattern.
type Rule struct {
	Include bool
	Pattern string
}

// Config is a selection. The zero value selects everything.
type Config struct {
	Rules []Rule // in order; the last that matches decides
	// MinSize and MaxSize bound the sizes of plain objects and files in bytes,
	// both inclusive. 0 or -1: no bound.
	MinSize, MaxSize int64
	// NewerThan selects what was modified at this time or later, OlderThan
	// what was modified before this time. Zero: no bound.
	NewerThan, OlderThan time.Time
}

// Filter is a compiled Config. It is immutable and safe for concurrent use.
type Filter struct {
	cfg      Config
	matchers []matcher // in the order of the rules
	byKey    bool      // there are rules
	rest     bool      // whether a key that no rule matches is in
	regexps  bool
}

// New compiles a selection. It fails on a pattern that cannot be read and on
// bounds that nothing can satisfy.
func New(c Config) (*Filter, error) {
	f := &Filter{cfg: c, byKey: len(c.Rules) > 0}
	f.cfg.Rules = append([]Rule(nil), c.Rules...)
	f.rest = !f.byKey || !c.Rules[0].Include
	for _, r := range c.Rules {
		ms, err := compile(r.Pattern)
		if err != nil {
			return nil, err
		}
		for _, m := range ms {
			m.include = r.Include
			f.regexps = f.regexps || m.kind == matchRegexp
			f.matchers = append(f.matchers, m)
		}
	}
	if c.MinSize > 0 && c.MaxSize > 0 && c.MinSize > c.MaxSize {
		return nil, fmt.Errorf("no object can be at least %d and at most %d bytes", c.MinSize, c.MaxSize)
	}
	if !c.NewerThan.IsZero() && !c.OlderThan.IsZero() && !c.NewerThan.Before(c.OlderThan) {
		return nil, errors.New("no object can be newer than " + c.NewerThan.Format(time.RFC3339) +
			" and older than " + c.OlderThan.Format(time.RFC3339))
	}
	return f, nil
}

// Empty tells whether everything is selected because nothing was asked for.
func (f *Filter) Empty() bool {
	return !f.byKey && f.cfg.MinSize <= 0 && f.cfg.MaxSize <= 0 &&
		f.cfg.NewerThan.IsZero() && f.cfg.OlderThan.IsZero()
}

// HasRegexp tells whether a rule is a regular expression. Such rules are easy
// to get wrong, so deletes are held to a stricter standard under them.
func (f *Filter) HasRegexp() bool { return f.regexps }

// Key tells whether the key rules include a key. Sizes and times play no part:
// this is what deletes ask.
func (f *Filter) Key(key string) bool {
	for i := len(f.matchers) - 1; i >= 0; i-- {
		if f.matchers[i].match(key) {
			return f.matchers[i].include
		}
	}
	return f.rest
}

// Object tells whether an entry of a listing is selected. Sizes bound only
// plain objects and files. A directory that cannot be listed is selected if
// anything below it might be, so that it is reported and not left out silently.
func (f *Filter) Object(o *storage.Object) bool {
	if o.Kind == storage.KindUnreadable {
		return !f.SkipDir(o.Key)
	}
	if o.Kind == storage.KindFile {
		if f.cfg.MinSize > 0 && o.Size < f.cfg.MinSize || f.cfg.MaxSize > 0 && o.Size > f.cfg.MaxSize {
			return false
		}
	}
	if !f.cfg.NewerThan.IsZero() && o.ModTime.Before(f.cfg.NewerThan) ||
		!f.cfg.OlderThan.IsZero() && !o.ModTime.Before(f.cfg.OlderThan) {
		return false
	}
	return f.Key(o.Key)
}

// SkipDir tells whether the key rules include nothing below a directory, nor
// its own entry, so that a listing can leave it out. It errs on the side of
// false. dir is as in listings, with "/" at its end; "" is the root.
func (f *Filter) SkipDir(dir string) bool {
	if dir != "" && !strings.HasSuffix(dir, "/") {
		dir += "/"
	}
	for i := len(f.matchers) - 1; i >= 0; i-- {
		m := &f.matchers[i]
		if m.include {
			if m.mayMatchBelow(dir) {
				return false
			}
		} else if m.matchesAllBelow(dir) {
			return true
		}
	}
	return !f.rest
}

// Canonical returns the selection as one printable line: equal selections in
// equal words give equal lines, and everything that takes part shows. It is ""
// for an empty filter. Times appear as they were resolved: who continues an
// interrupted run by its hash keeps the times of its first start.
func (f *Filter) Canonical() string {
	var parts []string
	for _, r := range f.cfg.Rules {
		sign := "-"
		if r.Include {
			sign = "+"
		}
		parts = append(parts, sign+strconv.QuoteToASCII(r.Pattern))
	}
	if n := f.cfg.MinSize; n > 0 {
		parts = append(parts, "min="+strconv.FormatInt(n, 10))
	}
	if n := f.cfg.MaxSize; n > 0 {
		parts = append(parts, "max="+strconv.FormatInt(n, 10))
	}
	if t := f.cfg.NewerThan; !t.IsZero() {
		parts = append(parts, "newer="+t.UTC().Format(time.RFC3339Nano))
	}
	if t := f.cfg.OlderThan; !t.IsZero() {
		parts = append(parts, "older="+t.UTC().Format(time.RFC3339Nano))
	}
	return strings.Join(parts, " ")
}
