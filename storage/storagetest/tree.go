package storagetest

import (
	"slices"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

var treeTopics = []topic{
	{"directories", directories},
	{"symlinks", symlinks},
	{"links out of the tree", linksOut},
	{"sync", syncs},
}

func newTree(t *testing.T, h Harness) (storage.Bucket, storage.Tree, bool) {
	b := h.New(t)
	tree, ok := storage.As[storage.Tree](b)
	return b, tree, ok
}

type entry struct {
	key  string
	kind storage.Kind
}

func wantEntries(t *testing.T, b storage.Source, want ...entry) {
	t.Helper()
	var got []entry
	for _, o := range list(t, b, storage.Range{}) {
		got = append(got, entry{o.Key, o.Kind})
	}
	if !slices.Equal(got, want) {
		t.Errorf("entries %v, want %v", got, want)
	}
}

// directories are listed only when they are empty.
func directories(t *testing.T, h Harness) {
	b, tree, ok := newTree(t, h)
	if !ok {
		return
	}
	ctx := t.Context()
	for _, key := range []string{"d/", "d/", "e/f/", "z/"} { // one that is there is success
		if err := tree.MakeDir(ctx, key, storage.Metadata{Mode: 0o750, HasMode: true}); err != nil {
			t.Fatalf("make %q: %v", key, err)
		}
	}
	put(t, b, "z/k", nil)
	put(t, b, "z-", nil)
	wantEntries(t, b, entry{"d/", storage.KindDir}, entry{"e/f/", storage.KindDir}, entry{"z-", storage.KindFile}, entry{"z/k", storage.KindFile})
	if i := stat(t, b, "d/"); i.Kind != storage.KindDir || i.HasMode && i.Mode != 0o750 {
		t.Errorf("directory is %+v with mode %o", i.Object, i.Mode)
	}
	wantError(t, b, b.Delete(ctx, "z/"), "z/", storage.ErrExists)
	wantContent(t, b, "z/k", nil)
	for range 2 {
		if err := b.Delete(ctx, "d/"); err != nil {
			t.Errorf("delete of an empty directory: %v", err)
		}
	}
	wantError(t, b, tree.MakeDir(ctx, "z-/", storage.Metadata{}), "z-/", storage.ErrExists)
	wantContent(t, b, "z-", nil)
	wantError(t, b, tree.MakeDir(ctx, "../out/", storage.Metadata{}), "../out/", storage.ErrInvalidKey)
}

func symlinks(t *testing.T, h Harness) {
	b, tree, ok := newTree(t, h)
	if !ok {
		return
	}
	ctx := t.Context()
	put(t, b, "file", []byte("x"))
	put(t, b, "dir/k", []byte("y"))
	for _, text := range []string{"file", "nowhere", "link", "../../etc/passwd", "/", "dir"} { // each replaces the last
		if _, err := tree.Symlink(ctx, "link", text, storage.Metadata{}); err != nil {
			t.Fatalf("symlink to %q: %v", text, err)
		}
		if got, err := tree.Readlink(ctx, "link"); err != nil || got != text {
			t.Errorf("link says %q, %v; want %q", got, err, text)
		}
		wantEntries(t, b, entry{"dir/k", storage.KindFile}, entry{"file", storage.KindFile}, entry{"link", storage.KindSymlink})
	}
	_, err := tree.Symlink(ctx, "dir", "file", storage.Metadata{})
	wantError(t, b, err, "dir", storage.ErrExists)
	_, err = tree.Readlink(ctx, "missing")
	wantError(t, b, err, "missing", storage.ErrNotFound)
	put(t, b, "link", []byte("now a file"))
	wantContent(t, b, "link", []byte("now a file"))
	wantContent(t, b, "dir/k", []byte("y"))
	if _, err := tree.Symlink(ctx, "link", "file", storage.Metadata{}); err != nil {
		t.Errorf("a link over a file: %v", err)
	}
	if err := b.Delete(ctx, "link"); err != nil {
		t.Errorf("delete of a link: %v", err)
	}
	wantEntries(t, b, entry{"dir/k", storage.KindFile}, entry{"file", storage.KindFile})
}

// linksOut: nothing is read, written or deleted through a link that leaves the tree.
func linksOut(t *testing.T, h Harness) {
	b, tree, ok := newTree(t, h)
	if !ok {
		return
	}
	ctx := t.Context()
	if _, err := tree.Symlink(ctx, "out", t.TempDir(), storage.Metadata{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(ctx, "out/k", body([]byte("x")), storage.PutOptions{Size: 1}); err == nil {
		t.Error("wrote through a link that leaves the tree")
	}
	if _, _, err := read(ctx, b, "out/k", whole); err == nil {
		t.Error("read through a link that leaves the tree")
	}
	if _, _, err := read(ctx, b, "out", whole); err == nil {
		t.Error("followed a link")
	}
	wantEntries(t, b, entry{"out", storage.KindSymlink})
}

func syncs(t *testing.T, h Harness) {
	b := h.New(t)
	s, ok := storage.As[storage.Syncer](b)
	if !ok {
		return
	}
	put(t, b, "d/k", []byte("x"))
	for range 2 {
		if err := s.Sync(t.Context()); err != nil {
			t.Errorf("sync: %v", err)
		}
	}
	wantContent(t, b, "d/k", []byte("x"))
}
