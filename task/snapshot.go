package task

import (
	"time"

	"github.com/sluice-sync/sluice/producers/manifest"
)

// States of a task, as snapshots say them.
const (
	StateRunning     = "running"
	StatePaused      = "paused" // an endpoint or the state's disk cannot be used; goes on by itself
	StateDone        = "done"
	StateInterrupted = "interrupted" // stopped from outside; the same command resumes
	StateHalted      = "halted"      // max_errors or a fatal error; resumable
)

// Snapshot is a look at a task. Found is always Copied + Skipped + Pending +
// Failed. Counts are of the run, also across restarts; Seconds and rates are of
// this process.
type Snapshot struct {
	Type    string    `json:"type"` // "progress", or "summary" for the last one
	Task    string    `json:"task"`
	Run     string    `json:"run"`
	Source  string    `json:"source"`
	Target  string    `json:"target"`
	State   string    `json:"state"`
	Why     string    `json:"why,omitempty"` // of paused and halted
	Phase   string    `json:"phase"`         // scanning, closing, deleting, done
	Listed  bool      `json:"listing_complete"`
	Resumed bool      `json:"resumed"`
	At      time.Time `json:"at"`

	Found   int64 `json:"found"`
	Copied  int64 `json:"copied"`
	Skipped int64 `json:"skipped"`
	Pending int64 `json:"pending"`
	Failed  int64 `json:"failed"`
	Deleted int64 `json:"deleted"`

	Bytes      int64   `json:"bytes"`         // sizes of the copied objects
	BytesPart  int64   `json:"bytes_partial"` // of unfinished objects, that the target has or is being sent
	BytesFound int64   `json:"bytes_found"`   // sizes of all objects that had or have to be copied
	BytesMoved int64   `json:"bytes_moved"`   // sent to the target by this process, parts in flight included
	Seconds    float64 `json:"seconds"`

	Retrying       int64            `json:"retrying"`
	Restoring      int64            `json:"restoring,omitempty"` // of those, archived objects that wait for their restore
	SkippedReasons map[string]int64 `json:"skipped_reasons,omitempty"`
	Unvouched      int64            `json:"unvouched"` // copied, but nobody could vouch for the bytes that were read
	// NotKept names what some object had and the target cannot hold, each with
	// the first such key.
	NotKept       map[string]string `json:"not_kept,omitempty"`
	DeletesHeld   int64             `json:"deletes_held,omitempty"`
	FailedDeletes int64             `json:"failed_deletes,omitempty"`
	Changing      int64             `json:"changing,omitempty"` // still differed after the last closing pass
	ListedSource  int64             `json:"listed_source"`      // keys looked at by this process
	ListedTarget  int64             `json:"listed_target"`
	// Manifest tells what was read of one, once all of it was.
	Manifest *manifest.Counts `json:"manifest,omitempty"`
}

// Snapshot looks at the task; safe for concurrent use with Run.
func (t *Task) Snapshot() Snapshot {
	t.mu.Lock()
	s := Snapshot{
		Type: "progress", Task: t.cfg.Name, Run: t.rec.ID, Source: t.cfg.Source.String(), Target: t.cfg.Target.String(),
		State: t.status, Why: t.why, Phase: t.phase, Resumed: t.rec.Starts > 1, At: t.now(),
		DeletesHeld: t.held, Changing: t.changing, Listed: len(t.rec.Passes) > 0,
		Seconds: t.now().Sub(t.started).Seconds(), Manifest: t.manifest,
	}
	if t.listPause != nil && s.State == StateRunning {
		s.State, s.Why = StatePaused, t.listPause.Error()
	}
	totals, skipped := t.listedLocked()
	proj, lister, mover := t.proj, t.lister, t.mover
	t.mu.Unlock()
	if proj == nil {
		return s
	}
	c, _ := proj.counters()
	if lister != nil {
		p := lister.Progress()
		s.ListedSource, s.ListedTarget = p.Source, p.Target
	}
	if mover != nil {
		p := mover.Progress()
		s.BytesMoved, s.BytesPart = p.Moved, p.Partial
		if s.State == StateRunning && len(p.Paused) > 0 {
			s.State, s.Why = StatePaused, p.Paused[0].Err.Error()
		}
	}
	if why := t.gate.reason(); why != "" && s.State == StateRunning {
		s.State, s.Why = StatePaused, why
	}
	s.Copied, s.Deleted, s.Bytes, s.Unvouched = c.Copied, c.Deleted, c.Bytes, c.Unvouched
	s.NotKept = c.NotKept
	s.Failed, s.FailedDeletes, s.Retrying = c.Failed, c.FailedDel, c.Retrying+c.RetryDel
	s.Restoring = c.Restoring
	// Results may be in before the lister's totals are read; they never add up
	// to more than was published.
	s.Pending = max(totals.Published-c.Copied-c.skipped()-c.Failed, 0)
	s.Skipped = c.skipped()
	s.SkippedReasons = c.Skipped
	if s.SkippedReasons == nil {
		s.SkippedReasons = map[string]int64{}
	}
	for why, n := range skipped {
		s.Skipped += n
		s.SkippedReasons[why] += n
	}
	s.Found = s.Copied + s.Skipped + s.Pending + s.Failed
	s.BytesFound = max(totals.PublishedBytes, c.Bytes+c.SkipBytes)
	return s
}

// pending is how many published puts and deletes are not settled.
func (t *Task) pending() (int64, <-chan struct{}) {
	t.mu.Lock()
	totals, _ := t.listedLocked()
	t.mu.Unlock()
	c, changed := t.proj.counters()
	return totals.Published - c.Copied - c.skipped() - c.Failed + c.RetryDel, changed
}

// backlog is what has not been handed to anybody: pending without retries.
func (t *Task) backlog() (int64, <-chan struct{}) {
	n, changed := t.pending()
	c, _ := t.proj.counters()
	return n - c.Retrying - c.RetryDel, changed
}
