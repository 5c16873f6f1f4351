// Package retry decorates a bucket so that calls which failed in passing are
// made again: what storage.IsTransient says, a few times, with growing random
// pauses.
//
// It repeats only calls that carry no body: Stat, Open up to the first byte,
// Confirm, the pages of a listing, Delete, and of uploads ListParts, ListUploads
// and Abort. Whoever sends bytes must send them again himself. CreateUpload and
// CompleteUpload may have succeeded with their answer lost: a second upload
// would leave the first one open for good. They are left to the caller, who
// looks first. It must not know drivers, endpoints or tasks.
package retry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// Config says how often and how fast. Zero values stand for the defaults named.
type Config struct {
	Tries int           // in all, with the first; 4
	Base  time.Duration // the first pause is a random time up to this, each further one up to twice as long; 100 ms
	// Max bounds a pause; 10 s. If the endpoint asks for a longer one, the
	// error is returned at once: it is the caller who can pause an endpoint.
	Max   time.Duration
	Sleep func(ctx context.Context, d time.Duration) error // returns early with ctx's error; a timer
	Rand  func() float64                                   // in [0, 1), safe for concurrent use; math/rand/v2
}

// Bucket is a bucket whose bodiless calls are repeated. It is a storage.Wrapper.
type Bucket struct {
	storage.Bucket
	c Config
}

// New decorates b.
func New(b storage.Bucket, c Config) *Bucket {
	if c.Tries <= 0 {
		c.Tries = 4
	}
	if c.Base <= 0 {
		c.Base = 100 * time.Millisecond
	}
	if c.Max <= 0 {
		c.Max = 10 * time.Second
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	if c.Rand == nil {
		c.Rand = rand.Float64
	}
	return &Bucket{b, c}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pause returns how long to wait after the n-th failed try, and false if it is
// better to give up.
func (c Config) pause(n int, err error) (time.Duration, bool) {
	if n >= c.Tries || !storage.IsTransient(err) {
		return 0, false
	}
	limit := c.Max
	if shift := n - 1; c.Base < c.Max>>shift { // this way round, because Base<<shift may overflow
		limit = c.Base << shift
	}
	d := time.Duration(c.Rand() * float64(limit))
	var e *storage.Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		return max(d, e.RetryAfter), e.RetryAfter <= c.Max
	}
	return d, true
}

// do makes a call until it succeeds, fails for good, or the tries are used up.
func do[T any](ctx context.Context, c Config, call func() (T, error)) (T, error) {
	for n := 1; ; n++ {
		v, err := call()
		if err == nil || ctx.Err() != nil {
			return v, err
		}
		d, again := c.pause(n, err)
		if !again {
			return v, err
		}
		if stop := c.Sleep(ctx, d); stop != nil {
			// Only the context's error is wrapped: a call that was cancelled
			// must not be taken for a fault of the endpoint.
			return v, fmt.Errorf("%w while waiting to try again after: %v", stop, err) //nolint:errorlint // see above
		}
	}
}

func do0(ctx context.Context, c Config, call func() error) error {
	_, err := do(ctx, c, func() (struct{}, error) { return struct{}{}, call() })
	return err
}
