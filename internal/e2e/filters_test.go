package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// selected are the keys for the tests of filters.
var selected = []string{
	"2026/a.jpg", "2026/sub/b.png", "cache/x", "d/cache/y.jpg", "logs/20260101/l", "logs/now/l", "old/2026/c.jpg", "t.tmp", "z",
}

// TestFiltersOnEveryPair holds what arrives against lists written by hand.
func TestFiltersOnEveryPair(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "patterns")
	write(t, file, "# all but logs and temporary files\n*.tmp\nlogs/\n+ logs/now/**\n")
	cases := []struct{ args, want string }{
		{"--include *.jpg --include *.png", "2026/a.jpg 2026/sub/b.png d/cache/y.jpg old/2026/c.jpg"},
		{"--exclude cache/ --exclude *.tmp", "2026/a.jpg 2026/sub/b.png logs/20260101/l logs/now/l old/2026/c.jpg z"},
		{"--exclude * --include /2026/**", "2026/a.jpg 2026/sub/b.png"},
		{"--exclude re:^logs/[0-9]{8}/", "2026/a.jpg 2026/sub/b.png cache/x d/cache/y.jpg logs/now/l old/2026/c.jpg t.tmp z"},
		{"--include *.jpg --exclude /old/", "2026/a.jpg d/cache/y.jpg"},
		{"--exclude-from " + file, "2026/a.jpg 2026/sub/b.png cache/x d/cache/y.jpg logs/now/l old/2026/c.jpg z"},
		{"--min-size 11 --max-size 13", "2026/sub/b.png d/cache/y.jpg old/2026/c.jpg"}, // one less than the key has
		{"--newer-than 1h --exclude *", ""},
		{"--older-than 1h", ""},
	}
	l := newPairLab(t)
	l.each(t, func(t *testing.T, u *user, src, empty place) {
		for _, key := range selected {
			src.put(key, strings.Repeat("x", len(key)-1))
		}
		for _, c := range cases {
			dst := l.another(t, empty)
			s := u.sync(append(strings.Fields(c.args), src.String(), dst.String())...)
			wantKeys(t, dst, c.want)
			if n := int64(len(strings.Fields(c.want))); s.Found != n || s.Copied != n {
				t.Errorf("%s: %+v, want %d", c.args, s, n)
			}
		}
	})
}

// TestAgesOnEveryPair selects by a point in time between two writes.
func TestAgesOnEveryPair(t *testing.T) {
	t.Parallel()
	l := newPairLab(t)
	l.each(t, func(t *testing.T, u *user, src, dst place) {
		src.put("before", "b")
		time.Sleep(20 * time.Millisecond) // more than a tick of any clock here
		between := time.Now().UTC().Format(time.RFC3339Nano)
		time.Sleep(20 * time.Millisecond)
		src.put("after", "a")
		u.sync("--newer-than", between, src.String(), dst.String())
		wantKeys(t, dst, "after")
		dst.remove("after")
		u.sync("--older-than", between, src.String(), dst.String())
		wantKeys(t, dst, "before")
		// Nothing of the source is as new; what it holds is not deleted.
		later := time.Now().Add(time.Hour).Format(time.RFC3339)
		dst.put("stray", "only here")
		if s := u.sync("--newer-than", later, "--delete", "--max-delete", "none", src.String(), dst.String()); s.Deleted != 1 {
			t.Errorf("--newer-than with --delete: %+v", s)
		}
		wantKeys(t, dst, "before")
	})
}

// TestFilteredDeletesOnEveryPair: a key that the rules leave out is deleted
// neither because the source lacks it nor because it was not selected.
func TestFilteredDeletesOnEveryPair(t *testing.T) {
	t.Parallel()
	l := newPairLab(t)
	l.each(t, func(t *testing.T, u *user, src, dst place) {
		for _, key := range selected {
			src.put(key, key)
			dst.put(key, key)
		}
		dst.put("extra.jpg", "x")
		dst.put("extra.log", "x")
		both := []string{src.String(), dst.String()}
		all := strings.Join(selected, " ")
		with := func(args ...string) line {
			return u.sync(append(append(args, "--delete", "--max-delete", "none"), both...)...)
		}
		if s := with("--include", "*.jpg"); s.Deleted != 1 {
			t.Errorf("included: %+v", s)
		}
		wantKeys(t, dst, strings.Replace(all, "logs", "extra.log logs", 1))
		if s := with("--max-size", "1"); s.Deleted != 1 { // a size says nothing about the target's keys
			t.Errorf("by size: %+v", s)
		}
		wantKeys(t, dst, all)
		// Under regular expressions only what the task itself wrote may go.
		dst.put("foreign", "x")
		src.put("ours", "x")
		with("--exclude", "re:^logs/")
		src.remove("ours")
		src.remove("logs/now/l")
		if s := with("--exclude", "re:^logs/"); s.Deleted != 1 {
			t.Errorf("under a regular expression: %+v", s)
		}
		wantKeys(t, dst, strings.Replace(all, "logs", "foreign logs", 1))
	})
}
