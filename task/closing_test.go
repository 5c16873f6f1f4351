package task

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/producers/list"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
)

// A closing pass finds what changed behind the listing's back.
func TestClosingPassFindsChanges(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		r.put(r.dst, "dir/001", noise(1, 101), storage.Metadata{})
		var gone string
		r.cfg.Target = at(r.cfg.Target, fault.Put, 30, func() {
			r.mu.Lock()
			copied := slices.Sorted(maps.Keys(r.wrote))
			r.mu.Unlock()
			gone = copied[0]
			r.no(r.src.Delete(context.Background(), gone))
			r.put(r.src, copied[1], noise(500, 100), storage.Metadata{})
			r.put(r.src, "dir/001", noise(501, 50), storage.Metadata{}) // was found equal
			r.put(r.src, "a", noise(502, 10), storage.Metadata{})       // new, where nobody lists any more
		})
		// Of what is gone the run knows that it was copied, and nothing else.
		r.finish("found 41, copied 41")
		r.equal(gone)
	})
}

// busy is a target with an object whose source changes each time it was copied.
func (r *rig) busy(key string) storage.Bucket {
	generation := 0
	return &tap{Bucket: r.cfg.Target, after: func(op fault.Op, k string, _ storage.Object) {
		if op == fault.Put && k == key {
			generation++
			r.put(r.src, key, noise(uint64(1000+generation), 100), storage.Metadata{})
		}
	}}
}

func TestSourceThatKeepsChangingIsReported(t *testing.T) {
	for rounds, passes := range map[int]int{0: 4, 1: 2, 5: 6} {
		bubble(t, func(t *testing.T, r *rig) {
			r.fill(40, 0)
			r.cfg.Spec.ClosingRounds = rounds
			quiet := r.cfg.Target
			r.cfg.Target = r.busy("dir/007")
			s := r.finish("found 40, copied 40, changing 1")
			if n := r.wrote["dir/007"]; n != passes || !r.noticed("keeps changing") {
				t.Errorf("%d rounds: copied %d times; notices %q", rounds, n, r.notices)
			}
			if len(r.record().Passes) != passes {
				t.Errorf("%+v", s)
			}
			r.cfg.Target = quiet
			r.finish("found 40, copied 1, skipped 39")
			r.equal()
		})
	}
}

// Rounds are those of one process: a run that goes on has them all again.
func TestClosingRoundsAfterARestart(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		quiet := r.cfg.Target
		r.cfg.Target = at(r.busy("dir/007"), fault.Put, 43, func() { r.live.stop() }) // in the last pass
		if _, err := r.run(); err != ErrInterrupted {
			t.Fatal(err)
		}
		if n := len(r.record().Passes); n < 2 {
			t.Fatalf("interrupted after %d passes", n)
		}
		r.cfg.Target = at(quiet, fault.Put, 1, func() { r.put(r.src, "new", noise(1, 1), storage.Metadata{}) })
		r.finish("found 41, copied 41")
		r.equal()
		if r.noticed("keeps changing") {
			t.Errorf("notices %q", r.notices)
		}
	})
}

// What the rules leave alone at the target is no change of the source.
func TestObjectsThatAreLeftAloneDoNotChange(t *testing.T) {
	for _, c := range []struct {
		name string
		spec func(*Spec)
		want string
	}{
		{"ignore existing", func(s *Spec) { s.Rule, s.Overwrite = list.Rule{IgnoreExisting: true}, transfer.Never }, "found 40, copied 35, skipped 5"},
		{"update", func(s *Spec) { s.Rule, s.Overwrite = list.Rule{Update: true}, transfer.IfNewer }, "found 40, copied 35, skipped 5"},
		{"existing", func(s *Spec) { s.Rule = list.Rule{Existing: true} }, "found 40, copied 5, skipped 35"},
		{"size only", func(s *Spec) { s.Rule = list.Rule{SizeOnly: true} }, "found 40, copied 35, skipped 5"},
		{"never", func(s *Spec) { s.Overwrite = transfer.Never }, "found 40, copied 35, skipped 5"},
		{"if newer", func(s *Spec) { s.Overwrite = transfer.IfNewer }, "found 40, copied 35, skipped 5"},
		{"force", func(s *Spec) { s.Rule = list.Rule{Force: true} }, "found 40, copied 40"},
		{"checksum", func(s *Spec) { s.Rule = list.Rule{Checksum: true} }, "found 40, copied 40"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.fill(40, 0)
				for i := range 5 {
					r.put(r.dst, fmt.Sprintf("dir/%03d", 3*i), noise(99, 100+3*i), storage.Metadata{})
				}
				c.spec(&r.cfg.Spec)
				r.finish(c.want)
				if r.noticed("changing") {
					t.Errorf("notices %q", r.notices)
				}
			})
		})
	}
}
