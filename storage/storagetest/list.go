package storagetest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

var listTopics = []topic{
	{"crowded", listCrowded},
	{"nothing", listNothing},
	{"order", listOrder},
	{"ranges", listRanges},
	{"pages", listPages},
	{"close", listClose},
	{"canceled midway", listCanceled},
	{"tells the truth", listTruth},
	{"while writing", listWhileWriting},
}

func listNothing(t *testing.T, h Harness) {
	b := h.New(t)
	for _, r := range []storage.Range{{}, {After: "a"}, {Last: "z"}, {After: "a", Last: "z"}} {
		if got := list(t, b, r); len(got) > 0 {
			t.Errorf("list %+v of an empty bucket: %+v", r, got)
		}
	}
	put(t, b, "m", nil)
	for _, r := range []storage.Range{{After: "m"}, {Last: "l"}, {After: "a", Last: "l"}, {After: "m", Last: "z"}, {After: "z", Last: "a"}, {After: "m", Last: "m"}} {
		if got := list(t, b, r); len(got) > 0 {
			t.Errorf("list %+v beside the only key: %+v", r, got)
		}
	}
}

// ordered are keys, in order, whose order a walk through directories gets wrong.
var ordered = []string{
	"A", "a!", "a-b", "a-b/c", "a.", "a/!", "a/b", "a/c-d", "a/c/d", "a/c/e/f", "a/c0", "a0", "a0/b", "aa", "b/c", "b0", "z", "\u00e9", "\u00e9/a",
}

// holdOrdered fills a bucket with those of the keys that it can hold.
func holdOrdered(t *testing.T, h Harness) (storage.Bucket, []string) {
	b := h.New(t)
	var keys []string
	for _, key := range ordered {
		if !h.refuses(key) && !clash(keys, key) {
			keys = append(keys, key)
		}
	}
	if len(keys) < 10 {
		t.Fatalf("only %q of %q can be held", keys, ordered)
	}
	for i := range keys {
		put(t, b, keys[(i*7)%len(keys)], nil) // in another order than they are listed
	}
	for _, key := range keys {
		put(t, b, key, []byte(key))
	}
	return b, keys
}

func listOrder(t *testing.T, h Harness) {
	b, keys := holdOrdered(t, h)
	wantKeys(t, b, storage.Range{}, keys...)
}

func listRanges(t *testing.T, h Harness) {
	b, keys := holdOrdered(t, h)
	bounds := append(slices.Clone(keys), "", "!", "a", "a/", "a-", "a/b/", "a/b/zz", "a/c", "a/c/", "a/c/e", "a/c/e/", "a/c/e/g", "a/d", "a1", "b", "b/", "y", "~~~", "\u65e5")
	if !h.refuses("a\xff") {
		bounds = append(bounds, "a\xff", "a/c\xff")
	}
	for _, after := range bounds {
		for _, last := range bounds {
			want := []string{}
			for _, k := range keys {
				if k > after && (last == "" || k <= last) {
					want = append(want, k)
				}
			}
			wantKeys(t, b, storage.Range{After: after, Last: last}, want...)
		}
	}
}

func listPages(t *testing.T, h Harness) {
	if h.PageSize == 0 {
		return
	}
	b := h.New(t)
	var keys []string
	for i := range 2*h.PageSize + 1 {
		keys = append(keys, fmt.Sprintf("d%d/k%06d", min(i/(h.PageSize/2+1), 1), i))
		put(t, b, keys[i], nil)
		switch i + 1 {
		case h.PageSize - 1, h.PageSize, h.PageSize + 1, 2 * h.PageSize, 2*h.PageSize + 1:
			wantKeys(t, b, storage.Range{}, keys...)
			wantKeys(t, b, storage.Range{After: keys[0]}, keys[1:]...)
			wantKeys(t, b, storage.Range{After: keys[i]})
		}
	}
	n := h.PageSize
	wantKeys(t, b, storage.Range{Last: keys[n-1]}, keys[:n]...)
	wantKeys(t, b, storage.Range{Last: keys[n]}, keys[:n+1]...)
	wantKeys(t, b, storage.Range{After: keys[n-1], Last: keys[2*n-1]}, keys[n:2*n]...)
	wantKeys(t, b, storage.Range{After: keys[n], Last: keys[n]})
}

func listClose(t *testing.T, h Harness) {
	b, keys := holdOrdered(t, h)
	never := b.List(storage.Range{})
	midway := b.List(storage.Range{})
	if page, err := midway.Next(t.Context()); err != nil || len(page) == 0 {
		t.Errorf("first page: %d objects, %v", len(page), err)
	}
	ended := b.List(storage.Range{Last: keys[0]})
	for {
		if _, err := ended.Next(t.Context()); err != nil {
			break
		}
	}
	if _, err := ended.Next(t.Context()); !atEnd(err) {
		t.Errorf("after the end: %v, want io.EOF again", err)
	}
	for name, p := range map[string]storage.Pages{"never read": never, "midway": midway, "ended": ended} {
		for range 2 {
			if err := p.Close(); err != nil {
				t.Errorf("closing a listing %s: %v", name, err)
			}
		}
	}
	wantKeys(t, b, storage.Range{}, keys...)
}

func listCanceled(t *testing.T, h Harness) {
	b, keys := holdOrdered(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	p := b.List(storage.Range{})
	defer func() { _ = p.Close() }()
	first, err := p.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for n := len(first); ; {
		page, err := p.Next(ctx)
		if n += len(page); err == nil {
			continue
		}
		if !atEnd(err) || n < len(keys) { // all may have come already
			wantCanceled(t, err)
		}
		return
	}
}

// listTruth compares what Put, List, Stat and Open say of one object.
func listTruth(t *testing.T, h Harness) {
	b := h.New(t)
	for i, n := range []int{0, 1, 1000, 70_000} {
		key := fmt.Sprintf("d/k%d", i)
		written := put(t, b, key, content(uint64(i), n))
		listed := list(t, b, storage.Range{Last: key})[i]
		seen := stat(t, b, key)
		_, opened, err := read(t.Context(), b, key, whole)
		if err != nil {
			t.Fatal(err)
		}
		if listed.Key != key || listed.Size != int64(n) || listed.Kind != storage.KindFile || listed.ModTime.IsZero() {
			t.Errorf("listed as %+v", listed)
		}
		if v := listed.Version(); v != seen.Version() || v != opened.Version() {
			t.Errorf("%q: versions %q listed, %q by Stat, %q by Open", key, v, seen.Version(), opened.Version())
		}
		if v := listed.TargetVersion(); v != written.TargetVersion() {
			t.Errorf("%q: target version %q listed, %q by Put", key, v, written.TargetVersion())
		}
		put(t, b, key, content(uint64(i)+100, n+1))
		if after := stat(t, b, key).Version(); after == seen.Version() {
			t.Errorf("%q: version %q did not change with the bytes", key, after)
		}
	}
}

// listWhileWriting lists while other keys come and go: those that stay are
// all listed, each once.
func listWhileWriting(t *testing.T, h Harness) {
	b := h.New(t)
	var stay []string
	for i := range 20 {
		stay = append(stay, fmt.Sprintf("d%d/stay%02d", i/10, i))
		put(t, b, stay[i], nil)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		var err error
		for i := 0; ctx.Err() == nil && err == nil; i++ {
			key := fmt.Sprintf("d%d/s%03d", i%3, i%50)
			if i%100 < 50 {
				_, err = b.Put(t.Context(), key, body(nil), storage.PutOptions{})
			} else {
				err = b.Delete(t.Context(), key)
			}
		}
		done <- err
	}()
	for range 20 {
		got := fileKeys(list(t, b, storage.Range{}))
		for _, key := range stay {
			if !slices.Contains(got, key) {
				t.Errorf("%q is there all the time and was not listed", key)
			}
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("writing beside a listing: %v", err)
	}
}

// listCrowded starts listings below directories that have many neighbours
// which sort before what is in them: a store may take those for a full page.
func listCrowded(t *testing.T, h Harness) {
	b := h.New(t)
	want := []string{"d/e/1", "d/e/2", "d/e/3/4", "d/e0", "d/f", "d0", "e/f/g/h", "z/1"}
	for i := range 12 {
		want = append(want, fmt.Sprintf("d-%02d", i), fmt.Sprintf("d/e!%02d", i), fmt.Sprintf("e+%02d", i))
	}
	slices.Sort(want)
	for _, key := range want {
		put(t, b, key, []byte("x"))
	}
	for i, key := range want {
		wantKeys(t, b, storage.Range{After: key}, want[i+1:]...)
		if i+5 < len(want) {
			wantKeys(t, b, storage.Range{After: key, Last: want[i+5]}, want[i+1:i+6]...)
		}
	}
	wantKeys(t, b, storage.Range{After: "d/e/0"}, want[slices.Index(want, "d/e/1"):]...)
	wantKeys(t, b, storage.Range{After: "d/nothing/here/0"}, want[slices.Index(want, "d0"):]...)
}
