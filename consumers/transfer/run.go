package transfer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sluice-sync/sluice/bus"
)

// flushTime is how long after the grace of a drain the last results may take.
const flushTime = 5 * time.Second

// run is one run of a transfer.
type run struct {
	*Transfer
	draining <-chan struct{} // closed: begin nothing new
	stop     func(error)     // begins a drain because of an error
	turns    turns
	out      outstanding
	batch    batcher
}

// Run applies events until ctx ends or something goes wrong for good, and
// returns after everything it started has ended. When ctx ends it drains: it
// takes no more events, lets requests in flight end for up to Config.Grace,
// publishes the results of what was finished, leaves the rest un-acked
// (uploads under way can be resumed) and returns nil. Else it drains likewise
// and returns an error that wraps ErrGaveUp, or the error of the bus or State.
func (t *Transfer) Run(ctx context.Context) error {
	soft, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	hard, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	flush, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()

	r := &run{
		Transfer: t, draining: soft.Done(), stop: stop,
		turns: turns{busy: map[string][]*job{}},
		out:   outstanding{jobs: map[*job]struct{}{}},
	}
	r.batch = batcher{in: make(chan finished, batchMost), streams: t.streams, out: &r.out}
	consumers, err := r.open(ctx)
	defer func() {
		for _, c := range consumers {
			_ = c.Close() // what it would give back comes back by itself
		}
	}()
	if err != nil {
		return err
	}

	over := make(chan struct{}) // closed when all work has ended
	var aides, work, batch sync.WaitGroup
	aides.Go(func() { r.out.beatUntil(over) })
	aides.Go(func() { limitDrain(soft, over, t.cfg.Grace, kill, abandon) })
	for _, g := range t.gates {
		g.reset()
		aides.Go(func() {
			if err := g.watch(soft); err != nil {
				stop(err)
			}
		})
	}
	var lost error
	batch.Go(func() { lost = r.batch.work(flush, stop) })
	for i, c := range consumers {
		r.startClass(soft, hard, &work, c, t.cfg.workers(bus.Classes[i]))
	}

	<-soft.Done()
	work.Wait()
	close(r.batch.in)
	batch.Wait()
	close(over)
	aides.Wait()
	if cause := context.Cause(soft); !errors.Is(cause, context.Cause(ctx)) {
		return cause
	}
	return lost
}

// limitDrain ends what a drain still waits for after its grace.
func limitDrain(soft context.Context, over <-chan struct{}, grace time.Duration, kill, abandon func()) {
	select {
	case <-soft.Done():
	case <-over:
		return
	}
	for i, after := range []time.Duration{grace, flushTime} {
		timer := time.NewTimer(after)
		select {
		case <-timer.C:
		case <-over:
			timer.Stop()
			return
		}
		[]func(){kill, abandon}[i]()
	}
}

func (r *run) open(ctx context.Context) (consumers []bus.Consumer, err error) {
	for _, class := range bus.Classes {
		c, err := r.streams.Events(ctx, class)
		if err != nil {
			return consumers, fmt.Errorf("open the %s events: %w", class, err)
		}
		consumers = append(consumers, c)
	}
	return consumers, nil
}

// startClass starts the fetcher and the workers of one class. The queue
// between them is short; its heartbeats keep what waits in it.
func (r *run) startClass(soft, hard context.Context, wg *sync.WaitGroup, c bus.Consumer, workers int) {
	queue := make(chan *job, workers)
	wg.Go(func() {
		defer close(queue)
		if err := r.fetch(soft, c, queue); err != nil {
			r.stop(err)
		}
	})
	for range workers {
		wg.Go(func() { r.worker(soft, hard, queue) })
	}
}

// fetch returns nil when soft ends.
func (r *run) fetch(soft context.Context, c bus.Consumer, queue chan<- *job) error {
	batch := 2 * cap(queue)
	jobs := make([]*job, 0, batch)
	for {
		ds, err := c.Fetch(soft, batch)
		if soft.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("fetch events: %w", err)
		}
		jobs = jobs[:0]
		for _, d := range ds {
			if r.ofAnotherRun(d) {
				_ = d.Token.Ack() // a lost ack costs at most a second look
				continue
			}
			jobs = append(jobs, r.newJob(d))
		}
		r.out.add(jobs)
		for _, j := range jobs {
			select {
			case queue <- j:
			case <-soft.Done():
				return nil
			}
		}
	}
}

func (r *run) ofAnotherRun(d bus.Delivery) bool {
	e := &d.Event
	return r.cfg.Run != "" && d.Err == nil && e.Run != r.cfg.Run &&
		(e.Class == bus.ClassScan || e.Class == bus.ClassBulk)
}

func (r *run) worker(soft, hard context.Context, queue <-chan *job) {
	for j := range queue {
		if r.ending() || !r.turns.take(j) {
			continue
		}
		for ; j != nil; j = r.turns.pass(j.target) {
			if !r.mayBegin(soft) {
				continue
			}
			if res, ok := j.handle(hard); ok {
				r.batch.in <- finished{j, res}
			}
		}
	}
}

// mayBegin waits until Config.Gate lets another job begin. It returns false if
// the run is ending.
func (r *run) mayBegin(soft context.Context) bool {
	if r.cfg.Gate != nil && !r.ending() {
		if err := r.cfg.Gate(soft); err != nil {
			r.stop(fmt.Errorf("wait to begin: %w", err))
		}
	}
	return !r.ending()
}
