package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/producers/list"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/store"
)

// begin resumes the unfinished run or starts a new one, after all results that
// are stored have been projected: an object whose result is known is not
// copied again.
func (t *Task) begin(ctx context.Context, freshBus bool) error {
	if t.cfg.Spec.Delete && t.cfg.Spec.Manifest != nil {
		return errors.New("deletes need a listing: a manifest does not tell what is extraneous")
	}
	var old run
	had, err := load(t.st, recordRun, &old)
	if err != nil {
		return err
	}
	streams := t.streams
	results, err := streams.Results(ctx, projectorName, true)
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	proj, err := newProjector(t.st, results, old.ID, t.now)
	if err != nil {
		return err
	}
	if err := proj.drain(ctx, streams, projectorName); err != nil {
		return fmt.Errorf("results of the last run: %w", err)
	}
	why, err := t.mustRescan(ctx, had, &old, proj, freshBus)
	if err != nil {
		return err
	}
	rec := old
	if why != "" {
		st, err := streams.State(ctx)
		if err != nil {
			return fmt.Errorf("bus: %w", err)
		}
		rec = run{ID: newRunID(t.now()), Spec: t.cfg.Spec.hash(), Phase: phaseScanning, Started: t.now()}
		proj.begin(rec.ID, st.ResultsLast)
		t.fresh = true
	}
	rec.Starts++
	if t.cfg.Spec.Filter != nil {
		if t.filter, err = t.cfg.Spec.Filter(rec.Started); err != nil {
			return err
		}
	}
	rec.Boot = t.cfg.BootID
	c, _ := proj.counters()
	t.mu.Lock()
	t.rec, t.proj, t.forgiven = rec, proj, c.Failed+c.FailedDel
	if rec.Phase == phaseDeleting {
		t.phase = phaseDeleting
	}
	t.mu.Unlock()
	if err := t.writeBegin(rec, old.ID); err != nil {
		return err
	}
	if t.cfg.RetryOnly {
		return nil
	}
	return t.sweep(ctx)
}

// mustRescan says why the last run cannot be continued; "" if it can.
func (t *Task) mustRescan(ctx context.Context, had bool, old *run, proj *projector, freshBus bool) (string, error) {
	switch {
	case !had:
		return "first run", nil
	case t.cfg.RetryOnly:
		return "", t.mayRetry(ctx, old, proj, freshBus)
	case old.Phase == phaseDone:
		return "last run is done", nil
	case old.Spec != t.cfg.Spec.hash():
		t.cfg.Notify(Info, "the options changed since the last run: listing again")
		return "options changed", nil
	}
	lost, err := t.busLost(ctx, old, proj, freshBus)
	if lost != "" {
		t.cfg.Notify(Warn, lost+": listing again; what is at the target already is not copied again")
	}
	return lost, err
}

// mayRetry fails if the last run has not ended and must list anew: its
// failures may be of objects that are equal or gone by now.
func (t *Task) mayRetry(ctx context.Context, old *run, proj *projector, freshBus bool) error {
	if old.Phase == phaseDone {
		return nil
	}
	if old.Spec != t.cfg.Spec.hash() {
		return errors.New("the last run did not end, and the options changed since: run the task itself")
	}
	lost, err := t.busLost(ctx, old, proj, freshBus)
	if lost == "" || err != nil {
		return err
	}
	old.Lost = true
	if err := t.save(old, true); err != nil {
		return err
	}
	return fmt.Errorf("the last run did not end, and %s: run the task itself, it lists anew", lost)
}

// busLost says how acknowledged messages were lost; "" if they were not.
func (t *Task) busLost(ctx context.Context, old *run, proj *projector, freshBus bool) (string, error) {
	if freshBus {
		return "the bus lost its streams", nil
	}
	if old.Lost {
		return "the bus lost events", nil
	}
	if old.Boot != t.cfg.BootID {
		return "the machine was restarted in the middle of a run", nil
	}
	st, err := t.streams.State(ctx)
	if err != nil {
		return "", err
	}
	if c, _ := proj.counters(); st.ResultsLast < c.ResultSeq {
		return "the bus lost results", nil
	}
	if old.MarkSeq == 0 {
		return "", nil
	}
	mark, err := t.streams.Mark(ctx, old.MarkSeq)
	if errors.Is(err, bus.ErrLost) || err == nil && mark != "" && mark != old.Mark {
		return "the bus lost events", nil
	}
	return "", err
}

// writeBegin records the run; a new one drops what only the last one needed.
func (t *Task) writeBegin(rec run, last string) error {
	b := t.st.Batch()
	defer b.Discard()
	if err := put(b, recordRun, &rec); err != nil {
		return err
	}
	if t.fresh {
		c, _ := t.proj.counters()
		if err := put(b, recordCounters, &c); err != nil {
			return err
		}
		if last != "" {
			b.DropCursors(last)
			b.DropCandidates(last)
		}
		if err := t.dropRetrying(b); err != nil {
			return err
		}
	}
	if err := b.Commit(true); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

// sweep removes what a killed process left at a file target. Uploads that will
// be resumed stay.
func (t *Task) sweep(ctx context.Context) error {
	s, ok := storage.As[storage.Sweeper](t.cfg.Target)
	if !ok {
		return nil
	}
	keep := map[string]bool{}
	err := eachUpload(t.st, func(r store.KeyRecord) {
		if u, err := transfer.DecodeUpload(r.Record); err == nil {
			keep[u.ID] = true
		}
	})
	if err != nil {
		return err
	}
	if _, err := s.Sweep(ctx, keep); err != nil {
		return fmt.Errorf("sweep the target: %w", err)
	}
	return nil
}

func (t *Task) listConfig() list.Config {
	s := t.cfg.Spec
	cfg := list.Config{
		Task: t.cfg.Name, Run: t.rec.ID, Source: t.cfg.Source, Target: t.cfg.Target, Map: s.Map, Rule: s.Rule,
		Metadata: s.Mapper(t.cfg.Source, t.cfg.Target), DirMarkers: s.DirMarkers,
		BulkThreshold: s.Threshold, Deletes: s.Delete, Publish: t.pub.publish, State: listState{t.st, t.rec.ID},
		Bounds: s.Bounds,
	}
	if s.Manifest != nil {
		cfg.Named = t.named().After
	}
	if t.filter != nil && !t.filter.Empty() {
		cfg.Select, cfg.KeyRules = t.filter.Object, t.filter.Key
		if s.Delete && t.filter.HasRegexp() {
			cfg.KeyRules = t.ownKey
		}
	}
	return cfg
}

// ownKey lets regular expressions delete only what this task once wrote or
// found equal: such rules are easy to get wrong.
func (t *Task) ownKey(key string) bool {
	if !t.filter.Key(key) {
		return false
	}
	row, ok, err := t.st.Row(key)
	return err == nil && ok && row.Dst != ""
}

func (t *Task) transferConfig() transfer.Config {
	s := t.cfg.Spec
	return transfer.Config{
		Task: t.cfg.Name, Run: t.rec.ID, Resumed: t.rec.Starts > 1,
		Source: t.cfg.Source, Target: t.cfg.Target, Map: s.Map, Workers: s.Workers,
		BulkWorkers: s.BulkWorkers, Threshold: s.Threshold, PartSize: s.PartSize, Tries: s.Tries, Overwrite: s.Overwrite,
		Deletes: s.Delete, GiveUpAfter: s.GiveUpAfter, Gate: t.gate.wait,
		Metadata: s.Metadata, CompareMetadata: s.Rule.Metadata, DirMarkers: s.DirMarkers,
		Archived: s.Archived, RestoreDays: s.RestoreDays, RestoreTier: s.RestoreTier,
	}
}

// housekeeping keeps the mark, trims the streams and watches the disk.
func (t *Task) housekeeping(ctx context.Context) error {
	for n := 0; ; n++ {
		if pause(ctx, time.Second) != nil {
			return nil
		}
		if err := t.keepMark(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		if n%5 == 4 {
			if err := t.streams.Trim(ctx, bus.Retain{ResultBytes: retainResults}); err != nil && ctx.Err() == nil {
				return fmt.Errorf("trim: %w", err)
			}
		}
		if err := t.watchDisk(); err != nil {
			return err
		}
		// A bus whose disk was full once takes no more messages, even when
		// there is space again: publishers would try for ever.
		if err := t.cfg.Bus.Health(ctx); errors.Is(err, bus.ErrNoDisk) {
			t.gate.set("the disk under the state was full; stopping") // to drain takes seconds
			return fmt.Errorf("the disk under the state was full: %w; run the same command again when there is space", err)
		}
	}
}

// watchErrors ends the task as soon as too many objects were given up.
func (t *Task) watchErrors(ctx context.Context) error {
	for {
		changed, err := t.tooManyErrors()
		if err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

func (t *Task) tooManyErrors() (changed <-chan struct{}, err error) {
	c, changed := t.proj.counters()
	n := c.Failed + c.FailedDel
	t.mu.Lock()
	t.forgiven = min(t.forgiven, n) // some are tried again
	n -= t.forgiven
	t.mu.Unlock()
	if most := t.cfg.Spec.MaxErrors; most > 0 && n >= most {
		err = fmt.Errorf("%w: %d, the limit is %d", ErrMaxErrors, n, most)
	}
	return changed, err
}

// keepMark notes the last acknowledged event, unsynced: a power cut is noticed
// by the boot id.
func (t *Task) keepMark(ctx context.Context) error {
	seq := t.pub.lastSeq()
	if seq == 0 || seq == t.rec.MarkSeq { // which nobody else writes
		return nil
	}
	mark, err := t.streams.Mark(ctx, seq)
	if errors.Is(err, bus.ErrLost) {
		return fmt.Errorf("event %d: %w; run the same command again, it lists anew", seq, err)
	}
	if err != nil || mark == "" {
		return err
	}
	return t.keep(false, func(rec *run) { rec.MarkSeq, rec.Mark = seq, mark })
}

func (t *Task) watchDisk() error {
	if t.cfg.FreeBytes == nil {
		return nil
	}
	free, err := t.cfg.FreeBytes()
	if err != nil {
		return fmt.Errorf("free space under the state: %w", err)
	}
	why := ""
	if free < stateFloor {
		why = fmt.Sprintf("only %d MiB are free under the state directory, %d MiB are needed", free>>20, stateFloor>>20)
	}
	if t.gate.set(why) {
		if why == "" {
			why = "there is space under the state directory again"
		}
		t.cfg.Notify(Warn, why)
	}
	return nil
}
