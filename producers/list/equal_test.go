package list

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

var (
	aStore  = storage.Features{ETagIsMD5: true, CheapRanges: true}
	noMD5   = storage.Features{CheapRanges: true}
	aTree   = storage.Features{FileTree: true, MTimeGrain: 1}
	fatTree = storage.Features{FileTree: true, MTimeGrain: 2 * time.Second}
)

func at(d time.Duration) time.Time { return time.Unix(1e9, 0).UTC().Add(d) }

func obj(size int64, etag string, t time.Duration) *storage.Object {
	return &storage.Object{Key: "k", Size: size, ETag: etag, ModTime: at(t)}
}

func kind(k storage.Kind, o *storage.Object) *storage.Object {
	o.Kind = k
	return o
}

func TestCompare(t *testing.T) {
	a, b := md5Of(10), md5Of(11)
	for _, tc := range []struct {
		name     string
		src, dst storage.Features
		rule     Rule
		s, d     *storage.Object
		want     verdict
		why      reason
	}{
		{"absent", aStore, aStore, Rule{}, obj(1, a, 0), nil, differs, diffAbsent},
		{"absent, existing", aStore, aStore, Rule{Existing: true}, obj(1, a, 0), nil, equal, skipAbsent},
		{"size", aStore, aStore, Rule{}, obj(1, a, 0), obj(2, a, 0), differs, diffSize},
		{"md5 equal", aStore, aStore, Rule{}, obj(1, a, 0), obj(1, a, 9), equal, skipEqual},
		{"md5 in capitals", aStore, aStore, Rule{}, obj(1, a, 0), obj(1, strings.ToUpper(a), 9), equal, skipEqual},
		{"md5 differs", aStore, aStore, Rule{}, obj(1, a, 0), obj(1, b, 0), differs, diffChecksum},
		{"no md5s here", aStore, noMD5, Rule{}, obj(1, a, 0), obj(1, a, 0), unknown, diffTime},
		{"composite", aStore, aStore, Rule{}, obj(1, a+"-2", 0), obj(1, a+"-2", 0), unknown, diffTime},
		{"file to store", aTree, aStore, Rule{}, obj(1, "", 0), obj(1, a, 0), unknown, diffTime},
		{"store to file, same second", aStore, aTree, Rule{}, obj(1, a, 0), obj(1, "", 999*time.Millisecond), equal, skipEqual},
		{"store to file, other time", aStore, aTree, Rule{}, obj(1, a, 0), obj(1, "", time.Second), unknown, diffTime},
		{"file to file", aTree, aTree, Rule{}, obj(1, "", 0), obj(1, "", 0), equal, skipEqual},
		{"file to file, a nanosecond", aTree, aTree, Rule{}, obj(1, "", 0), obj(1, "", 1), differs, diffTime},
		{"file to coarse file", aTree, fatTree, Rule{}, obj(1, "", 0), obj(1, "", time.Second), equal, skipEqual},
		{"no times", aTree, aTree, Rule{}, &storage.Object{}, &storage.Object{}, differs, diffTime},
		{"size only", aStore, aStore, Rule{SizeOnly: true}, obj(1, a, 0), obj(1, b, 9), equal, skipEqual},
		{"size only, sizes differ", aStore, aStore, Rule{SizeOnly: true}, obj(1, a, 0), obj(2, a, 0), differs, diffSize},
		{"checksum by md5", aStore, aStore, Rule{Checksum: true}, obj(1, a, 0), obj(1, a, 9), equal, skipEqual},
		{"checksum of files", aTree, aTree, Rule{Checksum: true}, obj(1, "", 0), obj(1, "", 0), unknown, diffChecksum},
		{"force", aStore, aStore, Rule{Force: true}, obj(1, a, 0), obj(1, a, 0), differs, diffForced},
		{"ignore existing", aStore, aStore, Rule{IgnoreExisting: true}, obj(1, a, 0), obj(2, b, 0), equal, skipExists},
		{"update, target newer", aTree, aTree, Rule{Update: true}, obj(1, "", 0), obj(2, "", time.Hour), equal, skipNewer},
		{"update, same time", aTree, aTree, Rule{Update: true}, obj(1, "", 0), obj(2, "", 0), equal, skipNewer},
		{"update, target older", aTree, aTree, Rule{Update: true}, obj(1, "", time.Hour), obj(2, "", 0), differs, diffSize},
		{"update, store", aTree, aStore, Rule{Update: true}, obj(1, "", time.Hour), obj(2, a, 0), unknown, diffSize},
		{"update, equal", aStore, aStore, Rule{Update: true}, obj(1, a, time.Hour), obj(1, a, 0), equal, skipEqual},
		{"link for file", aTree, aTree, Rule{}, obj(1, "", 0), kind(storage.KindSymlink, obj(1, "", 0)), differs, diffKind},
		{"links", aTree, aTree, Rule{}, kind(storage.KindSymlink, obj(1, "", 0)), kind(storage.KindSymlink, obj(1, "", 0)), unknown, diffLink},
		{"directories under force", aTree, aTree, Rule{Force: true}, kind(storage.KindDir, obj(1, "", 0)), kind(storage.KindDir, obj(2, "", 5)), equal, skipEqual},
	} {
		c := newComparer(tc.rule, tc.src, tc.dst)
		if v, why := c.compare(tc.s, tc.d, false); v != tc.want || why != tc.why {
			t.Errorf("%s: %d %s, want %d %s", tc.name, v, why, tc.want, tc.why)
		}
	}
}

func TestSettled(t *testing.T) {
	s, d := obj(1, md5Of(1)+"-2", 0), obj(1, md5Of(2)+"-9", 0)
	good := Row{Src: s.Version(), Dst: d.TargetVersion()}
	for _, tc := range []struct {
		name string
		rule Rule
		row  Row
		ours bool
		d    *storage.Object
		want bool
	}{
		{"applied", Rule{}, good, false, d, true},
		{"no row", Rule{}, Row{}, false, d, false},
		{"another source", Rule{}, Row{Src: "x", Dst: good.Dst}, false, d, false},
		{"another target", Rule{}, Row{Src: good.Src, Dst: "x"}, false, d, false},
		{"absent", Rule{}, good, false, nil, false},
		{"other size", Rule{}, good, true, obj(2, d.ETag, 0), false},
		{"force", Rule{Force: true}, good, false, d, false},
		{"force, applied in this run", Rule{Force: true}, good, true, d, true},
		{"checksum", Rule{Checksum: true}, good, false, d, false},
		{"checksum, applied in this run", Rule{Checksum: true}, good, true, d, true},
	} {
		c := newComparer(tc.rule, aStore, aStore)
		if got := c.settled(&tc.row, tc.ours, s, tc.d); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func FuzzIsMD5(f *testing.F) {
	for _, s := range []string{"", md5Of(1), strings.Repeat("G", 32), strings.Repeat("\x10", 32), md5Of(1) + "-2", strings.Repeat("F", 32)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, etag string) {
		_, want := storage.Object{ETag: etag}.PlainMD5()
		if got := isMD5(etag); got != want {
			t.Errorf("isMD5(%q) = %v", etag, got)
		}
	})
}
