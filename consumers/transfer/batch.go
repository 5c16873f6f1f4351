package transfer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sluice-sync/sluice/bus"
)

const (
	batchMost = 256 // results in one message
	batchWait = 20 * time.Millisecond
	beat      = 1500 * time.Millisecond // well below the bus's AckWait
	publish   = 5 * time.Second         // most between two tries to publish
)

// outstanding holds the jobs that were delivered and not acked.
type outstanding struct {
	mu   sync.Mutex
	jobs map[*job]struct{}
}

func (o *outstanding) add(jobs []*job) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, j := range jobs {
		o.jobs[j] = struct{}{}
	}
}

func (o *outstanding) remove(jobs ...*job) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, j := range jobs {
		delete(o.jobs, j)
	}
}

func (o *outstanding) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.jobs)
}

// beatUntil tells the bus that everything outstanding is being worked on, so
// that none of it is given to somebody else.
func (o *outstanding) beatUntil(stop <-chan struct{}) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	var held []*job
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		o.mu.Lock()
		for j := range o.jobs {
			held = append(held, j)
		}
		o.mu.Unlock()
		for _, j := range held {
			_ = j.d.Token.Working() // a lost heartbeat costs at most a second handling
		}
		clear(held)
		held = held[:0]
	}
}

// finished is a job with its result.
type finished struct {
	job *job
	res bus.Result
}

// batcher publishes results together and then acks their events.
type batcher struct {
	in      chan finished
	streams bus.Streams
	out     *outstanding
}

// work ends when in is closed and all is published and acked, or with the
// bus's error. After an error it goes on taking results and drops them: their
// events stay un-acked.
func (b *batcher) work(ctx context.Context, fail func(error)) (err error) {
	jobs, results := make([]*job, 0, batchMost), make([]bus.Result, 0, batchMost)
	for open := true; open; {
		first, ok := <-b.in
		if !ok {
			break
		}
		if err != nil {
			continue
		}
		jobs, results = append(jobs[:0], first.job), append(results[:0], first.res)
		open = b.gather(&jobs, &results)
		if err = b.publish(ctx, results); err != nil {
			fail(err)
			continue
		}
		for _, j := range jobs {
			_ = j.d.Token.Ack() // a lost ack costs at most a second handling
		}
		b.out.remove(jobs...)
	}
	return err
}

// gather adds results until the batch is full, old enough, or holds all that
// is outstanding. It returns false when in is closed.
func (b *batcher) gather(jobs *[]*job, results *[]bus.Result) bool {
	var late <-chan time.Time
	for len(*jobs) < batchMost {
		var f finished
		ok := true
		select {
		case f, ok = <-b.in:
		default:
			if b.out.count() == len(*jobs) {
				return true
			}
			if late == nil {
				timer := time.NewTimer(batchWait)
				defer timer.Stop()
				late = timer.C
			}
			select {
			case f, ok = <-b.in:
			case <-late:
				return true
			}
		}
		if !ok {
			return false
		}
		*jobs, *results = append(*jobs, f.job), append(*results, f.res)
	}
	return true
}

// publish tries until the bus took the batch, is closed, or ctx ends.
func (b *batcher) publish(ctx context.Context, results []bus.Result) error {
	wait := quickPause
	for {
		_, err := b.streams.PublishResults(ctx, results)
		if err == nil {
			return nil
		}
		if errors.Is(err, bus.ErrClosed) || errors.Is(err, bus.ErrLost) || !sleep(ctx, jitter(wait)) {
			return err
		}
		wait = min(2*wait, publish)
	}
}
