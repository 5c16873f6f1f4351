package storagetest

import (
	"sync"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

var conditionTopics = []topic{
	{"if absent", ifAbsent},
	{"if version", ifVersion},
	{"one of many", ifAbsentRace},
}

func putIf(t *testing.T, b storage.Bucket, key, data string, o storage.PutOptions) error {
	o.Size = int64(len(data))
	_, err := b.Put(t.Context(), key, body([]byte(data)), o)
	return err
}

func ifAbsent(t *testing.T, h Harness) {
	b := h.New(t)
	o := storage.PutOptions{IfAbsent: true}
	if !b.Features().PutIfAbsent {
		wantError(t, b, putIf(t, b, "k", "new", o), "k", storage.ErrUnsupported)
		wantAbsent(t, b, "k")
		return
	}
	if err := putIf(t, b, "k", "new", o); err != nil {
		t.Fatalf("put where nothing is: %v", err)
	}
	wantError(t, b, putIf(t, b, "k", "newer", o), "k", storage.ErrExists)
	wantContent(t, b, "k", []byte("new"))
	if err := b.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if err := putIf(t, b, "k", "newest", o); err != nil {
		t.Fatalf("put after delete: %v", err)
	}
	wantContent(t, b, "k", []byte("newest"))
}

func ifVersion(t *testing.T, h Harness) {
	b := h.New(t)
	put(t, b, "k", []byte("first"))
	first := stat(t, b, "k").Object
	o := storage.PutOptions{IfVersion: &first}
	if !b.Features().PutIfVersion {
		wantError(t, b, putIf(t, b, "k", "second", o), "k", storage.ErrUnsupported)
		wantContent(t, b, "k", []byte("first"))
		return
	}
	if err := putIf(t, b, "k", "second", o); err != nil {
		t.Fatalf("put over the version named: %v", err)
	}
	wantContent(t, b, "k", []byte("second"))
	wantError(t, b, putIf(t, b, "k", "third", o), "k", storage.ErrChanged)
	wantContent(t, b, "k", []byte("second"))
	if err := b.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	wantError(t, b, putIf(t, b, "k", "third", o), "k", storage.ErrChanged, storage.ErrNotFound)
	wantAbsent(t, b, "k")
}

// ifAbsentRace: of many writers that each demand to be the first, one is.
func ifAbsentRace(t *testing.T, h Harness) {
	b := h.New(t)
	if !b.Features().PutIfAbsent {
		return
	}
	const n = 8
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = putIf(t, b, "k", string('a'+rune(i)), storage.PutOptions{IfAbsent: true}) })
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err != nil:
			wantError(t, b, err, "k", storage.ErrExists, storage.ErrBusy)
		case winner >= 0:
			t.Errorf("writers %d and %d both were the first", winner, i)
		default:
			winner = i
		}
	}
	if winner < 0 {
		t.Fatal("nobody was the first")
	}
	wantContent(t, b, "k", []byte{'a' + byte(winner)})
}
