package list

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

func (b Bounds) holds(key string) bool { return key >= b.From && (b.To == "" || key < b.To) }

// only is the world as it would be without the keys that do not take part.
func (w *world) only(takes func(key string) bool) *world {
	keep := func(all []storage.Object) []storage.Object {
		return slices.DeleteFunc(slices.Clone(all), func(o storage.Object) bool { return !takes(o.Key) })
	}
	rest := *w
	rest.src, rest.dst = store(keep(w.src.objects)...), store(keep(w.dst.objects)...)
	return &rest
}

func TestBoundsStartBelowTheFirstKey(t *testing.T) {
	for from, beside := range map[string]string{
		"":            "",
		"b":           "azzz",
		"photos/2026": "photos/2025/12/31",
		"a/":          "a-b",
		"中":           "世界",
		" ":           "",
		"a\x00":       "",
		"\xff":        "",
		"\x80b":       "\x80a~",
		"\ue000":      "", // nothing is written just below it
		"a\U00010000": "a\ufffdx",
	} {
		start := Bounds{From: from}.start()
		if from != "" && start >= from || beside != "" && start <= beside {
			t.Errorf("from %q: starts at %q, want it between %q and there", from, start, beside)
		}
	}
}

// Bounds give what both places would give if they held nothing beside them,
// through crashes and splits, deletes included.
func TestBoundedWorlds(t *testing.T) {
	worlds := uint64(80)
	if testing.Short() {
		worlds = 30
	}
	split := 0
	for seed := range worlds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(seed)
			b := &w.cfg.Bounds
			if n := len(w.src.objects); n > 0 {
				b.From, b.To = w.src.objects[w.r.IntN(n)].Key, w.src.objects[w.r.IntN(n)].Key
			}
			switch w.r.IntN(4) {
			case 0:
				b.From = ""
			case 1:
				b.To = ""
			case 2:
				b.To += "\x00"
			}
			if b.To != "" && b.From > b.To {
				b.From, b.To = b.To, b.From
			}
			if seed%4 > 0 {
				w.dangers(0.3 * w.r.Float64())
			}
			for pass := range 2 {
				want := w.only(b.holds).model(pass)
				w.check(t, pass, want, w.finish(t, pass))
				if t.Failed() {
					t.Fatalf("seed %d: %+v", seed, *b)
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
	if split < int(worlds/20) {
		t.Errorf("only %d of %d worlds had a range split", split, worlds)
	}
}

// A directory is not made anew when all that it holds lies behind the bounds.
func TestDirectoryAtTheEndOfTheBounds(t *testing.T) {
	for _, to := range []string{"d/3", "d/7", "d/9"} {
		out := &outlet{}
		totals, err := New(Config{
			Run: testRun, Source: store(f("d/", 10)), Target: tree(f("d/7", 1)), State: newMemory(), Publish: out.publish,
			Bounds: Bounds{To: to},
		}).Run(t.Context(), 0)
		if err != nil || totals.Skipped["equal"] != 1 || totals.Published != 0 {
			t.Errorf("to %q: %+v %v", to, totals, err)
		}
	}
}
