package list

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

const testRun = "run-1"

func md5Of(n int) string { return fmt.Sprintf("%032x", n) }

// world is a random pair of buckets with filters and a crash rate.
type world struct {
	r        *rand.Rand
	src, dst *place
	state    *memory
	out      *outlet
	cfg      Config

	maxEvents, maxSteps int
	ranges              int // most ranges of a pass
}

func keyHash(k string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(k))
	return h.Sum32()
}

// randomKeys draws from a style of names, so that splits find all sorts.
func randomKeys(r *rand.Rand, n int) []string {
	style := r.IntN(4)
	keys := map[string]bool{}
	for i := range n {
		var k string
		switch style {
		case 0:
			k = fmt.Sprintf("%08x-%04x", r.Uint32(), r.Uint32()&0xffff)
		case 1:
			k = fmt.Sprintf("obj-%010d", i)
		case 2:
			k = fmt.Sprintf("a/very/long/prefix/that/all/share/%c%c/%d", 'a'+r.IntN(3), 'a'+r.IntN(26), r.IntN(n))
		default:
			b := make([]byte, 1+r.IntN(6))
			for j := range b {
				b[j] = "\x00\x01-/0ab\x7f\xfe\xff"[r.IntN(10)]
			}
			k = string(b)
		}
		keys[k] = true
	}
	return slices.Sorted(maps.Keys(keys))
}

func newWorld(seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 7))
	var src, dst []storage.Object
	pSrc, pDst, pEqual := 0.2+r.Float64()*0.8, r.Float64(), r.Float64()
	for _, k := range randomKeys(r, 1+r.IntN(1500)) {
		o := storage.Object{Key: k, Size: int64(1 + r.IntN(50)), ETag: md5Of(r.Int()), ModTime: time.Unix(1e9, 0).UTC()}
		if r.Float64() < pSrc {
			src = append(src, o)
		}
		if r.Float64() < pDst {
			if r.Float64() >= pEqual {
				o.ETag = md5Of(r.Int())
			}
			dst = append(dst, o)
		}
	}
	w := &world{r: r, src: store(src...), dst: store(dst...), state: newMemory(), out: &outlet{}}
	w.src.pageSize, w.dst.pageSize = 1+r.IntN(40), 1+r.IntN(40)
	w.maxEvents, w.maxSteps = 1+r.IntN(60), 1+r.IntN(200)
	w.dst.features.CheapRanges = r.IntN(3) > 0
	w.cfg = Config{
		Task: "t", Run: testRun, Source: w.src, Target: w.dst, Ranges: 1 + r.IntN(6), Deletes: r.IntN(4) > 0,
		Publish: w.out.publish, State: w.state, BulkThreshold: 40,
	}
	if r.IntN(2) > 0 {
		w.cfg.Select = func(o *storage.Object) bool { return keyHash(o.Key)%3 > 0 }
	}
	if r.IntN(2) > 0 {
		w.cfg.KeyRules = func(k string) bool { return keyHash(k)%5 > 0 }
	}
	return w
}

// dangers makes saves and publishes fail at random points, some after they
// took effect.
func (w *world) dangers(rate float64) {
	var mu sync.Mutex
	draw := func() (n int, fail bool) {
		mu.Lock()
		defer mu.Unlock()
		return w.r.IntN(1 << 20), w.r.Float64() < rate
	}
	w.state.fail = func() (bool, bool) {
		n, fail := draw()
		return !fail || n%2 > 0, fail
	}
	w.out.fail = draw
}

// finish runs a pass, through crashes, to its end.
func (w *world) finish(t *testing.T, pass int) Totals {
	t.Helper()
	for range 10_000 {
		l := New(w.cfg)
		l.maxEvents, l.maxSteps = w.maxEvents, w.maxSteps
		totals, err := l.Run(context.Background(), pass)
		w.ranges = max(w.ranges, l.nextID)
		if err == nil {
			return totals
		}
		if !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		w.state.crash(w.r)
	}
	t.Fatal("no end")
	return Totals{}
}

// expect is what the model says about a pass.
type expect struct {
	published, republished []string
	totals                 Totals
	candidates             []string
}

func (w *world) model(pass int) (e expect) {
	target := map[string]storage.Object{}
	for _, o := range w.dst.objects {
		target[o.Key] = o
	}
	skipped := map[string]int64{}
	e.totals.Source = int64(len(w.src.objects))
	inSource := map[string]bool{}
	for _, s := range w.src.objects {
		inSource[s.Key] = true
		if w.cfg.Select != nil && !w.cfg.Select(&s) {
			continue
		}
		row := w.state.rows[s.Key]
		ours := pass > 0 && row.Run == testRun
		d, there := target[s.Key]
		same := there && d.Size == s.Size && (d.ETag == s.ETag || row.Src == s.Version() && row.Dst == d.TargetVersion())
		switch {
		case same && !ours:
			skipped["equal"]++
			e.totals.SkippedBytes += s.Size
		case same:
		case ours && row.Outcome == string(bus.GivenUp):
		case ours:
			e.republished = append(e.republished, s.Key)
		default:
			e.published = append(e.published, s.Key)
			e.totals.PublishedBytes += s.Size
		}
	}
	for k := range target {
		covered := w.cfg.KeyRules == nil || w.cfg.KeyRules(k)
		if covered || !w.cfg.Deletes {
			e.totals.Target++
		}
		if covered && w.cfg.Deletes && !inSource[k] {
			e.candidates = append(e.candidates, k)
		}
	}
	slices.Sort(e.candidates)
	e.totals.Published, e.totals.Republished = int64(len(e.published)), int64(len(e.republished))
	e.totals.Candidates = int64(len(e.candidates))
	if len(skipped) > 0 {
		e.totals.Skipped = skipped
	}
	return e
}

func (w *world) check(t *testing.T, pass int, want expect, got Totals) {
	t.Helper()
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want.totals) {
		t.Errorf("pass %d: totals\n got %+v\nwant %+v", pass, got, want.totals)
	}
	all := slices.Sorted(slices.Values(append(slices.Clone(want.published), want.republished...)))
	if !slices.Equal(w.out.keys(), all) {
		t.Errorf("pass %d: published %d keys, want %d", pass, len(w.out.events), len(all))
	}
	for _, s := range w.src.objects {
		e, ok := w.out.events[s.Key]
		if !ok {
			continue
		}
		class := bus.ClassScan
		if s.Size >= 40 {
			class = bus.ClassBulk
		}
		if e.Size != s.Size || e.ETag != s.ETag || !e.MTime.Equal(s.ModTime) || e.Class != class || e.Run != testRun || e.Task != "t" || e.Op != bus.OpPut {
			t.Fatalf("event of %q is %+v", s.Key, e)
		}
	}
	if got := slices.Sorted(maps.Keys(w.state.cands)); !slices.Equal(got, want.candidates) {
		t.Errorf("pass %d: %d candidates, want %d", pass, len(got), len(want.candidates))
	}
}

// apply does what workers and projector do with some of what was published,
// and lets the source go on changing.
func (w *world) apply() {
	w.state.lazy = nil // projecting syncs
	for _, s := range slices.Clone(w.src.objects) {
		if _, ok := w.out.events[s.Key]; ok {
			row := Row{Run: testRun, Outcome: string(bus.Copied), Src: s.Version(), Dst: s.TargetVersion()}
			switch w.r.IntN(8) {
			case 0:
				row = Row{Run: testRun, Outcome: string(bus.GivenUp)}
			case 1: // written as several parts: only the row knows it
				d := s
				d.ETag = md5Of(w.r.Int())[:30] + "-2"
				row.Dst = d.TargetVersion()
				w.dst.set(d)
			default:
				w.dst.set(s)
			}
			w.state.rows[s.Key] = row
		}
		if w.r.IntN(10) == 0 {
			s.ETag = md5Of(w.r.Int())
			w.src.set(s)
		}
	}
	for range w.r.IntN(20) {
		w.src.set(storage.Object{Key: fmt.Sprintf("new-%d", w.r.IntN(1000)), Size: 3, ETag: md5Of(w.r.Int()), ModTime: time.Unix(2e9, 0).UTC()})
	}
}

func TestRandomWorldsThroughCrashes(t *testing.T) {
	worlds := uint64(250)
	if testing.Short() {
		worlds = 60
	}
	split := 0
	for seed := range worlds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(seed)
			if seed%4 > 0 {
				w.dangers(0.4 * w.r.Float64())
			}
			for pass := range 3 {
				want := w.model(pass)
				got := w.finish(t, pass)
				w.check(t, pass, want, got)
				if again := w.finish(t, pass); fmt.Sprint(again) != fmt.Sprint(got) {
					t.Errorf("a completed pass returns %+v, then %+v", got, again)
				}
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
				w.apply()
				clear(w.state.cands)
				clear(w.out.events)
			}
			if w.ranges > 1 {
				split++
			}
		})
	}
	if split < int(worlds/10) {
		t.Errorf("only %d of %d worlds had a range split", split, worlds)
	}
}
