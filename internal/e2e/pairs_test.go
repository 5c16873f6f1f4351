package e2e

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/internal/servertest"
)

// TestCopyOnceOnEveryPair: a first copy brings everything, a second nothing, a
// third without state nothing either; then only what changed moves.
func TestCopyOnceOnEveryPair(t *testing.T) {
	t.Parallel()
	l := newPairLab(t)
	l.each(t, func(t *testing.T, u *user, src, dst place) {
		fill(src, 20)
		var large strings.Builder
		_, _ = io.Copy(&large, pattern(1, 11<<20))
		src.put("large", large.String())
		src.put("empty", "")
		args := append(append([]string{}, inParts...), src.String(), dst.String())
		if s := u.sync(args...); s.Found != 22 || s.Copied != 22 || s.Unvouched != 0 {
			t.Errorf("first: %+v", s)
		}
		wantSame(t, src, dst)
		if s := u.sync(args...); s.Found != 22 || s.Skipped != 22 {
			t.Errorf("again: %+v", s)
		}
		u.ok("forget", src.String(), dst.String())
		if s := u.sync(args...); s.Found != 22 || s.Skipped != 22 || s.Resumed {
			t.Errorf("without state: %+v", s)
		}
		if err := os.RemoveAll(u.state()); err != nil {
			t.Fatal(err)
		}
		src.put("k0003", "changed")
		src.put("new", "new")
		if s := u.sync(args...); s.Found != 23 || s.Copied != 2 {
			t.Errorf("two changed, without state: %+v", s)
		}
		wantSame(t, src, dst)
	})
}

// TestProvidersOnMinIO speaks to one server as to stores of other providers.
func TestProvidersOnMinIO(t *testing.T) {
	t.Parallel()
	server := servertest.MinIO(t)
	src := t.TempDir()
	sampleTree(t, src, 3, 10)
	writePattern(t, filepath.Join(src, "large"), 1, 11<<20)
	for _, provider := range []string{"minio", "s3", "aws", "ceph", "jrss"} {
		t.Run(provider, func(t *testing.T) {
			u := newUser(t, strings.Replace(endpointEnv("STORE", server.URL, server), "=minio+", "="+provider+"+", 1))
			there, back := "store://"+server.Bucket(t)+"/in", t.TempDir()
			for _, leg := range [][]string{{src, there}, {there, back}} {
				if s := u.sync(append(inParts, leg...)...); s.Copied != 31 {
					t.Errorf("%q: %+v", leg, s)
				}
				if s := u.sync(append(inParts, leg...)...); s.Skipped != 31 {
					t.Errorf("%q again: %+v", leg, s)
				}
			}
			sameTree(t, src, back)
		})
	}
}
