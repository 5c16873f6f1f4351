package storagetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

var readTopics = []topic{
	{"ranges", readRanges},
	{"past the end", readPastEnd},
	{"pinned", readPinned},
	{"changed while reading", changedWhileReading},
	{"confirm", confirm},
	{"canceled midway", readCanceled},
}

func readRanges(t *testing.T, h Harness) {
	b := h.New(t)
	const n = 100_000
	data := content(1, n)
	put(t, b, "big", data)
	put(t, b, "zero", nil)
	cases := []struct {
		key      string
		off, len int64
	}{
		{"big", 0, -1}, {"big", 0, n}, {"big", 0, 0}, {"big", 0, 1}, {"big", 1, 1}, {"big", 5, 0},
		{"big", 33_333, 33_333}, {"big", n - 1, 1}, {"big", n - 1, -1}, {"big", 50_000, -1}, {"big", 1, n - 1}, {"big", n, 0},
		{"zero", 0, -1}, {"zero", 0, 0},
	}
	for _, pinned := range []bool{false, true} {
		for _, c := range cases {
			t.Run(fmt.Sprintf("%s from %d length %d pinned %v", c.key, c.off, c.len, pinned), func(t *testing.T) {
				o := storage.ReadOptions{Offset: c.off, Length: c.len}
				info := stat(t, b, c.key)
				if pinned {
					o.Want = &info.Object
				}
				got, opened, err := read(t.Context(), b, c.key, o)
				if err != nil {
					t.Fatal(err)
				}
				var want []byte
				if c.key == "big" {
					want = data[c.off:]
				}
				if c.len >= 0 {
					want = want[:c.len]
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%d bytes, want %d, or other bytes", len(got), len(want))
				}
				if opened.Size != info.Size || opened.Version() != info.Version() {
					t.Errorf("Info is %+v, that of the whole object %+v", opened.Object, info.Object)
				}
			})
		}
	}
}

// readPastEnd asks for more than there is: an error, never fewer bytes.
func readPastEnd(t *testing.T, h Harness) {
	b := h.New(t)
	put(t, b, "ten", []byte("0123456789"))
	put(t, b, "zero", nil)
	for _, c := range []struct {
		key      string
		off, len int64
	}{{"ten", 0, 11}, {"ten", 5, 6}, {"ten", 9, 100}, {"ten", 10, 1}, {"ten", 11, 1}, {"ten", 1000, 1000}, {"ten", 11, -1}, {"zero", 0, 1}, {"zero", 1, -1}} {
		got, _, err := read(t.Context(), b, c.key, storage.ReadOptions{Offset: c.off, Length: c.len})
		if err == nil {
			t.Errorf("%q from %d length %d: %q and no error", c.key, c.off, c.len, got)
			continue
		}
		wantError(t, b, err, c.key, storage.ErrInvalid, storage.ErrUnavailable, storage.ErrChanged)
	}
}

func readPinned(t *testing.T, h Harness) {
	b := h.New(t)
	old := content(1, 5000)
	put(t, b, "k", old)
	put(t, b, "gone", old)
	was, gone := stat(t, b, "k").Object, stat(t, b, "gone").Object
	for _, want := range []storage.Object{was, list(t, b, storage.Range{After: "gone"})[0]} {
		got, _, err := read(t.Context(), b, "k", storage.ReadOptions{Length: -1, Want: &want})
		if err != nil || !bytes.Equal(got, old) {
			t.Errorf("the version wanted: %d bytes, %v", len(got), err)
		}
	}
	put(t, b, "k", content(2, 5000))
	for _, o := range []storage.ReadOptions{{Length: -1}, {Offset: 10, Length: 10}, {Length: 0}} {
		o.Want = &was
		got, _, err := read(t.Context(), b, "k", o)
		if err == nil {
			t.Errorf("%+v: %d bytes of another version", o, len(got))
			continue
		}
		wantError(t, b, err, "k", storage.ErrChanged)
	}
	if err := b.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	_, _, err := read(t.Context(), b, "gone", storage.ReadOptions{Length: -1, Want: &gone})
	wantError(t, b, err, "gone", storage.ErrNotFound, storage.ErrChanged)
}

// changedWhileReading replaces an object between two reads of one body: the
// old bytes, or an error; never bytes of both.
func changedWhileReading(t *testing.T, h Harness) {
	replace := map[string]func(t *testing.T, b storage.Bucket){
		"overwritten": func(t *testing.T, b storage.Bucket) { put(t, b, "k", content(2, 1<<20)) },
		"shortened":   func(t *testing.T, b storage.Bucket) { put(t, b, "k", content(2, 10)) },
		"deleted": func(t *testing.T, b storage.Bucket) {
			if err := b.Delete(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, f := range replace {
		for _, pinned := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s pinned %v", name, pinned), func(t *testing.T) {
				b := h.New(t)
				old := content(1, 1<<20)
				put(t, b, "k", old)
				o := storage.ReadOptions{Length: -1}
				if was := stat(t, b, "k").Object; pinned {
					o.Want = &was
				}
				r, err := b.Open(t.Context(), "k", o)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Body.Close()
				head := make([]byte, 1000)
				if _, err := io.ReadFull(r.Body, head); err != nil {
					t.Fatal(err)
				}
				f(t, b)
				tail, err := io.ReadAll(r.Body)
				if err != nil {
					wantError(t, b, err, "k", storage.ErrChanged, storage.ErrUnavailable)
					return
				}
				if !bytes.Equal(append(head, tail...), old) {
					t.Error("no error, and not the bytes that were opened")
				}
				if r.Confirm != nil {
					wantError(t, b, r.Confirm(t.Context()), "k", storage.ErrChanged, storage.ErrNotFound)
				}
			})
		}
	}
}

func confirm(t *testing.T, h Harness) {
	b := h.New(t)
	put(t, b, "k", content(1, 100))
	was := stat(t, b, "k").Object
	r, err := b.Open(t.Context(), "k", storage.ReadOptions{Length: -1, Want: &was})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.Confirm == nil {
		return // the read is pinned
	}
	for range 2 {
		if err := r.Confirm(t.Context()); err != nil {
			t.Errorf("confirm of what did not change: %v", err)
		}
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		t.Fatal(err)
	}
	if err := r.Confirm(t.Context()); err != nil {
		t.Errorf("confirm after the last byte: %v", err)
	}
}

func readCanceled(t *testing.T, h Harness) {
	b := h.New(t)
	want := content(1, 4<<20)
	put(t, b, "k", want)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := b.Open(ctx, "k", whole)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	head := make([]byte, 1000)
	if _, err := io.ReadFull(r.Body, head); err != nil {
		t.Fatal(err)
	}
	cancel()
	tail, err := io.ReadAll(r.Body)
	if err == nil && !bytes.Equal(append(head, tail...), want) {
		t.Error("a cancelled read ended early without an error")
	}
	if err != nil {
		wantCanceled(t, err)
	}
}
