package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/sluice-sync/sluice/task"
)

// reporter shows snapshots to whoever looks.
type reporter interface {
	show(task.Snapshot)
	// end shows the summary; show is not called after it.
	end(task.Snapshot)
	// interval is how often show wants to be called.
	interval() time.Duration
}

// jsonReporter prints one JSON object per interval and the summary last.
type jsonReporter struct {
	out   io.Writer
	every time.Duration
}

func (r jsonReporter) show(s task.Snapshot)    { _ = json.NewEncoder(r.out).Encode(s) }
func (r jsonReporter) end(s task.Snapshot)     { r.show(s) }
func (r jsonReporter) interval() time.Duration { return r.every }

// lineReporter prints a plain line per interval, for logs and pipes. It looks
// more often than it prints, so that the first line has a rate too.
type lineReporter struct {
	out   io.Writer
	every time.Duration
	rate  *meter
	last  time.Time // when the last line was printed
}

func (r *lineReporter) show(s task.Snapshot) {
	r.rate.add(s)
	if r.last.IsZero() {
		r.last = s.At
	}
	if s.At.Sub(r.last) < r.every-r.interval()/2 {
		return
	}
	r.last = s.At
	fmt.Fprintln(r.out, progressLine(s, r.rate))
}

func (r *lineReporter) end(s task.Snapshot)     { printSummary(r.out, s) }
func (r *lineReporter) interval() time.Duration { return min(r.every, 500*time.Millisecond) }

// quietReporter prints nothing.
type quietReporter struct{}

func (quietReporter) show(task.Snapshot)      {}
func (quietReporter) end(task.Snapshot)       {}
func (quietReporter) interval() time.Duration { return time.Second }

// barReporter draws a bar on a terminal.
type barReporter struct {
	out  io.Writer
	p    *mpb.Progress
	bar  *mpb.Bar
	rate *meter
	text string
}

func newBarReporter(out io.Writer, rate *meter) *barReporter {
	r := &barReporter{out: out, rate: rate}
	r.p = mpb.New(mpb.WithOutput(out), mpb.WithWidth(40), mpb.WithRefreshRate(150*time.Millisecond))
	r.bar = r.p.New(0, mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return r.text })))
	return r
}

func (r *barReporter) show(s task.Snapshot) {
	r.rate.add(s)
	r.text = progressLine(s, r.rate)
	if s.Listed {
		r.bar.SetTotal(1000, false)
		r.bar.SetCurrent(int64(1000 * share(s)))
	}
}

func (r *barReporter) end(s task.Snapshot) {
	r.show(s)
	r.bar.Abort(true)
	r.p.Wait()
	printSummary(r.out, s)
}

func (r *barReporter) interval() time.Duration { return 200 * time.Millisecond }

// meter smooths rates over some seconds of snapshots.
type meter struct {
	at      time.Time
	objects int64
	bytes   int64
	past    float64 // the weight of all that was seen: 0 at first, 1 in the end
	perSec  float64 // objects, times past
	bps     float64 // bytes, times past
}

// add takes a snapshot in and updates the rates.
func (m *meter) add(s task.Snapshot) {
	done := s.Found - s.Pending
	if s.Run == "" { // nothing is known yet
		return
	}
	if m.at.IsZero() {
		m.at, m.objects, m.bytes = s.At, done, s.BytesMoved
		return
	}
	d := s.At.Sub(m.at).Seconds()
	if d < 0.1 {
		return
	}
	// The weight of the past halves about every three seconds.
	w := 1 / (1 + d/4)
	m.past = w*m.past + 1 - w
	m.perSec = w*m.perSec + (1-w)*float64(done-m.objects)/d
	m.bps = w*m.bps + (1-w)*float64(s.BytesMoved-m.bytes)/d
	m.at, m.objects, m.bytes = s.At, done, s.BytesMoved
}

// rates are objects and bytes per second.
func (m *meter) rates() (objects, bytes float64) {
	if m.past == 0 {
		return 0, 0
	}
	return m.perSec / m.past, m.bps / m.past
}

// progressLine is one line about a task that runs.
func progressLine(s task.Snapshot, m *meter) string {
	var b strings.Builder
	if s.Listed && s.Found > 0 {
		fmt.Fprintf(&b, "%d%% ", int(100*share(s)))
	}
	perSec, bps := m.rates()
	more := ""
	if !s.Listed {
		more = "+" // the listing goes on
	}
	fmt.Fprintf(&b, "%s/%s%s objects, %s/%s%s, %s/s, %s obj/s", humanize.Comma(s.Found-s.Pending), humanize.Comma(s.Found), more,
		size(s.Bytes+s.BytesPart), size(s.BytesFound), more, size(int64(bps)), humanize.Comma(int64(perSec)))
	if eta, ok := remaining(s, m); ok {
		fmt.Fprintf(&b, ", ETA %s", eta)
	}
	if s.Failed > 0 {
		fmt.Fprintf(&b, ", %s failed", humanize.Comma(s.Failed))
	}
	if s.Restoring > 0 {
		fmt.Fprintf(&b, ", %s wait for their restore", humanize.Comma(s.Restoring))
	}
	if n := s.Retrying - s.Restoring; n > 0 {
		fmt.Fprintf(&b, ", %s to be tried again", humanize.Comma(n))
	}
	switch {
	case s.State == task.StatePaused:
		fmt.Fprintf(&b, ", paused: %s", s.Why)
	case s.Phase == "closing":
		b.WriteString(", looking again")
	case s.Phase == "deleting":
		b.WriteString(", deleting")
	}
	return b.String()
}

// share is how much is done, from 0 to 1: of the bytes that had to be copied,
// or of the objects if there are none.
func share(s task.Snapshot) float64 {
	switch {
	case s.Pending == 0:
		return 1
	case s.BytesFound > 0:
		return min(float64(s.Bytes+s.BytesPart)/float64(s.BytesFound), 0.99)
	}
	return float64(s.Found-s.Pending) / float64(s.Found)
}

// remaining estimates the time left, once it is known what there is to do.
func remaining(s task.Snapshot, m *meter) (time.Duration, bool) {
	if !s.Listed || s.Pending == 0 {
		return 0, false
	}
	perSec, bps := m.rates()
	var sec float64
	if perSec > 0.01 {
		sec = float64(s.Pending) / perSec
	}
	if left := s.BytesFound - s.Bytes - s.BytesPart; bps > 1 && left > 0 {
		sec = max(sec, float64(left)/bps)
	}
	if sec == 0 || sec > 100*24*3600 {
		return 0, false
	}
	return time.Duration(sec+1) * time.Second, true
}

// printSummary says how a run ended.
func printSummary(w io.Writer, s task.Snapshot) {
	printTotals(w, s)
	if s.Found == 0 && s.State == task.StateDone {
		fmt.Fprintln(w, "  the source holds nothing that takes part; is its name right?")
	}
	for _, why := range sortedKeys(s.SkippedReasons) {
		if n := s.SkippedReasons[why]; n > 0 && why != "equal" {
			fmt.Fprintf(w, "  skipped, %s: %s\n", skipWords(why), humanize.Comma(n))
		}
	}
	if s.Unvouched > 0 {
		fmt.Fprintf(w, "  %s objects were read without a checksum of the source to hold them against\n", humanize.Comma(s.Unvouched))
	}
	for _, what := range sortedKeys(s.NotKept) {
		fmt.Fprintf(w, "  not kept, because the target cannot hold it: %s (first of %q)\n", strings.ReplaceAll(what, "_", " "), s.NotKept[what])
	}
	if s.Changing > 0 {
		fmt.Fprintf(w, "  %s objects still changed at the source during the last look\n", humanize.Comma(s.Changing))
	}
	if s.FailedDeletes > 0 {
		fmt.Fprintf(w, "  %s deletes failed\n", humanize.Comma(s.FailedDeletes))
	}
	if s.Failed+s.FailedDeletes > 0 {
		fmt.Fprintf(w, "  what failed and why: sluice failures list %s\n", s.Task)
	}
}

// printTotals is the first line of a summary.
func printTotals(w io.Writer, s task.Snapshot) {
	fmt.Fprintf(w, "%s: found %s, copied %s, skipped %s, pending %s, failed %s, deleted %s; %s in %.1f s",
		s.State, humanize.Comma(s.Found), humanize.Comma(s.Copied), humanize.Comma(s.Skipped), humanize.Comma(s.Pending),
		humanize.Comma(s.Failed), humanize.Comma(s.Deleted), size(s.Bytes), s.Seconds)
	if s.Seconds > 0 && s.BytesMoved > 0 {
		fmt.Fprintf(w, " (%s/s)", size(int64(float64(s.BytesMoved)/s.Seconds)))
	}
	fmt.Fprintln(w)
}

func skipWords(why string) string {
	switch why {
	case "directory":
		return "empty directories, which the target cannot hold"
	case "symlink":
		return "symbolic links, which the target cannot hold"
	case "special":
		return "FIFOs, sockets and devices"
	case "archived":
		return "archived objects, which must be restored before they can be read (--archived restore)"
	case "gone":
		return "gone from the source by now"
	}
	return why
}

func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
