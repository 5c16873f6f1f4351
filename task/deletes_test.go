package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/filter"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
)

// extra puts n objects at the target that the source lacks.
func (r *rig) extra(n int) (keys []string) {
	r.t.Helper()
	for i := range n {
		keys = append(keys, fmt.Sprintf("extra/%03d", i))
		r.put(r.dst, keys[i], noise(uint64(i), 10), storage.Metadata{})
	}
	return keys
}

func (r *rig) deletes(limit string) {
	r.t.Helper()
	var err error
	r.cfg.Spec.Delete = true
	r.cfg.Spec.MaxDelete, err = ParseCap(limit)
	r.no(err)
}

// held runs a process that must hold its deletes back for a reason.
func (r *rig) held(want, why string) {
	r.t.Helper()
	s, err := r.run()
	if !errors.Is(err, ErrDeletesHeld) || !strings.Contains(err.Error(), why) || s.State != StateHalted {
		r.t.Fatalf("held back: %v, %+v", err, s)
	}
	r.says(s, want)
	if len(r.deleted) > 0 {
		r.t.Errorf("deleted %v", r.deleted)
	}
	r.clean()
}

func TestDeletes(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		keys := r.extra(30)
		r.finish("found 40, copied 40")
		r.equal(keys...)
		r.deletes("")
		r.finish("found 40, skipped 40, deleted 30")
		r.equal()
		r.finish("found 40, skipped 40")
	})
}

// More candidates than one batch holds, some of which fail a few times.
func TestManyDeletes(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(3, 0)
		r.extra(1100)
		r.deletes("none")
		busy := fault.New(r.cfg.Target, 1, fault.Rule{
			Ops: []fault.Op{fault.Delete}, Match: func(k string) bool { return k == "extra/007" }, Effect: fault.Fail, Err: storage.ErrBusy, Times: 7,
		}, fault.Rule{
			Ops: []fault.Op{fault.Delete}, Match: func(k string) bool { return k == "extra/008" }, Effect: fault.Fail, Err: storage.ErrDenied,
		})
		r.cfg.Target = busy
		r.finish("found 3, copied 3, deleted 1099, failed deletes 1")
		r.equal("extra/008")
		if hits := busy.Hits(); hits[0] != 7 || hits[1] != 2 {
			t.Errorf("hits %v", hits)
		}
	})
}

func TestCapHoldsDeletes(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(200, 0)
		keys := r.extra(30)
		r.deletes("")
		r.held("found 200, copied 200, held 30", "30 of 230 objects would be deleted, --max-delete is 10%")
		r.equal(keys...)
		// The same command says the same, of a run of its own.
		r.held("found 200, skipped 200, held 30", "30 of 230")
		r.deletes("29")
		r.held("found 200, skipped 200, held 30", "30 of 230 objects would be deleted, --max-delete is 29")
		r.deletes("30")
		r.finish("found 200, skipped 200, deleted 30")
		r.equal()
	})
}

// Once the reason is gone the same command deletes.
func TestHeldDeletesAreLookedForAnew(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(200, 0)
		r.deletes("")
		r.finish("found 200, copied 200")
		for i := range 200 { // a disk that was not mounted
			r.no(r.src.Delete(context.Background(), fmt.Sprintf("dir/%03d", i)))
		}
		r.held("held 200", "the source is empty")
		r.fill(199, 0)
		r.finish("found 199, skipped 199, deleted 1")
		r.equal()
	})
}

func TestEmptySourceHoldsDeletes(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		keys := r.extra(3)
		r.deletes("")
		r.held("held 3", "--max-delete 100% allows it")
		r.deletes("2")
		r.held("held 3", "the source is empty")
		r.equal(keys...)
		r.deletes("100%")
		r.finish("deleted 3")
	})
}

// dark is a source with a directory that cannot be listed.
type dark struct {
	*tap
	dir string
}

type darkPages struct {
	storage.Pages
	r    storage.Range
	dir  string
	done bool
}

func (b dark) List(r storage.Range) storage.Pages {
	return &darkPages{Pages: b.tap.List(r), r: r, dir: b.dir}
}

func (p *darkPages) Next(ctx context.Context) ([]storage.Object, error) {
	page, err := p.Pages.Next(ctx)
	if p.done || p.r.After >= p.dir || p.r.Last != "" && p.r.Last < p.dir || err != nil && err != io.EOF {
		return page, err
	}
	if err == io.EOF || page[len(page)-1].Key > p.dir {
		p.done = true
		i, _ := slices.BinarySearchFunc(page, p.dir, func(o storage.Object, k string) int { return strings.Compare(o.Key, k) })
		return slices.Insert(page, i, storage.Object{Key: p.dir, Kind: storage.KindUnreadable}), nil
	}
	return page, nil
}

// What an unreadable directory holds looks absent.
func TestUnreadableDirectoryHoldsDeletes(t *testing.T) {
	for _, dir := range []string{"aaa/", "dir/zzz/", "zzz/"} {
		bubble(t, func(t *testing.T, r *rig) {
			r.fill(40, 0)
			keys := r.extra(2)
			r.deletes("none")
			r.cfg.Source = dark{&tap{Bucket: r.src}, dir}
			r.held("found 41, copied 40, failed 1, held 2", "1 directories could not be listed")
			r.equal(keys...)
			r.cfg.Source = r.src
			r.finish("found 40, skipped 40, deleted 2")
		})
	}
}

// A listing that breaks off deletes nothing, whatever it had seen.
func TestFailingListingDeletesNothing(t *testing.T) {
	for page := 1; page <= 6; page++ {
		bubble(t, func(t *testing.T, r *rig) {
			r.fill(40, 0)
			r.extra(10)
			r.deletes("none")
			fails := func(b storage.Bucket, kind error) storage.Bucket {
				return fault.New(b, 1, fault.Rule{Ops: []fault.Op{fault.List}, After: page - 1, Effect: fault.Fail, Err: kind})
			}
			source, target := r.cfg.Source, r.cfg.Target
			r.cfg.Source = fails(r.src, storage.ErrBusy)
			if s, err := r.run(); !errors.Is(err, storage.ErrBusy) || s.State != StateHalted || s.Phase == phaseDone {
				t.Errorf("page %d of the source: %v, %+v", page, err, s)
			}
			r.cfg.Source, r.cfg.Target = source, fails(target, storage.ErrDenied)
			if s, err := r.run(); err == nil {
				t.Errorf("page %d of the target: %+v", page, s)
			}
			r.cfg.Source, r.cfg.Target = fails(r.src, storage.ErrUnavailable), target
			if _, err := r.run(); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("page %d: %v", page, err)
			}
			if len(r.deleted) > 0 {
				t.Errorf("page %d: deleted %v", page, r.deleted)
			}
			r.cfg.Source = source
			r.finish("found 40, copied 40, deleted 10")
			r.once()
		})
	}
}

// The last look at the source comes before the first delete.
func TestFailingLookDeletesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.extra(3)
		r.deletes("none")
		r.cfg.Source = fault.New(r.src, 1, fault.Rule{Ops: []fault.Op{fault.List}, After: 1, Effect: fault.Fail, Err: storage.ErrBusy})
		if s, err := r.run(); !errors.Is(err, storage.ErrBusy) || len(r.deleted) > 0 {
			t.Errorf("%v, %+v, deleted %v", err, s, r.deleted)
		}
	})
}

func TestCandidateThatReappearsIsNotDeleted(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(3, 0)
		r.extra(5)
		r.deletes("none")
		// The first delete is about to be confirmed: two others come back.
		r.cfg.Source = at(r.src, fault.Stat, 1, func() {
			r.put(r.src, "extra/000", noise(77, 5), storage.Metadata{})
			r.put(r.src, "extra/001", noise(78, 5), storage.Metadata{})
		})
		r.cfg.Spec.Workers = 1
		r.finish("found 3, copied 3, deleted 3")
		if len(r.deleted) != 3 {
			t.Errorf("deleted %v", r.deleted)
		}
		r.finish("found 5, copied 2, skipped 3")
		r.equal()
	})
}

// A candidate of the first pass that a closing pass meets again is none any
// more, and does not count against the cap.
func TestCandidateThatReappearsDoesNotCount(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		r.extra(5)
		r.deletes("2")
		r.cfg.Target = at(r.cfg.Target, fault.Put, 20, func() {
			for i := range 4 {
				r.put(r.src, fmt.Sprintf("extra/%03d", i), noise(uint64(90+i), 10), storage.Metadata{})
			}
		})
		r.finish("found 44, copied 44, deleted 1")
		r.equal()
	})
}

// An interrupted delete phase goes on where it was, and then looks for what
// has changed since the listing.
func TestInterruptedDeletesGoOn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(3, 0)
		r.extra(1500)
		r.deletes("none")
		whole := r.cfg.Target
		r.cfg.Target = at(whole, fault.Delete, 700, func() { r.live.stop() })
		s, err := r.run()
		if err != ErrInterrupted || s.Deleted < 700 || s.Deleted > 720 || s.Phase != phaseDeleting {
			t.Fatalf("%v, %+v", err, s)
		}
		r.cfg.Target = whole
		r.put(r.src, "new", noise(7, 10), storage.Metadata{})
		r.put(r.dst, "stray", noise(8, 10), storage.Metadata{})
		there, body := read(t, r.dst, "extra/000")
		r.put(r.src, "extra/000", body, storage.Metadata{MTime: there.ModTime}) // equal
		r.put(r.src, "extra/001", noise(9, 10), storage.Metadata{})
		r.finish("found 6, copied 5, skipped 1, deleted 1499")
		r.equal()
	})
}

// Under regular expressions only what the task once wrote may go.
func TestRegexpsDeleteOnlyWhatWasWritten(t *testing.T) {
	for _, pattern := range []string{"dir/*", "re:^dir/"} {
		bubble(t, func(t *testing.T, r *rig) {
			r.fill(20, 0)
			r.put(r.dst, "dir/foreign", noise(1, 1), storage.Metadata{})
			r.put(r.dst, "other", noise(2, 1), storage.Metadata{})
			r.cfg.Spec.Filter = func(time.Time) (*filter.Filter, error) {
				return filter.New(filter.Config{Rules: []filter.Rule{{Include: true, Pattern: pattern}}})
			}
			r.cfg.Spec.Selection = pattern
			r.finish("found 20, copied 20")
			r.no(r.src.Delete(context.Background(), "dir/003"))
			r.deletes("none")
			if strings.HasPrefix(pattern, "re:") {
				r.finish("found 19, skipped 19, deleted 1")
				r.equal("dir/foreign", "other")
			} else {
				r.finish("found 19, skipped 19, deleted 2")
				r.equal("other")
			}
		})
	}
}

// What a filter leaves out at the source is not extraneous at the target.
func TestFilteredObjectsAreNotDeleted(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(20, 0)
		r.finish("found 20, copied 20")
		r.extra(2)
		r.cfg.Spec.Filter = func(time.Time) (*filter.Filter, error) { return filter.New(filter.Config{MinSize: 110}) }
		r.cfg.Spec.Selection = "min=110"
		r.deletes("none")
		r.finish("found 10, skipped 10, deleted 2")
		r.equal()
	})
}

// The filter of a run is made once, as of its start.
func TestFilterIsThatOfTheStart(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		var starts []time.Time
		r.cfg.Spec.Filter = func(start time.Time) (*filter.Filter, error) {
			starts = append(starts, start)
			return filter.New(filter.Config{NewerThan: start.Add(-time.Hour)})
		}
		r.interrupt(15)
		time.Sleep(2 * time.Hour)
		r.finish("found 40, copied 40")
		if len(starts) != 2 || !starts[0].Equal(starts[1]) {
			t.Errorf("filters as of %v", starts)
		}
		r.finish("")
	})
}

func TestBadFilterStopsTheTask(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(1, 0)
		_, wrong := regexp.Compile("(") //nolint:staticcheck // wrong on purpose
		r.cfg.Spec.Filter = func(time.Time) (*filter.Filter, error) { return nil, wrong }
		if s, err := r.run(); !errors.Is(err, wrong) || s.State != StateHalted {
			t.Errorf("%v, %+v", err, s)
		}
	})
}
