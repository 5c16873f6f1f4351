package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-sync/sluice/bus"
	. "github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/keymap"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/mem"
)

func TestSmallObjectCostsOneGetAndOnePut(t *testing.T) {
	for _, size := range []int{0, 1, 4096, 60 << 10} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			bubble(t, func(r *rig) {
				want := noise(1, size)
				mtime := time.Date(2020, 1, 2, 3, 4, 5, 600, time.UTC)
				o := r.put("a/b", want, storage.Metadata{ContentType: "x/y", CacheControl: "no", MTime: mtime,
					User: map[string]string{"k": "v"}})
				s, d := r.faulty(counting(), counting())
				r.publish(event(o, bus.ClassScan))
				res := r.one()
				r.outcome(res, bus.Copied, "")
				r.holds("a/b", want)
				if calls(s) != "open 1, " || calls(d) != "put 1, " {
					t.Errorf("source %s target %s", calls(s), calls(d))
				}
				there, err := r.dst.Stat(t.Context(), "a/b")
				r.no(err)
				if res.Src != o.Version() || res.Dst != there.TargetVersion() || res.Moved != int64(size) ||
					res.Size != int64(size) || res.Unvouched || res.Run != "r" || res.Tries != 1 {
					t.Errorf("result %+v", res)
				}
				if there.ContentType != "x/y" || there.CacheControl != "no" || there.User["k"] != "v" || !there.MTime.Equal(mtime) {
					t.Errorf("metadata %+v", there.Metadata)
				}
			})
		})
	}
}

func TestModTimeIsKeptWhereNoneWasKept(t *testing.T) {
	bubble(t, func(r *rig) {
		o := r.put("new", []byte("x"), storage.Metadata{})
		own := r.put("own", []byte("x"), storage.Metadata{User: map[string]string{"mtime": "odd"}})
		r.publish(event(o, bus.ClassScan), event(own, bus.ClassScan))
		r.settle()
		there, err := r.dst.Stat(t.Context(), "new")
		r.no(err)
		if !there.MTime.Equal(o.ModTime) {
			t.Errorf("mtime %v, want %v", there.MTime, o.ModTime)
		}
		if there, err = r.dst.Stat(t.Context(), "own"); err != nil || !there.MTime.IsZero() {
			t.Errorf("an own mtime was overruled by %v, %v", there.MTime, err)
		}
	})
}

// Each fault strikes once or twice; the object must arrive, whole, in one result.
func TestPassingFaults(t *testing.T) {
	rule := func(op fault.Op, e fault.Effect, kind error) fault.Rule {
		return fault.Rule{Ops: []fault.Op{op}, Effect: e, Err: kind, Times: 2}
	}
	for _, size := range []int{5000, 3 << 20} {
		for name, c := range map[string]struct{ src, dst []fault.Rule }{
			"bit flipped in the read":   {src: []fault.Rule{rule(fault.Open, fault.Flip, nil)}},
			"bit flipped in the write":  {dst: []fault.Rule{rule(fault.Put, fault.Flip, nil)}},
			"read cut off":              {src: []fault.Rule{rule(fault.Open, fault.Cut, nil)}},
			"read cut off, passing":     {src: []fault.Rule{rule(fault.Open, fault.Cut, storage.ErrBusy)}},
			"write cut off":             {dst: []fault.Rule{rule(fault.Put, fault.Cut, nil)}},
			"open answers 503":          {src: []fault.Rule{rule(fault.Open, fault.Fail, storage.ErrUnavailable)}},
			"open answers 500":          {src: []fault.Rule{rule(fault.Open, fault.Fail, storage.ErrBusy)}},
			"open answers slow down":    {src: []fault.Rule{rule(fault.Open, fault.Fail, storage.ErrThrottled)}},
			"put answers slow down":     {dst: []fault.Rule{rule(fault.Put, fault.Fail, storage.ErrThrottled)}},
			"put answers 503":           {dst: []fault.Rule{rule(fault.Put, fault.Fail, storage.ErrUnavailable)}},
			"target full for a while":   {dst: []fault.Rule{rule(fault.Put, fault.Fail, storage.ErrNoSpace)}},
			"answer to the put is lost": {dst: []fault.Rule{rule(fault.Put, fault.Lose, nil)}},
		} {
			t.Run(fmt.Sprintf("%s/%d", name, size), func(t *testing.T) {
				bubble(t, func(r *rig) {
					r.cfg.Threshold = 64 << 20
					want := noise(2, size)
					o := r.put("k", want, storage.Metadata{})
					s, d := r.faulty(c.src, c.dst)
					r.publish(event(o, bus.ClassScan))
					r.outcome(r.one(), bus.Copied, "")
					r.holds("k", want)
					if len(s.Hits())+len(d.Hits()) != 1 || append(s.Hits(), d.Hits()...)[0] != 2 {
						t.Errorf("the fault struck %v %v times", s.Hits(), d.Hits())
					}
				})
			})
		}
	}
}

// A body that lies about its bytes for ever must never become visible.
func TestLyingSourceIsNeverWritten(t *testing.T) {
	for _, size := range []int{5000, 3 << 20} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.cfg.Threshold = 64 << 20
				o := r.put("k", noise(3, size), storage.Metadata{})
				r.faulty([]fault.Rule{{Ops: []fault.Op{fault.Open}, Effect: fault.Flip}}, nil)
				r.publish(event(o, bus.ClassScan))
				res := r.one()
				r.outcome(res, bus.Retrying, "corrupt")
				if res.Event == nil || res.Event.Class != bus.ClassRetry || res.Event.Tries != 1 || !res.NextTry.After(res.At) {
					t.Errorf("retry %+v", res)
				}
				r.lacks("k")
			})
		})
	}
}

func TestFailuresByKind(t *testing.T) {
	for _, c := range []struct {
		kind  error
		tries int
		want  bus.Outcome
	}{
		{storage.ErrInvalidKey, 0, bus.GivenUp}, {storage.ErrTooLarge, 0, bus.GivenUp},
		{storage.ErrUnsupported, 0, bus.GivenUp}, {storage.ErrInvalid, 0, bus.GivenUp}, {storage.ErrArchived, 0, bus.GivenUp},
		{storage.ErrDenied, 0, bus.Retrying}, {storage.ErrDenied, 1, bus.GivenUp},
		{storage.ErrBusy, 0, bus.Retrying}, {storage.ErrBusy, 3, bus.Retrying}, {storage.ErrBusy, 4, bus.GivenUp},
		{storage.ErrExists, 0, bus.Retrying}, {storage.ErrExists, 1, bus.GivenUp}, {errors.New("odd"), 0, bus.Retrying},
	} {
		kind, name := storage.KindOf(c.kind)
		if kind == nil {
			name = "other"
		}
		t.Run(name+strconv.Itoa(c.tries), func(t *testing.T) {
			bubble(t, func(r *rig) {
				o := r.put("k", []byte("x"), storage.Metadata{})
				r.faulty(nil, []fault.Rule{{Ops: []fault.Op{fault.Put}, Effect: fault.Fail, Err: c.kind}})
				e := event(o, bus.ClassRetry)
				e.Tries = c.tries
				r.publish(e)
				res := r.one()
				r.outcome(res, c.want, name)
				if res.Tries != c.tries+1 || res.Error == "" {
					t.Errorf("%+v", res)
				}
				if c.want != bus.Retrying {
					return
				}
				base := time.Second << (2 * c.tries)
				if wait := res.NextTry.Sub(res.At); wait < base*7/10 || wait > base*13/10 {
					t.Errorf("next try after %s, want about %s", wait, base)
				}
			})
		})
	}
}

func TestSourceReplacedBeforeOpen(t *testing.T) {
	for _, class := range []bus.Class{bus.ClassScan, bus.ClassLive, bus.ClassRetry, bus.ClassRepair} {
		t.Run(string(class), func(t *testing.T) {
			bubble(t, func(r *rig) {
				old := r.put("k", noise(4, 100), storage.Metadata{})
				now := r.put("k", noise(5, 200), storage.Metadata{})
				r.publish(event(old, class))
				res := r.one()
				r.outcome(res, bus.Copied, "")
				r.holds("k", noise(5, 200))
				if res.Src != now.Version() || res.Size != 200 {
					t.Errorf("%+v", res)
				}
			})
		})
	}
}

// changing is a source whose object is replaced after it was opened, a few times.
type changing struct {
	*mem.Bucket
	left atomic.Int64
}

func (c *changing) Open(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
	r, err := c.Bucket.Open(ctx, key, o)
	if n := c.left.Add(-1); err == nil && n >= 0 {
		b := noise(uint64(100+n), 50)
		_, err = c.Bucket.Put(ctx, key, bytes.NewReader(b), storage.PutOptions{Size: 50})
	}
	return r, err
}

func TestLiveEndsWithTheLastVersion(t *testing.T) {
	bubble(t, func(r *rig) {
		o := r.put("k", noise(1, 50), storage.Metadata{})
		c := &changing{Bucket: r.src}
		c.left.Store(2)
		r.cfg.Source = c
		r.publish(event(o, bus.ClassLive))
		r.outcome(r.one(), bus.Copied, "")
		r.holds("k", noise(100, 50))
	})
	bubble(t, func(r *rig) { // one that never rests comes back later
		o := r.put("k", noise(1, 50), storage.Metadata{})
		c := &changing{Bucket: r.src}
		c.left.Store(1 << 40)
		r.cfg.Source = c
		r.publish(event(o, bus.ClassLive))
		r.outcome(r.one(), bus.Retrying, "changed")
	})
}

func TestGone(t *testing.T) {
	for _, c := range []struct {
		class   bus.Class
		deletes bool
		want    bus.Outcome
		why     string
	}{
		{bus.ClassScan, true, bus.Skipped, "gone"}, {bus.ClassLive, false, bus.Skipped, "gone"},
		{bus.ClassLive, true, bus.Deleted, ""}, {bus.ClassRepair, true, bus.Skipped, "gone"},
	} {
		t.Run(fmt.Sprint(c.class, c.deletes), func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.cfg.Deletes = c.deletes
				o := r.put("k", []byte("x"), storage.Metadata{})
				r.no(r.src.Delete(t.Context(), "k"))
				_, err := r.dst.Put(t.Context(), "k", bytes.NewReader([]byte("y")), storage.PutOptions{Size: 1})
				r.no(err)
				r.publish(event(o, c.class))
				r.outcome(r.one(), c.want, c.why)
				if c.want == bus.Deleted {
					r.lacks("k")
				} else {
					r.holds("k", []byte("y"))
				}
			})
		})
	}
}

// What was applied is not copied twice, and the same outcome is reported; but
// State may be behind what happened, so the target has the last word.
func TestAppliedBefore(t *testing.T) {
	for _, c := range []struct {
		name  string
		class bus.Class
		force bool
		there bool
		reads bool
	}{
		{"live", bus.ClassLive, false, true, false},
		{"live, deleted meanwhile", bus.ClassLive, false, false, true},
		{"retry", bus.ClassRetry, false, true, false},
		{"repair", bus.ClassRepair, false, true, true},
		{"forced", bus.ClassLive, true, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				o := r.put("k", []byte("xyz"), storage.Metadata{})
				there, err := r.dst.Put(t.Context(), "k", bytes.NewReader([]byte("xyz")), storage.PutOptions{Size: 3})
				r.no(err)
				r.state.applied["k"] = [2]string{o.Version(), there.TargetVersion()}
				if !c.there {
					r.no(r.dst.Delete(t.Context(), "k"))
				}
				s, _ := r.faulty([]fault.Rule{count(fault.Open)}, nil)
				e := event(o, c.class)
				e.Force = c.force
				r.publish(e)
				res := r.one()
				if res.Outcome != bus.Copied || (res.Reason == "applied") == c.reads || (res.Moved == 3) != c.reads {
					t.Errorf("%+v", res)
				}
				if (s.Hits()[0] > 0) != c.reads {
					t.Errorf("opened %d times", s.Hits()[0])
				}
				r.holds("k", []byte("xyz"))
			})
		})
	}
}

func TestRedeliveredScanEventIsNotCopiedTwice(t *testing.T) {
	bubble(t, func(r *rig) {
		o := r.put("k", []byte("xyz"), storage.Metadata{})
		there, err := r.dst.Put(t.Context(), "k", bytes.NewReader([]byte("xyz")), storage.PutOptions{Size: 3})
		r.no(err)
		r.state.applied["k"] = [2]string{o.Version(), there.TargetVersion()}
		s, _ := r.faulty([]fault.Rule{count(fault.Open)}, nil)
		r.publish(event(o, bus.ClassScan))
		c, err := r.streams.Events(t.Context(), bus.ClassScan) // a process that took it and died
		r.no(err)
		_, err = c.Fetch(t.Context(), 10)
		r.no(err)
		r.no(c.Close())
		res := r.one()
		r.outcome(res, bus.Copied, "applied")
		if s.Hits()[0] != 0 || res.Moved != 0 || res.Src != o.Version() || res.Dst != there.TargetVersion() {
			t.Errorf("opened %d times, %+v", s.Hits()[0], res)
		}
	})
}

func TestPolicies(t *testing.T) {
	day := 24 * time.Hour
	base := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, size := range []int{10, 100 << 10} {
		for _, c := range []struct {
			name  string
			p     Policy
			there time.Duration // age of what is there against the source's; 0: nothing there
			want  bus.Outcome
			why   string
		}{
			{"always", Always, -day, bus.Copied, ""},
			{"never, free", Never, 0, bus.Copied, ""},
			{"never, taken", Never, day, bus.Skipped, "exists"},
			{"newer, free", IfNewer, 0, bus.Copied, ""},
			{"newer, older there", IfNewer, -day, bus.Copied, ""},
			{"newer, newer there", IfNewer, day, bus.Skipped, "newer_at_target"},
		} {
			t.Run(fmt.Sprint(c.name, size), func(t *testing.T) {
				bubble(t, func(r *rig) {
					r.cfg.Overwrite = c.p
					o := r.put("k", noise(1, size), storage.Metadata{MTime: base})
					if c.there != 0 {
						_, err := r.dst.Put(t.Context(), "k", bytes.NewReader([]byte("old")),
							storage.PutOptions{Size: 3, Meta: storage.Metadata{MTime: base.Add(c.there)}})
						r.no(err)
					}
					r.publish(event(o, bus.ClassScan))
					r.outcome(r.one(), c.want, c.why)
					if c.want == bus.Copied {
						r.holds("k", noise(1, size))
					} else {
						r.holds("k", []byte("old"))
					}
				})
			})
		}
	}
}

func TestManyWithDuplicatesEndEqualWithOneResultPerEvent(t *testing.T) {
	bubble(t, func(r *rig) {
		const keys, copies = 300, 3
		var events []bus.Event
		for c := range copies {
			for k := range keys {
				o := r.put(fmt.Sprint("k", k), noise(uint64(k), 10+k), storage.Metadata{})
				events = append(events, event(o, []bus.Class{bus.ClassScan, bus.ClassLive, bus.ClassRepair}[c]))
			}
		}
		r.publish(events...)
		if n := len(r.settle()); n != keys*copies {
			t.Errorf("%d results", n)
		}
		for k := range keys {
			r.holds(fmt.Sprint("k", k), noise(uint64(k), 10+k))
		}
		st, err := r.streams.State(t.Context())
		r.no(err)
		for class, n := range st.Unacked {
			if n != 0 || st.Pending[class] != 0 {
				t.Errorf("%s: %d un-acked", class, n)
			}
		}
	})
}

// alone fails a test if two writes of a key overlap.
type alone struct {
	*mem.Bucket
	busy, clashes atomic.Int64
}

func (a *alone) Put(ctx context.Context, key string, data io.Reader, o storage.PutOptions) (storage.Object, error) {
	if a.busy.Add(1) > 1 {
		a.clashes.Add(1)
	}
	defer a.busy.Add(-1)
	time.Sleep(10 * time.Millisecond)
	return a.Bucket.Put(ctx, key, data, o)
}

func TestOneKeyOneWorker(t *testing.T) {
	bubble(t, func(r *rig) {
		a := &alone{Bucket: r.dst}
		r.cfg.Target = a
		o := r.put("k", []byte("x"), storage.Metadata{})
		for _, class := range bus.Classes {
			for range 5 {
				r.publish(event(o, class))
			}
		}
		if n := len(r.settle()); n != 25 || a.clashes.Load() != 0 {
			t.Errorf("%d results, %d clashes", n, a.clashes.Load())
		}
	})
}

func TestSingleMapAndKeysThatTakeNoPart(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cfg.Map = keymap.Single("a", "b")
		r.publish(event(r.put("a", []byte("x"), storage.Metadata{}), bus.ClassScan),
			event(r.put("c", []byte("y"), storage.Metadata{}), bus.ClassScan))
		for _, res := range r.settle() {
			if res.Key == "c" {
				r.outcome(res, bus.Skipped, "excluded")
			} else {
				r.outcome(res, bus.Copied, "")
			}
		}
		r.holds("b", []byte("x"))
		r.lacks("a")
		r.lacks("c")
	})
}

func TestUnreadableDirectoryIsGivenUp(t *testing.T) {
	bubble(t, func(r *rig) {
		r.publish(bus.Event{Task: "t", Op: bus.OpPut, Key: "d/", Kind: bus.KindUnreadable, Class: bus.ClassScan})
		r.outcome(r.one(), bus.GivenUp, "denied")
	})
}

func TestDrainLetsSmallObjectsFinishAndKeepsTheRest(t *testing.T) {
	bubble(t, func(r *rig) {
		var events []bus.Event
		for k := range 200 {
			events = append(events, event(r.put(fmt.Sprint("k", k), []byte("x"), storage.Metadata{}), bus.ClassScan))
		}
		r.faulty(nil, []fault.Rule{{Ops: []fault.Op{fault.Put}, Delay: 2 * time.Second}})
		r.publish(events...)
		r.start()
		time.Sleep(time.Second)
		synctest.Wait()
		began := time.Now()
		r.no(r.stop())
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("drained in %s", took)
		}
		if len(r.results) != r.cfg.Workers {
			t.Errorf("%d results, want those of the %d in flight", len(r.results), r.cfg.Workers)
		}
		r.restart()
		r.settle()
		if len(r.results) != 200 {
			t.Errorf("%d results at last", len(r.results))
		}
	})
}

func TestDrainEndsAfterItsGrace(t *testing.T) {
	bubble(t, func(r *rig) {
		r.faulty(nil, []fault.Rule{{Ops: []fault.Op{fault.Put}, Effect: fault.Stall}})
		r.publish(event(r.put("k", []byte("x"), storage.Metadata{}), bus.ClassScan))
		r.start()
		time.Sleep(time.Second)
		began := time.Now()
		r.no(r.stop())
		if took := time.Since(began); took < 10*time.Second || took > 11*time.Second || len(r.results) != 0 {
			t.Errorf("drained in %s with %v", took, r.results)
		}
	})
}
