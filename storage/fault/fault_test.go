package fault_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/mem"
)

var data = bytes.Repeat([]byte("0123456789"), 100)

// place is a mem bucket that holds "k" with data, under faults.
func place(t *testing.T, rules ...fault.Rule) (*fault.Bucket, *mem.Bucket) {
	t.Helper()
	m := mem.New(mem.Options{})
	if err := write(t.Context(), m, "k", nil); err != nil {
		t.Fatal(err)
	}
	return fault.New(m, 7, rules...), m
}

func write(ctx context.Context, b storage.Bucket, key string, sum func() []byte) error {
	_, err := b.Put(ctx, key, bytes.NewReader(data), storage.PutOptions{Size: int64(len(data)), MD5: sum})
	return err
}

func readAll(ctx context.Context, b storage.Source, o storage.ReadOptions) ([]byte, error) {
	r, err := b.Open(ctx, "k", o)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	return io.ReadAll(r.Body)
}

var whole = storage.ReadOptions{Length: -1}

// TestWhichCalls drives one rule with the same calls and looks at which fail.
func TestWhichCalls(t *testing.T) {
	calls := strings.Fields("a b a c a b a c a b")
	for _, c := range []struct {
		name string
		rule fault.Rule
		want string // of each call: x is a hit
	}{
		{"all", fault.Rule{}, "xxxxxxxxxx"},
		{"key", fault.Rule{Match: func(k string) bool { return k == "a" }}, "x.x.x.x.x."},
		{"third on", fault.Rule{After: 2}, "..xxxxxxxx"},
		{"the third", fault.Rule{After: 2, Times: 1}, "..x......."},
		{"second of a key", fault.Rule{Match: func(k string) bool { return k == "c" }, After: 1, Times: 1}, ".......x.."},
		{"other call", fault.Rule{Ops: []fault.Op{fault.Stat}}, ".........."},
		{"this and another call", fault.Rule{Ops: []fault.Op{fault.Stat, fault.Delete}}, "xxxxxxxxxx"},
		{"effect on bytes only", fault.Rule{Effect: fault.Cut}, ".........."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.rule.Effect == fault.None {
				c.rule.Effect = fault.Fail
			}
			b, _ := place(t, c.rule)
			var got strings.Builder
			for _, key := range calls {
				if b.Delete(t.Context(), key) != nil {
					got.WriteByte('x')
				} else {
					got.WriteByte('.')
				}
			}
			if got.String() != c.want {
				t.Errorf("hit %s, want %s", got.String(), c.want)
			}
			if n := b.Hits()[0]; n != strings.Count(c.want, "x") {
				t.Errorf("Hits says %d", n)
			}
		})
	}
}

// TestChance follows from the seed and the calls of each key, in whatever
// order calls of different keys come.
func TestChance(t *testing.T) {
	run := func(seed uint64, keys []string) map[string]string {
		b := fault.New(mem.New(mem.Options{}), seed, fault.Rule{Effect: fault.Fail, Chance: 0.3})
		got := map[string]string{}
		for _, key := range keys {
			if b.Delete(t.Context(), key) != nil {
				got[key] += "x"
			} else {
				got[key] += "."
			}
		}
		return got
	}
	var keys []string
	for i := range 1000 {
		keys = append(keys, fmt.Sprint("k", i%100))
	}
	first := run(1, keys)
	hits := 0
	for _, s := range first {
		hits += strings.Count(s, "x")
	}
	if hits < 250 || hits > 350 {
		t.Errorf("%d of 1000 calls hit with a chance of 0.3", hits)
	}
	slices.Sort(keys)
	sorted := run(1, keys)
	other := run(2, keys)
	same := 0
	for key := range first {
		if sorted[key] != first[key] {
			t.Errorf("%s: %s, in another order of keys %s", key, first[key], sorted[key])
		}
		if other[key] == first[key] {
			same++
		}
	}
	if same == len(first) {
		t.Error("another seed makes no difference")
	}
}

func TestErrors(t *testing.T) {
	odd := errors.New("odd")
	ready := &storage.Error{Op: "x", Place: "y", Kind: storage.ErrDenied}
	for _, c := range []struct {
		rule fault.Rule
		want string
		is   error
	}{
		{fault.Rule{}, `stat "k" at mem://bucket: unreachable: injected`, storage.ErrUnavailable},
		{fault.Rule{Err: storage.ErrThrottled, RetryAfter: time.Second}, `stat "k" at mem://bucket: throttled: injected`, storage.ErrThrottled},
		{fault.Rule{Err: odd}, "odd", odd},
		{fault.Rule{Err: ready}, "x at y: access denied", ready},
	} {
		c.rule.Effect = fault.Fail
		b, _ := place(t, c.rule)
		_, err := b.Stat(t.Context(), "k")
		if err == nil || err.Error() != c.want || !errors.Is(err, c.is) {
			t.Errorf("error %v, want %s", err, c.want)
		}
		var e *storage.Error
		if errors.As(err, &e) && e.RetryAfter != c.rule.RetryAfter {
			t.Errorf("RetryAfter %v, want %v", e.RetryAfter, c.rule.RetryAfter)
		}
	}
}

// TestLose does what is asked and says it did not.
func TestLose(t *testing.T) {
	ctx := t.Context()
	b, m := place(t, fault.Rule{Effect: fault.Lose})
	up, _ := storage.As[storage.Multipart](b)
	sound, _ := storage.As[storage.Multipart](m)

	if err := write(ctx, b, "new", nil); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("put: %v", err)
	}
	if _, err := m.Stat(ctx, "new"); err != nil {
		t.Errorf("put was not done: %v", err)
	}
	if err := b.Delete(ctx, "new"); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("delete: %v", err)
	}
	if _, err := m.Stat(ctx, "new"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("delete was not done: %v", err)
	}
	if _, err := up.CreateUpload(ctx, "u", storage.UploadOptions{Size: 1000, PartSize: 1000}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("create upload: %v", err)
	}
	us, err := sound.ListUploads(ctx, "u")
	if err != nil || len(us) != 1 {
		t.Fatalf("create upload was not done: %v, %v", us, err)
	}
	if _, err := up.UploadPart(ctx, "u", us[0].ID, 1, bytes.NewReader(data), storage.PartOptions{Size: 1000}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("part: %v", err)
	}
	parts, err := sound.ListParts(ctx, "u", us[0].ID)
	if err != nil || len(parts) != 1 {
		t.Fatalf("part was not sent: %v, %v", parts, err)
	}
	if _, err := up.CompleteUpload(ctx, "u", us[0].ID, parts); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("complete: %v", err)
	}
	if _, err := m.Stat(ctx, "u"); err != nil {
		t.Errorf("complete was not done: %v", err)
	}
	// What fails by itself keeps its own error.
	if _, err := b.Stat(ctx, "missing"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("stat of nothing: %v", err)
	}
	if _, err := b.Open(ctx, "k", whole); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("open: %v", err)
	}
}

func TestCut(t *testing.T) {
	ctx := t.Context()
	b, m := place(t, fault.Rule{Effect: fault.Cut})
	for _, o := range []storage.ReadOptions{whole, {Offset: 100, Length: 500}, {Offset: 999, Length: 1}} {
		n := o.Length
		if n < 0 {
			n = int64(len(data))
		}
		got, err := readAll(ctx, b, o)
		if !errors.Is(err, storage.ErrUnavailable) || !bytes.Equal(got, data[o.Offset:o.Offset+n/2]) {
			t.Errorf("%+v: %d bytes, %v; want the first half and an error", o, len(got), err)
		}
	}
	// A write fails as the place would, not as its body.
	err := write(ctx, b, "new", nil)
	var e *storage.Error
	if !errors.As(err, &e) || !errors.Is(e.Kind, storage.ErrUnavailable) || e.Op != "put" || e.Place != m.String() {
		t.Errorf("put: %v", err)
	}
	if _, err := m.Stat(ctx, "new"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a cut write became visible: %v", err)
	}
}

// TestFlip inverts exactly one bit, always the same one.
func TestFlip(t *testing.T) {
	ctx := t.Context()
	differ := func(got []byte) (n int) {
		if len(got) != len(data) {
			t.Fatalf("%d bytes", len(got))
		}
		for i := range got {
			n += bits.OnesCount8(got[i] ^ data[i])
		}
		return n
	}
	b, _ := place(t, fault.Rule{Ops: []fault.Op{fault.Open}, Effect: fault.Flip, Times: 1})
	again, _ := place(t, fault.Rule{Ops: []fault.Op{fault.Open}, Effect: fault.Flip, Times: 1})
	got, err := readAll(ctx, b, whole)
	if err != nil || differ(got) != 1 {
		t.Errorf("%d bits differ, %v; want one", differ(got), err)
	}
	if same, err := readAll(ctx, again, whole); err != nil || !bytes.Equal(same, got) {
		t.Errorf("the same seed flips another bit, or %v", err)
	}
	if got, err := readAll(ctx, b, whole); err != nil || differ(got) != 0 {
		t.Errorf("the second read: %d bits differ, %v", differ(got), err)
	}

	b, m := place(t, fault.Rule{Ops: []fault.Op{fault.Put}, Effect: fault.Flip})
	sum := md5.Sum(data)
	if err := write(ctx, b, "k2", func() []byte { return sum[:] }); !errors.Is(err, storage.ErrCorrupt) {
		t.Errorf("a write with its sum: %v", err)
	}
	if err := write(ctx, b, "k", nil); err != nil {
		t.Errorf("a write without a sum: %v", err)
	}
	if got, err := readAll(ctx, m, whole); err != nil || differ(got) != 1 {
		t.Errorf("stored with %d bits changed, %v; want one", differ(got), err)
	}
	if err := b.Delete(ctx, "k"); err != nil { // carries no bytes
		t.Error(err)
	}
	if _, err := b.Put(ctx, "empty", strings.NewReader(""), storage.PutOptions{}); err != nil {
		t.Errorf("no byte to flip a bit of: %v", err)
	}
}

// TestTime delays and stalls; both end with the context.
func TestTime(t *testing.T) {
	for _, c := range []struct {
		name    string
		rule    fault.Rule
		patient time.Duration // when the context ends
		want    time.Duration
		ok      bool
	}{
		{"delay", fault.Rule{Delay: time.Second}, time.Minute, time.Second, true},
		{"delay and fail", fault.Rule{Delay: time.Second, Effect: fault.Fail}, time.Minute, time.Second, false},
		{"delay canceled", fault.Rule{Delay: time.Hour}, time.Minute, time.Minute, false},
		{"stall", fault.Rule{Effect: fault.Stall}, time.Minute, time.Minute, false},
		{"stall of the body", fault.Rule{Effect: fault.StallBody}, time.Minute, time.Minute, false},
	} {
		for name, call := range map[string]func(context.Context, *fault.Bucket) error{
			"open": func(ctx context.Context, b *fault.Bucket) error { _, err := readAll(ctx, b, whole); return err },
			"put":  func(ctx context.Context, b *fault.Bucket) error { return write(ctx, b, "k", nil) },
		} {
			t.Run(c.name+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b, _ := place(t, c.rule)
					ctx, cancel := context.WithTimeout(t.Context(), c.patient)
					defer cancel()
					start := time.Now()
					err := call(ctx, b)
					if got := time.Since(start); got != c.want || (err == nil) != c.ok {
						t.Errorf("ended after %v with %v; want %v, success %v", got, err, c.want, c.ok)
					}
					if c.want == c.patient && !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("error %v, want that of the context", err)
					}
				})
			})
		}
	}
}

// TestListDies: after an injected error the listing yields nothing more.
func TestListDies(t *testing.T) {
	b, _ := place(t, fault.Rule{Ops: []fault.Op{fault.List}, Effect: fault.Fail, Times: 1})
	p := b.List(storage.Range{})
	for range 2 {
		if page, err := p.Next(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("page %v, %v; want the listing dead", page, err)
		}
	}
	if page, err := b.List(storage.Range{}).Next(t.Context()); err != nil || len(page) != 1 {
		t.Errorf("a new listing: %v, %v", page, err)
	}
}
