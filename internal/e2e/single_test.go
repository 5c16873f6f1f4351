package e2e

import (
	"strings"
	"testing"
)

// TestOneObjectOnEveryPair copies a source that is one file or one object: into
// a directory, under another name, and into a directory that is to be.
func TestOneObjectOnEveryPair(t *testing.T) {
	t.Parallel()
	l := newPairLab(t)
	l.each(t, func(t *testing.T, u *user, src, dst place) {
		src.put("a", "A")
		src.put("a-b", "not asked for")
		src.put("d/b", "B")
		dst.put("there", "stays")
		from, to := src.String()+"/", dst.String()
		for _, c := range []struct{ src, dst, makes string }{
			{"a", to, "a"},
			{"d/b", to + "/sub/", "sub/b"},
			{"a", to + "/renamed", "renamed"},
		} {
			if s := u.sync(from+c.src, c.dst); s.Found != 1 || s.Copied != 1 {
				t.Errorf("%s to %s: %+v", c.src, c.dst, s)
			}
			if got, want := dst.files()[c.makes], strings.ToUpper(c.src[len(c.src)-1:]); got != want {
				t.Errorf("%s holds %q, want %q", c.makes, got, want)
			}
			if s := u.sync(from+c.src, c.dst); s.Found != 1 || s.Skipped != 1 {
				t.Errorf("%s to %s again: %+v", c.src, c.dst, s)
			}
		}
		wantKeys(t, dst, "a renamed sub/b there")
		src.put("a", "A, changed")
		if s := u.sync(from+"a", to); s.Copied != 1 {
			t.Errorf("changed: %+v", s)
		}
		if got := dst.files()["a"]; got != "A, changed" {
			t.Errorf("a holds %q", got)
		}
		// --delete speaks of that one object, whatever else is there.
		u.sync("--delete", "--max-delete", "none", from+"a", to)
		wantKeys(t, dst, "a renamed sub/b there")
		// Without a "/" behind it "nothing" could be a prefix of no objects.
		u.run("sync", "--delete", from+"nothing", to)
		wantKeys(t, dst, "a renamed sub/b there")
	})
}
