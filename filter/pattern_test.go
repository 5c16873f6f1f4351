package filter

import (
	"strings"
	"testing"
)

// TestPatterns holds what a single pattern matches and what it does not.
func TestPatterns(t *testing.T) {
	for _, c := range []struct{ pattern, yes, no string }{
		// a base name at any depth
		{"a.txt", "a.txt|x/a.txt|x/y/a.txt", "a.txt/b|ba.txt|a.txtb|A.txt||xa.txt/"},
		{"*.jpg", ".jpg|a.jpg|x/a.jpg|x.d/y/.jpg", "a.jpg/b|a.jpeg|a.jpg/|jpg"},
		{"*", "|a|a/b|a/", ""},
		{"IMG_*.jpg", "IMG_.jpg|IMG_1.jpg|d/IMG_2.jpg", "IMG_1/2.jpg|xIMG_1.jpg|IMG_1.jpg/x"},
		{"a?c", "abc|x/abc|aéc|a\xffc|a c", "ac|abbc|a/c|abc/|a\xff\xffc"},
		{"[a-c]x", "ax|bx|d/cx", "dx|x|[a-c]x|aax"},
		{"[!a-c]x", "dx|éx|\xffx|a/dx|-x", "ax|x|a/x|/x"},
		{"[^a]", "b|a/b", "a|ab|/"},
		{"[]x]", "]|x", "a|[]x]"},
		{"[a-]", "a|-", "b"},
		{`[\]-a]`, "]|^|a", "b|\\"},
		{"[é-í]", "ê|x/é", "e|\xc3|\xa9"},
		{"*[!é]", "e|xé1", "é|xé"},
		{"*\xa9", "\xa9|é", "e"},
		// components
		{"a/b.txt", "a/b.txt|x/a/b.txt", "b.txt|xa/b.txt|a/b.txt/|a/x/b.txt"},
		{"a/*/c", "a/b/c|a//c|x/a/b/c", "a/c|a/b/b/c"},
		{"/a.txt", "a.txt", "x/a.txt|/a.txt"},
		{"//a.txt", "/a.txt", "a.txt|x/a.txt"},
		{"/*.txt", "a.txt|.txt", "x/a.txt"},
		{"/a/*", "a/|a/b", "a|a/b/c|x/a/b"},
		// directories
		{"cache/", "cache/|cache/a|x/cache/a/b", "cache|x/cache|xcache/a|cachex/a"},
		{"/cache/", "cache/|cache/a/b", "cache|x/cache/a"},
		{"c*e/", "cache/a|ce/|x/cace/a/b", "cache|c/e"},
		{"/a/*/", "a/b/|a/b/c|a//", "a/|a/b|x/a/b/c"},
		{"/", "|a|a/b|/", ""},
		// across components
		{"**", "|a|a/b|a/b/", ""},
		{"**/", "|a/|a/b", ""},
		{"**.jpg", "a.jpg|a/b.jpg|.jpg", "a.jpg/b"},
		{"/a**.jpg", "a.jpg|ab/c.jpg|a/.jpg", "x/a.jpg|.jpg"},
		{"a**", "a|ab|a/b|x/a/b|x/ab/c", "xa/b|ba"},
		{"/a/**", "a/|a/b/c", "a|x/a/b"},
		{"/a/**/b", "a/b|a/x/b|a/x/y/b|a//b", "a/xb|b|x/a/b|a/b/c"},
		{"/**/b", "b|x/b|x/y/b", "xb|x/yb"},
		{"a/**/**/b", "a/b|a/x/b|q/a/x/y/b", "ab"},
		{"/**a/b", "a/b|xa/b|x/y/za/b", "b|a/x/b"},
		{"/a***b", "ab|a/x/b|axb", "ba"},
		{"/a*b**c*d", "abcd|axb/y/cd|abczd", "a/bcd|abc/d|abd"},
		{"/*ab*cd", "abcd|xabab_cd|ababcd", "ab/cd|abc"},
		{"/**/x/*/y", "x/a/y|x/x/y|x/x/x/y|a/x/b/y", "x/y|x/a/b/y"},
		// alternatives
		{"*.{jpg,png}", "a.jpg|x/a.png", "a.gif|a.{jpg,png}|a.jpgpng"},
		{"{a,b/c}", "a|x/a|b/c|x/b/c", "c|b|{a,b/c}"},
		{"{/a,b}", "a|b|x/b", "x/a"},
		{"a{b,{c,d}e}f", "abf|acef|adef", "af|abef|acf"},
		{"a{,b}", "a|ab", "abb"},
		{"{a}", "a", "{a}"},
		{"{[,}],x}", ",|}|x", "{"},
		{"a,b}", "a,b}", "a|b"},
		{`{a\,b,c}`, "a,b|c", "a|b"},
		// the characters themselves
		{`\*`, "*|x/*", "a|"},
		{`\{a,b\}`, "{a,b}", "a|b"},
		{`a\\b`, `a\b`, "ab"},
		{`[[]`, "[", "]"},
		{"#x ", "#x ", "#x"},
		// regular expressions
		{"re:^a.c$", "abc|a/c|a\xffc", "xabc|abcd"},
		{"re:b", "abc|b|x/b/y", "a"},
		{`re:\.(jpg|png)$`, "a.jpg|x/.png", "a.jpg2"},
		{`re:\x{FFFD}`, "\xff|a\xc3", "é"},
	} {
		f := mustNew(t, Config{Rules: []Rule{{true, c.pattern}}})
		for _, key := range strings.Split(c.yes, "|") {
			if c.yes != "" && !f.Key(key) {
				t.Errorf("%q does not match %q", c.pattern, key)
			}
		}
		for _, key := range strings.Split(c.no, "|") {
			if c.no != "" && f.Key(key) {
				t.Errorf("%q matches %q", c.pattern, key)
			}
		}
	}
}

func TestPatternErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                                      "is empty",
		"{,a}":                                  "is empty",
		"a{b":                                   "has no }",
		"{a,{b}":                                "has no }",
		"[a":                                    "has no ]",
		"[]":                                    "has no ]",
		"{[a,b}":                                "has no ]",
		"[z-a]":                                 "runs backwards",
		"[\xff]":                                "not UTF-8",
		`a\`:                                    "lone",
		"re:":                                   "empty",
		"re:(":                                  "missing closing",
		"re:\xff":                               "UTF-8",
		strings.Repeat("a", 5000):               "longer than",
		strings.Repeat("{a,b}", 11):             "alternatives",
		"{" + strings.Repeat("a,", 1000) + "b}": "alternatives",
		"{" + strings.Repeat("a,", 40) + "}{" + strings.Repeat("a,", 40) + "b}": "alternatives",
	} {
		_, err := New(Config{Rules: []Rule{{false, pattern}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("pattern %.40q: error %v does not say %q", pattern, err, want)
		} else if !strings.HasPrefix(err.Error(), "pattern \"") {
			t.Errorf("error %q does not name the pattern", err)
		}
	}
}

// TestSimplePatternsNeedNoTokens keeps the common forms on the quick path.
func TestSimplePatternsNeedNoTokens(t *testing.T) {
	for pattern, want := range map[string]matchKind{
		"**": matchAll, "/": matchAll, "*": matchAll, "/**": matchAll,
		"/a/b": matchExact, "a": matchTail, "a/b": matchTail,
		"/a/": matchPrefix, "/a**": matchPrefix, "/a/**": matchPrefix,
		"a/": matchAtAny, "a/**": matchAtAny,
		"*.jpg": matchSuffix, "**.jpg": matchSuffix, "**x/y": matchSuffix,
		"*/x": matchGlob, "a*": matchGlob, "re:a": matchRegexp,
	} {
		ms, err := compile(pattern)
		if err != nil || len(ms) != 1 || ms[0].kind != want {
			t.Errorf("compile(%q) = %+v, %v; want kind %d", pattern, ms, err, want)
		}
	}
}

func mustNew(t testing.TB, c Config) *Filter {
	t.Helper()
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
