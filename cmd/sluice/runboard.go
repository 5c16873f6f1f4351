package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/sluice-sync/sluice/task"
)

// look is a snapshot of a lane.
type look struct {
	lane *lane
	task.Snapshot
	ended bool
}

// board shows several tasks beside each other. One goroutine calls it.
type board interface {
	show([]look)
	end(look)     // one of them has ended
	close([]look) // all have
	interval() time.Duration
}

func (a *app) board(o outputFlags, file string, lanes []*lane) board {
	if !o.json && !o.quiet {
		for _, l := range lanes {
			fmt.Fprintf(a.stdout, "task %s: %s -> %s\n", l.name, l.src, l.dst)
		}
	}
	switch f, isFile := a.stdout.(*os.File); {
	case o.json:
		return jsonBoard{a.stdout, o.interval, file}
	case o.quiet:
		return quietBoard{}
	case isFile && term.IsTerminal(int(f.Fd())):
		return newBarBoard(a.stdout, file, lanes)
	default:
		return &lineBoard{out: a.stdout, every: o.interval, file: file, rates: map[*lane]*meter{}}
	}
}

// total adds snapshots up. It is done once every task is, and paused while no
// task can go on.
func total(file string, all []look) task.Snapshot {
	sum := task.Snapshot{Type: "total", Task: file, State: task.StateDone, Listed: true, At: time.Now()}
	states := map[string]int{}
	for _, at := range all {
		s := at.Snapshot
		states[s.State]++
		sum.Listed = sum.Listed && (s.Listed || at.ended)
		if s.Run != "" {
			sum.Run = file
		}
		sum.Found += s.Found
		sum.Copied += s.Copied
		sum.Skipped += s.Skipped
		sum.Pending += s.Pending
		sum.Failed += s.Failed
		sum.Deleted += s.Deleted
		sum.Bytes += s.Bytes
		sum.BytesPart += s.BytesPart
		sum.BytesFound += s.BytesFound
		sum.BytesMoved += s.BytesMoved
		sum.Retrying += s.Retrying
		sum.Restoring += s.Restoring
		sum.FailedDeletes += s.FailedDeletes
		sum.Seconds = max(sum.Seconds, s.Seconds)
	}
	for _, state := range []string{task.StateRunning, task.StatePaused, task.StateInterrupted, task.StateHalted} {
		if states[state] > 0 {
			sum.State = state
			break
		}
	}
	return sum
}

// jsonBoard prints one JSON object per task and interval, the summary of each
// when it ends, and the total last.
type jsonBoard struct {
	out   io.Writer
	every time.Duration
	file  string
}

// taskLine is a snapshot with the name that the task has in its file.
type taskLine struct {
	ID string `json:"id,omitempty"`
	task.Snapshot
}

func (b jsonBoard) show(all []look) {
	for _, at := range all {
		if !at.ended {
			b.end(at)
		}
	}
}
func (b jsonBoard) end(at look) {
	_ = json.NewEncoder(b.out).Encode(taskLine{at.lane.ID.Text, at.Snapshot})
}
func (b jsonBoard) close(all []look) {
	_ = json.NewEncoder(b.out).Encode(taskLine{"", total(b.file, all)})
}
func (b jsonBoard) interval() time.Duration { return b.every }

// quietBoard prints nothing.
type quietBoard struct{}

func (quietBoard) show([]look)             {}
func (quietBoard) end(look)                {}
func (quietBoard) close([]look)            {}
func (quietBoard) interval() time.Duration { return time.Second }

// lineBoard prints a plain line per task and interval, for logs and pipes.
type lineBoard struct {
	out   io.Writer
	every time.Duration
	file  string
	all   meter
	rates map[*lane]*meter
	last  time.Time // when the last lines were printed
}

func (b *lineBoard) show(all []look) {
	sum := total(b.file, all)
	b.all.add(sum)
	for _, at := range all {
		if b.rates[at.lane] == nil {
			b.rates[at.lane] = &meter{}
		}
		b.rates[at.lane].add(at.Snapshot)
	}
	if b.last.IsZero() {
		b.last = sum.At
	}
	if sum.At.Sub(b.last) < b.every-b.interval()/2 {
		return
	}
	b.last = sum.At
	for _, at := range all {
		if !at.ended {
			fmt.Fprintf(b.out, "%s: %s\n", at.lane.ID.Text, progressLine(at.Snapshot, b.rates[at.lane]))
		}
	}
	fmt.Fprintf(b.out, "total: %s\n", progressLine(sum, &b.all))
}

func (b *lineBoard) end(at look)             { printLaneSummary(b.out, at) }
func (b *lineBoard) close(all []look)        { printTotal(b.out, total(b.file, all)) }
func (b *lineBoard) interval() time.Duration { return min(b.every, 500*time.Millisecond) }

// barBoard draws a bar per task and one of the total on a terminal.
type barBoard struct {
	out   io.Writer
	file  string
	p     *mpb.Progress
	bars  map[*lane]*laneBar
	total *laneBar
}

// laneBar is a bar with words behind it, which the terminal's goroutine reads.
type laneBar struct {
	bar  *mpb.Bar
	rate meter
	text atomic.Pointer[string]
}

func newBarBoard(out io.Writer, file string, lanes []*lane) *barBoard {
	b := &barBoard{
		out: out, file: file, bars: map[*lane]*laneBar{},
		p: mpb.New(mpb.WithOutput(out), mpb.WithWidth(24), mpb.WithRefreshRate(150*time.Millisecond)),
	}
	for _, l := range lanes {
		b.bars[l] = newLaneBar(b.p, l.ID.Text)
	}
	b.total = newLaneBar(b.p, "total")
	return b
}

func newLaneBar(p *mpb.Progress, name string) *laneBar {
	r := &laneBar{}
	r.bar = p.New(0, mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
		mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			if text := r.text.Load(); text != nil {
				return *text
			}
			return ""
		})))
	return r
}

func (r *laneBar) show(s task.Snapshot) {
	r.rate.add(s)
	text := progressLine(s, &r.rate)
	switch s.State {
	case task.StateRunning, task.StatePaused:
	case task.StateHalted:
		text = s.State + ": " + s.Why
	default:
		text += ", " + s.State
	}
	r.text.Store(&text)
	if s.Listed {
		r.bar.SetTotal(1000, false)
		r.bar.SetCurrent(int64(1000 * share(s)))
	}
}

func (b *barBoard) show(all []look) {
	for _, at := range all {
		b.bars[at.lane].show(at.Snapshot)
	}
	b.total.show(total(b.file, all))
}

func (b *barBoard) end(at look) { b.bars[at.lane].show(at.Snapshot) }

func (b *barBoard) close(all []look) {
	b.show(all)
	for _, r := range b.bars {
		r.bar.Abort(true)
	}
	b.total.bar.Abort(true)
	b.p.Wait()
	for _, at := range all {
		printLaneSummary(b.out, at)
	}
	printTotal(b.out, total(b.file, all))
}

func (b *barBoard) interval() time.Duration { return 200 * time.Millisecond }

func printLaneSummary(w io.Writer, at look) {
	fmt.Fprintf(w, "%s: ", at.lane.ID.Text)
	printSummary(w, at.Snapshot)
}

func printTotal(w io.Writer, s task.Snapshot) {
	fmt.Fprint(w, "total: ")
	printTotals(w, s)
}
