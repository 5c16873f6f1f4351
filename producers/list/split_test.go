package list

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

// spaces are flat key spaces of n keys.
var spaces = map[string]func(r *rand.Rand, i int) string{
	"uuid":         func(r *rand.Rand, _ int) string { return fmt.Sprintf("%016x-%04x", r.Uint64(), r.Uint32()&0xffff) },
	"numeric":      func(_ *rand.Rand, i int) string { return fmt.Sprintf("obj-%012d", i) },
	"with suffix":  func(_ *rand.Rand, i int) string { return fmt.Sprintf("img_%08d.parquet", i) },
	"growing":      func(_ *rand.Rand, i int) string { return fmt.Sprintf("%d.jpg", i) },
	"long prefix":  func(_ *rand.Rand, i int) string { return fmt.Sprintf("%0200d/%09d", 7, i) },
	"huge prefix":  func(r *rand.Rand, i int) string { return hugePrefix(r, i) },
	"dates":        func(_ *rand.Rand, i int) string { return time.Unix(int64(i)*3600, 0).UTC().Format("2006/01/02/15.log") },
	"base64":       func(r *rand.Rand, _ int) string { return base64Key(r) },
	"random bytes": func(r *rand.Rand, _ int) string { return randomBytes(r) },
}

func hugePrefix(r *rand.Rand, i int) string {
	if i%100 > 0 {
		return fmt.Sprintf("logs/%08x", r.Uint32())
	}
	return fmt.Sprintf("%c%07x/x", 'a'+r.IntN(26), i)
}

func base64Key(r *rand.Rand) string {
	b := make([]byte, 12)
	for i := range b {
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[r.IntN(64)]
	}
	return string(b)
}

func randomBytes(r *rand.Rand) string {
	b := make([]byte, 8)
	for i := range b {
		b[i] = byte(r.UintN(256))
	}
	return string(b)
}

func space(name string, n int) []storage.Object {
	r := rand.New(rand.NewPCG(1, 1))
	seen := map[string]bool{}
	var objects []storage.Object
	for i := range n {
		k := spaces[name](r, i)
		if !seen[k] {
			seen[k] = true
			objects = append(objects, storage.Object{Key: k, Size: 1, ETag: md5Of(i), ModTime: time.Unix(1e9, 0)})
		}
	}
	return objects
}

// A flat key space is listed by several ranges at once: with pages that take
// their time, the pass takes a fraction of what one range takes, at a bounded
// price in requests.
func TestSplitsFlatKeySpaces(t *testing.T) {
	const pageSize, latency = 100, 10 * time.Millisecond
	for name := range spaces {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				objects := space(name, 40_000)
				src, dst := store(objects...), store(objects...)
				for _, p := range []*place{src, dst} {
					p.pageSize, p.jitter = pageSize, func() { time.Sleep(latency) }
				}
				l := New(Config{Task: "t", Run: testRun, Source: src, Target: dst, Ranges: 8, State: newMemory(), Deletes: true})
				l.maxSteps = 2 * pageSize
				began := time.Now()
				totals, err := l.Run(context.Background(), 0)
				if err != nil {
					t.Fatal(err)
				}
				n := int64(len(objects))
				if totals.Skipped["equal"] != n || totals.Source != n || totals.Target != n || totals.Published != 0 || totals.Candidates != 0 {
					t.Errorf("totals %+v of %d", totals, n)
				}
				pages := 2 * (len(objects) + pageSize - 1) / pageSize
				if lists := src.lists + dst.lists; lists > 2*pages {
					t.Errorf("%d list requests for %d pages", lists, pages)
				}
				one := time.Duration(pages/2) * latency
				took := time.Since(began)
				t.Logf("%d ranges, %d requests for %d pages, %.1f times as fast", l.nextID, src.lists+dst.lists, pages, float64(one)/float64(took))
				if took > one/3 {
					t.Errorf("took %v, one range takes %v", took, one)
				}
			})
		})
	}
}

func TestDoesNotSplit(t *testing.T) {
	few, many := space("uuid", 700), space("uuid", 20_000)
	for _, tc := range []struct {
		name    string
		objects []storage.Object
		change  func(*Config)
	}{
		{"few pages", few, func(*Config) {}},
		{"one range allowed", many, func(c *Config) { c.Ranges = 1 }},
		{"ranges are not cheap", many, func(c *Config) {
			c.Source.(*place).features.CheapRanges, c.Target.(*place).features.CheapRanges = false, false
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			src, dst := store(tc.objects...), store(tc.objects...)
			src.pageSize, dst.pageSize = 100, 100
			cfg := Config{Task: "t", Run: testRun, Source: src, Target: dst, Ranges: 8, State: newMemory()}
			tc.change(&cfg)
			l := New(cfg)
			l.maxSteps = 200
			if _, err := l.Run(context.Background(), 0); err != nil {
				t.Fatal(err)
			}
			pages := 2 * (len(tc.objects) + 99) / 100
			if l.nextID != 1 || src.lists+dst.lists > pages {
				t.Errorf("%d ranges, %d requests for %d pages", l.nextID, src.lists+dst.lists, pages)
			}
		})
	}
}

// One side alone may be cheap to list from anywhere, or have nothing.
func TestSplitsBesideAnotherKindOfSide(t *testing.T) {
	objects := space("numeric", 20_000)
	for name, dst := range map[string]*place{"empty": store(), "tree": tree(objects...)} {
		src := store(objects...)
		src.pageSize, dst.pageSize = 100, 100
		out := &outlet{}
		l := New(Config{Task: "t", Run: testRun, Source: src, Target: dst, Ranges: 8, State: newMemory(), Publish: out.publish})
		l.maxSteps, l.maxEvents = 200, 200
		totals, err := l.Run(context.Background(), 0)
		if err != nil {
			t.Fatal(err)
		}
		want := int64(0)
		if name == "empty" {
			want = 20_000
		}
		if l.nextID < 3 || totals.Published != want || int64(out.total) != want {
			t.Errorf("%s: %d ranges, %d events, %+v", name, l.nextID, out.total, totals)
		}
	}
}

// Killed at random, a pass lists a page again for what each range had under
// way: one being merged and one read ahead on each side.
func TestRequestsAcrossKills(t *testing.T) {
	for seed := range uint64(20) {
		objects := space("uuid", 20_000)
		src, dst := store(objects...), store()
		src.pageSize = 100
		r := rand.New(rand.NewPCG(seed, 1))
		out, state := &outlet{}, newMemory()
		out.fail = func() (int, bool) { return r.IntN(1000), r.IntN(25) == 0 }
		kills, ranges := 0, 0
		for {
			l := New(Config{Task: "t", Run: testRun, Source: src, Target: dst, Ranges: 4, State: state, Publish: out.publish})
			l.maxEvents = 100
			_, err := l.Run(context.Background(), 0)
			if err == nil {
				break
			}
			kills++
			ranges = max(ranges, l.active)
			state.crash(r)
		}
		pages := 200
		if bound := 2*pages + ranges*kills; src.lists+dst.lists > bound {
			t.Errorf("seed %d: %d requests for %d pages in %d ranges with %d kills", seed, src.lists+dst.lists, pages, ranges, kills)
		}
		if len(out.events) != len(objects) {
			t.Errorf("seed %d: %d of %d published", seed, len(out.events), len(objects))
		}
	}
}

func TestMidpoints(t *testing.T) {
	page := func(keys ...string) (objects []storage.Object) {
		for _, k := range keys {
			objects = append(objects, storage.Object{Key: k})
		}
		return objects
	}
	digits := page("p-000", "p-111", "p-222", "p-333", "p-444", "p-555", "p-666", "p-777", "p-888", "p-999")
	for _, tc := range []struct {
		name, pos, end string
		page           []storage.Object
		want           []string
	}{
		{"open end", "p-012", "", digits, []string{"p5", "p-5", "p-06"}},
		{"bounded", "p-100", "p-4", digits, []string{"p-3", "p-15"}},
		{"bounded closely", "p-199", "p-2", digits, nil},
		{"nothing varies", "p", "", page("p"), nil},
		{"no page", "p-1", "", nil, nil},
		{"end just ahead", "a15", "a16", page("a10", "a11", "a15"), nil},
		{"high bytes", "\x7f", "", page("\x00", "\x7f", "\xf0", "\xff"), []string{"\xff"}},
		{"letters before digits", "logs/0", "", page("logs/0", "logs/7", "logs/9"), []string{"logs7", "logs/9"}},
	} {
		got := midpoints(tc.pos, tc.end, tc.page)
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
		for i, p := range got {
			if p <= tc.pos || tc.end != "" && p >= tc.end || i > 0 && p >= got[i-1] {
				t.Errorf("%s: place %q", tc.name, p)
			}
		}
	}
}

// Differences do not wait for a whole page's looks, nor for the next page.
func TestFirstEventsComeSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, dst := store(space("numeric", 30_000)...), store()
		src.jitter = func() { time.Sleep(300 * time.Millisecond) }
		began, first := time.Now(), time.Duration(0)
		cfg := Config{Run: testRun, Source: src, Target: dst, State: newMemory()}
		cfg.Publish = func(context.Context, []bus.Event) error {
			if first == 0 {
				first = time.Since(began)
			}
			return nil
		}
		if _, err := New(cfg).Run(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		if first == 0 || first > 400*time.Millisecond {
			t.Errorf("first events after %v", first)
		}
	})
}
