package filter

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// naive decides by translating each glob into a regular expression.
func naive(rs []Rule, key string) bool {
	in := len(rs) == 0 || !rs[0].Include
	for _, r := range rs {
		if regexp.MustCompile(naiveExpr(r.Pattern)).MatchString(key) {
			in = r.Include
		}
	}
	return in
}

func naiveExpr(glob string) string {
	if e, ok := strings.CutPrefix(glob, "re:"); ok {
		return e
	}
	expr := "(^|/)"
	if strings.HasPrefix(glob, "/") {
		expr, glob = "^", glob[1:]
	}
	if glob == "" || strings.HasSuffix(glob, "/") {
		glob += "**"
	}
	// Mark whole components of ** first, then translate piece by piece. The
	// random sets hold no "/".
	parts := strings.Split(glob, "/")
	for i, part := range parts {
		if parts[i] = part + "/"; i == len(parts)-1 {
			parts[i] = part
		} else if part == "**" {
			parts[i] = "\x01"
		}
	}
	glob = strings.Join(parts, "")
	glob = strings.NewReplacer(
		"\x01", "(.*/)?", "**", ".*", "*", "[^/]*", "?", "[^/]", "[!", "[^/", "[", "[",
		"{", "(", ",", "|", "}", ")", ".", "[.]").Replace(glob)
	return "(?s)" + expr + "(" + glob + ")$"
}

var (
	patternPieces = []string{"a", "b", "ab", ".", "é", "/", "/", "*", "**", "/**/", "?", "[ab]", "[!a]", "[!é]", "[a-é]", "{a,bb}", "{é,.a}", "{a,{b,*.}}"}
	keyPieces     = []string{"a", "b", "ab", ".", "é", "/", "/", "c", "世"}
)

func pick(r *rand.Rand, pieces []string, most int) string {
	var b strings.Builder
	for range r.IntN(most + 1) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

func randomRules(r *rand.Rand) []Rule {
	var rs []Rule
	for range r.IntN(4) {
		p := pick(r, patternPieces, 6)
		if ms, err := compile(p); err != nil || len(ms) == 0 {
			continue // only the empty pattern can be made here
		}
		// Stars that grow together have no counterpart in the naive form.
		if strings.Contains(p, "***") || strings.Contains(p, "*{") {
			continue
		}
		if r.IntN(8) == 0 {
			p = "re:" + regexp.QuoteMeta(pick(r, keyPieces, 3)) + "b?$"
		}
		rs = append(rs, Rule{r.IntN(2) == 0, p})
	}
	return rs
}

func TestKeyAgreesWithNaive(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	matched, total := 0, 0
	for range 4000 {
		rs := randomRules(r)
		f := mustNew(t, Config{Rules: rs})
		for range 12 {
			key := pick(r, keyPieces, 8)
			got, want := f.Key(key), naive(rs, key)
			if got != want {
				t.Fatalf("seed %d: rules %+v: Key(%q) = %v, naive %v", seed, rs, key, got, want)
			}
			if total++; got {
				matched++
			}
		}
	}
	if matched < total/10 || matched > total*9/10 {
		t.Errorf("seed %d: %d of %d keys are in: the test proves little", seed, matched, total)
	}
}

// TestSkipDirNeverHidesAKey: what is below a skipped directory is out.
func TestSkipDirNeverHidesAKey(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	skipped, couldSkip := 0, 0
	for range 4000 {
		rs := randomRules(r)
		f := mustNew(t, Config{Rules: rs})
		dir := pick(r, keyPieces, 5)
		if dir != "" {
			dir += "/"
		}
		skip, any := f.SkipDir(dir), false
		for range 60 {
			if key := dir + pick(r, keyPieces, 6); f.Key(key) {
				any = true
				if skip {
					t.Fatalf("seed %d: rules %+v: SkipDir(%q), but %q is in", seed, rs, dir, key)
				}
			}
		}
		if skip {
			skipped++
		}
		if !any {
			couldSkip++
		}
	}
	if skipped < couldSkip/10 {
		t.Errorf("seed %d: skipped %d of %d directories that hold nothing", seed, skipped, couldSkip)
	}
}

// FuzzPattern: no pattern breaks the compiler or the matcher, and a skipped
// directory holds no key that is in.
func FuzzPattern(f *testing.F) {
	for _, p := range append(patternPieces, "re:a|b", "{a,b", "[z-a]", `\`, "/a/**/b", "\xff*", "{[,}],x}", "a**/b") {
		f.Add(p, "a/", "b/é.txt", false)
		f.Add(p, "", "a\xffb", true)
	}
	f.Fuzz(func(t *testing.T, pattern, dir, rest string, include bool) {
		fl, err := New(Config{Rules: []Rule{{!include, "/x"}, {include, pattern}}})
		if err != nil {
			return
		}
		if dir != "" && !strings.HasSuffix(dir, "/") {
			dir += "/"
		}
		if in := fl.Key(dir + rest); in && fl.SkipDir(dir) {
			t.Fatalf("pattern %q: SkipDir(%q) hides %q", pattern, dir, dir+rest)
		}
	})
}
