package task

import (
	"slices"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/bus"
)

// Run ids have one length, sort by time to the millisecond and do not repeat.
func TestRunIDsSortByTime(t *testing.T) {
	at := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	var ids []string
	for _, step := range []time.Duration{0, time.Millisecond, 254 * time.Millisecond, time.Second, time.Hour, 100 * 365 * 24 * time.Hour} {
		at = at.Add(step + time.Millisecond)
		ids = append(ids, newRunID(at))
	}
	for _, id := range ids {
		if len(id) != 20 {
			t.Errorf("%s has %d characters", id, len(id))
		}
	}
	if !slices.IsSorted(ids) {
		t.Errorf("not in the order of time: %v", ids)
	}
	if newRunID(at) == newRunID(at) { //nolint:staticcheck // they are random
		t.Error("two runs of one moment have one id")
	}
}

func TestOutcomesOfRows(t *testing.T) {
	for _, c := range []struct {
		result bus.Result
		row    string
	}{
		{bus.Result{Op: bus.OpPut, Outcome: bus.Copied}, "copied"},
		{bus.Result{Op: bus.OpPut, Outcome: bus.Copied, Reason: "applied"}, "copied"},
		{bus.Result{Op: bus.OpPut, Outcome: bus.Skipped, Reason: "gone"}, "skipped:gone"},
		{bus.Result{Op: bus.OpPut, Outcome: bus.Retrying}, "retrying"},
		{bus.Result{Op: bus.OpPut, Outcome: bus.GivenUp}, "given_up"},
		{bus.Result{Op: bus.OpDelete, Outcome: bus.Deleted}, "delete/deleted"},
		{bus.Result{Op: bus.OpDelete, Outcome: bus.Skipped, Reason: "present"}, "delete/skipped:present"},
		{bus.Result{Op: bus.OpDelete, Outcome: bus.Retrying}, "delete/retrying"},
		{bus.Result{Op: bus.OpDelete, Outcome: bus.GivenUp}, "delete/given_up"},
	} {
		if got := outcomeOf(&c.result); got != c.row {
			t.Errorf("outcomeOf(%+v) = %q, want %q", c.result, got, c.row)
		}
	}
}
