package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/internal/servertest"
)

// TestDryRunOnEveryPair: it says what a sync would do, in words and as a diff
// of two places, and changes nothing: neither end, and no state.
func TestDryRunOnEveryPair(t *testing.T) {
	t.Parallel()
	l := newPairLab(t)
	l.each(t, func(t *testing.T, u *user, src, dst place) {
		for _, key := range []string{"same", "d/changed", "a/b", "a-b"} {
			src.put(key, "one")
		}
		helper := newUser(t, u.env[len(u.env)-2:]...)
		helper.sync(src.String(), dst.String())
		src.put("d/changed", "two, longer")
		src.put("new\nline", "new")
		src.put("a0", "new")
		dst.put("extra/deep", "only here")
		before := [2]map[string]string{src.stamps(), dst.stamps()}

		text := u.ok("sync", "--dry-run", "--delete", src.String(), dst.String()).out
		for _, says := range []string{
			"copy   a0 (absent, 3 B)", `copy   "new\nline" (absent, 3 B)`, "update d/changed (size", "delete extra/deep (",
			"dry run: 3 of 6 objects would be copied (17 B), 1 deleted; nothing was changed",
		} {
			if !strings.Contains(text, says) {
				t.Errorf("the words lack %q:\n%s", says, text)
			}
		}
		if n := strings.Count(text, "\n"); n != 5 {
			t.Errorf("%d lines, want 5:\n%s", n, text)
		}
		diffs, sum := dryJSON(t, u, "--delete", src.String(), dst.String())
		want := []string{"copy a0", "copy new\nline", "delete extra/deep", "update d/changed"}
		if !slices.Equal(diffs, want) || sum.Found != 6 || sum.Pending != 3 || sum.Skipped != 3 || sum.Deleted != 1 || sum.Copied != 0 {
			t.Errorf("differences %q, want %q; %+v", diffs, want, sum)
		}
		if diffs, _ = dryJSON(t, u, "--exclude", "d/", "--include", "/d/x", src.String(), dst.String()); !slices.Equal(diffs, want[:2]) {
			t.Errorf("with filters: %q", diffs)
		}
		after := [2]map[string]string{src.stamps(), dst.stamps()}
		for i, side := range []string{"source", "target"} {
			if !maps.Equal(before[i], after[i]) {
				t.Errorf("the %s was changed:\n%v\n%v", side, before[i], after[i])
			}
		}
		if _, err := os.Stat(u.state()); !os.IsNotExist(err) {
			t.Errorf("there is a state directory: %v", err)
		}
	})
}

// dryJSON runs a dry run and returns its differences as "op key" and the summary.
func dryJSON(t *testing.T, u *user, args ...string) (diffs []string, sum line) {
	t.Helper()
	out := u.ok(append([]string{"sync", "--dry-run", "--json"}, args...)...).out
	for _, s := range strings.Split(strings.TrimSpace(out), "\n") {
		var d struct {
			line
			SourceSize, TargetSize   *int64
			SourceMTime, TargetMTime *string
		}
		s = strings.NewReplacer("source_size", "SourceSize", "target_size", "TargetSize", "source_mtime", "SourceMTime", "target_mtime", "TargetMTime").Replace(s)
		if err := json.Unmarshal([]byte(s), &d); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if d.Type != "difference" {
			sum = d.line
			continue
		}
		diffs = append(diffs, d.Op+" "+d.Key)
		if (d.SourceSize == nil) != (d.Op == "delete") || (d.TargetSize == nil) != (d.Op == "copy") ||
			(d.SourceMTime == nil) != (d.Op == "delete") || (d.TargetMTime == nil) != (d.Op == "copy") || d.Reason == "" {
			t.Errorf("a difference does not show both sides: %s", s)
		}
	}
	if sum.Type != "summary" || sum.State != "dry-run" || sum.Found != sum.Copied+sum.Skipped+sum.Pending+sum.Failed {
		t.Errorf("the last line is no summary: %+v", sum)
	}
	slices.Sort(diffs)
	return diffs, sum
}

// TestDryRunMakesNoTarget: a directory or bucket that is not there is an empty
// one, and stays so.
func TestDryRunMakesNoTarget(t *testing.T) {
	t.Parallel()
	server := servertest.MinIO(t)
	u := newUser(t, endpointEnv("STORE", server.URL, server))
	src, dir := t.TempDir(), filepath.Join(t.TempDir(), "new", "target")
	write(t, filepath.Join(src, "a"), "A")
	for _, args := range [][]string{{src, dir}, {"--delete", src, dir}, {"--create-bucket", src, "store://new-bucket"}} {
		r := u.run(append([]string{"sync", "--dry-run"}, args...)...)
		if r.code != 0 || !strings.HasPrefix(r.out, "copy   a (absent, 1 B)\n") {
			t.Errorf("%q: exit %d:\n%s%s", args, r.code, r.out, r.errOut)
		}
	}
	if _, err := os.Stat(filepath.Dir(dir)); !os.IsNotExist(err) {
		t.Errorf("the target was made: %v", err)
	}
	if ok, err := newStore(t, server).BucketExists(t.Context(), "new-bucket"); ok || err != nil {
		t.Errorf("the bucket was made: %t, %v", ok, err)
	}
}

// TestDeleteCapOnEveryPair: over the cap nothing goes, under it exactly what
// the source lacks.
func TestDeleteCapOnEveryPair(t *testing.T) {
	t.Parallel()
	l := newPairLab(t)
	l.each(t, func(t *testing.T, u *user, src, dst place) {
		for i := range 120 {
			src.put(fmt.Sprintf("d%d/f%03d", i%3, i), fmt.Sprint(i))
		}
		both := []string{src.String(), dst.String()}
		u.sync(both...)
		for i := range 13 { // of 133: less than 10 %
			dst.put(fmt.Sprintf("extra/%02d", i), "x")
		}
		if s := u.sync(append([]string{"--delete"}, both...)...); s.Deleted != 13 {
			t.Errorf("under the cap: %+v", s)
		}
		wantSame(t, src, dst)
		for i := range 14 { // of 134: more
			dst.put(fmt.Sprintf("extra/%02d", i), "x")
		}
		for _, max := range []string{"", "13", "5%"} {
			args := []string{"sync", "--json", "--delete"}
			if max != "" {
				args = append(args, "--max-delete", max)
			}
			r := u.run(append(args, both...)...)
			all := lines(t, r.out)
			if s := all[len(all)-1]; r.code != 1 || s.Deleted != 0 || s.State != "halted" || !strings.Contains(r.errOut, "--max-delete") {
				t.Errorf("--max-delete %q: exit %d, %+v, %s", max, r.code, s, r.errOut)
			}
		}
		if n := len(dst.files()); n != 134 {
			t.Errorf("over the cap %d of 134 objects are left", n)
		}
		if s := u.sync(append([]string{"--delete", "--max-delete", "14"}, both...)...); s.Deleted != 14 {
			t.Errorf("with a higher cap: %+v", s)
		}
		wantSame(t, src, dst)
	})
}
