package analysis

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func object(key string, size int64, age time.Duration) storage.Object {
	return storage.Object{Key: key, Size: size, ModTime: now.Add(-age)}
}

func counted(cfg Config, objects ...storage.Object) *Report {
	cfg.Now = now
	c := New(cfg)
	for i := range objects {
		c.Add(&objects[i])
	}
	return c.Report()
}

func TestSizes(t *testing.T) {
	for size, below := range map[int64]int64{
		0: 1, 1: 4 * kib, 4*kib - 1: 4 * kib, 4 * kib: 64 * kib, 64 * kib: mib, mib - 1: mib, mib: 16 * mib, 16 * mib: 64 * mib,
		64*mib - 1: 64 * mib, 64 * mib: 256 * mib, 256 * mib: gib, gib: 5 * gib, 5 * gib: 50 * gib, 50 * gib: 0, math.MaxInt64: 0,
	} {
		for _, s := range counted(Config{}, object("k", size, 0)).Sizes {
			if want := (Count{1, size}); s.Below == below && s.Count != want || s.Below != below && s.Count != (Count{}) {
				t.Errorf("%d bytes: the class below %d has %+v", size, s.Below, s.Count)
			}
		}
	}
}

func TestAges(t *testing.T) {
	const d = 24 * time.Hour
	for age, below := range map[time.Duration]int64{
		-d: 1, 0: 1, d - time.Second: 1, d: 7, 7 * d: 30, 30 * d: 90, 90 * d: 365, 365 * d: 730, 729 * d: 730, 730 * d: 1825, 1825 * d: 0, 20000 * d: 0,
	} {
		r := counted(Config{}, object("k", 5, age))
		for _, a := range r.Ages {
			if (a.Below == below) != (a.Count == Count{1, 5}) {
				t.Errorf("%s old: the class below %d days has %+v", age, a.Below, a.Count)
			}
		}
	}
	r := counted(Config{}, object("a", 5, -25*time.Hour), object("b", 1, 3*d), object("c", 1, 9*d))
	if r.Future != (Count{1, 5}) || !r.Oldest.Equal(now.Add(-9*d)) || !r.Newest.Equal(now.Add(25*time.Hour)) {
		t.Errorf("future %+v, from %s to %s", r.Future, r.Oldest, r.Newest)
	}
}

func TestKinds(t *testing.T) {
	var all []storage.Object
	for i, kind := range []storage.Kind{storage.KindDir, storage.KindSymlink, storage.KindSymlink, storage.KindSpecial, storage.KindUnreadable, storage.KindFile} {
		all = append(all, storage.Object{Key: fmt.Sprintf("d/%d", i), Size: 10, Kind: kind})
	}
	r := counted(Config{}, all...)
	if want := (Kinds{Directories: 1, Symlinks: 2, Special: 1, Unreadable: 1}); r.Kinds != want || r.Count != (Count{1, 10}) {
		t.Errorf("%+v of %+v", r.Kinds, r.Count)
	}
	if n := r.Prefixes[0].ByObjects; len(n) != 1 || n[0].Objects != 1 {
		t.Errorf("prefixes count what is no object: %+v", n)
	}
}

func TestClasses(t *testing.T) {
	has := storage.Features{Classes: []storage.Class{{Name: "STANDARD"}, {Name: "GLACIER", Tier: storage.TierArchive}, {Name: "DEEP", Tier: storage.TierDeep}}}
	var all []storage.Object
	for i, class := range []string{"", "STANDARD", "GLACIER", "deep", "DEEP", "MADE_UP", "", "GLACIER"} {
		all = append(all, storage.Object{Key: fmt.Sprint(i), Size: 10, Class: class})
	}
	r := counted(Config{Features: has}, all...)
	want := []Class{{"STANDARD", false, Count{3, 30}}, {"DEEP", true, Count{2, 20}}, {"GLACIER", true, Count{2, 20}}, {"MADE_UP", false, Count{1, 10}}}
	if !reflect.DeepEqual(r.Classes, want) || r.Archived != (Count{4, 40}) {
		t.Errorf("%+v, archived %+v", r.Classes, r.Archived)
	}
	all = nil
	for i := range 1000 {
		all = append(all, storage.Object{Key: fmt.Sprintf("%04d", i), Class: fmt.Sprint("C", i)})
	}
	if r := counted(Config{}, all...); len(r.Classes) != maxClasses+1 || r.Classes[0].Class != otherClasses || r.Classes[0].Objects != 1000-maxClasses {
		t.Errorf("%d classes of 1,000, the first is %+v", len(r.Classes), r.Classes[0])
	}
}

func named(ranked []Ranked) (s []string) {
	for _, r := range ranked {
		s = append(s, fmt.Sprintf("%s %d %d", r.Name.Name, r.Objects, r.Count.Bytes))
	}
	return s
}

func TestPrefixes(t *testing.T) {
	var all []storage.Object
	for i, key := range []string{"/x", "a", "a/b", "a/b/c", "a/b/d/e", "a/c", "a/d/x", "a0", "b//x", "b/x/", "c/y"} {
		all = append(all, object(key, 1<<i, 0))
	}
	for _, scattered := range []bool{false, true} {
		r := counted(Config{Scattered: scattered}, all...)
		if got, want := named(r.Prefixes[0].ByObjects), []string{"a/ 5 124", "b/ 2 768", " 2 130", "c/ 1 1024", "/ 1 1"}; !slices.Equal(got, want) {
			t.Errorf("by objects\n got %q\nwant %q", got, want)
		}
		if got, want := named(r.Prefixes[1].ByBytes), []string{"c/ 1 1024", "b/x/ 1 512", "b// 1 256", " 2 130", "a/d/ 1 64", "a/ 2 36", "a/b/ 2 24", "/ 1 1"}; !slices.Equal(got, want) {
			t.Errorf("two deep by bytes\n got %q\nwant %q", got, want)
		}
		if r.Prefixes[1].Names != 8 || r.Prefixes[1].Estimated {
			t.Errorf("%d names", r.Prefixes[1].Names)
		}
	}
}

func TestExtensions(t *testing.T) {
	for key, want := range map[string]string{
		"a.jpg": ".jpg", "A.JPG": ".jpg", "x.y/a": "", "x/.bashrc": "", ".bashrc": "", "x/.a.b": ".b", "a.tar.gz": ".gz", "a.": "", "": "", "a": "",
		"a.averylongend": "", "a.elevenbytes": ".elevenbytes", "ä.Ö": ".ö", "a.\xff": ".\ufffd", "a.b/": "",
	} {
		if got := look(key).extension(key); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}

func TestHardKeys(t *testing.T) {
	long := strings.Repeat("n", 255)
	for key, want := range map[string]string{
		"a/b.c": "", "ä/日本": "", long: "", "..a/.b/c..": "", "a b-c": "", long + "/" + long: "",
		"a\xff": "not_utf8", "a\nb": "control_characters", "\x7f": "control_characters", "a//b": "double_slash", "/a": "leading_slash",
		"//": "double_slash leading_slash trailing_slash", "a/": "trailing_slash", "/": "leading_slash trailing_slash",
		".": "dot_name", "a/..": "dot_name", "../a": "dot_name", "a/./b": "dot_name", long + "n": "long_name", "a/" + long + "n/b": "long_name",
		strings.Repeat("n/", 512): "trailing_slash", strings.Repeat("n/", 512) + "n": "long_key",
	} {
		var got []string
		for _, h := range counted(Config{}, object(key, 0, 0), object("z", 0, 0)).Hard {
			if h.Objects != 1 || h.Example.Name != key {
				t.Errorf("%q: %+v", key, h)
			}
			got = append(got, h.Flaw)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%.30q: %q, want %q", key, got, want)
		}
	}
	b, err := json.Marshal(counted(Config{}, object("a\xff", 0, 0)))
	if want := `"name_b64":"Yf8="`; err != nil || !strings.Contains(string(b), want) {
		t.Errorf("%s, %v: want %s", b, err, want)
	}
}

func TestLargest(t *testing.T) {
	var all []storage.Object
	for i := range 1000 {
		all = append(all, object(fmt.Sprintf("k%04d", i), int64(i*7919%500), 0)) // every size twice
	}
	got := counted(Config{}, all...).Largest
	slices.SortStableFunc(all, func(a, b storage.Object) int { return int(b.Size - a.Size) })
	for i := range largestKept {
		if len(got) != largestKept || got[i].Name.Name != all[i].Key || got[i].Size != all[i].Size {
			t.Fatalf("%d of %d: %+v, want %+v", i, len(got), got[i], all[i])
		}
	}
}

// TestTallyOfManyNames holds the heads against an exact count, and the figures
// to their bounds.
func TestTallyOfManyNames(t *testing.T) {
	for _, once := range []bool{true, false} {
		seed := rand.Uint64()
		rnd := rand.New(rand.NewPCG(seed, 1))
		exact := map[string]*entry{}
		tl := newTally(once)
		for i := range 100_000 {
			c := Count{1 + rnd.Int64N(3), rnd.Int64N(1000)}
			name := fmt.Sprint(i)
			if !once { // some names come often, most once
				name = fmt.Sprint(int(math.Exp(rnd.Float64()*12.5)) + rnd.IntN(2)*rnd.IntN(100_000))
			}
			if exact[name] == nil {
				exact[name] = &entry{name: name}
			}
			exact[name].plus(c)
			tl.whole(name, c)
		}
		if len(tl.names) > tallyMost || tl.dropped == 0 {
			t.Fatalf("seed %d: %d names kept, %d dropped", seed, len(tl.names), tl.dropped)
		}
		for name, e := range tl.names {
			x := exact[name].Count
			if e.Objects > x.Objects || e.Bytes > x.Bytes || e.Objects+e.missed.Objects < x.Objects || e.Bytes+e.missed.Bytes < x.Bytes {
				t.Fatalf("seed %d: %s is %+v with at most %+v missed, in truth %+v", seed, name, e.Count, e.missed, x)
			}
			if once && e.missed != (Count{}) {
				t.Fatalf("%s came once, and missed %+v", name, e.missed)
			}
		}
		all := tally{names: exact}
		for what, order := range map[string]func(a, b *entry) int{"objects": byObjects, "bytes": byBytes} {
			got, want := tl.head(rankedNames, order), all.head(rankedNames, order)
			for i := range want {
				if once && (got[i].Objects != want[i].Objects || got[i].Bytes != want[i].Bytes && what == "bytes") {
					t.Errorf("seed %d: by %s %d is %+v, want %+v", seed, what, i, got[i], want[i])
				}
				if e := tl.names[want[i].name]; !once && i < 5 && e == nil {
					t.Errorf("seed %d: by %s %+v is lost", seed, what, want[i])
				}
			}
		}
		if r := tl.ranking(0); r.Estimated == once {
			t.Errorf("once %v: estimated %v", once, r.Estimated)
		}
		if once && tl.ranking(0).Names != 100_000 {
			t.Errorf("%d names", tl.added)
		}
	}
}

// TestMemoryIsFlat counts keys that are as hard as can be to count.
func TestMemoryIsFlat(t *testing.T) {
	held := func(n int) int64 {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		c := New(Config{Now: now})
		for i := range n {
			c.Add(&storage.Object{Key: fmt.Sprintf("%08d/%08d/x.%x", i, i, i), Size: int64(i), ModTime: now})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(c)
		return int64(after.HeapAlloc) - int64(before.HeapAlloc)
	}
	if few, many := held(20_000), held(200_000); many > 4<<20 || many > 2*few {
		t.Errorf("%d bytes held for 200,000 keys, %d for 20,000", many, few)
	}
}
