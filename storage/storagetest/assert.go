package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

// stream hides everything of a reader but Read: bodies come from the network
// and cannot be read twice.
type stream struct{ io.Reader }

func body(data []byte) io.Reader { return stream{bytes.NewReader(data)} }

// content returns n bytes that differ between seeds at every stretch.
func content(seed uint64, n int) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(b) // never fails
	return b
}

func put(t *testing.T, b storage.Bucket, key string, data []byte) storage.Object {
	t.Helper()
	o, err := b.Put(t.Context(), key, body(data), storage.PutOptions{Size: int64(len(data))})
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
	if o.Key != key || o.Size != int64(len(data)) {
		t.Fatalf("put %q (%d bytes) answered key %q, %d bytes", key, len(data), o.Key, o.Size)
	}
	return o
}

func stat(t *testing.T, b storage.Source, key string) storage.Info {
	t.Helper()
	i, err := b.Stat(t.Context(), key)
	if err != nil {
		t.Fatalf("stat %q: %v", key, err)
	}
	if i.Key != key {
		t.Fatalf("stat %q answered key %q", key, i.Key)
	}
	return i
}

// read opens and reads a stretch; the error is that of Open or of the body.
func read(ctx context.Context, b storage.Source, key string, o storage.ReadOptions) ([]byte, storage.Info, error) {
	r, err := b.Open(ctx, key, o)
	if err != nil {
		return nil, storage.Info{}, err
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	return data, r.Info, err
}

var whole = storage.ReadOptions{Length: -1}

func wantContent(t *testing.T, b storage.Source, key string, want []byte) {
	t.Helper()
	got, info, err := read(t.Context(), b, key, whole)
	if err != nil {
		t.Fatalf("read %q: %v", key, err)
	}
	if info.Key != key || info.Size != int64(len(want)) {
		t.Errorf("open %q answered key %q, %d bytes; want %d", key, info.Key, info.Size, len(want))
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%q holds other bytes than written: %d bytes, want %d", key, len(got), len(want))
	}
}

// wantOld says that a failed write left what was there before: nothing if old is nil.
func wantOld(t *testing.T, b storage.Source, key string, old []byte) {
	t.Helper()
	if old != nil {
		wantContent(t, b, key, old)
		return
	}
	wantAbsent(t, b, key)
}

func wantAbsent(t *testing.T, b storage.Source, key string) {
	t.Helper()
	_, err := b.Stat(t.Context(), key)
	wantKind(t, err, storage.ErrNotFound)
	if slices.Contains(fileKeys(list(t, b, storage.Range{})), key) {
		t.Errorf("%q is still listed", key)
	}
}

// wantKind asks for an error of one of the kinds; nil among them allows success.
func wantKind(t *testing.T, err error, kinds ...error) {
	t.Helper()
	if err == nil && slices.Contains(kinds, nil) {
		return
	}
	kind, name := storage.KindOf(err)
	if err == nil || kind == nil || !slices.Contains(kinds, kind) {
		t.Errorf("error %v (%s), want one of %v", err, name, kinds)
	}
}

// wantError asks for a *storage.Error that says what, where and why.
func wantError(t *testing.T, b storage.Source, err error, key string, kinds ...error) {
	t.Helper()
	wantKind(t, err, kinds...)
	var e *storage.Error
	if !errors.As(err, &e) {
		t.Errorf("error %v (%T) is no *storage.Error", err, err)
		return
	}
	if e.Op == "" || e.Key != key || e.Place != b.String() {
		t.Errorf("error names op %q, key %q, place %q; want some op, %q, %q", e.Op, e.Key, e.Place, key, b.String())
	}
}

// wantCanceled asks that a cancelled call is not taken for a fault of the place.
func wantCanceled(t *testing.T, err error) {
	t.Helper()
	if _, name := storage.KindOf(err); err == nil || name != "canceled" {
		t.Errorf("error %v is %q; want that of the cancelled context", err, name)
	}
}

// list reads a listing to its end and checks what holds for every listing.
func list(t *testing.T, b storage.Source, r storage.Range) []storage.Object {
	t.Helper()
	all, err := listing(t.Context(), b, r)
	if err != nil {
		t.Fatalf("list %q…%q: %v", r.After, r.Last, err)
	}
	return all
}

// atEnd tells whether a listing is complete. An error that wraps io.EOF is a
// connection that broke, not the end.
func atEnd(err error) bool { return err == io.EOF } //nolint:errorlint // as said above

func listing(ctx context.Context, b storage.Source, r storage.Range) (all []storage.Object, err error) {
	p := b.List(r)
	defer func() { _ = p.Close() }() // listClose looks at its error
	for {
		page, err := p.Next(ctx)
		if atEnd(err) {
			if len(page) > 0 {
				return nil, errors.New("objects together with io.EOF")
			}
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			return nil, errors.New("a page without objects")
		}
		for _, o := range page {
			if n := len(all); n > 0 && o.Key <= all[n-1].Key {
				return nil, errors.New("key " + o.Key + " after " + all[n-1].Key)
			}
			all = append(all, o)
		}
		clear(page) // the slice is ours: the listing must not mind
	}
}

// fileKeys leaves out what only file trees list.
func fileKeys(objs []storage.Object) []string {
	keys := []string{}
	for _, o := range objs {
		if o.Kind == storage.KindFile {
			keys = append(keys, o.Key)
		}
	}
	return keys
}

func wantKeys(t *testing.T, b storage.Source, r storage.Range, want ...string) {
	t.Helper()
	if got := fileKeys(list(t, b, r)); !slices.Equal(got, want) {
		t.Errorf("list %q…%q: %q, want %q", r.After, r.Last, got, want)
	}
}
