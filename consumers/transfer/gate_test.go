package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-sync/sluice/bus"
	. "github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
)

// until hits all calls of a side until a time has passed.
type outage struct {
	storage.Bucket
	until time.Time
	kind  error
	after time.Duration
	check bool // whether a look finds it too
	calls int
}

func (o *outage) Unwrap() storage.Source  { return o.Bucket }
func (o *outage) WrapPower(power any) any { return power }
func (o *outage) err(what string) error {
	if time.Now().Before(o.until) {
		return &storage.Error{Op: what, Place: "there", Kind: o.kind, RetryAfter: o.after}
	}
	return nil
}

func (o *outage) Check(ctx context.Context) error {
	o.calls++
	if err := o.err("check"); err != nil && o.check {
		return err
	}
	return o.Bucket.Check(ctx)
}

func (o *outage) Open(ctx context.Context, key string, ro storage.ReadOptions) (*storage.Reader, error) {
	if err := o.err("open"); err != nil {
		return nil, err
	}
	return o.Bucket.Open(ctx, key, ro)
}

func (r *rig) some(n int) {
	for k := range n {
		r.publish(event(r.put(fmt.Sprint("k", k), noise(uint64(k), 100), storage.Metadata{}), bus.ClassScan))
	}
}

func TestEndpointPausesAndGoesOn(t *testing.T) {
	for _, c := range []struct {
		kind  error
		check bool
		after time.Duration
		most  time.Duration // until all is done after an outage of a minute
	}{
		{storage.ErrUnavailable, true, 0, 100 * time.Second},
		{storage.ErrCredentials, true, 0, 100 * time.Second},
		{storage.ErrNoBucket, true, 0, 100 * time.Second},
		{storage.ErrThrottled, false, 0, 100 * time.Second},
		{storage.ErrThrottled, false, 45 * time.Second, 100 * time.Second},
		{storage.ErrNoSpace, false, 0, 100 * time.Second},
	} {
		_, name := storage.KindOf(c.kind)
		t.Run(name+c.after.String(), func(t *testing.T) {
			bubble(t, func(r *rig) {
				o := &outage{Bucket: r.src, kind: c.kind, check: c.check, after: c.after, until: time.Now().Add(time.Minute)}
				r.cfg.Source = o
				r.some(50)
				r.start()
				began := time.Now()
				time.Sleep(30 * time.Second)
				p := r.moving.Progress()
				if len(p.Paused) != 1 || p.Paused[0].Side != Source || !errors.Is(p.Paused[0].Err, c.kind) ||
					p.Paused[0].Since.Sub(began) > 5*time.Second {
					t.Errorf("paused %+v", p.Paused)
				}
				time.Sleep(c.most - 30*time.Second)
				synctest.Wait()
				if p := r.moving.Progress(); len(p.Paused) != 0 {
					t.Errorf("still paused: %+v", p.Paused)
				}
				r.no(r.stop())
				if len(r.results) != 50 {
					t.Errorf("%d results", len(r.results))
				}
				for _, res := range r.results {
					r.outcome(res, bus.Copied, "")
				}
				if o.calls > 20 {
					t.Errorf("looked %d times in a minute", o.calls)
				}
			})
		})
	}
}

func TestGivesUpOnAnEndpoint(t *testing.T) {
	for _, kind := range []error{storage.ErrUnavailable, storage.ErrNoSpace, storage.ErrThrottled} {
		_, name := storage.KindOf(kind)
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.cfg.Source = &outage{Bucket: r.src, kind: kind, check: kind == storage.ErrUnavailable, until: time.Now().Add(time.Hour)}
				r.cfg.GiveUpAfter = 2 * time.Minute
				r.some(20)
				r.start()
				began := time.Now()
				err := <-r.ended
				if took := time.Since(began); took < 2*time.Minute || took > 3*time.Minute {
					t.Errorf("gave up after %s", took)
				}
				if !errors.Is(err, ErrGaveUp) || !errors.Is(err, kind) {
					t.Errorf("error %v", err)
				}
				r.collect()
				if len(r.results) != 0 {
					t.Errorf("results %+v", r.results)
				}
				r.cfg.Source = r.src
				r.restart()
				if n := len(r.settle()); n != 20 {
					t.Errorf("%d results afterwards", n)
				}
			})
		})
	}
}

// An object that alone fails as if its endpoint were down is its own problem.
func TestOneBadObjectDoesNotStopTheOthers(t *testing.T) {
	for _, kind := range []error{storage.ErrUnavailable, storage.ErrCredentials} {
		_, name := storage.KindOf(kind)
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.faulty([]fault.Rule{{Ops: []fault.Op{fault.Open}, Effect: fault.Fail, Err: kind,
					Match: func(k string) bool { return k == "k3" }}}, nil)
				r.some(100)
				r.start()
				time.Sleep(10 * time.Second)
				synctest.Wait()
				r.no(r.stop())
				if len(r.results) != 100 {
					t.Errorf("%d results in 10 s", len(r.results))
				}
				for _, res := range r.results {
					if res.Key == "k3" {
						r.outcome(res, bus.Retrying, name)
					} else {
						r.outcome(res, bus.Copied, "")
					}
				}
			})
		})
	}
}

// sporadic throttles one call in so many.
type sporadic struct {
	storage.Bucket
	calls atomic.Int64
}

func (s *sporadic) Unwrap() storage.Source  { return s.Bucket }
func (s *sporadic) WrapPower(power any) any { return power }

func (s *sporadic) Open(ctx context.Context, key string, ro storage.ReadOptions) (*storage.Reader, error) {
	if s.calls.Add(1)%5 == 0 {
		return nil, &storage.Error{Op: "open", Place: "there", Kind: storage.ErrThrottled}
	}
	return s.Bucket.Open(ctx, key, ro)
}

// Now and then a throttled request slows down the one that made it, not all.
func TestSporadicThrottlingPausesNobody(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cfg.Source = &sporadic{Bucket: r.src}
		r.some(1000)
		r.start()
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if p := r.moving.Progress(); len(p.Paused) != 0 {
			t.Errorf("paused: %+v", p.Paused)
		}
		r.no(r.stop())
		if len(r.results) != 1000 {
			t.Errorf("%d results in 15 s", len(r.results))
		}
		for _, res := range r.results {
			r.outcome(res, bus.Copied, "")
		}
	})
}

func TestDrainWhilePausedIsPrompt(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cfg.Source = &outage{Bucket: r.src, kind: storage.ErrUnavailable, check: true, until: time.Now().Add(time.Hour)}
		r.some(50)
		r.start()
		time.Sleep(40 * time.Second)
		began := time.Now()
		r.no(r.stop())
		if took := time.Since(began); took > 100*time.Millisecond || len(r.results) != 0 {
			t.Errorf("drained in %s with %d results", took, len(r.results))
		}
	})
}

// stubborn is a bus whose results cannot be published for a while, or ever.
type stubborn struct {
	bus.Streams
	until time.Time
	err   error
	most  int
}

func (s *stubborn) PublishResults(ctx context.Context, b []bus.Result) (uint64, error) {
	s.most = max(s.most, len(b))
	if time.Now().Before(s.until) {
		return 0, s.err
	}
	return s.Streams.PublishResults(ctx, b)
}

func TestNothingIsAckedBeforeItsResultIsStored(t *testing.T) {
	bubble(t, func(r *rig) { // the stream is full for a minute, longer than AckWait
		inner := r.streams
		s := &stubborn{Streams: inner, err: bus.ErrFull, until: time.Now().Add(time.Minute)}
		r.streams = s
		r.some(1000)
		r.start()
		time.Sleep(50 * time.Second)
		st, err := inner.State(t.Context())
		r.no(err)
		if st.Pending[bus.ClassScan]+st.Unacked[bus.ClassScan] != 1000 {
			t.Errorf("acked without a result: %+v", st)
		}
		time.Sleep(2 * time.Minute)
		r.no(r.stop())
		if len(r.results) != 1000 || s.most > 256 {
			t.Errorf("%d results, up to %d at once", len(r.results), s.most)
		}
	})
	bubble(t, func(r *rig) {
		r.streams = &stubborn{Streams: r.streams, err: bus.ErrLost, until: time.Now().Add(time.Hour)}
		r.some(10)
		r.start()
		if err := <-r.ended; !errors.Is(err, bus.ErrLost) {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestStateErrorEndsTheRun(t *testing.T) {
	bubble(t, func(r *rig) {
		broken := errors.New("disk on fire")
		r.state.broken = func(string) error { return broken }
		r.publish(event(r.put("big", noise(1, 100<<10), storage.Metadata{}), bus.ClassBulk))
		r.start()
		if err := <-r.ended; !errors.Is(err, broken) {
			t.Errorf("ended with %v", err)
		}
		r.collect()
		if len(r.results) != 0 {
			t.Errorf("results %+v", r.results)
		}
	})
}

func TestClosedBusEndsTheRun(t *testing.T) {
	bubble(t, func(r *rig) {
		r.start()
		time.Sleep(time.Second)
		r.no(r.bus.Close())
		if err := <-r.ended; !errors.Is(err, bus.ErrClosed) {
			t.Errorf("ended with %v", err)
		}
	})
}

// Work that takes longer than AckWait is not handed out a second time.
func TestHeartbeatsKeepSlowWork(t *testing.T) {
	bubble(t, func(r *rig) {
		_, d := r.faulty(nil, []fault.Rule{{Ops: []fault.Op{fault.Put}, Delay: 20 * time.Second}})
		r.some(10)
		r.settle()
		if len(r.results) != 10 || d.Hits()[0] != 10 {
			t.Errorf("%d results, %d puts", len(r.results), d.Hits()[0])
		}
	})
}

func TestScanEventsOfAnotherRunAreAckedUnseen(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cfg.Run = "r"
		old := event(r.put("old", []byte("x"), storage.Metadata{}), bus.ClassScan)
		old.Run = "before"
		live := old
		live.Key, live.Class = r.put("live", []byte("x"), storage.Metadata{}).Key, bus.ClassLive
		r.publish(old, live, event(r.put("new", []byte("x"), storage.Metadata{}), bus.ClassScan))
		if n := len(r.settle()); n != 2 {
			t.Errorf("%d results", n)
		}
		r.lacks("old")
		st, err := r.streams.State(t.Context())
		r.no(err)
		if st.Unacked[bus.ClassScan] != 0 {
			t.Errorf("%+v", st)
		}
	})
}
