package storagetest

import (
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

var copyTopics = []topic{
	{"within a bucket", copyWithin},
	{"between buckets", copyBetween},
	{"only what was looked at", copyPinned},
	{"metadata", copyMetadata},
	{"parts", copyParts},
	{"out of reach", copyForeign},
}

// newCopier opens a bucket that can copy; false where none can.
func newCopier(t *testing.T, h Harness) (storage.Bucket, storage.Copier, bool) {
	b := h.New(t)
	c, ok := storage.As[storage.Copier](b)
	return b, c, ok
}

func copyOne(t *testing.T, c storage.Copier, src storage.Source, from, to string, o storage.CopyOptions) storage.Object {
	t.Helper()
	i := stat(t, src, from)
	got, err := c.CopyFrom(t.Context(), src, i.Object, to, o)
	if err != nil {
		t.Fatalf("copy %q to %q: %v", from, to, err)
	}
	if got.Key != to || got.Size != i.Size {
		t.Errorf("copy answered key %q, %d bytes; want %q, %d", got.Key, got.Size, to, i.Size)
	}
	return got
}

func copyWithin(t *testing.T, h Harness) {
	b, c, ok := newCopier(t, h)
	if !ok || !c.CanCopyFrom(b) {
		return
	}
	for i, n := range []int{0, 1, 100_000} {
		data := content(uint64(i), n)
		put(t, b, "from +%&.txt", data)
		put(t, b, "d/to", []byte("old"))
		o := copyOne(t, c, b, "from +%&.txt", "d/to", storage.CopyOptions{})
		wantContent(t, b, "d/to", data)
		wantContent(t, b, "from +%&.txt", data)
		if got := list(t, b, storage.Range{Last: "d/to"})[0].TargetVersion(); got != o.TargetVersion() {
			t.Errorf("target version %q listed, %q by copy", got, o.TargetVersion())
		}
	}
	if !h.refuses("a/../b") {
		return
	}
	_, err := c.CopyFrom(t.Context(), b, stat(t, b, "d/to").Object, "a/../b", storage.CopyOptions{})
	wantError(t, b, err, "a/../b", storage.ErrInvalidKey)
}

func copyBetween(t *testing.T, h Harness) {
	b, c, ok := newCopier(t, h)
	if !ok {
		return
	}
	src := h.New(t)
	if !c.CanCopyFrom(src) {
		return
	}
	data := content(1, 100_000)
	put(t, src, "k", data)
	copyOne(t, c, src, "k", "k", storage.CopyOptions{})
	wantContent(t, b, "k", data)
	put(t, src, "k", []byte("another by now"))
	wantContent(t, b, "k", data) // no link between the two
}

// copyPinned copies exactly the version named.
func copyPinned(t *testing.T, h Harness) {
	b, c, ok := newCopier(t, h)
	if !ok || !c.CanCopyFrom(b) {
		return
	}
	put(t, b, "from", content(1, 1000))
	was := stat(t, b, "from").Object
	put(t, b, "from", content(2, 1000))
	_, err := c.CopyFrom(t.Context(), b, was, "to", storage.CopyOptions{})
	wantKind(t, err, storage.ErrChanged)
	wantAbsent(t, b, "to")
	if err := b.Delete(t.Context(), "from"); err != nil {
		t.Fatal(err)
	}
	_, err = c.CopyFrom(t.Context(), b, was, "to", storage.CopyOptions{})
	wantKind(t, err, storage.ErrNotFound, storage.ErrChanged)
	wantAbsent(t, b, "to")
}

// copyMetadata: the copy has the metadata it is given, not the source's.
func copyMetadata(t *testing.T, h Harness) {
	b, c, ok := newCopier(t, h)
	if !ok || !c.CanCopyFrom(b) {
		return
	}
	f := b.Features()
	putMeta(t, b, "from", []byte("x"), storage.Metadata{CacheControl: "no-store", User: map[string]string{"old": "1"}})
	want := someMetadata()
	if f.FileTree {
		want.Mode, want.HasMode = 0o640, true
	}
	copyOne(t, c, b, "from", "to", storage.CopyOptions{Meta: want})
	i := stat(t, b, "to")
	if f.Metadata {
		wantMetadata(t, i.Metadata, want)
	}
	if f.MTimeGrain > 0 && i.ModTime.Sub(nanos).Abs() >= f.MTimeGrain {
		t.Errorf("mtime %v, want %v", i.ModTime, nanos)
	}
	if f.FileTree && (!i.HasMode || i.Mode != 0o640) {
		t.Errorf("mode %v %o, want 640", i.HasMode, i.Mode)
	}
}

func copyParts(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "to", 9)
	if !ok {
		return
	}
	pc, ok := storage.As[storage.PartCopier](p.b)
	if !ok {
		return
	}
	put(t, p.b, "from", p.data)
	was := stat(t, p.b, "from").Object
	for n := 3; n >= 1; n-- {
		off, size := int64(n-1)*p.size, int64(len(p.part(n)))
		got, err := pc.CopyPart(t.Context(), p.b, was, off, size, p.key, p.id, n)
		if err != nil || got.Number != n || got.Size != size {
			t.Fatalf("copy part %d of %d bytes: %+v, %v", n, size, got, err)
		}
	}
	if n := len(p.held(t)); n != 3 {
		t.Errorf("%d parts held, want 3", n)
	}
	p.send(t, 2) // copied and sent parts mix
	p.complete(t)
	wantContent(t, p.b, "to", p.data)

	p.create(t)
	put(t, p.b, "from", content(10, len(p.data)))
	_, err := pc.CopyPart(t.Context(), p.b, was, 0, p.size, p.key, p.id, 1)
	wantKind(t, err, storage.ErrChanged)
	p.wantHeld(t)
	_, err = pc.CopyPart(t.Context(), p.b, stat(t, p.b, "from").Object, 0, p.size, p.key, p.id+"x", 1)
	wantKind(t, err, storage.ErrNoUpload)
}

// foreign is a place of which no driver has heard.
type foreign struct{ storage.Source }

func (foreign) String() string { return "foreign" }

func copyForeign(t *testing.T, h Harness) {
	b, c, ok := newCopier(t, h)
	if !ok {
		return
	}
	src := foreign{b}
	put(t, b, "k", []byte("x"))
	if c.CanCopyFrom(src) {
		t.Error("claims to copy from a place it cannot know")
	}
	_, err := c.CopyFrom(t.Context(), src, stat(t, b, "k").Object, "to", storage.CopyOptions{})
	wantKind(t, err, storage.ErrUnsupported)
	wantAbsent(t, b, "to")
}
