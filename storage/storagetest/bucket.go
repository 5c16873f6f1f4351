package storagetest

import (
	"context"
	"io"
	"reflect"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

var bucketTopics = []topic{
	{"check and create", checkAndCreate},
	{"features", features},
	{"missing", missing},
	{"delete", deleteTwice},
	{"canceled", canceled},
	{"reopened", reopened},
}

func checkAndCreate(t *testing.T, h Harness) {
	b := h.New(t)
	put(t, b, "k", []byte("v"))
	if err := b.Create(t.Context()); err != nil {
		t.Errorf("creating what is there: %v", err)
	}
	if err := b.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	wantContent(t, b, "k", []byte("v"))
	if first, again := b.String(), b.String(); first == "" || first != again {
		t.Errorf("String() is %q, then %q", first, again)
	}
}

func features(t *testing.T, h Harness) {
	b := h.New(t)
	f := b.Features()
	if again := b.Features(); !reflect.DeepEqual(f, again) {
		t.Errorf("features changed from %+v to %+v", f, again)
	}
	_, multipart := storage.As[storage.Multipart](b)
	if multipart && (f.MinPart < 0 || f.MaxPart < max(f.MinPart, 1) || f.MaxParts < 1) {
		t.Errorf("multipart, but parts of %d to %d bytes, at most %d", f.MinPart, f.MaxPart, f.MaxParts)
	}
	if _, tree := storage.As[storage.Tree](b); tree != f.FileTree {
		t.Errorf("FileTree is %v, but the power Tree found: %v", f.FileTree, tree)
	}
	if h.PageSize > 0 && f.PageSize != h.PageSize {
		t.Errorf("PageSize is %d, the harness says %d", f.PageSize, h.PageSize)
	}
}

func missing(t *testing.T, h Harness) {
	b := h.New(t)
	put(t, b, "there", []byte("x"))
	for _, key := range []string{"missing", "the", "there2", "no/such/path"} {
		_, err := b.Stat(t.Context(), key)
		wantError(t, b, err, key, storage.ErrNotFound)
		_, _, err = read(t.Context(), b, key, whole)
		wantError(t, b, err, key, storage.ErrNotFound)
		_, _, err = read(t.Context(), b, key, storage.ReadOptions{Offset: 3, Length: 2})
		wantError(t, b, err, key, storage.ErrNotFound)
	}
}

func deleteTwice(t *testing.T, h Harness) {
	b := h.New(t)
	for _, key := range []string{"k", "k2", "d/k"} {
		put(t, b, key, []byte(key))
	}
	for range 2 {
		for _, key := range []string{"k", "d/k", "never", "no/such/path"} {
			if err := b.Delete(t.Context(), key); err != nil {
				t.Errorf("delete %q: %v", key, err)
			}
		}
	}
	wantAbsent(t, b, "k")
	wantAbsent(t, b, "d/k")
	wantKeys(t, b, storage.Range{}, "k2")
	put(t, b, "k", []byte("again"))
	wantContent(t, b, "k", []byte("again"))
}

func canceled(t *testing.T, h Harness) {
	b := h.New(t)
	put(t, b, "k", []byte("old"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	calls := []struct {
		name string
		call func() error
	}{
		{"stat", func() error { _, err := b.Stat(ctx, "k"); return err }},
		{"open", func() error { _, _, err := read(ctx, b, "k", whole); return err }},
		{"put", func() error {
			_, err := b.Put(ctx, "k", body([]byte("new")), storage.PutOptions{Size: 3})
			return err
		}},
		{"delete", func() error { return b.Delete(ctx, "k") }},
		{"check", func() error { return b.Check(ctx) }},
		{"list", func() error { _, err := listing(ctx, b, storage.Range{}); return err }},
	}
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) { wantCanceled(t, c.call()) })
	}
	wantContent(t, b, "k", []byte("old"))
}

func reopened(t *testing.T, h Harness) {
	b := h.New(t)
	want := content(1, 10_000)
	o := put(t, b, "dir/k", want)
	again := h.reopen(t, b)
	wantContent(t, again, "dir/k", want)
	wantKeys(t, again, storage.Range{}, "dir/k")
	if got := stat(t, again, "dir/k").TargetVersion(); got != o.TargetVersion() {
		t.Errorf("version %s after reopening, %s before", got, o.TargetVersion())
	}
	r, err := again.Open(t.Context(), "dir/k", whole)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, r.Body, 10); err != nil {
		t.Errorf("read: %v", err)
	}
	if err := r.Body.Close(); err != nil {
		t.Errorf("closing a body before its end: %v", err)
	}
}
