package bustest

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluice-sync/sluice/bus"
)

var durability = []test{
	{"FreshOnce", freshOnce},
	{"OnlyUnackedAfterReopen", unackedAfterReopen},
	{"ResultConsumersAreIndependent", independentResults},
	{"TasksAreIndependent", independentTasks},
	{"Remove", remove},
	{"SequencesGoOnAfterTrimAndReopen", sequencesGoOn},
}

func freshOnce(e *env) {
	s, fresh := e.streams(bus.StreamOptions{})
	if !fresh {
		e.Error("new streams are not fresh")
	}
	e.ok(s.Close())
	if _, fresh = e.streams(bus.StreamOptions{}); fresh {
		e.Error("fresh after Close of the streams")
	}
	e.restart()
	if _, fresh = e.streams(bus.StreamOptions{MaxBytes: 1 << 20}); fresh {
		e.Error("fresh after a restart")
	}
}

func unackedAfterReopen(e *env) {
	s, _ := e.streams(bus.StreamOptions{AckWait: ackWait})
	c := e.events(s, bus.ClassScan)
	e.publish(s, bus.ClassScan, "k", 1000)
	got := e.fetch(c, 900)
	want := map[string]bool{}
	for i, d := range got {
		if i%3 == 0 || i > 800 {
			want[d.Event.Key] = true
			continue
		}
		e.ack(d)
	}
	for i := 900; i < 1000; i++ {
		want[fmt.Sprint("k", i)] = true
	}
	e.restart()
	s, _ = e.streams(bus.StreamOptions{AckWait: ackWait})
	c = e.events(s, bus.ClassScan)
	for len(want) > 0 {
		for _, d := range e.fetch(c, 1) {
			if !want[d.Event.Key] {
				e.Fatalf("%q came again (tries %d), it was acked", d.Event.Key, d.Tries)
			}
			delete(want, d.Event.Key)
			e.ack(d)
		}
	}
	e.until(s, "end", func(st bus.State) bool { return st.Pending[bus.ClassScan]+st.Unacked[bus.ClassScan] == 0 })
	e.quiet(c, 2*ackWait)
}

func independentResults(e *env) {
	const some = 2 * time.Second // a bus may need it to learn that the former process is gone
	s, _ := e.streams(bus.StreamOptions{AckWait: some})
	projector, audit := e.results(s, "projector", true), e.results(s, "audit", false)
	for i := range 10 {
		e.publishResults(s, fmt.Sprint(i))
	}
	for _, b := range e.fetchResults(projector, 10) {
		e.ok(b.Token.Ack())
	}
	e.ok(e.fetchResults(audit, 3)[0].Token.Ack())
	st := e.until(s, "projector's acks", func(st bus.State) bool { return st.ResultsPending["projector"] == 0 && st.ResultsPending["audit"] == 9 })
	if st.ResultsLast != 10 {
		e.Errorf("%+v", st)
	}
	e.restart()
	s, _ = e.streams(bus.StreamOptions{AckWait: some})
	e.publishResults(s, "10")
	if b := e.fetchResults(e.results(s, "projector", true), 1)[0]; b.Results[0].Key != "10" {
		e.Errorf("projector got %q again", b.Results[0].Key)
	}
	seen := map[string]bool{}
	for _, b := range e.fetchResults(e.results(s, "audit", false), 10) {
		seen[b.Results[0].Key] = true
	}
	if len(seen) != 10 || seen["0"] {
		e.Errorf("audit got %v", seen)
	}
	if late := e.fetchResults(e.results(s, "late", false), 11); late[0].Results[0].Key != "0" || late[10].Results[0].Key != "10" {
		e.Error("a consumer that comes late does not see all, in order")
	}
}

func independentTasks(e *env) {
	s, _ := e.streams(bus.StreamOptions{})
	other, fresh, err := e.bus.Open(e.ctx(), "task-2", bus.StreamOptions{})
	e.ok(err)
	if !fresh {
		e.Error("the second task's streams are not fresh")
	}
	e.publish(s, bus.ClassScan, "k", 3)
	e.publish(other, bus.ClassScan, "other", 1)
	e.keys(e.fetch(e.events(other, bus.ClassScan), 1), "other0")
	e.ok(other.Close())
	e.keys(e.fetch(e.events(s, bus.ClassScan), 3), "k0", "k1", "k2")
}

func remove(e *env) {
	s, _ := e.streams(bus.StreamOptions{})
	e.publish(s, bus.ClassScan, "k", 3)
	e.publishResults(s, "a")
	if err := e.bus.Remove(e.ctx(), task); err == nil {
		e.Error("removed streams that are open")
	}
	e.ok(s.Close())
	e.ok(e.bus.Remove(e.ctx(), task))
	e.ok(e.bus.Remove(e.ctx(), task))
	e.ok(e.bus.Remove(e.ctx(), "never-was"))
	s, fresh := e.streams(bus.StreamOptions{})
	st := e.until(s, "state", func(bus.State) bool { return true })
	if !fresh || st.LastSeq != 0 || st.ResultsLast != 0 {
		e.Errorf("fresh %v, %+v", fresh, st)
	}
	e.quiet(e.events(s, bus.ClassScan), 20*time.Millisecond)
}

func sequencesGoOn(e *env) {
	s, _ := e.streams(bus.StreamOptions{})
	last := e.publish(s, bus.ClassScan, "k", 50)
	e.ack(e.fetch(e.events(s, bus.ClassScan), 50)...)
	e.until(s, "acks", func(st bus.State) bool { return st.Unacked[bus.ClassScan] == 0 })
	e.ok(s.Trim(e.ctx(), bus.Retain{}))
	e.restart()
	s, _ = e.streams(bus.StreamOptions{})
	if got := e.publish(s, bus.ClassScan, "k", 1); got != last+1 {
		e.Errorf("sequence %d after %d", got, last)
	}
	if _, err := s.Mark(e.ctx(), last); err != nil || errors.Is(err, bus.ErrLost) {
		e.Errorf("a trimmed event counts as lost: %v", err)
	}
}
