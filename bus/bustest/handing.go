package bustest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sluice-sync/sluice/bus"
)

var handing = []test{
	{"RedeliveryAfterAckWait", redelivery},
	{"WorkingPreventsRedelivery", working},
	{"ReleaseAtOnce", release},
	{"TokensMayBeUsedAgain", tokensAgain},
	{"MaxPendingHolds", maxPending},
	{"FetchEndsWithContext", fetchContext},
	{"FetchWaitsForEvents", fetchWaits},
	{"ClosedConsumerGivesBack", consumerClose},
	{"ClosedStreamsAnswerErrClosed", streamsClosed},
	{"ClosedBusAnswersErrClosed", busClosed},
}

func redelivery(e *env) {
	s, _ := e.streams(bus.StreamOptions{AckWait: ackWait})
	c := e.events(s, bus.ClassScan)
	e.publish(s, bus.ClassScan, "k", 3)
	got := e.fetch(c, 3)
	e.ack(got[1])
	for tries := 2; tries <= 3; tries++ {
		again := e.fetch(c, 2)
		e.keys(again, "k0", "k2")
		for i, d := range again {
			if d.Tries != tries || d.Seq != got[2*i].Seq {
				e.Fatalf("try %d of %q has tries %d and sequence %d, first was %d", tries, d.Event.Key, d.Tries, d.Seq, got[2*i].Seq)
			}
		}
		got[0], got[2] = again[0], again[1]
	}
	e.ack(got[0], got[2])
	e.until(s, "all acked", func(st bus.State) bool { return st.Unacked[bus.ClassScan] == 0 })
}

func working(e *env) {
	const long = time.Second
	s, _ := e.streams(bus.StreamOptions{AckWait: long})
	c, other := e.events(s, bus.ClassBulk), e.events(s, bus.ClassBulk)
	e.publish(s, bus.ClassBulk, "k", 1)
	d := e.fetch(c, 1)[0]
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(long / 10)
		defer tick.Stop()
		for ctx.Err() == nil {
			if err := d.Token.Working(); err != nil {
				e.Error(err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	e.quiet(other, 3*long)
	cancel()
	wg.Wait()
	if again := e.fetch(other, 1)[0]; again.Tries != 2 {
		e.Errorf("without heartbeats it came with tries %d", again.Tries)
	}
}

func release(e *env) {
	s, _ := e.streams(bus.StreamOptions{AckWait: never})
	c := e.events(s, bus.ClassScan)
	e.publish(s, bus.ClassScan, "k", 2)
	e.ok(e.fetch(c, 2)[0].Token.Release())
	got := e.fetch(c, 1)
	e.keys(got, "k0")
	if got[0].Tries != 2 {
		e.Errorf("tries %d", got[0].Tries)
	}
}

func tokensAgain(e *env) {
	s, _ := e.streams(bus.StreamOptions{AckWait: never})
	c := e.events(s, bus.ClassScan)
	e.publish(s, bus.ClassScan, "k", 1)
	d := e.fetch(c, 1)[0]
	for _, settle := range []func() error{d.Token.Working, d.Token.Working, d.Token.Ack, d.Token.Ack, d.Token.Release, d.Token.Working} {
		e.ok(settle())
	}
	e.until(s, "acked", func(st bus.State) bool { return st.Unacked[bus.ClassScan]+st.Pending[bus.ClassScan] == 0 })
	e.quiet(c, 20*time.Millisecond)
}

func maxPending(e *env) {
	s, _ := e.streams(bus.StreamOptions{AckWait: never, MaxPending: 10})
	c := e.events(s, bus.ClassScan)
	e.publish(s, bus.ClassScan, "k", 30)
	e.publish(s, bus.ClassLive, "l", 1)
	got := e.fetch(c, 10)
	e.quiet(c, 50*time.Millisecond)
	e.keys(e.fetch(e.events(s, bus.ClassLive), 1), "l0")
	e.ack(got[3], got[7])
	e.keys(e.fetch(c, 2), "k10", "k11")
	e.quiet(c, 50*time.Millisecond)
	st := e.until(s, "state", func(bus.State) bool { return true })
	if st.Unacked[bus.ClassScan] != 10 || st.Pending[bus.ClassScan] != 18 {
		e.Errorf("%+v", st)
	}
}

func fetchContext(e *env) {
	s, _ := e.streams(bus.StreamOptions{})
	c := e.events(s, bus.ClassLive)
	r := e.results(s, "tap", false)
	for range 3 {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		if got, err := c.Fetch(ctx, 10); !errors.Is(err, context.DeadlineExceeded) {
			e.Fatal(got, err)
		}
		if got, err := r.Fetch(ctx, 10); !errors.Is(err, context.DeadlineExceeded) {
			e.Fatal(got, err)
		}
	}
	e.publish(s, bus.ClassLive, "k", 1)
	got := e.fetch(c, 1)
	if got[0].Tries != 1 {
		e.Errorf("tries %d after abandoned fetches", got[0].Tries)
	}
}

func fetchWaits(e *env) {
	s, _ := e.streams(bus.StreamOptions{})
	c := e.events(s, bus.ClassLive)
	type answer struct {
		got []bus.Delivery
		err error
	}
	for range 3 {
		answers := make(chan answer)
		ctx := e.ctx()
		go func() {
			got, err := c.Fetch(ctx, 10)
			answers <- answer{got, err}
		}()
		e.publish(s, bus.ClassLive, "k", 1)
		a := <-answers
		e.ok(a.err)
		e.keys(a.got, "k0")
		e.ack(a.got...)
	}
}

func consumerClose(e *env) {
	s, _ := e.streams(bus.StreamOptions{AckWait: never})
	c, other := e.events(s, bus.ClassScan), e.events(s, bus.ClassScan)
	e.publish(s, bus.ClassScan, "k", 20)
	got := e.fetch(c, 10)
	e.ack(got[:5]...)
	e.ok(c.Close())
	e.ok(c.Close())
	if _, err := c.Fetch(e.ctx(), 1); !errors.Is(err, bus.ErrClosed) {
		e.Error(err)
	}
	seen := map[string]bool{}
	for _, d := range e.fetch(other, 15) {
		seen[d.Event.Key] = true
	}
	if len(seen) != 15 || seen["k0"] || !seen["k5"] || !seen["k19"] {
		e.Errorf("the other consumer got %v", seen)
	}
	e.ok(got[9].Token.Ack()) // late, and it counts
	e.until(s, "late ack", func(st bus.State) bool { return st.Unacked[bus.ClassScan] == 14 })
}

func streamsClosed(e *env) {
	s, _ := e.streams(bus.StreamOptions{AckWait: never})
	c, r := e.events(s, bus.ClassScan), e.results(s, "projector", true)
	e.publish(s, bus.ClassScan, "k", 5)
	e.ack(e.fetch(c, 5)[:2]...)
	if _, _, err := e.bus.Open(e.ctx(), task, bus.StreamOptions{}); err == nil {
		e.Error("opened a task twice")
	}
	e.blocked(func(ctx context.Context) error { _, err := r.Fetch(ctx, 1); return err }, s.Close)
	e.ok(s.Close())
	e.refused(s, c)
	again, fresh := e.streams(bus.StreamOptions{AckWait: never})
	if fresh {
		e.Error("fresh")
	}
	e.keys(e.fetch(e.events(again, bus.ClassScan), 3), "k2", "k3", "k4")
	e.ok(s.Close()) // must not let the task be opened once more
	if _, _, err := e.bus.Open(e.ctx(), task, bus.StreamOptions{}); err == nil {
		e.Error("closing old streams closed the new ones")
	}
}

func busClosed(e *env) {
	s, _ := e.streams(bus.StreamOptions{})
	c := e.events(s, bus.ClassScan)
	e.ok(e.bus.Health(e.ctx()))
	e.blocked(func(ctx context.Context) error { _, err := c.Fetch(ctx, 1); return err }, e.bus.Close)
	e.ok(e.bus.Close())
	e.refused(s, c)
	if err := e.bus.Health(e.ctx()); !errors.Is(err, bus.ErrClosed) {
		e.Error(err)
	}
	if _, _, err := e.bus.Open(e.ctx(), "other", bus.StreamOptions{}); !errors.Is(err, bus.ErrClosed) {
		e.Error(err)
	}
	e.ok(s.Close())
}

// blocked runs a Fetch that waits, closes, and wants ErrClosed from it.
func (e *env) blocked(fetch func(context.Context) error, end func() error) {
	e.Helper()
	answer := make(chan error)
	ctx := e.ctx()
	go func() { answer <- fetch(ctx) }()
	select {
	case err := <-answer:
		e.Fatalf("Fetch did not wait: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
	e.ok(end())
	if err := <-answer; !errors.Is(err, bus.ErrClosed) {
		e.Errorf("Fetch returned %v", err)
	}
}

// refused checks that nothing works any more.
func (e *env) refused(s bus.Streams, c bus.Consumer) {
	e.Helper()
	ctx := e.ctx()
	_, publish := s.PublishEvents(ctx, batch(bus.ClassScan, "k", 1))
	_, results := s.PublishResults(ctx, []bus.Result{{Key: "k"}})
	_, fetch := c.Fetch(ctx, 1)
	_, events := s.Events(ctx, bus.ClassScan)
	_, consumer := s.Results(ctx, "x", false)
	_, state := s.State(ctx)
	_, mark := s.Mark(ctx, 1)
	for i, err := range []error{publish, results, fetch, events, consumer, state, mark, s.Trim(ctx, bus.Retain{})} {
		if !errors.Is(err, bus.ErrClosed) {
			e.Errorf("operation %d after Close: %v", i, err)
		}
	}
}
