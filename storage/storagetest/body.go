package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

var bodyTopics = []topic{
	{"short and long", wrongLength},
	{"failing", failingBody},
	{"failing at the source", failingSource},
	{"canceled midway", canceledMidway},
	{"canceled, body goes on", canceledBodyGoesOn},
}

// overOldAndNothing runs a failing write over an old object and over nothing:
// after it everything is as it was.
func overOldAndNothing(t *testing.T, h Harness, write func(t *testing.T, b storage.Bucket, key string)) {
	t.Helper()
	b := h.New(t)
	for _, old := range [][]byte{nil, content(9, 777)} {
		key := "over nothing"
		if old != nil {
			key = "over something"
			put(t, b, key, old)
		}
		write(t, b, key)
		wantOld(t, b, key, old)
		wantOld(t, h.reopen(t, b), key, old)
	}
}

func wrongLength(t *testing.T, h Harness) {
	for _, c := range []struct{ yields, announced int }{
		{0, 1}, {1, 2}, {99_999, 100_000}, {10, 5 << 20}, // short
		{1, 0}, {2, 1}, {100_001, 100_000}, {2 << 20, 1 << 20}, // long
	} {
		t.Run(fmt.Sprintf("%d of %d", c.yields, c.announced), func(t *testing.T) {
			overOldAndNothing(t, h, func(t *testing.T, b storage.Bucket, key string) {
				_, err := b.Put(t.Context(), key, body(content(1, c.yields)), storage.PutOptions{Size: int64(c.announced)})
				wantBodyError(t, err)
			})
		})
	}
}

// wantBodyError asks for an error that does not blame the place for its body.
func wantBodyError(t *testing.T, err error) {
	t.Helper()
	if err == nil || storage.IsEndpoint(err) {
		t.Errorf("error %v; want one that says nothing about the endpoint", err)
	}
}

var errBoom = errors.New("boom")

func failAfter(n int, err error) io.Reader {
	return io.MultiReader(body(content(1, n)), failing{err})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// failingBody breaks off at the start, in the middle, and when all bytes have
// come but not yet the end.
func failingBody(t *testing.T, h Harness) {
	const size = 1 << 20
	for _, n := range []int{0, 1, size / 2, size - 1, size} {
		t.Run(fmt.Sprintf("after %d", n), func(t *testing.T) {
			overOldAndNothing(t, h, func(t *testing.T, b storage.Bucket, key string) {
				_, err := b.Put(t.Context(), key, failAfter(n, errBoom), storage.PutOptions{Size: size})
				wantBodyError(t, err)
				if !errors.Is(err, errBoom) {
					t.Errorf("error %v does not wrap the body's", err)
				}
			})
		})
	}
}

// failingSource has a body that comes from another place: its error passes
// through with no *storage.Error around it, or the caller would take the
// wrong endpoint for the one that failed.
func failingSource(t *testing.T, h Harness) {
	for _, kind := range []error{storage.ErrChanged, storage.ErrUnavailable, storage.ErrNotFound} {
		cause := &storage.Error{Op: "read", Key: "src", Place: "elsewhere", Kind: kind}
		overOldAndNothing(t, h, func(t *testing.T, b storage.Bucket, key string) {
			_, err := b.Put(t.Context(), key, failAfter(1000, cause), storage.PutOptions{Size: 2000})
			var e *storage.Error
			if !errors.As(err, &e) || e != cause {
				t.Errorf("error %v: the first *storage.Error in it is not the body's", err)
			}
		})
	}
}

// canceledMidway cancels when half the body has come; the body then ends with
// the context's error, as a body that comes from a cancelled read does.
func canceledMidway(t *testing.T, h Harness) {
	overOldAndNothing(t, h, func(t *testing.T, b storage.Bucket, key string) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		half := body(content(1, 1<<20))
		stop := readFunc(func([]byte) (int, error) {
			cancel()
			<-ctx.Done()
			return 0, ctx.Err()
		})
		_, err := b.Put(ctx, key, io.MultiReader(half, stop), storage.PutOptions{Size: 2 << 20})
		wantCanceled(t, err)
	})
}

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// canceledBodyGoesOn: the write may or may not have taken effect, but whole.
func canceledBodyGoesOn(t *testing.T, h Harness) {
	b := h.New(t)
	old, data := content(1, 1000), content(2, 2<<20)
	put(t, b, "k", old)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	half := body(data[:1<<20])
	stop := readFunc(func([]byte) (int, error) { cancel(); return 0, io.EOF })
	_, err := b.Put(ctx, "k", io.MultiReader(half, stop, body(data[1<<20:])), storage.PutOptions{Size: int64(len(data))})
	if err != nil {
		wantCanceled(t, err)
	}
	got, _, rerr := read(t.Context(), b, "k", whole)
	if rerr != nil {
		t.Fatal(rerr)
	}
	if !bytes.Equal(got, data) && (err == nil || !bytes.Equal(got, old)) {
		t.Errorf("after %v the key holds %d bytes that are neither the old nor the new object", err, len(got))
	}
}
