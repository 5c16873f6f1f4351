package filter

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// rules reads "+pattern -pattern …".
func rules(s string) []Rule {
	var rs []Rule
	for _, w := range strings.Fields(s) {
		rs = append(rs, Rule{w[0] == '+', w[1:]})
	}
	return rs
}

func TestLastMatchWinsAndFirstRuleIsDefault(t *testing.T) {
	for _, c := range []struct{ rules, in, out string }{
		{"", "a|b/c", ""},
		{"+*.jpg", "a.jpg", "a.txt"},
		{"-*.tmp", "a.txt", "a.tmp"},
		{"+*.jpg -secret.jpg", "a.jpg", "secret.jpg|a.txt"},
		{"-*.tmp +keep.tmp", "a.txt|keep.tmp", "a.tmp"},
		{"+keep.tmp -*.tmp", "", "keep.tmp|a.txt"},
		{"-* +*.jpg", "a.jpg", "a.txt"},
		{"+*.jpg -*", "", "a.jpg|b"},
		{"-a/ +a/b/ -a/b/c", "x|a/b/d", "a/x|a/b/c"},
		{"+{a,b} -b", "a", "b|c"},
	} {
		f := mustNew(t, Config{Rules: rules(c.rules)})
		for i, keys := range []string{c.out, c.in} {
			for _, k := range strings.Split(keys, "|") {
				if keys != "" && f.Key(k) != (i == 1) {
					t.Errorf("rules %q: Key(%q) = %v", c.rules, k, f.Key(k))
				}
			}
		}
	}
}

func TestObject(t *testing.T) {
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	size := Config{MinSize: 10, MaxSize: 20}
	age := Config{NewerThan: day, OlderThan: day.AddDate(0, 0, 1)}
	for _, c := range []struct {
		name string
		cfg  Config
		o    storage.Object
		want bool
	}{
		{"nothing asked", Config{}, storage.Object{Key: "a"}, true},
		{"-1 is no bound", Config{MinSize: -1, MaxSize: -1}, storage.Object{Key: "a", Size: 5}, true},
		{"smallest", size, storage.Object{Size: 10}, true},
		{"too small", size, storage.Object{Size: 9}, false},
		{"largest", size, storage.Object{Size: 20}, true},
		{"too large", size, storage.Object{Size: 21}, false},
		{"a directory has no size", size, storage.Object{Key: "d/", Kind: storage.KindDir}, true},
		{"a link has no size", size, storage.Object{Key: "l", Kind: storage.KindSymlink}, true},
		{"at the older end", age, storage.Object{ModTime: day}, true},
		{"before it", age, storage.Object{ModTime: day.Add(-1)}, false},
		{"before the newer end", age, storage.Object{ModTime: age.OlderThan.Add(-1)}, true},
		{"at the newer end", age, storage.Object{ModTime: age.OlderThan}, false},
		{"a link has a time", age, storage.Object{Kind: storage.KindSymlink}, false},
		{"key rules hold", Config{Rules: rules("-a")}, storage.Object{Key: "a"}, false},
		{"key and size", Config{Rules: rules("+a"), MinSize: 1}, storage.Object{Key: "a"}, false},
		{"unreadable, may hold some", Config{Rules: rules("+*.jpg"), MinSize: 1, NewerThan: day},
			storage.Object{Key: "d/", Kind: storage.KindUnreadable}, true},
		{"unreadable, left out anyway", Config{Rules: rules("-d/")},
			storage.Object{Key: "d/", Kind: storage.KindUnreadable}, false},
	} {
		f := mustNew(t, c.cfg)
		if got := f.Object(&c.o); got != c.want {
			t.Errorf("%s: Object = %v", c.name, got)
		}
	}
}

// TestDeletesSeeNoSizesAndTimes: Key must not depend on them.
func TestDeletesSeeNoSizesAndTimes(t *testing.T) {
	f := mustNew(t, Config{MinSize: 1, MaxSize: 2, NewerThan: time.Now(), OlderThan: time.Now().Add(time.Hour)})
	if !f.Key("a") || f.SkipDir("a/") || f.Empty() {
		t.Error("bounds on size or time leave keys out")
	}
}

func TestImpossibleBounds(t *testing.T) {
	now := time.Unix(1e9, 0).UTC()
	for want, c := range map[string]Config{
		"no object can be at least 2 and at most 1 bytes":                                      {MinSize: 2, MaxSize: 1},
		"no object can be newer than 2001-09-09T01:46:40Z and older than 2001-09-09T01:46:40Z": {NewerThan: now, OlderThan: now},
	} {
		if _, err := New(c); err == nil || err.Error() != want {
			t.Errorf("New: %v, want %q", err, want)
		}
	}
}

func TestSkipDir(t *testing.T) {
	for _, c := range []struct{ rules, skip, enter string }{
		{"", "", "|a/"},
		{"-a/", "a/|x/a/|a/b/|a", "|b/|ab/|x/"},
		{"-/a/", "a/|a/b/", "|x/a/|b/"},
		{"-*", "|a/|a/b/", ""},
		{"+*.jpg", "", "|a/"},
		{"+/2026/", "2025/|20/|2026x/|x/2026/", "|2026/|2026/01/"},
		{"+/a/b.txt", "b/|a/b/|a/b.txt/", "|a/"},
		{"+/a/*/c/", "b/|a/x/d/", "|a/|a/x/|a/x/c/|a/x/c/d/"},
		{"+/a/**/c", "b/", "|a/|a/x/y/"},
		{"+/a*/", "b/|ba/", "|a/|ab/x/"},
		{"+/a/ -/a/b/", "b/|a/b/|a/b/c/", "|a/|a/c/"},
		{"-/a/ +/a/b/c", "a/c/|a/b/d/", "|a/|a/b/|b/"},
		{"-/a/ +keep", "", "a/|b/"},
		{"+*.jpg -tmp/", "tmp/|x/tmp/y/", "x/|tmpx/"},
		{"+/x/ -*.jpg", "y/", "x/"},
		{"-t*p/", "tmp/|a/tp/|tmp/x/", "t/|tmpx/"},
		{"-re:^a/", "", "a/|b/"},
		{"+re:^a/", "", "a/|b/"},
		{"+*.jpg -re:x -/a/", "a/", "b/"},
	} {
		f := mustNew(t, Config{Rules: rules(c.rules)})
		for i, dirs := range []string{c.enter, c.skip} {
			for _, d := range strings.Split(dirs, "|") {
				if (dirs != "" || c.skip == "" && i == 0) && f.SkipDir(d) != (i == 1) {
					t.Errorf("rules %q: SkipDir(%q) = %v", c.rules, d, f.SkipDir(d))
				}
			}
		}
	}
}

func TestCanonical(t *testing.T) {
	at := time.Date(2026, 1, 2, 5, 4, 5, 6, time.FixedZone("x", 3600))
	c := Config{Rules: []Rule{{true, "a\xff\"é"}, {false, "b c"}}, MinSize: 1, MaxSize: 2, NewerThan: at, OlderThan: at.Add(1)}
	want := `+"a\xff\"\u00e9" -"b c" min=1 max=2 newer=2026-01-02T04:04:05.000000006Z older=2026-01-02T04:04:05.000000007Z`
	if got := mustNew(t, c).Canonical(); got != want {
		t.Errorf("Canonical() = %s", got)
	}
	for _, c := range []Config{{}, {MinSize: -1, MaxSize: -1}, {MinSize: 0}} {
		if f := mustNew(t, c); !f.Empty() || f.Canonical() != "" {
			t.Errorf("%+v: Empty %v, Canonical %q", c, f.Empty(), f.Canonical())
		}
	}
	seen := map[string]bool{}
	for _, c := range []Config{{Rules: rules("+a")}, {Rules: rules("-a")}, {Rules: rules("+a +b")}, {Rules: rules("+b +a")},
		{MinSize: 1}, {MaxSize: 1}, {NewerThan: at}, {OlderThan: at}} {
		f := mustNew(t, c)
		if s := f.Canonical(); s == "" || seen[s] || f.Empty() {
			t.Errorf("%+v: Canonical %q is not its own", c, s)
		} else {
			seen[s] = true
		}
	}
}

func TestHasRegexp(t *testing.T) {
	if mustNew(t, Config{Rules: rules("+a -b")}).HasRegexp() {
		t.Error("globs count as regular expressions")
	}
	if !mustNew(t, Config{Rules: rules("+a -re:b +c")}).HasRegexp() {
		t.Error("a regular expression is not seen")
	}
}

// TestRulesAreCopied: the caller may reuse its slice.
func TestRulesAreCopied(t *testing.T) {
	rs := rules("+a")
	f := mustNew(t, Config{Rules: rs})
	rs[0] = Rule{false, "b"}
	if got := f.Canonical(); got != `+"a"` {
		t.Errorf("Canonical() = %s after the caller changed its rules", got)
	}
}
