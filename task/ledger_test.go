package task

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/store"
)

// later makes results come at a time of their own.
func later(minutes int, words ...string) []bus.Result {
	rs := res(words...)
	for i := range rs {
		rs[i].At = noon.Add(time.Duration(minutes) * time.Minute)
		if rs[i].Outcome == bus.Retrying {
			rs[i].NextTry = rs[i].At.Add(time.Second)
		}
	}
	return rs
}

func TestLedgerKeepsFirst(t *testing.T) {
	for _, oneCommit := range []bool{false, true} {
		b := newBench(t)
		steps := [][]bus.Result{later(0, "put a retrying"), later(1, "put a retrying"), later(2, "put a given_up")}
		if oneCommit {
			b.project(steps...)
		} else {
			for _, s := range steps {
				b.project(s)
			}
		}
		f, ok := b.failureOf("a")
		if !ok || !f.First.Equal(noon) || !f.Last.Equal(noon.Add(2*time.Minute)) || !f.GivenUp {
			t.Errorf("%+v", f)
		}
		// Once it was settled the next failure is a new one.
		b.project(later(3, "put a copied"))
		if _, ok := b.failureOf("a"); ok {
			t.Error("a failure outlives the copy")
		}
		b.project(later(4, "put a retrying"))
		if f, _ := b.failureOf("a"); !f.First.Equal(noon.Add(4 * time.Minute)) {
			t.Errorf("%+v", f)
		}
		b.project(append(later(5, "put a copied"), later(6, "put a retrying")...))
		if f, _ := b.failureOf("a"); !f.First.Equal(noon.Add(6 * time.Minute)) {
			t.Errorf("settled and failed in one batch: %+v", f)
		}
	}
}

// The ledger keeps the event to publish again, or makes one of the result.
func TestLedgerKeepsTheEvent(t *testing.T) {
	b := newBench(t)
	rs := res("put a retrying", "put b given_up", "del c given_up")
	rs[0].Event = &bus.Event{Task: "t", Op: bus.OpPut, Key: "a", ETag: "e", Class: bus.ClassRetry, Run: "r", Tries: 1}
	b.project(rs)
	for key, want := range map[string]string{
		"a": "put a e retry", "b": "put b  scan", "c": "delete c  scan",
	} {
		f, _ := b.failureOf(key)
		e, err := new(bus.Decoder).Event(f.Event)
		if got := fmt.Sprintf("%s %s %s %s", e.Op, e.Key, e.ETag, e.Class); err != nil || got != want {
			t.Errorf("event of %s: %s, %v; want %s", key, got, err, want)
		}
	}
}

func TestReopen(t *testing.T) {
	b := newBench(t)
	b.project(res("put a given_up", "put b copied", "del c given_up", "put d retrying", "put@old e given_up", "put f copied", "put g skipped:gone"))
	b.project(res("del f given_up"))
	_, changed := b.counters()
	at := noon.Add(time.Hour)
	if n, err := b.reopen(at, everyFailure); n != 4 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	<-changed
	if got := b.show(); got != "copied 2, gone 1, retrying 2, del-retrying 2, bytes 20, other-bytes 10" {
		t.Error(got)
	}
	due, err := b.st.Due(at, 10)
	if err != nil || len(due) != 5 {
		t.Fatalf("%+v, %v", due, err)
	}
	for _, f := range due {
		if f.GivenUp || f.Key != "d" && (f.Tries != 0 || !f.NextTry.Equal(at)) {
			t.Errorf("%+v", f)
		}
	}
	if n, err := b.reopen(at, everyFailure); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
	b.project(res("put a copied", "del c deleted", "put d copied", "put@old e copied", "del f deleted"))
	if got := b.show(); got != "copied 4, gone 1, deleted 2, bytes 40, other-bytes 10" {
		t.Error(got)
	}
}

// More than one page of the ledger.
func TestReopenMany(t *testing.T) {
	b := newBench(t)
	var rs []bus.Result
	for i := range 2500 {
		rs = append(rs, res(fmt.Sprintf("put %04d given_up", i))...)
	}
	b.project(rs)
	if n, err := b.reopen(noon, everyFailure); n != 2500 || err != nil || b.show() != "retrying 2500" {
		t.Errorf("%d, %v, %s", n, err, b.show())
	}
}

func TestLease(t *testing.T) {
	b := newBench(t)
	b.project(res("put a retrying", "put b retrying", "put c retrying", "put d retrying"))
	due, err := b.st.Due(noon.Add(time.Minute), 10)
	if err != nil || len(due) != 4 {
		t.Fatalf("%+v, %v", due, err)
	}
	// Results that came between the look and the lease stand.
	b.project(later(2, "put b retrying", "put c copied", "put d given_up"))
	until := noon.Add(time.Hour)
	if err := b.lease(due, until); err != nil {
		t.Fatal(err)
	}
	want := map[string]time.Time{"a": until, "b": noon.Add(2*time.Minute + time.Second)}
	for _, key := range []string{"a", "b", "c", "d"} {
		f, ok := b.failureOf(key)
		switch at, retried := want[key]; {
		case retried && (!ok || f.GivenUp || !f.NextTry.Equal(at)):
			t.Errorf("%s: %+v", key, f)
		case !retried && ok && !f.GivenUp:
			t.Errorf("%s is tried again: %+v", key, f)
		}
	}
	if at, ok, err := b.st.NextDue(); !ok || err != nil || !at.Equal(want["b"]) {
		t.Errorf("next due at %v, %v, %v", at, ok, err)
	}
}

// ledger is what a task's ledger holds while nobody runs it.
func (r *rig) ledger() (fs []store.Failure) {
	r.t.Helper()
	r.state(func(st *store.Task) {
		var err error
		fs, err = st.Failures("", 1000)
		r.no(err)
	})
	return fs
}

// At its end a task waits for what is tried again, and then lets nothing more
// be tried.
func TestNothingIsReopenedAfterTheEnd(t *testing.T) {
	b := newBench(t)
	b.project(res("put a given_up", "put@old b retrying"))
	if ended, err := b.end(); ended || err != nil {
		t.Errorf("ended with a retry of another run: %v", err)
	}
	if n, err := b.reopen(noon, everyFailure); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	b.project(res("put@old b copied"))
	if ended, err := b.end(); ended || err != nil {
		t.Errorf("ended with a retry: %v", err)
	}
	b.project(res("put a given_up"))
	if ended, err := b.end(); !ended || err != nil {
		t.Errorf("not ended: %v", err)
	}
	if n, err := b.reopen(noon, everyFailure); n != 0 || err == nil {
		t.Errorf("%d failures are tried again after the end", n)
	}
}

func everyFailure(*store.Failure) bool { return true }
