package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/mem"
	"github.com/sluice-sync/sluice/storage/retry"
)

// stack is retry over fault over mem, with the pauses made written down.
func stack(c retry.Config, o mem.Options, rules ...fault.Rule) (*retry.Bucket, *fault.Bucket, *[]time.Duration) {
	pauses := new([]time.Duration)
	c.Sleep = func(ctx context.Context, d time.Duration) error {
		*pauses = append(*pauses, d)
		return ctx.Err()
	}
	f := fault.New(mem.New(o), 1, rules...)
	return retry.New(f, c), f, pauses
}

// almostOne makes pauses as long as they can be.
func almostOne() float64 { return 1 }

func TestPauses(t *testing.T) {
	ms := func(ns ...int) (ds []time.Duration) {
		for _, n := range ns {
			ds = append(ds, time.Duration(n)*time.Millisecond)
		}
		return ds
	}
	for _, c := range []struct {
		name   string
		c      retry.Config
		rule   fault.Rule
		pauses []time.Duration
		kind   error
	}{
		{"succeeds at last", retry.Config{Tries: 4}, fault.Rule{Times: 3}, ms(100, 200, 400), nil},
		{"no pause after the last try", retry.Config{Tries: 3}, fault.Rule{}, ms(100, 200), storage.ErrUnavailable},
		{"one try", retry.Config{Tries: 1}, fault.Rule{}, nil, storage.ErrUnavailable},
		{"bounded", retry.Config{Tries: 6, Max: 300 * time.Millisecond}, fault.Rule{}, ms(100, 200, 300, 300, 300), storage.ErrUnavailable},
		{"full jitter", retry.Config{Tries: 3, Rand: func() float64 { return 0.25 }}, fault.Rule{}, ms(25, 50), storage.ErrUnavailable},
		{"more tries than bits", retry.Config{Tries: 70, Base: 1, Max: 4}, fault.Rule{Times: 69}, slices.Concat([]time.Duration{1, 2}, slices.Repeat([]time.Duration{4}, 67)), nil},
		{"not transient", retry.Config{}, fault.Rule{Err: storage.ErrDenied}, nil, storage.ErrDenied},
		{"unknown error", retry.Config{}, fault.Rule{Err: errors.New("odd")}, nil, nil},
		{"throttled", retry.Config{Tries: 2}, fault.Rule{Err: storage.ErrThrottled, RetryAfter: 3 * time.Second}, ms(3000), storage.ErrThrottled},
		{"asked for less", retry.Config{Tries: 2}, fault.Rule{RetryAfter: time.Millisecond}, ms(100), storage.ErrUnavailable},
		{"asked for more than Max", retry.Config{}, fault.Rule{RetryAfter: time.Minute}, nil, storage.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.rule.Effect = fault.Fail
			if c.c.Rand == nil {
				c.c.Rand = almostOne
			}
			b, _, pauses := stack(c.c, mem.Options{}, c.rule)
			err := b.Delete(t.Context(), "k")
			if kind, _ := storage.KindOf(err); !errors.Is(kind, c.kind) || (err == nil) != (c.rule.Times > 0) {
				t.Errorf("error %v, want %v", err, c.kind)
			}
			if !slices.Equal(*pauses, c.pauses) {
				t.Errorf("pauses %v, want %v", *pauses, c.pauses)
			}
		})
	}
}

// TestWhatIsRepeated has every call fail once: the calls without a body
// succeed, the others return the error after one try.
func TestWhatIsRepeated(t *testing.T) {
	repeated := map[fault.Op]bool{
		fault.Stat: true, fault.Open: true, fault.List: true, fault.Delete: true,
		fault.ListParts: true, fault.ListUploads: true, fault.AbortUpload: true,
		fault.Put: false, fault.CreateUpload: false, fault.UploadPart: false, fault.CompleteUpload: false, fault.CopyFrom: false,
		fault.CopyPart: false, fault.Check: false, fault.Create: false,
	}
	for op, again := range repeated {
		t.Run(string(op), func(t *testing.T) {
			ctx := t.Context()
			b, f, _ := stack(retry.Config{}, mem.Options{}, fault.Rule{Ops: []fault.Op{op}, Effect: fault.Fail, Times: 1})
			m, _ := storage.As[storage.Multipart](b)
			inner, _ := storage.As[storage.Multipart](f.Unwrap())
			id, err := inner.CreateUpload(ctx, "k", storage.UploadOptions{Size: 1, PartSize: 1})
			if err != nil {
				t.Fatal(err)
			}
			below := f.Bucket
			obj, err := below.Put(ctx, "k", strings.NewReader("x"), storage.PutOptions{Size: 1})
			if err != nil {
				t.Fatal(err)
			}
			part, err := inner.UploadPart(ctx, "k", id, 1, strings.NewReader("x"), storage.PartOptions{Size: 1})
			if err != nil {
				t.Fatal(err)
			}
			calls := map[fault.Op]func() error{
				fault.Stat:         func() error { _, err := b.Stat(ctx, "k"); return err },
				fault.Open:         func() error { _, err := b.Open(ctx, "k", storage.ReadOptions{Length: -1}); return err },
				fault.List:         func() error { _, err := b.List(storage.Range{}).Next(ctx); return err },
				fault.Delete:       func() error { return b.Delete(ctx, "k") },
				fault.CreateUpload: func() error { _, err := m.CreateUpload(ctx, "k", storage.UploadOptions{}); return err },
				fault.ListParts:    func() error { _, err := m.ListParts(ctx, "k", id); return err },
				fault.ListUploads:  func() error { _, err := m.ListUploads(ctx, "k"); return err },
				fault.AbortUpload:  func() error { return m.AbortUpload(ctx, "k", id) },
				fault.Put:          func() error { _, err := b.Put(ctx, "k", strings.NewReader(""), storage.PutOptions{}); return err },
				fault.UploadPart: func() error {
					_, err := m.UploadPart(ctx, "k", id, 1, strings.NewReader(""), storage.PartOptions{})
					return err
				},
				fault.CompleteUpload: func() error { _, err := m.CompleteUpload(ctx, "k", id, []storage.Part{part}); return err },
				fault.Check:          func() error { return b.Check(ctx) },
				fault.Create:         func() error { return b.Create(ctx) },
				fault.CopyFrom: func() error {
					c, _ := storage.As[storage.Copier](b)
					_, err := c.CopyFrom(ctx, b, obj, "to", storage.CopyOptions{})
					return err
				},
				fault.CopyPart: func() error {
					c, _ := storage.As[storage.PartCopier](b)
					_, err := c.CopyPart(ctx, b, obj, 0, 1, "k", id, 1)
					return err
				},
			}
			if err := calls[op](); (err == nil) != again {
				t.Errorf("error %v; want the call repeated: %v", err, again)
			}
			if got := f.Hits(); got[0] != 1 {
				t.Errorf("the fault hit %d times, want 1", got[0])
			}
		})
	}
}

// TestListResumes: a page that fails is asked for again after the last key
// seen; every page has all its tries; one that fails for good ends the listing.
func TestListResumes(t *testing.T) {
	fill := func(b storage.Bucket) {
		for i := range 9 {
			if _, err := b.Put(t.Context(), fmt.Sprintf("k%d", i), strings.NewReader(""), storage.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var rules []fault.Rule // two failures before each page
	for i := range 4 {
		rules = append(rules, fault.Rule{Ops: []fault.Op{fault.List}, Effect: fault.Lose, After: i, Times: 2})
	}
	b, f, _ := stack(retry.Config{Tries: 9}, mem.Options{PageSize: 2}, rules...)
	fill(b)
	var got []string
	p := b.List(storage.Range{After: "k0", Last: "k7"})
	for {
		page, err := p.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page {
			got = append(got, o.Key)
		}
	}
	if want := []string{"k1", "k2", "k3", "k4", "k5", "k6", "k7"}; !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	if hits := f.Hits(); !slices.Equal(hits, []int{2, 2, 2, 2}) {
		t.Errorf("faults hit %v times, want 2 each", hits)
	}

	b, _, pauses := stack(retry.Config{Tries: 3}, mem.Options{PageSize: 2}, fault.Rule{Ops: []fault.Op{fault.List}, Effect: fault.Fail, After: 1})
	fill(b)
	p = b.List(storage.Range{})
	if _, err := p.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := p.Next(t.Context()); !errors.Is(err, storage.ErrUnavailable) || len(*pauses) != 2 {
			t.Errorf("after the last try: %v and %d pauses, want it dead after 2", err, len(*pauses))
		}
	}
}

// TestCancel ends the pause with the context, and says so.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := fault.New(mem.New(mem.Options{}), 1, fault.Rule{Effect: fault.Fail})
		b := retry.New(f, retry.Config{Tries: 1000, Base: time.Hour, Max: time.Hour, Rand: almostOne})
		start := time.Now()
		time.AfterFunc(90*time.Minute, cancel)
		err := b.Delete(ctx, "k")
		if _, name := storage.KindOf(err); name != "canceled" || !strings.Contains(err.Error(), "injected") {
			t.Errorf("error %v is %q; want the cancelled context's, with the last cause in words", err, name)
		}
		if got := time.Since(start); got != 90*time.Minute {
			t.Errorf("returned after %v", got)
		}
		if got := f.Hits()[0]; got != 2 {
			t.Errorf("%d tries, want 2", got)
		}
	})
}

// TestConfirm is repeated like other looks at an object.
func TestConfirm(t *testing.T) {
	inner := confirms{mem.New(mem.Options{})}
	if _, err := inner.Put(t.Context(), "k", strings.NewReader(""), storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	f := fault.New(inner, 1, fault.Rule{Ops: []fault.Op{fault.Confirm}, Effect: fault.Fail, Times: 2})
	r, err := retry.New(f, retry.Config{Base: 1}).Open(t.Context(), "k", storage.ReadOptions{Length: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if err := r.Confirm(t.Context()); err != nil || f.Hits()[0] != 2 {
		t.Errorf("confirm: %v after %d faults", err, f.Hits()[0])
	}
}

type confirms struct{ storage.Bucket }

func (c confirms) Open(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
	r, err := c.Bucket.Open(ctx, key, o)
	if err == nil {
		r.Confirm = func(context.Context) error { return nil }
	}
	return r, err
}
