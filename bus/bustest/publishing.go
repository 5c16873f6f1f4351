package bustest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sluice-sync/sluice/bus"
)

var publishing = []test{
	{"EventsKeepOrderPerClass", orderPerClass},
	{"EventsComeBackWhole", wholeEvents},
	{"UnknownClass", unknownClass},
	{"NothingToPublish", nothingToPublish},
	{"ConcurrentPublishersAndFetchers", concurrent},
	{"ResultsKeepOrder", resultOrder},
	{"LargeResultBatches", largeResults},
	{"FullStream", fullStream},
}

func orderPerClass(e *env) {
	s, _ := e.streams(bus.StreamOptions{})
	const rounds, n = 3, 700
	for range rounds {
		e.publish(s, bus.ClassScan, "s", n)
		e.publish(s, bus.ClassLive, "l", 2)
	}
	got := e.fetch(e.events(s, bus.ClassScan), rounds*n)
	for i, d := range got {
		if d.Event.Key != fmt.Sprint("s", i%n) || d.Tries != 1 || i > 0 && d.Seq <= got[i-1].Seq {
			e.Fatalf("delivery %d is %q, seq %d, tries %d", i, d.Event.Key, d.Seq, d.Tries)
		}
	}
	e.keys(e.fetch(e.events(s, bus.ClassLive), 2*rounds), "l0", "l1", "l0", "l1", "l0", "l1")
	e.quiet(e.events(s, bus.ClassRetry), 20*time.Millisecond)
}

func wholeEvents(e *env) {
	s, _ := e.streams(bus.StreamOptions{})
	events := []bus.Event{
		{Task: task, Op: bus.OpPut, Key: "a/\xff\xfe\x00.txt", Class: bus.ClassRetry, Run: "r", Kind: bus.KindDir, Size: 1 << 40,
			MTime: time.Unix(1, 5).UTC(), ETag: "e\"", Inode: 1 << 63, CTime: -1, Tries: 3, Force: true},
		{Task: task, Op: bus.OpDelete, Key: "sluice.>.*\n", Class: bus.ClassRetry},
		{Task: task, Op: bus.OpPut, Key: strings.Repeat("ü", 512), Class: bus.ClassRetry},
	}
	last, err := s.PublishEvents(e.ctx(), events)
	e.ok(err)
	got := e.fetch(e.events(s, bus.ClassRetry), len(events))
	for i, d := range got {
		if d.Event != events[i] || d.Err != nil {
			e.Errorf("got %+v, %v\nwant %+v", d.Event, d.Err, events[i])
		}
	}
	if seq := got[len(got)-1].Seq; seq != last {
		e.Errorf("the last has sequence %d, publishing said %d", seq, last)
	}
}

func unknownClass(e *env) {
	s, _ := e.streams(bus.StreamOptions{})
	for _, bad := range []bus.Event{{Class: "x", Op: bus.OpPut}, {Class: bus.ClassLive, Op: "rename"}} {
		events := append(batch(bus.ClassScan, "k", 3), bad)
		if _, err := s.PublishEvents(e.ctx(), events); err == nil {
			e.Errorf("published %+v", bad)
		}
	}
	if _, err := s.Events(e.ctx(), "x"); err == nil {
		e.Error("opened a consumer of an unknown class")
	}
	if st := e.until(s, "state", func(bus.State) bool { return true }); st.LastSeq != 0 {
		e.Errorf("something of a refused batch was stored: %+v", st)
	}
}

func nothingToPublish(e *env) {
	s, _ := e.streams(bus.StreamOptions{})
	if last, err := s.PublishEvents(e.ctx(), nil); last != 0 || err != nil {
		e.Error(last, err)
	}
	if last, err := s.PublishResults(e.ctx(), nil); last != 0 || err != nil {
		e.Error(last, err)
	}
}

func concurrent(e *env) {
	s, _ := e.streams(bus.StreamOptions{})
	const publishers, rounds, n = 6, 5, 150
	var wg sync.WaitGroup
	ctx := e.ctx()
	for p := range publishers {
		wg.Go(func() {
			for r := range rounds {
				if _, err := s.PublishEvents(ctx, batch(bus.ClassScan, fmt.Sprintf("%d-%d-", p, r), n)); err != nil {
					e.Error(err)
				}
			}
		})
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	for range 3 {
		c := e.events(s, bus.ClassScan)
		wg.Go(func() {
			for {
				got, err := c.Fetch(ctx, 64)
				if errors.Is(err, bus.ErrClosed) {
					return
				}
				if err != nil {
					e.Error(err)
					return
				}
				for _, d := range got {
					if err := d.Token.Ack(); err != nil {
						e.Error(err)
					}
				}
				mu.Lock()
				for _, d := range got {
					seen[d.Event.Key] = true
				}
				mu.Unlock()
			}
		})
	}
	e.until(s, "end of the stream", func(st bus.State) bool {
		return st.LastSeq >= publishers*rounds*n && st.Pending[bus.ClassScan]+st.Unacked[bus.ClassScan] == 0
	})
	e.ok(s.Close())
	wg.Wait()
	if len(seen) != publishers*rounds*n {
		e.Errorf("%d different events came, want %d", len(seen), publishers*rounds*n)
	}
}

func resultOrder(e *env) {
	s, _ := e.streams(bus.StreamOptions{})
	for i := range 50 {
		e.publishResults(s, fmt.Sprint("a", i), fmt.Sprint("b", i))
	}
	c := e.results(s, "projector", true)
	for i, b := range e.fetchResults(c, 50) {
		if b.Err != nil || len(b.Results) != 2 || b.Results[0].Key != fmt.Sprint("a", i) || b.Results[1].Key != fmt.Sprint("b", i) {
			e.Fatalf("batch %d is %+v", i, b)
		}
		if b.Results[0].Task != task || b.Results[1].Run != "run" {
			e.Fatalf("task and run are missing in %+v", b)
		}
	}
}

func largeResults(e *env) {
	s, _ := e.streams(bus.StreamOptions{})
	c := e.results(s, "projector", true)
	results := make([]bus.Result, 600)
	for i := range results {
		results[i] = bus.Result{Task: task, Key: fmt.Sprint(i), Outcome: bus.GivenUp, Error: strings.Repeat("x", 8000)}
	}
	last, err := s.PublishResults(e.ctx(), results)
	e.ok(err)
	var seq uint64
	n := 0
	for n < len(results) {
		for _, b := range e.fetchResults(c, 1) {
			if len(b.Results) == 0 || len(b.Results) > 256 || b.Err != nil {
				e.Fatalf("a batch of %d results, %v", len(b.Results), b.Err)
			}
			for _, r := range b.Results {
				if r.Key != fmt.Sprint(n) || len(r.Error) != 8000 {
					e.Fatalf("result %d is %q", n, r.Key)
				}
				n++
			}
			seq = b.Seq
		}
	}
	if seq != last {
		e.Errorf("the last batch has sequence %d, publishing said %d", seq, last)
	}
}

func fullStream(e *env) {
	s, _ := e.streams(bus.StreamOptions{MaxBytes: 256 << 10})
	c := e.events(s, bus.ClassScan)
	stored := 0
	for {
		_, err := s.PublishEvents(e.ctx(), batch(bus.ClassScan, "k", 100))
		if errors.Is(err, bus.ErrFull) {
			break
		}
		e.ok(err)
		if stored += 100; stored > 100_000 {
			e.Fatal("the stream never fills up")
		}
	}
	if _, err := s.PublishEvents(e.ctx(), batch(bus.ClassLive, "other class", 600)); !errors.Is(err, bus.ErrFull) {
		e.Errorf("a full stream answers %v", err)
	}
	e.ok(e.bus.Health(e.ctx()))
	stop := e.drain(c, e.events(s, bus.ClassLive)) // some of live may have got in
	e.until(s, "all acked", func(st bus.State) bool {
		return st.Pending[bus.ClassScan]+st.Unacked[bus.ClassScan]+st.Pending[bus.ClassLive]+st.Unacked[bus.ClassLive] == 0
	})
	stop()
	e.ok(s.Trim(e.ctx(), bus.Retain{}))
	e.publish(s, bus.ClassScan, "again", 100)
	e.keys(e.fetch(c, 1), "again0")
}
