package task

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/store"
)

// bench is a projector on a store, fed by hand.
type bench struct {
	t *testing.T
	*projector
	st   *store.Task
	seq  uint64
	acks int
}

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func newBench(t *testing.T) *bench {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	st := s.Task("t")
	p, err := newProjector(st, nil, "r", func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t: t, projector: p, st: st}
}

func (b *bench) Ack() error     { b.acks++; return nil }
func (b *bench) Working() error { return nil }
func (b *bench) Release() error { return nil }

// project applies batches in one go.
func (b *bench) project(batches ...[]bus.Result) {
	b.t.Helper()
	var in []bus.ResultBatch
	for _, rs := range batches {
		b.seq++
		in = append(in, bus.ResultBatch{Seq: b.seq, Results: rs, Token: b})
	}
	if err := b.apply(in); err != nil {
		b.t.Fatal(err)
	}
}

// show writes the counters that are not 0, and checks those on disk.
func (b *bench) show() string {
	b.t.Helper()
	c, _ := b.counters()
	var kept counters
	if ok, err := load(b.st, recordCounters, &kept); err != nil || !ok {
		b.t.Fatalf("no counters on disk: %v", err)
	}
	if got := fmt.Sprintf("%+v", kept); got != fmt.Sprintf("%+v", c) {
		b.t.Errorf("on disk %s, in memory %+v", got, c)
	}
	return showCounters(c)
}

func showCounters(c counters) string {
	var s []string
	add := func(name string, n int64) {
		if n != 0 {
			s = append(s, fmt.Sprintf("%s %d", name, n))
		}
	}
	add("copied", c.Copied)
	for _, why := range slices.Sorted(maps.Keys(c.Skipped)) {
		s = append(s, fmt.Sprintf("%s %d", why, c.Skipped[why])) // a 0 must not stay
	}
	add("failed", c.Failed)
	add("retrying", c.Retrying)
	add("deleted", c.Deleted)
	add("del-retrying", c.RetryDel)
	add("del-failed", c.FailedDel)
	add("bytes", c.Bytes)
	add("other-bytes", c.SkipBytes)
	add("unvouched", c.Unvouched)
	return strings.Join(s, ", ")
}

// res makes results from words: "put K copied", "del K deleted", "put K
// skipped:gone", "put@old K copied" of the run old, "put K copied!" unvouched.
// All are of 10 bytes.
func res(words ...string) (rs []bus.Result) {
	for _, w := range words {
		var op, key, outcome string
		if n, err := fmt.Sscan(w, &op, &key, &outcome); n != 3 {
			panic(err)
		}
		r := bus.Result{Task: "t", Run: "r", Op: bus.OpPut, Key: key, Class: bus.ClassScan, Size: 10, At: noon, Tries: 1}
		op, run, other := strings.Cut(op, "@")
		if other {
			r.Run = run
		}
		if op == "del" {
			r.Op, r.Size = bus.OpDelete, 0
		}
		outcome, r.Unvouched = strings.CutSuffix(outcome, "!")
		outcome, r.Reason, _ = strings.Cut(outcome, ":")
		r.Outcome = bus.Outcome(outcome)
		switch r.Outcome {
		case bus.Copied:
			r.Src, r.Dst, r.Moved = "src-"+key, "dst-"+key, 10
		case bus.Retrying:
			r.NextTry = noon.Add(time.Second)
		}
		rs = append(rs, r)
	}
	return rs
}

func TestASecondResultOfAKeyReplacesTheFirst(t *testing.T) {
	for _, c := range []struct {
		name    string
		results string // batches are lines
		want    string
	}{
		{"one of each", "put a copied, put b skipped:gone, put c retrying, put d given_up, del e deleted, del f retrying, del g given_up, del h skipped:present",
			"copied 1, gone 1, failed 1, retrying 1, deleted 1, del-retrying 1, del-failed 1, bytes 10, other-bytes 20"},
		{"copied, then skipped", "put a copied\nput a skipped:gone", "gone 1, other-bytes 10"},
		{"skipped, then copied", "put a skipped:gone\nput a copied", "copied 1, bytes 10"},
		{"skipped for another reason", "put a skipped:gone\nput a skipped:exists", "exists 1, other-bytes 10"},
		{"retrying, then copied", "put a retrying\nput a copied", "copied 1, bytes 10"},
		{"retrying again", "put a retrying\nput a retrying", "retrying 1"},
		{"retrying, then given up", "put a retrying\nput a given_up", "failed 1, other-bytes 10"},
		{"given up, then copied", "put a given_up\nput a copied", "copied 1, bytes 10"},
		{"twice in one batch", "put a retrying, put a copied, put a copied", "copied 1, bytes 10"},
		{"a batch twice", "put a copied, put b skipped:gone\nput a copied, put b skipped:gone", "copied 1, gone 1, bytes 10, other-bytes 10"},
		{"unvouched stays counted once", "put a copied!\nput a copied!", "copied 1, bytes 10, unvouched 1"},
		{"vouched the second time", "put a copied!\nput a copied", "copied 1, bytes 10"},
		{"deleted after it was copied", "put a copied\ndel a deleted", "copied 1, deleted 1, bytes 10"},
		{"deleted twice", "del a deleted\ndel a deleted", "deleted 1"},
		{"a delete tried again", "del a retrying\ndel a retrying\ndel a deleted", "deleted 1"},
		{"a delete given up", "del a retrying\ndel a given_up", "del-failed 1"},
		{"a delete of what came back", "del a retrying\ndel a skipped:present", ""},
		{"put and delete, both twice", "put a copied\ndel a deleted\nput a copied\ndel a deleted", "copied 1, deleted 1, bytes 10"},
		{"copied after a delete that was not needed", "del a skipped:present\nput a copied\ndel a skipped:present\nput a copied", "copied 1, bytes 10"},
		{"unvouched, then deleted, then skipped", "put a copied!\ndel a deleted\nput a skipped:gone", "gone 1, deleted 1, other-bytes 10"},
		{"of another run", "put@old a copied, put@old b given_up, del@old c deleted", ""},
		{"another run's, then ours", "put@old a copied\nput a skipped:gone", "gone 1, other-bytes 10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, all := newBench(t), newBench(t)
			var batches [][]bus.Result
			for _, line := range strings.Split(c.results, "\n") {
				rs := res(strings.Split(line, ", ")...)
				batches = append(batches, rs)
				b.project(rs)
			}
			if got := b.show(); got != c.want {
				t.Errorf("one by one: %s; want %s", got, c.want)
			}
			if all.project(batches...); all.show() != c.want {
				t.Errorf("in one commit: %s; want %s", all.show(), c.want)
			}
			if b.acks != len(batches) {
				t.Errorf("%d of %d batches were acked", b.acks, len(batches))
			}
		})
	}
}

// Results of an earlier run, which may still be on their way when a new one
// begins, change rows and ledger but count nothing.
func TestResultsOfAnotherRunOnlyChangeRows(t *testing.T) {
	b := newBench(t)
	b.project(res("put a copied"))
	b.project(res("put@old b copied", "put@old c given_up"))
	if got := b.show(); got != "copied 1, bytes 10" {
		t.Error(got)
	}
	if row := b.row("b"); row.Run != "old" || row.Src != "src-b" || row.Dst != "dst-b" {
		t.Errorf("row of b: %+v", row)
	}
	if f, ok := b.failureOf("c"); !ok || !f.GivenUp {
		t.Errorf("failure of c: %+v", f)
	}
}

func (b *bench) row(key string) store.Row {
	b.t.Helper()
	row, _, err := b.st.Row(key)
	if err != nil {
		b.t.Fatal(err)
	}
	return row
}

func (b *bench) failureOf(key string) (store.Failure, bool) {
	b.t.Helper()
	f, ok, err := b.st.Failure(key)
	if err != nil {
		b.t.Fatal(err)
	}
	return f, ok
}

// A skip keeps what is known of the versions, a delete does not.
func TestRowsKeepVersions(t *testing.T) {
	b := newBench(t)
	b.project(res("put a copied", "put b copied", "put c copied"))
	b.project(res("put a skipped:gone", "del b deleted", "del c skipped:present"))
	for key, want := range map[string]string{"a": "src-a dst-a", "b": " ", "c": "src-c dst-c"} {
		if row := b.row(key); row.Src+" "+row.Dst != want {
			t.Errorf("row of %s: %+v", key, row)
		}
	}
}

// A message that nobody understands holds nothing up.
func TestPoisonIsAckedAndNotCounted(t *testing.T) {
	b := newBench(t)
	poison := bus.ResultBatch{Seq: 7, Err: errors.New("version 9"), Results: res("put x copied"), Token: b}
	good := bus.ResultBatch{Seq: 8, Results: res("put a copied"), Token: b}
	if err := b.apply([]bus.ResultBatch{poison, good}); err != nil {
		t.Fatal(err)
	}
	if got := b.show(); got != "copied 1, bytes 10" || b.acks != 2 {
		t.Errorf("%s; %d acks", got, b.acks)
	}
	if err := b.apply([]bus.ResultBatch{poison}); err != nil || b.acks != 3 {
		t.Errorf("%v; %d acks", err, b.acks)
	}
	if c, _ := b.counters(); c.ResultSeq != 8 {
		t.Errorf("the sequence is %d", c.ResultSeq)
	}
}

// An event that could not be understood has no key, but is in the ledger.
func TestAFailureWithoutKeyIsListed(t *testing.T) {
	b := newBench(t)
	b.project([]bus.Result{{Run: "", Op: bus.OpPut, Outcome: bus.GivenUp, Cause: "unknown_message", Error: "version 9", At: noon}})
	if got := b.show(); got != "" {
		t.Errorf("counted: %s", got)
	}
	fs, err := b.st.Failures("", 10)
	if err != nil || len(fs) != 1 || fs[0].Cause != "unknown_message" {
		t.Errorf("%+v, %v", fs, err)
	}
}

// The counters of a new projector are those on disk if the run is the same one.
func TestCountersAreOfOneRun(t *testing.T) {
	b := newBench(t)
	b.project(res("put a copied", "put b skipped:gone"))
	for run, want := range map[string]string{"r": "copied 1, gone 1, bytes 10, other-bytes 10", "s": ""} {
		p, err := newProjector(b.st, nil, run, b.now)
		if err != nil {
			t.Fatal(err)
		}
		if c, _ := p.counters(); showCounters(c) != want || c.ResultSeq != 1 || c.Run != run {
			t.Errorf("run %s: %+v", run, c)
		}
	}
}

// Who waits for a change is woken by a commit; what he holds is a copy.
func TestCountersTellOfChanges(t *testing.T) {
	b := newBench(t)
	b.project(res("put a skipped:gone"))
	c, changed := b.counters()
	select {
	case <-changed:
		t.Error("changed before the commit")
	default:
	}
	b.project(res("put b skipped:gone"))
	<-changed
	if c.Skipped["gone"] != 1 {
		t.Error("a copy changes by itself")
	}
}
