package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/space"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/task"
)

func TestReportIsOneLineAndAHint(t *testing.T) {
	gone := &storage.Error{Op: "check", Place: "one://b", Kind: storage.ErrNoBucket}
	for _, c := range []struct {
		err  error
		code int
		hint string
	}{
		{nil, exitOK, ""},
		{codeError(exitObjects), exitObjects, ""},
		{usagef("no such thing"), exitUsage, "sluice help"},
		{task.ErrInterrupted, exitInterrupted, ""},
		{fmt.Errorf("list: %w", context.Canceled), exitInterrupted, ""},
		{fmt.Errorf("%w: 5, the limit is 5", task.ErrMaxErrors), exitMaxErrors, "sluice failures"},
		{task.ErrDeletesHeld, exitFailed, "--max-delete"},
		{&space.InUseError{PID: 7}, exitFailed, "sluice status"},
		{earlyError{"source", gone}, exitFailed, "name of the source"},
		{earlyError{"target", gone}, exitFailed, "--create-bucket"},
		{&storage.Error{Kind: storage.ErrCredentials}, exitFailed, "secret key"},
		{&storage.Error{Kind: storage.ErrDenied}, exitFailed, "may not"},
		{&storage.Error{Kind: storage.ErrNoSpace}, exitFailed, "make room"},
		{fmt.Errorf("full: %w", bus.ErrNoDisk), exitFailed, "make room"},
		{fmt.Errorf("%w: target", transfer.ErrGaveUp), exitFailed, "resumes"},
		{errors.Join(errors.New("one"), errors.New("two")), exitFailed, ""},
	} {
		var out strings.Builder
		if code := report(&out, c.err); code != c.code {
			t.Errorf("%v: exit code %d, want %d", c.err, code, c.code)
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		switch {
		case out.Len() == 0 && c.err != nil && c.code != exitObjects:
			t.Errorf("%v: nothing was said", c.err)
		case c.hint == "" && len(lines) != 1, c.hint != "" && (len(lines) != 2 || !strings.Contains(lines[1], c.hint)):
			t.Errorf("%v: said %q, want a hint with %q", c.err, lines, c.hint)
		}
	}
}

// steady are snapshots of a task that does 100 objects of 1,000 bytes a second
// and had done some before this process.
func steady(before int64) func(sec float64) task.Snapshot {
	start := time.Unix(1e9, 0)
	return func(sec float64) task.Snapshot {
		n := int64(100 * sec)
		return task.Snapshot{
			Run: "r", State: task.StateRunning, Listed: true, At: start.Add(time.Duration(sec * float64(time.Second))),
			Found: 10_000, Copied: before + n, Pending: 10_000 - before - n, Bytes: 1000 * (before + n), BytesFound: 10_000_000, BytesMoved: 1000 * n,
		}
	}
}

func TestRatesAreRightFromTheFirstLine(t *testing.T) {
	for _, before := range []int64{0, 5000} {
		at := steady(before)
		var m meter
		m.add(task.Snapshot{At: at(0).At}) // nothing is known yet
		for sec := 0.5; sec < 20; sec += 0.5 {
			m.add(at(sec))
			if sec < 1 {
				continue
			}
			if objects, bytes := m.rates(); objects < 99 || objects > 101 || bytes < 99_000 || bytes > 101_000 {
				t.Fatalf("after %.1f s: %.1f objects/s, %.0f bytes/s", sec, objects, bytes)
			}
		}
		left, ok := remaining(at(19.5), &m)
		if want := time.Duration((10_000-before-1950)/100) * time.Second; !ok || (left-want).Abs() > 2*time.Second {
			t.Errorf("ETA %s, want %s", left, want)
		}
	}
}

func TestLinesComePerInterval(t *testing.T) {
	var out strings.Builder
	r := &lineReporter{out: &out, every: 2 * time.Second, rate: &meter{}}
	at := steady(0)
	for sec := 0.0; sec < 10.2; sec += r.interval().Seconds() {
		r.show(at(sec))
	}
	if n := strings.Count(out.String(), "\n"); n != 5 {
		t.Errorf("%d lines in 10 s, want one each 2 s:\n%s", n, out.String())
	}
	if l, _, _ := strings.Cut(out.String(), "\n"); !strings.Contains(l, "100 obj/s") || !strings.HasPrefix(l, "2% 200/10,000 objects") {
		t.Errorf("the first line is %q", l)
	}
}

func TestProgressSaysWhatIsGoingOn(t *testing.T) {
	for want, s := range map[string]task.Snapshot{
		"0/0+ objects":             {Run: "r"},
		", 3 failed":               {Run: "r", Failed: 3, Found: 3},
		", 4 to be tried again":    {Run: "r", Retrying: 4, Pending: 4, Found: 4},
		", paused: no space":       {Run: "r", State: task.StatePaused, Why: "no space"},
		", looking again":          {Run: "r", Phase: "closing"},
		", deleting":               {Run: "r", Phase: "deleting"},
		"50% 1/2 objects, 1 B/2 B": {Run: "r", Listed: true, Found: 2, Copied: 1, Pending: 1, Bytes: 1, BytesFound: 2},
	} {
		if got := progressLine(s, &meter{}); !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
}

func TestMisspeltFlagsAndCommands(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"sync --exclud x a b", "did you mean --exclude?"},
		{"sync --worker 3 a b", "did you mean --workers?"},
		{"sync --zzzzzzzz a b", "there is no flag --zzzzzzzz"},
		{"status --log-levvel debug", "did you mean --log-level?"},
		{"snyc a b", "did you mean sync?"},
		{"failures lst x", "did you mean list?"},
		{"sync a", "want SRC and DST, got 1 arguments"},
	} {
		var out strings.Builder
		a := &app{stdout: &out, stderr: &out}
		cmd := a.command()
		cmd.SetArgs(strings.Fields(c.args))
		err := cmd.Execute()
		var usage usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.args, err, c.says)
		}
	}
}
