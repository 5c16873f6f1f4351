package bustest

import (
	"errors"
	"fmt"

	"github.com/sluice-sync/sluice/bus"
)

var looking = []test{
	{"StateAddsUp", stateAddsUp},
	{"StateNeverHidesWhatIsPublished", stateIsCurrent},
	{"Mark", mark},
	{"TrimKeepsWhatIsNotAcked", trimKeeps},
	{"TrimWithOneClassBehind", trimBehind},
	{"TrimRightAfterPublish", trimRace},
	{"TrimRetains", trimRetains},
	{"TrimResults", trimResults},
}

func stateAddsUp(e *env) {
	s, _ := e.streams(bus.StreamOptions{AckWait: never})
	st := e.until(s, "state", func(bus.State) bool { return true })
	if st.LastSeq != 0 || st.Bytes != 0 || st.ResultsLast != 0 || len(st.ResultsPending) != 0 {
		e.Errorf("empty streams: %+v", st)
	}
	for _, class := range bus.Classes {
		if n, ok := st.Pending[class]; !ok || n != 0 {
			e.Errorf("class %s is missing in %+v", class, st)
		}
	}
	last := e.publish(s, bus.ClassScan, "s", 30)
	last = max(last, e.publish(s, bus.ClassLive, "l", 5))
	c := e.events(s, bus.ClassScan)
	e.ack(e.fetch(c, 10)[:4]...)
	e.ok(c.Close()) // what the client had fetched ahead is pending or un-acked, as the bus has it
	st = e.until(s, "sum", func(st bus.State) bool { return st.Pending[bus.ClassScan]+st.Unacked[bus.ClassScan] == 26 })
	if st.LastSeq != last || st.FirstSeq != 1 || st.Bytes == 0 || st.Unacked[bus.ClassScan] < 6 || st.Pending[bus.ClassLive] != 5 || st.Unacked[bus.ClassLive] != 0 {
		e.Errorf("%+v", st)
	}
}

// stateIsCurrent: who has published and then asks must not read that nothing
// is to be done.
func stateIsCurrent(e *env) {
	s, _ := e.streams(bus.StreamOptions{AckWait: never})
	c := e.events(s, bus.ClassScan)
	r := e.results(s, "projector", true)
	for i := range 200 {
		e.publish(s, bus.ClassScan, "k", 1)
		e.publishResults(s, "k")
		st, err := s.State(e.ctx())
		e.ok(err)
		if st.Pending[bus.ClassScan]+st.Unacked[bus.ClassScan] == 0 || st.ResultsPending["projector"] == 0 {
			e.Fatalf("round %d: %+v", i, st)
		}
		e.ack(e.fetch(c, 1)...)
		e.ok(e.fetchResults(r, 1)[0].Token.Ack())
	}
}

func mark(e *env) {
	s, _ := e.streams(bus.StreamOptions{})
	if digest, err := s.Mark(e.ctx(), 1); !errors.Is(err, bus.ErrLost) {
		e.Errorf("of an empty stream: %q, %v", digest, err)
	}
	last := e.publish(s, bus.ClassScan, "k", 3)
	digests := map[string]bool{}
	for seq := last - 2; seq <= last; seq++ {
		digest, err := s.Mark(e.ctx(), seq)
		e.ok(err)
		digests[digest] = true
	}
	if len(digests) != 3 || digests[""] {
		e.Errorf("digests are not different: %v", digests)
	}
	if _, err := s.Mark(e.ctx(), last+1); !errors.Is(err, bus.ErrLost) {
		e.Errorf("beyond the end: %v", err)
	}
	before, err := s.Mark(e.ctx(), last)
	e.ok(err)
	e.restart()
	s, _ = e.streams(bus.StreamOptions{})
	after, err := s.Mark(e.ctx(), last)
	if err != nil || after != before {
		e.Errorf("changed by a restart: %q, %v", after, err)
	}
	e.ok(s.Close())
	e.ok(e.bus.Remove(e.ctx(), task))
	s, _ = e.streams(bus.StreamOptions{})
	if _, err := s.Mark(e.ctx(), last); !errors.Is(err, bus.ErrLost) {
		e.Errorf("after a loss: %v", err)
	}
	e.publish(s, bus.ClassScan, "k", 3) // the same events at the same sequences
	if again, err := s.Mark(e.ctx(), last); err != nil || again == before {
		e.Errorf("a sequence used again has the same mark: %v", err)
	}
}

func trimKeeps(e *env) {
	s, _ := e.streams(bus.StreamOptions{AckWait: never})
	c := e.events(s, bus.ClassScan)
	e.publish(s, bus.ClassScan, "k", 20)
	got := e.fetch(c, 10)
	e.ack(got[:5]...)
	e.ack(got[6:]...)
	e.until(s, "acks", func(st bus.State) bool { return st.Pending[bus.ClassScan]+st.Unacked[bus.ClassScan] == 11 })
	e.ok(s.Trim(e.ctx(), bus.Retain{}))
	e.ok(s.Trim(e.ctx(), bus.Retain{}))
	st := e.until(s, "state", func(bus.State) bool { return true })
	if st.FirstSeq != got[5].Seq {
		e.Errorf("first is %d, want %d", st.FirstSeq, got[5].Seq)
	}
	if digest, err := s.Mark(e.ctx(), got[0].Seq); err != nil || digest != "" {
		e.Errorf("mark of a trimmed event: %q, %v", digest, err)
	}
	e.ok(got[5].Token.Release())
	for e.fetch(c, 1)[0].Seq != got[5].Seq { // others may have been fetched ahead
	}
}

func trimBehind(e *env) {
	s, _ := e.streams(bus.StreamOptions{AckWait: never})
	e.publish(s, bus.ClassScan, "a", 10)
	bulk := e.publish(s, bus.ClassBulk, "bulk", 1)
	last := e.publish(s, bus.ClassScan, "b", 10)
	e.ack(e.fetch(e.events(s, bus.ClassScan), 20)...)
	e.until(s, "acks", func(st bus.State) bool { return st.Pending[bus.ClassScan]+st.Unacked[bus.ClassScan] == 0 })
	first := func() uint64 {
		e.ok(s.Trim(e.ctx(), bus.Retain{}))
		return e.until(s, "state", func(bus.State) bool { return true }).FirstSeq
	}
	if got := first(); got != bulk {
		e.Errorf("with bulk not fetched, first is %d, want %d", got, bulk)
	}
	c := e.events(s, bus.ClassBulk)
	d := e.fetch(c, 1)
	if got := first(); got != bulk {
		e.Errorf("with bulk not acked, first is %d, want %d", got, bulk)
	}
	e.ack(d...)
	e.until(s, "acks", func(st bus.State) bool { return st.Unacked[bus.ClassBulk] == 0 })
	if got := first(); got != last+1 {
		e.Errorf("with all acked, first is %d, want %d", got, last+1)
	}
}

// trimRace: an event that was acknowledged a moment ago must not be taken for
// one that nobody needs.
func trimRace(e *env) {
	s, _ := e.streams(bus.StreamOptions{AckWait: never})
	c := e.events(s, bus.ClassScan)
	for i := range 200 {
		key := fmt.Sprintf("%d-", i)
		e.publish(s, bus.ClassScan, key, 3)
		e.ok(s.Trim(e.ctx(), bus.Retain{}))
		got := e.fetch(c, 3)
		e.keys(got, key+"0", key+"1", key+"2")
		e.ack(got...)
	}
}

func trimRetains(e *env) {
	s, _ := e.streams(bus.StreamOptions{})
	c := e.events(s, bus.ClassScan)
	e.publish(s, bus.ClassScan, "k", 1000)
	e.ack(e.fetch(c, 1000)...)
	st := e.until(s, "acks", func(st bus.State) bool { return st.Pending[bus.ClassScan]+st.Unacked[bus.ClassScan] == 0 })
	keep := st.Bytes / 4
	e.ok(s.Trim(e.ctx(), bus.Retain{EventBytes: int64(keep)}))
	st = e.until(s, "state", func(bus.State) bool { return true })
	if st.Bytes < keep*9/10 || st.Bytes > keep*11/10 || st.LastSeq != 1000 {
		e.Errorf("kept %d bytes, want about %d: %+v", st.Bytes, keep, st)
	}
	e.ok(s.Trim(e.ctx(), bus.Retain{EventBytes: 1 << 40}))
	if again := e.until(s, "state", func(bus.State) bool { return true }); again.FirstSeq != st.FirstSeq {
		e.Errorf("trimmed below the bound: %+v", again)
	}
}

func trimResults(e *env) {
	s, _ := e.streams(bus.StreamOptions{AckWait: never})
	projector, audit := e.results(s, "projector", true), e.results(s, "audit", false)
	for i := range 10 {
		e.publishResults(s, fmt.Sprint(i))
	}
	for _, b := range e.fetchResults(projector, 6) {
		e.ok(b.Token.Ack())
	}
	e.ok(e.fetchResults(audit, 1)[0].Token.Ack())
	e.until(s, "acks", func(st bus.State) bool { return st.ResultsPending["projector"] == 4 })
	e.ok(audit.Close())
	e.ok(s.Trim(e.ctx(), bus.Retain{ResultBytes: 1 << 30}))
	if all := e.fetchResults(e.results(s, "all", false), 10); all[0].Results[0].Key != "0" {
		e.Error("trimmed what the bound keeps")
	}
	e.ok(s.Trim(e.ctx(), bus.Retain{}))
	if late := e.fetchResults(e.results(s, "late", false), 4); late[0].Results[0].Key != "6" || late[3].Results[0].Key != "9" {
		e.Errorf("a late consumer begins at %q", late[0].Results[0].Key)
	}
}
