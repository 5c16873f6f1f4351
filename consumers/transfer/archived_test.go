package transfer_test

import (
	"testing"
	"time"

	"github.com/sluice-sync/sluice/bus"
	. "github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/mem"
)

// cold puts an archived object whose restore takes three hours.
func (r *rig) cold(key string, body []byte) storage.Object {
	r.src = mem.New(mem.Options{RestoreTime: 3 * time.Hour})
	r.cfg.Source = r.src
	return r.put(key, body, storage.Metadata{StorageClass: "GLACIER"})
}

func classed(o storage.Object, class bus.Class) bus.Event {
	e := event(o, class)
	e.StorageClass = o.Class
	return e
}

// follow publishes an event and what comes of it at its time, as the task does,
// until the outcome is final. It returns that and how often the object was
// handled.
func (r *rig) follow(e bus.Event) (res bus.Result, handled int) {
	r.t.Helper()
	for handled < 100 {
		handled++
		r.results = nil
		r.publish(e)
		if res = r.one(); res.Outcome != bus.Retrying {
			return res, handled
		}
		e = *res.Event
		time.Sleep(time.Until(res.NextTry))
	}
	r.t.Fatal("no end")
	return res, handled
}

func TestArchivedIsRestoredAndWaitedFor(t *testing.T) {
	bubble(t, func(r *rig) {
		want := noise(1, 5000)
		o := r.cold("k", want)
		s, _ := r.faulty([]fault.Rule{count(fault.Open), count(fault.Restore), count(fault.Stat)}, nil)
		r.cfg.Archived, r.cfg.RestoreDays = ArchivedRestore, 2
		began := time.Now()
		res, handled := r.follow(classed(o, bus.ClassScan))
		r.outcome(res, bus.Copied, "")
		r.no(r.dst.Restore(t.Context(), "k", 1, "")) // there it is at once
		r.holds("k", want)
		there, err := r.dst.Stat(t.Context(), "k")
		r.no(err)
		if there.Class != "GLACIER" {
			t.Errorf("the copy has class %q", there.Class)
		}
		// Pauses of 1, 2, 4 … 60 min pass three hours in about eight looks.
		if took := time.Since(began); took < 3*time.Hour || took > 6*time.Hour {
			t.Errorf("took %v", took)
		}
		hits := s.Hits()
		if hits[0] != 1 || hits[1] != 1 || hits[2] > 14 || handled > 12 {
			t.Errorf("opened %d times, restored %d times, looked %d times, handled %d times", hits[0], hits[1], hits[2], handled)
		}
		if res.Tries != 1 {
			t.Errorf("waiting counts as %d tries", res.Tries)
		}
	})
}

// A copy that lapses before it was read is asked for again.
func TestLapsedRestoreIsAskedForAgain(t *testing.T) {
	bubble(t, func(r *rig) {
		o := r.cold("k", noise(1, 10))
		s, _ := r.faulty([]fault.Rule{count(fault.Restore)}, nil)
		r.cfg.Archived, r.cfg.RestoreDays = ArchivedRestore, 1
		r.publish(classed(o, bus.ClassScan))
		res := r.one()
		r.outcome(res, bus.Retrying, "archived")
		time.Sleep(48 * time.Hour) // the process was not running
		res, _ = r.follow(*res.Event)
		r.outcome(res, bus.Copied, "")
		if n := s.Hits()[0]; n != 2 {
			t.Errorf("restored %d times", n)
		}
	})
}

func TestArchivedPolicies(t *testing.T) {
	for name, tc := range map[string]struct {
		policy   Archived
		restored bool // by somebody else
		listed   bool // the listing told the class
		outcome  bus.Outcome
		why      string
		opens    int
	}{
		"fail":                     {ArchivedFail, false, true, bus.GivenUp, "archived", 0},
		"fail, unknown class":      {ArchivedFail, false, false, bus.GivenUp, "archived", 1},
		"fail, but restored":       {ArchivedFail, true, true, bus.Copied, "", 1},
		"skip":                     {ArchivedSkip, false, true, bus.Skipped, "archived", 0},
		"skip, unknown class":      {ArchivedSkip, false, false, bus.Skipped, "archived", 1},
		"restore, but restored":    {ArchivedRestore, true, true, bus.Copied, "", 1},
		"restore, unknown class":   {ArchivedRestore, false, false, bus.Retrying, "archived", 1},
		"restore, class is listed": {ArchivedRestore, false, true, bus.Retrying, "archived", 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				o := r.cold("k", noise(1, 10))
				if tc.restored {
					r.no(r.src.Restore(t.Context(), "k", 1, ""))
					time.Sleep(4 * time.Hour)
				}
				s, _ := r.faulty([]fault.Rule{count(fault.Open)}, nil)
				r.cfg.Archived = tc.policy
				e := event(o, bus.ClassScan)
				if tc.listed {
					e.StorageClass = o.Class
				}
				r.publish(e)
				r.outcome(r.one(), tc.outcome, tc.why)
				if n := s.Hits()[0]; n != tc.opens {
					t.Errorf("opened %d times, want %d", n, tc.opens)
				}
			})
		})
	}
}

// A large archived object goes in parts once it is restored.
func TestArchivedInParts(t *testing.T) {
	bubble(t, func(r *rig) {
		want := noise(2, 200<<10)
		o := r.cold("big", want)
		r.cfg.Archived = ArchivedRestore
		res, _ := r.follow(classed(o, bus.ClassBulk))
		r.outcome(res, bus.Copied, "")
		r.no(r.dst.Restore(t.Context(), "big", 1, ""))
		r.holds("big", want)
	})
}
