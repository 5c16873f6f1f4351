package transfer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/metadata"
	"github.com/sluice-sync/sluice/storage"
)

// job is one delivery being handled, by one worker at a time.
type job struct {
	*run
	d      bus.Delivery
	source string // key there
	target string // key there
	mapped bool   // whether the key takes part

	lost  metadata.Loss   // what the target cannot hold of the object
	tried bool            // an attempt failed: look at the source afresh
	sums  map[string]bool // what whole readings gave that disagreed with the source's composite ETag
	sent  atomic.Int64    // bytes in Progress.Partial
}

// done says how a handling ended well.
type done struct {
	outcome   bus.Outcome
	reason    string
	size      int64
	moved     int64
	src, dst  string
	unvouched bool
}

func skipped(reason string, size int64) done {
	return done{outcome: bus.Skipped, reason: reason, size: size}
}

func (r *run) newJob(d bus.Delivery) *job {
	j := &job{run: r, d: d}
	if d.Event.Op == bus.OpDelete {
		j.target = d.Event.Key
		j.source, j.mapped = r.cfg.Map.Source(j.target)
		return j
	}
	j.source = d.Event.Key
	j.target, j.mapped = r.cfg.Map.Target(j.source)
	if !j.mapped {
		j.target = j.source // for the turn only
	}
	return j
}

// handle applies the event. ok is false if it must be left un-acked.
func (j *job) handle(ctx context.Context) (res bus.Result, ok bool) {
	j.active.Add(1)
	defer j.active.Add(-1)
	defer j.unsend()
	if j.d.Err != nil {
		res = j.result(done{outcome: bus.GivenUp})
		res.Cause, res.Error, res.Tries = "unknown_message", j.d.Err.Error(), j.d.Event.Tries+1
		return res, true
	}
	if !j.mapped {
		return j.result(skipped("excluded", j.d.Event.Size)), true
	}
	var did done
	err := j.attempt(ctx, func() (err error) {
		j.unsend()
		did, err = j.apply(ctx)
		j.tried = true
		return err
	})
	if err == nil {
		res = j.result(did)
	} else if !j.ends(err) {
		res = j.failed(err)
	}
	if err != nil && res.Outcome == "" || !j.tidy(ctx, &res) {
		return res, false
	}
	return res, true
}

// ends tells whether an error ends the run rather than this handling.
func (r *run) ends(err error) bool {
	var s stateError
	if errors.As(err, &s) {
		r.stop(s.err)
		return true
	}
	return errors.Is(err, errDrained)
}

// tidy makes sure that a final outcome leaves no upload of the key open. It
// returns false if the event must be left un-acked for that.
func (j *job) tidy(ctx context.Context, res *bus.Result) bool {
	if res.Outcome == bus.Retrying || j.multipart == nil {
		return true
	}
	_, open, err := j.record()
	if err == nil && open {
		err = j.attempt(ctx, func() error { return j.abandon(ctx) })
	}
	switch {
	case err == nil:
		return true
	case j.ends(err):
		return false
	case res.Outcome == bus.GivenUp:
		res.Error += "; and its upload could not be removed: " + err.Error()
	default:
		*res = j.failed(err)
	}
	return true
}

func (j *job) result(d done) bus.Result {
	e := &j.d.Event
	lost := ""
	if d.outcome == bus.Copied {
		lost = j.lost.String()
	}
	task := e.Task
	if task == "" {
		task = j.cfg.Task
	}
	return bus.Result{
		Task: task, Run: e.Run, Seq: j.d.Seq, Op: e.Op, Key: e.Key, Class: e.Class, Kind: e.Kind,
		Outcome: d.outcome, Reason: d.reason, Size: d.size, Moved: d.moved, Src: d.src, Dst: d.dst,
		Unvouched: d.unvouched, Lost: lost, Tries: e.Tries + 1, At: time.Now(),
	}
}

// send counts bytes on their way to the target.
func (j *job) send(n int64) {
	j.moved.Add(n)
	j.have(n)
}

// have counts bytes that the target has been given, now or in an earlier run.
func (j *job) have(n int64) {
	j.sent.Add(n)
	j.partial.Add(n)
}

func (j *job) unsend() { j.partial.Add(-j.sent.Swap(0)) }

// announced tells whether to work from what the event says: a listing saw it a
// moment ago, and the read is pinned to it. All else looks at the source first.
func (j *job) announced() bool {
	c := j.d.Event.Class
	return (c == bus.ClassScan || c == bus.ClassBulk) && !j.tried && j.hasVersion()
}

func (j *job) hasVersion() bool {
	e := &j.d.Event
	return e.ETag != "" || e.CTime != 0 || e.Inode != 0
}

// confirms tells whether the source is looked at again after the write.
func (j *job) confirms() bool {
	c := j.d.Event.Class
	return c != bus.ClassScan && c != bus.ClassBulk
}

func (j *job) eventObject() storage.Object {
	e := &j.d.Event
	o := storage.Object{Key: j.source, Size: e.Size, ModTime: e.MTime, ETag: e.ETag, Class: e.StorageClass, Inode: e.Inode, CTime: e.CTime}
	switch e.Kind {
	case bus.KindDir:
		o.Kind = storage.KindDir
	case bus.KindSymlink:
		o.Kind = storage.KindSymlink
	}
	return o
}

// turns gives each key to one worker at a time. A job that finds its key taken
// is left with the holder, so that no worker waits.
type turns struct {
	mu   sync.Mutex
	busy map[string][]*job // the jobs that wait for a key that is taken
}

// take reports whether the job may be handled now.
func (t *turns) take(j *job) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	waiting, taken := t.busy[j.target]
	if taken {
		t.busy[j.target] = append(waiting, j)
		return false
	}
	t.busy[j.target] = nil
	return true
}

// pass gives the key to the next job that waits for it, to be handled by the caller.
func (t *turns) pass(key string) *job {
	t.mu.Lock()
	defer t.mu.Unlock()
	waiting := t.busy[key]
	if len(waiting) == 0 {
		delete(t.busy, key)
		return nil
	}
	t.busy[key] = waiting[1:]
	return waiting[0]
}
