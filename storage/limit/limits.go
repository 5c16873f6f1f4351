// Package limit decorates a bucket so that it is asked no more than it should
// be: requests in flight, requests per second, bytes per second.
//
// Requests are counted per endpoint: buckets of one endpoint share a *Limits.
// It must not know drivers or tasks, and it never refuses: it waits until there
// is room or the context ends.
package limit

import (
	"context"
	"io"
	"math"
	"sync"

	"golang.org/x/time/rate"
)

// Config says what one endpoint is asked at most. 0 and nil mean no limit.
type Config struct {
	Lists   int // listing pages in flight
	Objects int // bodies being read; as many Puts and copies; as many requests without a body
	Parts   int // parts being written or copied

	RequestsPerSecond float64
	Bandwidth         *Bandwidth
}

// Limits is what the buckets of one endpoint share. Its zero value limits
// nothing. It is safe for concurrent use.
//
// Bodies read, objects written, parts written and bodiless requests each have
// slots of their own, because a copy within one endpoint holds one while it
// waits for another: first the body it reads, then the Put or the part, and
// under those short requests. So nobody waits in a circle. Who holds an open
// body must not open a second one of the same Limits before it closes the
// first.
type Limits struct {
	lists, reads, writes, parts, calls slots

	requests  *rate.Limiter
	bandwidth *Bandwidth
}

// NewLimits returns the limits of an endpoint that nothing uses yet.
func NewLimits(c Config) *Limits {
	l := &Limits{
		lists: newSlots(c.Lists), reads: newSlots(c.Objects), writes: newSlots(c.Objects),
		parts: newSlots(c.Parts), calls: newSlots(c.Objects), bandwidth: c.Bandwidth,
	}
	if c.RequestsPerSecond > 0 {
		// A tenth of a second may come at once: less would slow what is not
		// near the limit, more would be seen by a server that counts seconds.
		l.requests = rate.NewLimiter(rate.Limit(c.RequestsPerSecond), int(math.Ceil(c.RequestsPerSecond/10)))
	}
	return l
}

// none tells whether there is nothing to wait for.
func (l *Limits) none() bool { return l == nil || *l == Limits{} }

// begin waits for a slot and for the request's turn. Who got nil gives the
// slot back.
func (l *Limits) begin(ctx context.Context, s slots) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	if l.requests == nil {
		return nil
	}
	if err := wait(ctx, l.requests, 1); err != nil {
		s.give()
		return err
	}
	return nil
}

// slots are places for things under way; nil has room for all.
type slots chan struct{}

func newSlots(n int) slots {
	if n <= 0 {
		return nil
	}
	return make(slots, n)
}

func (s slots) take(ctx context.Context) error {
	if s == nil {
		return nil
	}
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s slots) give() {
	if s != nil {
		<-s
	}
}

// wait takes n tokens. The limiter says at once and in words of its own that
// the deadline is too near; callers look for the context's error.
func wait(ctx context.Context, l *rate.Limiter, n int) error {
	if l.WaitN(ctx, n) == nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return context.DeadlineExceeded
}

// Bandwidth is a rate of bytes that any number of Limits may share. Bodies that
// are read count, and files copied inside the machine, so that every byte that
// passes here counts once, at its source.
type Bandwidth struct{ l *rate.Limiter }

// NewBandwidth returns a bandwidth of so many bytes per second; nil, which
// limits nothing, for 0 and less.
func NewBandwidth(bytesPerSecond int64) *Bandwidth {
	if bytesPerSecond <= 0 {
		return nil
	}
	burst := min(max(bytesPerSecond/10, 1), 1<<20)
	return &Bandwidth{rate.NewLimiter(rate.Limit(bytesPerSecond), int(burst))}
}

// pay waits until n bytes may pass.
func (b *Bandwidth) pay(ctx context.Context, n int64) error {
	if b == nil {
		return nil
	}
	for n > 0 {
		some := min(n, int64(b.l.Burst()))
		if err := wait(ctx, b.l, int(some)); err != nil {
			return err
		}
		n -= some
	}
	return nil
}

// body reads no faster than the bandwidth and gives its slot back once.
type body struct {
	io.ReadCloser
	burst int               // most bytes of one Read; 0: no bandwidth to wait for
	wait  func(n int) error // for the bytes read, within the context of Open
	slot  slots
	once  sync.Once
}

func (b *body) Read(p []byte) (int, error) {
	if b.burst == 0 {
		return b.ReadCloser.Read(p)
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.burst)])
	if n > 0 {
		if stop := b.wait(n); stop != nil {
			return n, stop
		}
	}
	return n, err
}

// Close may be called more than once, as that of most bodies.
func (b *body) Close() error {
	defer b.once.Do(b.slot.give)
	return b.ReadCloser.Close()
}
