package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/store"
)

// look checks a snapshot taken at any time.
func (w *world) look(s Snapshot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	reasons := int64(0)
	for _, n := range s.SkippedReasons {
		reasons += n
	}
	bad := ""
	seen := w.runs[s.Run]
	switch {
	case s.Found != s.Copied+s.Skipped+s.Pending+s.Failed || reasons != s.Skipped:
		bad = "the counts do not add up"
	case min(s.Copied, s.Skipped, s.Pending, s.Failed, s.Retrying, s.Deleted, s.FailedDeletes, s.Bytes, s.BytesFound, s.Unvouched) < 0:
		bad = "a count is negative"
	case s.Run == "":
	case seen == nil:
		w.runs[s.Run] = &runSeen{base: w.began, found: w.takePart}
		seen = w.runs[s.Run]
		fallthrough
	default:
		changes := w.version - seen.base
		if w.faulty && s.Phase == "closing" {
			// What was equal and cannot be looked at is both until the pass is over.
			changes += seen.found
		}
		if s.Found > seen.found+2*changes {
			bad = fmt.Sprintf("found more than the %d there are", seen.found)
		} else if changes == 0 && s.Listed && s.Found != seen.found {
			bad = fmt.Sprintf("listed, but did not find the %d there are", seen.found)
		}
	}
	if bad != "" && len(w.problems) < 20 {
		w.problems = append(w.problems, fmt.Sprintf("%s: %+v", bad, s))
	}
}

// process runs one process: to its end, until it is killed, or interrupted.
func (w *world) process(end string) (Snapshot, error) {
	w.mu.Lock()
	clear(w.frozen)
	// An intent of a later pass may be published again whole, and a look at the
	// target that fails is followed by a copy.
	if !w.listed && !w.faulty {
		w.frozen = maps.Clone(w.said)
	}
	w.began = w.version
	w.mu.Unlock()
	w.takePart = 0
	for _, o := range w.all(w.src) {
		if w.selects(&o) {
			w.takePart++
		}
	}
	w.ops.Store(0)
	w.fuse = fuse{blow: func() { w.live.kill() }}
	w.fuse.left.Store(1 << 60)
	at := int64(1 + w.luck.intN(6*len(w.keys)))
	switch end {
	case "killed":
		w.fuse.left.Store(at)
	case "interrupted":
		w.stopAt = at
	}
	clear(w.deleted)
	p := w.start()
	watching, stop := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for pause(watching, 97*time.Millisecond) == nil {
			w.look(p.Snapshot())
		}
	}()
	s, err := p.wait()
	stop()
	<-watched
	w.stopAt = 0
	w.look(s)        // so that every run is known
	if s.Run != "" { // it had come to its run
		w.listed = s.Listed
	}
	w.t.Logf("%-11s %s %s, phase %s: %d copied, %d skipped, %d pending, %d failed, %d deleted; %d operations, faulty %v, changes %d, retries %v: %v",
		end, s.Run, s.State, s.Phase, s.Copied, s.Skipped, s.Pending, s.Failed, s.Deleted, w.ops.Load(), w.faulty, w.version-w.began, w.cfg.RetryOnly, err)
	return s, err
}

func (w *world) all(b storage.Source) (all []storage.Object) {
	pages := b.List(storage.Range{})
	for {
		page, err := pages.Next(context.Background())
		if err == io.EOF {
			return all
		}
		w.no(err)
		all = append(all, page...)
	}
}

// ended checks what a process that was let run to its end says and leaves.
func (w *world) ended(s Snapshot, err error) {
	w.look(s)
	// An earlier process may have deleted what was meant then.
	if errors.Is(err, ErrDeletesHeld) && (!s.Resumed && len(w.deleted)+int(s.Deleted) > 0 || s.DeletesHeld == 0) {
		w.problem("held, and yet deleted %v: %+v", w.deleted, s)
	}
	if err != nil {
		return
	}
	if s.State != StateDone || s.Phase != phaseDone || s.Pending+s.Retrying > 0 {
		w.problem("done, but %+v", s)
	}
	fs := w.ledger()
	if int64(len(fs)) != s.Failed+s.FailedDeletes {
		w.problem("%d rows in the ledger: %+v", len(fs), s)
	}
	w.state(func(st *store.Task) {
		w.no(eachUpload(st, func(r store.KeyRecord) {
			if !w.noticed("an unfinished upload stays") {
				w.problem("the record of an upload of %q is left", r.Key)
			}
		}))
	})
	open, lerr := w.dst.ListUploads(context.Background(), "")
	w.no(lerr)
	if len(open) > 0 && !w.noticed("an unfinished upload stays") {
		w.problem("uploads are left: %v", open)
	}
	if w.runs[s.Run].base != w.version {
		return
	}
	// An object that cannot be looked at counts as one that differs.
	if s.Found != w.runs[s.Run].found || s.Changing > 0 && !w.faulty && !s.Resumed {
		w.problem("the source has %d objects and was quiet: %+v", w.runs[s.Run].found, s)
	}
	w.compare(fs)
}

// compare holds the target against the source as the options ask for.
func (w *world) compare(failed []store.Failure) {
	rule := w.cfg.Spec.Rule
	if rule.SizeOnly || rule.Update || rule.IgnoreExisting || rule.Existing {
		return
	}
	skip := map[string]bool{}
	for _, f := range failed {
		skip[f.Key] = true
	}
	src, dst := contents(w.t, w.src), contents(w.t, w.dst)
	for _, o := range w.all(w.src) {
		if skip[o.Key] || !w.selects(&o) {
			continue
		}
		// Of objects without bytes any two are equal.
		if got, want := dst[o.Key], src[o.Key]; !reflect.DeepEqual(got, want) && (got.Key == "" || got.Size+want.Size > 0) {
			w.problem("%q is another at the target:\n%s\n%s", o.Key, show(got), show(want))
		}
	}
	s := w.cfg.Spec
	if !s.Delete || s.Filter != nil {
		return
	}
	for key := range dst {
		if _, ok := src[key]; !ok && !skip[key] {
			w.problem("%q is at the target only", key)
		}
	}
}

// fine fails the history with all that was found.
func (w *world) fine(seed uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, p := range w.problems {
		if i < 5 {
			w.t.Error(p)
		}
	}
	if len(w.problems) > 0 || w.t.Failed() {
		w.t.Fatalf("replay with -run '%s' -seed %d", "TestHistories", seed)
	}
}

// epoch lets some processes work, through changes, faults and deaths, until one
// comes to an end.
func (w *world) epoch(seed uint64) {
	w.options()
	for n := w.luck.intN(10); n > 0; n-- {
		w.change()
	}
	for try := range 8 {
		w.changeEvery = 0
		if w.luck.intN(3) == 0 {
			w.changeEvery = int64(5 + w.luck.intN(200))
		}
		faulty := w.luck.intN(3) > 0
		w.faulty = faulty
		w.faults(faulty)
		end := []string{"killed", "killed", "interrupted", ""}[w.luck.intN(4)]
		if try == 7 {
			end = ""
		}
		if w.luck.intN(10) == 0 {
			w.retries(end)
			w.fine(seed)
			continue
		}
		s, err := w.process(end)
		died := w.fuse.dead.Load()
		switch {
		case died || errors.Is(err, ErrInterrupted):
		case err == nil, errors.Is(err, ErrDeletesHeld), errors.Is(err, ErrMaxErrors):
			w.ended(s, err)
			w.lost = false
		case errors.Is(err, bus.ErrLost) && w.lost:
		case !faulty || errors.Is(err, bus.ErrLost):
			w.problem("%v: %+v", err, s)
		}
		w.fine(seed)
		if err == nil && !died {
			return
		}
		if w.luck.intN(3) == 0 {
			w.between()
		}
	}
}

// retries runs a process for the failed objects alone.
func (w *world) retries(end string) {
	w.cfg.RetryOnly = true
	s, err := w.process(end)
	w.cfg.RetryOnly = false
	if err == nil && !w.fuse.dead.Load() && s.Retrying > 0 {
		w.problem("retries are left: %+v", s)
	}
}

// settleDown lets the task run in peace until all is equal.
func (w *world) settleDown(seed uint64) {
	w.plain()
	w.cfg.Spec.Delete = w.luck.intN(2) == 0
	w.changeEvery, w.faulty = 0, false
	w.faults(false)
	for try := 0; ; try++ {
		s, err := w.process("")
		if errors.Is(err, bus.ErrLost) && w.lost {
			w.lost = false
			continue
		}
		if err != nil || try > 3 {
			w.problem("left in peace: %v, %+v", err, s)
		}
		w.ended(s, err)
		w.fine(seed)
		if s.Failed+s.FailedDeletes == 0 && !s.Resumed {
			break
		}
	}
	clear(w.wrote)
	s, err := w.process("")
	w.ended(s, err)
	if s.Copied+s.Deleted > 0 || s.Skipped != w.takePart || err != nil {
		w.problem("once more: %v, %+v", err, s)
	}
	w.fine(seed)
}

func history(t *testing.T, seed uint64) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dir, seed)
		for range 1 + w.luck.intN(4) {
			w.epoch(seed)
		}
		w.settleDown(seed)
	})
}

// TestHistories runs random histories through faults and deaths. The draws
// follow from the seed, the order of what goes on at once does not.
func TestHistories(t *testing.T) {
	first, n := uint64(1), *manyFlag
	if *seedFlag != 0 {
		first, n = *seedFlag, 1
	}
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			history(t, seed)
		})
	}
}

// TestSoakHistories runs new ones for a second, with -soak for a quarter of an hour.
func TestSoakHistories(t *testing.T) {
	long := time.Second
	if *soakFlag {
		long = 15 * time.Minute
	}
	seed := uint64(time.Now().UnixNano())
	for end := time.Now().Add(long); time.Now().Before(end); seed++ {
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { history(t, seed) }) {
			return
		}
	}
}
