package list

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

// naming is Config.Named of a list in memory.
func naming(keys ...string) func(string, int) ([]string, error) {
	slices.Sort(keys)
	return func(after string, most int) ([]string, error) {
		i, there := slices.BinarySearch(keys, after)
		if there {
			i++
		}
		return slices.Clone(keys[i:min(i+most, len(keys))]), nil
	}
}

// TestNamed compares what is named and nothing else.
func TestNamed(t *testing.T) {
	dir, link, fifo := storage.KindDir, storage.KindSymlink, storage.KindSpecial
	denied := map[string]error{"a": &storage.Error{Op: "stat", Key: "a", Kind: storage.ErrDenied}}
	for _, tc := range []struct {
		name     string
		src, dst *place
		named    string
		change   func(*Config)
		want     string
		skipped  string
	}{
		{"nothing is named", store(f("a", 1)), store(), "", nil, "", "map[]"},
		{"one of each", store(f("a", 1), f("b", 2), f("c", 3), f("x", 1)), store(f("b", 12), f("c", 3), f("y", 1)), "a b c g", nil,
			"copy a absent; update b checksum", "map[equal:1 gone:1]"},
		{"gone here, held there", store(), store(f("a", 1)), "a", nil, "", "map[gone:1]"},
		{"left out by the selection", store(f("a", 1), f("b", 1)), store(), "a b g h", func(c *Config) {
			c.Select = func(o *storage.Object) bool { return o.Key == "a" && o.Size == 1 }
			c.KeyRules = func(key string) bool { return key == "g" }
		}, "copy a absent", "map[gone:1]"},
		{"rules of the target", store(f("a", 1), f("b", 1)), store(f("a", 2)), "a b", func(c *Config) { c.Rule.Existing = true },
			"update a size", "map[absent_at_target:1]"},
		{"within bounds", store(f("a", 1), f("b", 1), f("c", 1)), store(), "a b c", func(c *Config) { c.Bounds = Bounds{"b", "c"} }, "copy b absent", "map[]"},
		{"what a store cannot hold", tree(of(dir, "d/"), of(link, "l"), of(fifo, "p")), store(), "d/ l p", nil, "", "map[directory:1 special:1 symlink:1]"},
		{"a directory that has entries there", store(f("d/", 10)), tree(f("d/1", 1)), "d/", nil, "", "map[equal:1]"},
		{"a directory that is not there", store(f("d/", 10)), tree(f("d0", 1)), "d/", nil, "copy d/ absent", "map[]"},
		{"denied here", &place{statErr: denied}, store(), "a", nil, "copy a absent", "map[]"},
		{"denied there", store(f("a", 1)), &place{statErr: denied}, "a", nil, "update a kind", "map[]"},
		{"a key that no file can have", &place{statErr: map[string]error{"../a": storage.ErrInvalidKey}}, store(), "../a", nil, "", "map[gone:1]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			cfg := Config{Task: "t", Run: testRun, Source: tc.src, Target: tc.dst, Named: naming(strings.Fields(tc.named)...), Diff: func(d Difference) {
				got = append(got, fmt.Sprintf("%s %s %s", d.Op, d.Key, d.Reason))
			}}
			if tc.change != nil {
				tc.change(&cfg)
			}
			totals, err := New(cfg).Run(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(got)
			if strings.Join(got, "; ") != tc.want {
				t.Errorf("differences %q, want %q", got, tc.want)
			}
			if fmt.Sprint(totals.Skipped) != tc.skipped {
				t.Errorf("skipped %v, want %v", totals.Skipped, tc.skipped)
			}
			out := &outlet{}
			cfg.Diff, cfg.State, cfg.Publish = nil, newMemory(), out.publish
			real, err := New(cfg).Run(t.Context(), 0)
			if err != nil || fmt.Sprint(real) != fmt.Sprint(totals) || int64(len(out.events)) != totals.Published {
				t.Errorf("dry %+v, real %+v, %d events, %v", totals, real, len(out.events), err)
			}
		})
	}
}

// TestNamedWorlds: named keys give what both places would give if they held
// nothing else, and what is gone besides, through crashes and closing passes.
func TestNamedWorlds(t *testing.T) {
	worlds := uint64(80)
	if testing.Short() {
		worlds = 30
	}
	for seed := range worlds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(seed)
			w.cfg.Deletes = false
			named := map[string]bool{}
			for _, o := range slices.Concat(w.src.objects, w.dst.objects) {
				if w.r.IntN(3) > 0 {
					named[o.Key] = true
				}
			}
			for range w.r.IntN(2500) {
				named[fmt.Sprintf("gone-%04x", w.r.IntN(1<<16))] = true
			}
			w.cfg.Named = naming(slices.Collect(maps.Keys(named))...)
			if seed%4 > 0 {
				w.dangers(0.3 * w.r.Float64())
			}
			for pass := range 3 {
				want := w.only(func(key string) bool { return named[key] }).model(pass)
				w.modelGone(pass, named, &want)
				w.check(t, pass, want, w.finish(t, pass))
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
				w.apply()
				for _, o := range w.src.objects { // whoever else uses the source
					if w.r.IntN(20) == 0 {
						w.remove(o.Key)
					}
				}
				clear(w.out.events)
			}
		})
	}
}

func (w *world) remove(key string) {
	w.src.mu.Lock()
	defer w.src.mu.Unlock()
	if i, ok := w.src.find(key); ok {
		w.src.objects = slices.Delete(slices.Clone(w.src.objects), i, i+1)
	}
}

// modelGone adds what the model of the named objects does not know.
func (w *world) modelGone(pass int, named map[string]bool, want *expect) {
	gone := int64(0)
	for key := range named {
		if _, there := w.src.find(key); there {
			continue
		}
		want.totals.Source++
		if ours := pass > 0 && w.state.rows[key].Run == testRun; !ours && (w.cfg.KeyRules == nil || w.cfg.KeyRules(key)) {
			gone++
		}
	}
	if gone > 0 {
		if want.totals.Skipped == nil {
			want.totals.Skipped = map[string]int64{}
		}
		want.totals.Skipped["gone"] = gone
	}
}

// Neither side is looked at far ahead of the other, however little it holds,
// and nothing else is looked at, however long it takes.
func TestNamedSidesKeepStep(t *testing.T) {
	var keys []string
	var objects []storage.Object
	for i := range 30 * namedPage {
		keys = append(keys, fmt.Sprintf("k%05d", i))
		objects = append(objects, f(keys[i], i), f(keys[i]+"x", i))
	}
	for _, ends := range [][2]*place{{store(objects...), store()}, {store(objects[0]), store(objects[1:]...)}} {
		most := 0
		cfg := Config{
			Run: testRun, Source: ends[0], Target: ends[1], State: newMemory(), Named: naming(keys...),
			Publish: func(context.Context, []bus.Event) error {
				ends[1].mu.Lock()
				defer ends[1].mu.Unlock()
				most = max(most, ends[1].stats)
				return errCrash // at the first
			},
		}
		if _, err := New(cfg).Run(t.Context(), 0); !errors.Is(err, errCrash) || most > maxSteps+3*namedPage {
			t.Errorf("%d keys of the target were looked at before the first event: %v", most, err)
		}
		cfg.Publish = (&outlet{}).publish
		totals, err := New(cfg).Run(t.Context(), 0)
		if err != nil || totals.Source != int64(len(keys)) || totals.Published+totals.Skipped["gone"] != totals.Source || ends[0].lists+ends[1].lists > 0 {
			t.Errorf("%+v, %d listings, %v", totals, ends[0].lists+ends[1].lists, err)
		}
	}
}

// lost is a bucket that went away: single looks cannot tell.
type lost struct{ *place }

func (l lost) Check(context.Context) error {
	return &storage.Error{Op: "check", Place: l.name, Kind: storage.ErrNoBucket}
}

// An endpoint that fails ends the run, which then goes on where it was.
func TestNamedThroughOutages(t *testing.T) {
	var keys []string
	var objects []storage.Object
	for i := range 3 * namedPage {
		keys = append(keys, fmt.Sprintf("k%05d", i))
		objects = append(objects, f(keys[i], i))
	}
	state, out := newMemory(), &outlet{}
	down := store(objects...)
	down.statErr = map[string]error{keys[2*namedPage]: &storage.Error{Op: "stat", Kind: storage.ErrUnavailable}}
	cfg := Config{Run: testRun, Target: store(), State: state, Publish: out.publish, Named: naming(keys...)}
	for _, step := range []struct {
		src  storage.Source
		kind error
		most int64
	}{
		{lost{store()}, storage.ErrNoBucket, 0},
		{down, storage.ErrUnavailable, 2 * namedPage},
		{store(objects...), nil, 3 * namedPage},
	} {
		cfg.Source = step.src
		_, err := New(cfg).Run(t.Context(), 0)
		if !errors.Is(err, step.kind) || int64(len(out.events)) > step.most {
			t.Errorf("%v after %d events, want %v after %d at most", err, len(out.events), step.kind, step.most)
		}
	}
	if len(out.events) != len(keys) || out.total != len(keys) {
		t.Errorf("%d events of %d keys", out.total, len(out.events))
	}
	for _, e := range out.events {
		if e.Op != bus.OpPut || e.Run != testRun {
			t.Fatalf("%+v", e)
		}
	}
}
