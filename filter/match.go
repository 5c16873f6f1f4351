package filter

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// matchKind picks the cheapest way to decide a pattern.
type matchKind uint8

const (
	matchAll    matchKind = iota
	matchExact            // key is lit
	matchTail             // key is lit, or ends in "/" + lit
	matchPrefix           // key begins with lit
	matchAtAny            // lit begins some component
	matchSuffix           // key ends in lit
	matchGlob
	matchRegexp
)

// matcher is one pattern without alternatives.
type matcher struct {
	include bool
	kind    matchKind
	lit     string // of matchAtAny with "/" before it
	toks    []token
	re      *regexp.Regexp
}

// tokenOp is what a piece of a glob matches.
type tokenOp uint8

const (
	tokLit   tokenOp = iota
	tokOne           // ?
	tokClass         // [a-z]
	tokStar          // *: any bytes but "/"
	tokAny           // **: any bytes
	tokDirs          // any number of whole components with the "/" behind each
)

type token struct {
	op    tokenOp
	lit   string
	class class
}

// class is a set of characters as pairs of first and last.
type class struct {
	negated bool
	ranges  []rune
}

func (c *class) has(r rune) bool {
	for i := 0; i < len(c.ranges); i += 2 {
		if c.ranges[i] <= r && r <= c.ranges[i+1] {
			return !c.negated
		}
	}
	return c.negated
}

func (m *matcher) match(key string) bool {
	switch m.kind {
	case matchAll:
		return true
	case matchExact:
		return key == m.lit
	case matchTail:
		n := len(key) - len(m.lit)
		return n >= 0 && key[n:] == m.lit && (n == 0 || key[n-1] == '/')
	case matchPrefix:
		return strings.HasPrefix(key, m.lit)
	case matchAtAny:
		return strings.HasPrefix(key, m.lit[1:]) || strings.Contains(key, m.lit)
	case matchSuffix:
		return strings.HasSuffix(key, m.lit)
	case matchGlob:
		return matchTokens(m.toks, key, false)
	default:
		return m.re.MatchString(key)
	}
}

// matchesAllBelow tells whether every key that begins with dir matches. dir is
// "" or ends in "/".
func (m *matcher) matchesAllBelow(dir string) bool {
	switch m.kind {
	case matchAll:
		return true
	case matchPrefix, matchAtAny:
		return m.match(dir)
	case matchGlob:
		return m.toks[len(m.toks)-1].op == tokAny && m.match(dir)
	}
	return false
}

// mayMatchBelow tells whether some key that begins with dir could match.
func (m *matcher) mayMatchBelow(dir string) bool {
	switch m.kind {
	case matchExact:
		return strings.HasPrefix(m.lit, dir)
	case matchPrefix:
		return strings.HasPrefix(m.lit, dir) || strings.HasPrefix(dir, m.lit)
	case matchGlob:
		return matchTokens(m.toks, dir, true)
	}
	return true
}

// matchTokens matches a key whole or, if partial, tells whether the key could
// go on to match.
//
// Only the last * and the last ** are tried again. That is enough: what an
// earlier one could reach by taking more, the later one reaches too, since it
// starts from the earliest place possible.
func matchTokens(toks []token, key string, partial bool) bool {
	var (
		t, i      int     // next token, next byte
		star, pos = -1, 0 // the last *, and where what it takes ends
		any, apos = -1, 0 // the last ** or directories, likewise
	)
	for {
		ok := false
		switch {
		case t == len(toks):
			if i == len(key) {
				return true
			}
		case partial && (i == len(key) || toks[t].op >= tokAny):
			return true
		case toks[t].op == tokStar:
			star, pos = t, i
			ok = true
		case toks[t].op >= tokAny:
			any, apos, star = t, i, -1
			ok = true
		default:
			var n int
			if n, ok = toks[t].take(key, i); !ok && partial && toks[t].op == tokLit && strings.HasPrefix(toks[t].lit, key[i:]) {
				return true
			}
			i += n
		}
		if ok {
			t++
			continue
		}
		switch {
		case star >= 0 && pos < len(key) && key[pos] != '/':
			pos++
			t, i = star+1, pos
		case any >= 0:
			if apos = toks[any].more(key, apos); apos < 0 {
				return false
			}
			t, i, star = any+1, apos, -1
		default:
			return false
		}
	}
}

// take matches a literal, ? or class at key[i:] and returns the bytes it takes.
func (t *token) take(key string, i int) (int, bool) {
	if t.op == tokLit {
		if !strings.HasPrefix(key[i:], t.lit) {
			return 0, false
		}
		return len(t.lit), true
	}
	if i == len(key) || key[i] == '/' || insideRune(key, i) {
		return 0, false
	}
	r, n := utf8.DecodeRuneInString(key[i:])
	if r == utf8.RuneError && n == 1 {
		r = -1 // a byte that is no character is in no set
	}
	if t.op == tokClass && !t.class.has(r) {
		return 0, false
	}
	return n, true
}

// more lets a ** or directories token that has taken key up to i take the next
// least amount; -1 if there is none.
func (t *token) more(key string, i int) int {
	if t.op == tokAny {
		if i == len(key) {
			return -1
		}
		return i + 1
	}
	j := strings.IndexByte(key[i:], '/')
	if j < 0 {
		return -1
	}
	return i + j + 1
}

// insideRune tells whether key[i] is a later byte of a character of several
// bytes. A * takes bytes; what follows it must not begin within a character.
func insideRune(key string, i int) bool {
	if utf8.RuneStart(key[i]) {
		return false
	}
	for j := i - 1; j >= 0 && j > i-utf8.UTFMax; j-- {
		if utf8.RuneStart(key[j]) {
			_, n := utf8.DecodeRuneInString(key[j:])
			return j+n > i
		}
	}
	return false
}
