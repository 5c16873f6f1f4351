package filter

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	maxPattern      = 4096 // bytes; four times the longest key of a store
	maxAlternatives = 1000 // that {a,b} may multiply to
)

// compile reads one pattern; alternatives become matchers of their own. Its
// errors name the pattern.
func compile(pattern string) ([]matcher, error) {
	ms, err := compileAll(pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", clip(pattern), err)
	}
	return ms, nil
}

func compileAll(pattern string) ([]matcher, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("is longer than %d bytes", maxPattern)
	}
	if expr, ok := strings.CutPrefix(pattern, "re:"); ok {
		if expr == "" {
			return nil, errors.New("the expression is empty")
		}
		re, err := regexp.Compile(expr)
		if err != nil {
			return nil, err
		}
		return []matcher{{kind: matchRegexp, re: re}}, nil
	}
	globs, err := expand(pattern)
	if err != nil {
		return nil, err
	}
	ms := make([]matcher, len(globs))
	for i, g := range globs {
		toks, err := tokens(g)
		if err != nil {
			return nil, err
		}
		ms[i] = simplify(toks)
	}
	return ms, nil
}

// expand writes out all alternatives of a glob.
func expand(glob string) ([]string, error) {
	open, err := find(glob, 0, "{")
	if err != nil || open < 0 {
		return []string{glob}, err
	}
	var heads []string
	at := open
	for glob[at] != '}' {
		next, err := find(glob, at+1, ",}")
		if err != nil {
			return nil, err
		}
		if next < 0 {
			return nil, errors.New("a { has no }; for the character write \\{")
		}
		alts, err := expand(glob[at+1 : next])
		if err != nil {
			return nil, err
		}
		if heads = append(heads, alts...); len(heads) > maxAlternatives {
			return nil, tooMany()
		}
		at = next
	}
	tails, err := expand(glob[at+1:])
	if err != nil {
		return nil, err
	}
	if len(heads)*len(tails) > maxAlternatives {
		return nil, tooMany()
	}
	all := make([]string, 0, len(heads)*len(tails))
	for _, h := range heads {
		for _, t := range tails {
			all = append(all, glob[:open]+h+t)
		}
	}
	return all, nil
}

func tooMany() error { return fmt.Errorf("has more than %d alternatives", maxAlternatives) }

// find returns the first place at or after i of one of the characters of
// wanted that is not escaped, not in a [set] and not in braces opened after i;
// -1 if there is none.
func find(glob string, i int, wanted string) (int, error) {
	depth := 0
	for ; i < len(glob); i++ {
		c := glob[i]
		switch {
		case c == '\\':
			i++
		case c == '[':
			end, _, err := parseClass(glob, i)
			if err != nil {
				return 0, err
			}
			i = end - 1
		case depth == 0 && strings.IndexByte(wanted, c) >= 0:
			return i, nil
		case c == '{':
			depth++
		case c == '}' && depth > 0:
			depth--
		}
	}
	return -1, nil
}

// tokens reads a glob that has no alternatives left.
func tokens(glob string) ([]token, error) {
	if glob == "" {
		return nil, errors.New("is empty; all keys are **")
	}
	var toks []token
	if glob[0] == '/' {
		glob = glob[1:]
	} else {
		toks = append(toks, token{op: tokDirs})
	}
	var lit []byte
	flush := func() {
		if len(lit) > 0 {
			toks = append(toks, token{op: tokLit, lit: string(lit)})
			lit = nil
		}
	}
	for i := 0; i < len(glob); {
		switch c := glob[i]; c {
		case '*':
			n := i
			for i < len(glob) && glob[i] == '*' {
				i++
			}
			first := n == 0 || glob[n-1] == '/'
			flush()
			switch {
			case i-n == 1:
				toks = append(toks, token{op: tokStar})
			case first && i < len(glob) && glob[i] == '/':
				toks = append(toks, token{op: tokDirs})
				i++
			default:
				toks = append(toks, token{op: tokAny})
			}
		case '?':
			flush()
			toks = append(toks, token{op: tokOne})
			i++
		case '[':
			flush()
			end, cl, err := parseClass(glob, i)
			if err != nil {
				return nil, err
			}
			toks = append(toks, token{op: tokClass, class: cl})
			i = end
		case '\\':
			if i++; i == len(glob) {
				return nil, errors.New("ends in a lone \\; for the character write \\\\")
			}
			fallthrough
		default:
			lit = append(lit, glob[i])
			i++
		}
	}
	flush()
	if endsInSlash(toks) {
		toks = append(toks, token{op: tokAny})
	}
	return dropIdle(toks), nil
}

// endsInSlash tells whether a glob means what is below a directory: it ends in
// "/", or nothing is left of it behind the "/" that anchors it.
func endsInSlash(toks []token) bool {
	if len(toks) == 0 {
		return true
	}
	last := toks[len(toks)-1]
	return last.op == tokDirs || last.op == tokLit && strings.HasSuffix(last.lit, "/")
}

// dropIdle removes directories tokens before another one or before a **.
func dropIdle(toks []token) []token {
	kept := toks[:0]
	for i, t := range toks {
		if t.op != tokDirs || i+1 == len(toks) || toks[i+1].op < tokAny {
			kept = append(kept, t)
		}
	}
	return kept
}

// parseClass reads the set that begins at glob[i] and returns where it ends.
func parseClass(glob string, i int) (end int, c class, err error) {
	i++
	if i < len(glob) && (glob[i] == '!' || glob[i] == '^') {
		c.negated = true
		i++
	}
	for first := true; i < len(glob) && (first || glob[i] != ']'); first = false {
		var lo, hi rune
		if lo, i, err = classRune(glob, i); err != nil {
			return 0, c, err
		}
		hi = lo
		if i+1 < len(glob) && glob[i] == '-' && glob[i+1] != ']' {
			if hi, i, err = classRune(glob, i+1); err != nil {
				return 0, c, err
			}
		}
		if hi < lo {
			return 0, c, fmt.Errorf("the range %c-%c runs backwards", lo, hi)
		}
		c.ranges = append(c.ranges, lo, hi)
	}
	if i >= len(glob) {
		return 0, c, errors.New("a [ has no ]; for the character write \\[")
	}
	return i + 1, c, nil
}

func classRune(glob string, i int) (rune, int, error) {
	if glob[i] == '\\' && i+1 < len(glob) {
		i++
	}
	r, n := utf8.DecodeRuneInString(glob[i:])
	if r == utf8.RuneError && n == 1 {
		return 0, 0, errors.New("a [set] holds a byte that is not UTF-8")
	}
	return r, i + n, nil
}

// simplify finds the patterns that need no token machine.
func simplify(toks []token) matcher {
	shape := make([]byte, len(toks))
	lit := ""
	for i, t := range toks {
		shape[i] = "l?[*ad"[t.op]
		if t.op == tokLit {
			lit = t.lit
		}
	}
	switch string(shape) {
	case "a", "d*":
		return matcher{kind: matchAll}
	case "l":
		return matcher{kind: matchExact, lit: lit}
	case "dl":
		return matcher{kind: matchTail, lit: lit}
	case "la":
		return matcher{kind: matchPrefix, lit: lit}
	case "dla":
		return matcher{kind: matchAtAny, lit: "/" + lit}
	case "al":
		return matcher{kind: matchSuffix, lit: lit}
	case "d*l":
		if !strings.Contains(lit, "/") {
			return matcher{kind: matchSuffix, lit: lit}
		}
	}
	return matcher{kind: matchGlob, toks: toks}
}
