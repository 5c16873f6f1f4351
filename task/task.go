package task

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/filter"
	"github.com/sluice-sync/sluice/producers/list"
	"github.com/sluice-sync/sluice/producers/manifest"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/store"
)

// Errors of Run, besides those of the engines, the bus and the store.
var (
	ErrInterrupted = errors.New("interrupted")
	ErrMaxErrors   = errors.New("too many failed objects")
	ErrDeletesHeld = errors.New("deletes were held back")
)

const (
	projectorName = "projector"
	retainResults = 64 << 20
	// stateFloor is the free space below which the task pauses before the
	// state or the bus run into a full disk.
	stateFloor = 256 << 20
)

// Level says how much a notice matters.
type Level int

// The levels of a notice.
const (
	Info Level = iota
	Warn
)

// Config is what a task is made of. All fields but FreeBytes, Notify and Now
// are required.
type Config struct {
	Name      string
	Spec      Spec
	Source    storage.Source
	Target    storage.Bucket
	Bus       bus.Bus
	Store     *store.Store
	BootID    string                 // of the machine; a changed one means that unsynced writes may be lost
	FreeBytes func() (uint64, error) // free space under the state; nil: not watched
	Notify    func(Level, string)    // told what an operator should know; must not block
	Now       func() time.Time
	// RetryOnly tries the given-up objects of the ledger again and lists nothing.
	RetryOnly bool
}

// Task is one job. Run it once.
type Task struct {
	cfg     Config
	st      *store.Task
	streams bus.Streams
	proj    *projector
	state   *transferState
	pub     *publisher
	gate    *gate
	started time.Time
	filter  *filter.Filter
	fresh   bool // the run was begun by this process

	keeping sync.Mutex // of the record of the run; taken before mu

	mu       sync.Mutex
	rec      run
	status   string
	why      string
	phase    string
	lister   *list.Lister
	manifest *manifest.Counts // nil: none, or not read to its end
	mover    *transfer.Transfer
	held     int64
	changing int64
	forgiven int64 // given-up objects of earlier processes: they do not stop this one
	// listPause is why the listing waits; nil: it does not.
	listPause error
}

// New prepares a task; it does no I/O.
func New(cfg Config) *Task {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Notify == nil {
		cfg.Notify = func(Level, string) {}
	}
	t := &Task{cfg: cfg, st: cfg.Store.Task(cfg.Name), gate: newGate(), status: StateRunning, phase: phaseScanning}
	t.started = t.now()
	return t
}

func (t *Task) now() time.Time { return t.cfg.Now() }

// Run does the job to its end or until ctx ends (ErrInterrupted; the next Run
// of the same task resumes). It waits for everything it started. The snapshot
// is the summary, also beside an error.
func (t *Task) Run(ctx context.Context) (Snapshot, error) {
	err := t.run(ctx)
	t.mu.Lock()
	switch {
	case err == nil:
		t.status = StateDone
	case ctx.Err() != nil:
		err, t.status = ErrInterrupted, StateInterrupted
	default:
		t.status, t.why = StateHalted, err.Error()
	}
	t.mu.Unlock()
	s := t.Snapshot()
	s.Type = "summary"
	return s, err
}

func (t *Task) run(ctx context.Context) error {
	streams, freshBus, err := t.cfg.Bus.Open(ctx, t.cfg.Name, bus.StreamOptions{})
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	defer streams.Close()
	t.streams = streams
	if err := t.begin(ctx, freshBus); err != nil {
		return err
	}
	t.pub = &publisher{streams: streams, backlog: t.backlog, gate: t.gate}
	if t.state, err = newTransferState(t.st, t.rec.ID); err != nil {
		return err
	}
	t.mu.Lock()
	t.mover = transfer.New(t.transferConfig(), streams, t.state)
	t.mu.Unlock()
	err = t.work(ctx)
	if err == nil || errors.Is(err, ErrDeletesHeld) {
		// Deletes that were held are looked for anew by the next run: what is
		// extraneous then may be something else.
		if ferr := t.finish(ctx); ferr != nil {
			return ferr
		}
	}
	return err
}

// work runs the engines and the phases. The transfer drains before the
// projector stops, so that what was finished is also counted.
func (t *Task) work(ctx context.Context) error {
	projecting, stopProjector := context.WithCancel(context.WithoutCancel(ctx))
	defer stopProjector()
	moving, stopMoving := context.WithCancelCause(ctx)
	defer stopMoving(nil)

	projected := make(chan error, 1)
	go func() {
		err := t.proj.work(projecting)
		if err != nil {
			stopMoving(err)
		}
		stopProjector() // whoever waits for results waits in vain
		projected <- err
	}()
	g, gctx := errgroup.WithContext(moving)
	phases, stopPhases := context.WithCancel(gctx)
	g.Go(func() error {
		err := t.mover.Run(phases)
		switch {
		case phases.Err() == nil && err == nil:
			err = errors.New("the transfer ended early")
		case phases.Err() != nil && errors.Is(err, context.Canceled):
			err = nil // there was nothing to do: it was stopped before it had begun
		}
		return err
	})
	g.Go(func() error { return t.retryLoop(phases) })
	g.Go(func() error { return t.housekeeping(phases) })
	g.Go(func() error { return t.watchErrors(phases) })
	g.Go(func() error {
		defer stopPhases()
		err := t.phases(phases)
		if err == nil {
			_, err = t.tooManyErrors()
		}
		return err
	})
	err := g.Wait()
	if cause := context.Cause(moving); err == nil || errors.Is(err, context.Canceled) {
		if cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
	}
	if err != nil {
		drain, cancel := context.WithTimeout(projecting, 5*time.Second)
		defer cancel()
		t.settleResults(drain)
	}
	stopProjector()
	if perr := <-projected; err == nil {
		err = perr
	}
	return err
}

// settleResults waits until what the transfer reported is projected.
func (t *Task) settleResults(ctx context.Context) {
	for {
		st, err := t.streams.State(ctx)
		if err != nil || st.ResultsPending[projectorName] == 0 || pause(ctx, 20*time.Millisecond) != nil {
			return
		}
	}
}

// phases lists, closes, deletes, in that order.
func (t *Task) phases(ctx context.Context) error {
	if t.cfg.RetryOnly {
		if _, err := t.RetryFailures(); err != nil {
			return err
		}
		return t.settleAll(ctx)
	}
	if t.rec.Phase == phaseDeleting {
		if err := t.resumeDeletes(ctx); err != nil {
			return err
		}
	}
	if err := t.scan(ctx); err != nil {
		return err
	}
	held := t.deletes(ctx)
	if held != nil && !errors.Is(held, ErrDeletesHeld) {
		return held
	}
	if err := t.retryBlocked(); err != nil {
		return err
	}
	if err := t.settleAll(ctx); err != nil {
		return err
	}
	if err := t.dropUploads(ctx); err != nil {
		return err
	}
	if s, ok := storage.As[storage.Syncer](t.cfg.Target); ok {
		if err := s.Sync(ctx); err != nil {
			return fmt.Errorf("make the target durable: %w", err)
		}
	}
	return held
}

// scan lists until a pass finds no difference, at most one pass and the
// closing rounds.
func (t *Task) scan(ctx context.Context) error {
	rounds := t.cfg.Spec.ClosingRounds
	if rounds == 0 {
		rounds = 3
	}
	// What an earlier process published must be settled before a closing pass
	// tells what this run has seen from what is new.
	if len(t.rec.Passes) > 0 {
		if err := t.settle(ctx); err != nil {
			return err
		}
	}
	before := max(len(t.rec.Passes)-1, 0) // closing passes of earlier processes
	for pass := len(t.rec.Passes); ; pass++ {
		begun, err := t.st.Cursors(t.rec.ID, pass)
		if err != nil {
			return fmt.Errorf("state: %w", err)
		}
		was, _ := t.proj.counters()
		totals, err := t.pass(ctx, pass)
		if err != nil {
			return err
		}
		if err := t.settle(ctx); err != nil {
			return err
		}
		found := totals.Published + totals.Republished
		c, _ := t.proj.counters()
		if t.cfg.Spec.Overwrite != transfer.Always && c.Moved == was.Moved && c.Copied == was.Copied {
			found = 0 // the policy leaves them alone, however often they are found
		}
		if pass == 0 {
			if c.Copied == 0 && t.rec.Starts == 1 {
				return nil
			}
			continue
		}
		switch {
		case found == 0 && len(begun) > 0:
			continue // what an earlier process listed of it may have changed since
		case found == 0:
			return nil
		}
		if pass-before >= rounds {
			t.mu.Lock()
			t.changing = found
			t.mu.Unlock()
			t.cfg.Notify(Warn, fmt.Sprintf("the source keeps changing: %d objects differed in the last of %d closing passes; run the same command again when it is quiet", found, rounds))
			return nil
		}
	}
}

func (t *Task) pass(ctx context.Context, pass int) (list.Totals, error) {
	l := list.New(t.listConfig())
	t.mu.Lock()
	t.lister = l
	if pass > 0 {
		t.phase = "closing"
	}
	t.mu.Unlock()
	if err := t.forgetCandidates(pass); err != nil {
		return list.Totals{}, err
	}
	totals, err := t.list(ctx, l, pass)
	if err != nil {
		return totals, err
	}
	return totals, t.keep(true, func(rec *run) {
		rec.Passes = append(slices.Clip(rec.Passes), totals)
		t.lister = nil
	})
}

// listedLocked adds up what the completed passes and the present one found.
// Skips are those of the last completed pass: it saw every key.
func (t *Task) listedLocked() (list.Totals, map[string]int64) {
	var sum list.Totals
	var skipped map[string]int64
	add := func(p list.Totals) {
		sum.Published += p.Published
		sum.PublishedBytes += p.PublishedBytes
	}
	for _, p := range t.rec.Passes {
		add(p)
		skipped = p.Skipped
	}
	if t.lister != nil {
		p := t.lister.Progress().Totals
		add(p)
		if len(t.rec.Passes) == 0 {
			skipped = p.Skipped
		}
	}
	return sum, maps.Clone(skipped)
}

// keep changes the record of the run, in memory and on disk. One change is made
// at a time, so that an older record never replaces a newer one.
func (t *Task) keep(sync bool, change func(*run)) error {
	t.keeping.Lock()
	defer t.keeping.Unlock()
	t.mu.Lock()
	change(&t.rec)
	rec := t.rec
	t.mu.Unlock()
	return t.save(&rec, sync)
}

func (t *Task) save(rec *run, sync bool) error {
	b := t.st.Batch()
	defer b.Discard()
	if err := put(b, recordRun, rec); err != nil {
		return err
	}
	if err := b.Commit(sync); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}
