package limit_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/file"
	"github.com/sluice-sync/sluice/storage/limit"
	"github.com/sluice-sync/sluice/storage/mem"
)

func TestNothingToLimit(t *testing.T) {
	b := mem.New(mem.Options{})
	for name, l := range map[string]*limit.Limits{"nil": nil, "zero": {}, "empty": limit.NewLimits(limit.Config{})} {
		if got := limit.New(b, l); got != storage.Bucket(b) {
			t.Errorf("%s limits decorate all the same", name)
		}
	}
	if limit.NewBandwidth(0) != nil {
		t.Error("a bandwidth of 0 limits")
	}
}

// TestBodyNotWrapped: without slots for bodies and bandwidth the body is the
// bucket's own.
func TestBodyNotWrapped(t *testing.T) {
	inner := mem.New(mem.Options{})
	put(t, inner, "k", "x")
	r, err := inner.Open(t.Context(), "k", storage.ReadOptions{Length: -1})
	if err != nil {
		t.Fatal(err)
	}
	own := r.Body
	fixed := &opens{inner, own}
	for _, c := range []struct {
		c    limit.Config
		same bool
	}{{limit.Config{Lists: 1, Parts: 1, RequestsPerSecond: 1e6}, true}, {limit.Config{Objects: 1}, false}, {limit.Config{Bandwidth: limit.NewBandwidth(1)}, false}} {
		r, err := limit.New(fixed, limit.NewLimits(c.c)).Open(t.Context(), "k", storage.ReadOptions{Length: -1})
		if err != nil {
			t.Fatal(err)
		}
		if (r.Body == own) != c.same {
			t.Errorf("%+v: body is the bucket's own: %v, want %v", c.c, r.Body == own, c.same)
		}
	}
}

type opens struct {
	storage.Bucket
	body io.ReadCloser
}

func (o *opens) Open(context.Context, string, storage.ReadOptions) (*storage.Reader, error) {
	return &storage.Reader{Body: o.body}, nil
}

func put(t *testing.T, b storage.Bucket, key, data string) storage.Object {
	t.Helper()
	o, err := b.Put(t.Context(), key, strings.NewReader(data), storage.PutOptions{Size: int64(len(data))})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestInFlight makes ten calls of each sort at a time, each of which takes a
// second: with n slots they take 10/n seconds, shared by two buckets.
func TestInFlight(t *testing.T) {
	c := limit.Config{Lists: 1, Objects: 2, Parts: 5}
	for _, tc := range []struct {
		op   fault.Op
		want time.Duration
	}{
		{fault.List, 10 * time.Second}, {fault.Stat, 5 * time.Second}, {fault.Delete, 5 * time.Second}, {fault.Check, 5 * time.Second},
		{fault.Create, 5 * time.Second}, {fault.Open, 5 * time.Second}, {fault.Put, 5 * time.Second}, {fault.CopyFrom, 5 * time.Second},
		{fault.CreateUpload, 5 * time.Second}, {fault.ListParts, 5 * time.Second}, {fault.ListUploads, 5 * time.Second}, {fault.AbortUpload, 5 * time.Second},
		{fault.CompleteUpload, 5 * time.Second}, {fault.UploadPart, 2 * time.Second}, {fault.CopyPart, 2 * time.Second},
	} {
		t.Run(string(tc.op), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := mem.New(mem.Options{})
				obj := put(t, m, "k", "x")
				slow := fault.New(m, 1, fault.Rule{Delay: time.Second})
				l := limit.NewLimits(c)
				buckets := []storage.Bucket{limit.New(slow, l), limit.New(slow, l)}
				start := time.Now()
				var wg sync.WaitGroup
				for i := range 10 {
					wg.Go(func() { oneCall(t, buckets[i%2], tc.op, obj) })
				}
				wg.Wait()
				if got := time.Since(start); got != tc.want {
					t.Errorf("ten calls took %v, want %v", got, tc.want)
				}
			})
		})
	}
}

// oneCall makes a call; most of those of uploads fail, which must give the
// slot back all the same.
func oneCall(t *testing.T, b storage.Bucket, op fault.Op, obj storage.Object) {
	ctx, m := t.Context(), b.(*limit.Bucket)
	up, _ := storage.As[storage.Multipart](b)
	cp, _ := storage.As[storage.Copier](b)
	pc, _ := storage.As[storage.PartCopier](b)
	switch op {
	case fault.List:
		_, _ = b.List(storage.Range{}).Next(ctx)
	case fault.Stat:
		_, _ = b.Stat(ctx, "k")
	case fault.Delete:
		_ = b.Delete(ctx, "k")
	case fault.Check:
		_ = b.Check(ctx)
	case fault.Create:
		_ = b.Create(ctx)
	case fault.Open:
		if r, err := b.Open(ctx, "k", storage.ReadOptions{Length: -1}); err == nil {
			r.Body.Close()
			r.Body.Close() // gives back one slot, not two
		}
	case fault.Put:
		_, _ = m.Put(ctx, "k", strings.NewReader("x"), storage.PutOptions{Size: 1})
	case fault.CopyFrom:
		_, _ = cp.CopyFrom(ctx, b, obj, "to", storage.CopyOptions{})
	case fault.CreateUpload:
		_, _ = up.CreateUpload(ctx, "k", storage.UploadOptions{})
	case fault.UploadPart:
		_, _ = up.UploadPart(ctx, "k", "none", 1, strings.NewReader("x"), storage.PartOptions{Size: 1})
	case fault.ListParts:
		_, _ = up.ListParts(ctx, "k", "none")
	case fault.CompleteUpload:
		_, _ = up.CompleteUpload(ctx, "k", "none", nil)
	case fault.AbortUpload:
		_ = up.AbortUpload(ctx, "k", "none")
	case fault.ListUploads:
		_, _ = up.ListUploads(ctx, "k")
	case fault.CopyPart:
		_, _ = pc.CopyPart(ctx, b, obj, 0, 1, "k", "none", 1)
	}
}

// TestSlotOfABody is held until Close, and who waits for it can be cancelled.
func TestSlotOfABody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem.New(mem.Options{})
		put(t, m, "k", "x")
		b := limit.New(m, limit.NewLimits(limit.Config{Objects: 1}))
		open := func(ctx context.Context) (*storage.Reader, error) {
			return b.Open(ctx, "k", storage.ReadOptions{Length: -1})
		}
		first, err := open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(first.Body); err != nil { // the end is not Close
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := open(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("second open while the first body is open: %v", err)
		}
		// Neither a short request nor a write waits for an open body.
		if _, err := b.Stat(t.Context(), "k"); err != nil {
			t.Error(err)
		}
		put(t, b, "k2", "y")
		time.AfterFunc(time.Minute, func() { first.Body.Close() })
		start := time.Now()
		second, err := open(t.Context())
		if err != nil || time.Since(start) != time.Minute {
			t.Errorf("opened after %v, %v; want when the first body was closed", time.Since(start), err)
		}
		second.Body.Close()
		for range 2 { // one that fails gives its slot back
			if _, err := b.Open(t.Context(), "missing", storage.ReadOptions{Length: -1}); !errors.Is(err, storage.ErrNotFound) {
				t.Error(err)
			}
		}
	})
}

// TestCopyWithinOneEndpoint: as many copies at a time as there are slots, each
// of which holds a body while it writes and looks again: they all end.
func TestCopyWithinOneEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mem.NewServer(mem.Options{})
		l := limit.NewLimits(limit.Config{Objects: 2, Parts: 2})
		src, dst := limit.New(s.Bucket("src"), l), limit.New(s.Bucket("dst"), l)
		for _, b := range []storage.Bucket{src, dst} {
			if err := b.Create(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		put(t, src, "k", "data")
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				r, err := src.Open(t.Context(), "k", storage.ReadOptions{Length: -1})
				if err != nil {
					t.Error(err)
					return
				}
				defer r.Body.Close()
				look := funcReader(func([]byte) (int, error) { // before the last byte
					if _, err := src.Stat(t.Context(), "k"); err != nil {
						return 0, err
					}
					return 0, io.EOF
				})
				if _, err := dst.Put(t.Context(), "k", io.MultiReader(r.Body, look), storage.PutOptions{Size: 4}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

type funcReader func(p []byte) (int, error)

func (f funcReader) Read(p []byte) (int, error) { return f(p) }

func TestRequestsPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limit.New(mem.New(mem.Options{}), limit.NewLimits(limit.Config{Objects: 1, RequestsPerSecond: 100}))
		start := time.Now()
		for range 510 { // ten may come at once
			if err := b.Delete(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
		}
		if got := time.Since(start).Round(time.Millisecond); got != 5*time.Second {
			t.Errorf("510 requests took %v, want 5s", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := b.Delete(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a turn that comes after the deadline: %v", err)
		}
		if err := b.Delete(t.Context(), "k"); err != nil { // its slot was given back
			t.Error(err)
		}
	})
}

// TestConfirmCounts: a Confirm is a request, and waits for no slot.
func TestConfirmCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		confirmed := 0
		inner := confirms{mem.New(mem.Options{}), &confirmed}
		put(t, inner, "k", "x")
		b := limit.New(inner, limit.NewLimits(limit.Config{Objects: 1, RequestsPerSecond: 1}))
		r, err := b.Open(t.Context(), "k", storage.ReadOptions{Length: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		start := time.Now()
		for range 3 {
			if err := r.Confirm(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := time.Since(start); got != 3*time.Second || confirmed != 3 {
			t.Errorf("%d confirms took %v, want 3 in 3s", confirmed, got)
		}
	})
}

type confirms struct {
	storage.Bucket
	n *int
}

func (c confirms) Open(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
	r, err := c.Bucket.Open(ctx, key, o)
	if err == nil {
		r.Confirm = func(context.Context) error { *c.n++; return nil }
	}
	return r, err
}

// TestBandwidth is shared by the bodies read through all Limits that hold it,
// and does not count what is written.
func TestBandwidth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bw := limit.NewBandwidth(1000)
		data := strings.Repeat("x", 5050)
		var wg sync.WaitGroup
		start := time.Now()
		for range 2 { // 10,100 bytes, of which 100 come at once
			b := limit.New(mem.New(mem.Options{}), limit.NewLimits(limit.Config{Bandwidth: bw}))
			put(t, b, "k", data)
			wg.Go(func() {
				r, err := b.Open(t.Context(), "k", storage.ReadOptions{Length: -1})
				if err != nil {
					t.Error(err)
					return
				}
				defer r.Body.Close()
				var got bytes.Buffer
				if _, err := got.ReadFrom(r.Body); err != nil || got.String() != data {
					t.Errorf("%d bytes, %v", got.Len(), err)
				}
			})
		}
		wg.Wait()
		if got := time.Since(start).Round(10 * time.Millisecond); got != 10*time.Second {
			t.Errorf("10,100 bytes took %v, want 10s", got)
		}
	})
}

func TestBandwidthCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limit.New(mem.New(mem.Options{}), limit.NewLimits(limit.Config{Objects: 1, Bandwidth: limit.NewBandwidth(10)}))
		put(t, b, "k", strings.Repeat("x", 1000))
		ctx, cancel := context.WithCancel(t.Context())
		r, err := b.Open(ctx, "k", storage.ReadOptions{Length: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		time.AfterFunc(1500*time.Millisecond, cancel)
		start := time.Now()
		if _, err := io.ReadAll(r.Body); !errors.Is(err, context.Canceled) || time.Since(start) != 1500*time.Millisecond {
			t.Errorf("read ended after %v with %v", time.Since(start), err)
		}
	})
}

// TestBandwidthOfFiles: files that the machine copies by itself take their time
// too.
func TestBandwidthOfFiles(t *testing.T) {
	open := func() *file.Bucket {
		b, err := file.Open(t.TempDir(), file.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	src, dst := open(), open()
	obj, err := src.Put(t.Context(), "k", strings.NewReader(strings.Repeat("x", 5000)), storage.PutOptions{Size: 5000})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		to := limit.New(dst, limit.NewLimits(limit.Config{Bandwidth: limit.NewBandwidth(1000)}))
		c, ok := storage.As[storage.Copier](to)
		if !ok {
			t.Fatal("no copier")
		}
		start := time.Now()
		if _, err := c.CopyFrom(t.Context(), src, obj, "k", storage.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 4800*time.Millisecond || took > 5200*time.Millisecond {
			t.Errorf("5,000 bytes at 1,000 a second took %s", took)
		}
	})
}
