package storagetest

import (
	"maps"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// wholeTopics are about what belongs to an object besides bytes and headers:
// tags, storage class, archive state, and what only files have.
var wholeTopics = []topic{
	{"tags", tagsKept},
	{"tags in Unicode", tagsUnicode},
	{"tags of copies and uploads", tagsCopied},
	{"class", classKept},
	{"class unknown", classRefused},
	{"self-copy", selfCopy},
	{"archived", archived},
	{"set metadata", setMeta},
}

// someTags need escaping in headers.
func someTags() map[string]string {
	return map[string]string{"team": "a b+c=d", "x/y:z": "-_.@", "empty": ""}
}

// tagger returns a fresh bucket that keeps tags, if it declares that. Who does
// not must refuse to read any.
func tagger(t *testing.T, h Harness) (storage.Bucket, storage.Tagger, bool) {
	b := h.New(t)
	g, ok := storage.As[storage.Tagger](b)
	if b.Features().Tags {
		if !ok {
			t.Fatal("declares tags and cannot read them")
		}
		return b, g, true
	}
	if ok {
		put(t, b, "k", []byte("x"))
		_, err := g.Tags(t.Context(), "k")
		wantError(t, b, err, "k", storage.ErrUnsupported)
	}
	return b, nil, false
}

func wantTags(t *testing.T, b storage.Bucket, key string, want map[string]string) {
	t.Helper()
	g, _ := storage.As[storage.Tagger](b)
	got, err := g.Tags(t.Context(), key)
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("tags of %q are %v, %v; want %v", key, got, err, want)
	}
	_, opened, err := read(t.Context(), b, key, whole)
	if err != nil {
		t.Fatal(err)
	}
	for where, i := range map[string]storage.Info{"stat": stat(t, b, key), "open": opened} {
		if i.Tagged == storage.TagsSome && len(want) == 0 || i.Tagged == storage.TagsNone && len(want) > 0 {
			t.Errorf("%s of %q says %d about %d tags", where, key, i.Tagged, len(want))
		}
		if i.Metadata.Tags != nil {
			t.Errorf("%s of %q shows tags", where, key)
		}
	}
}

func tagsKept(t *testing.T, h Harness) {
	b, g, ok := tagger(t, h)
	if !ok {
		return
	}
	for name, tags := range map[string]map[string]string{"some": someTags(), "one": {"k": "v"}, "none": nil} {
		putMeta(t, b, name, []byte("x"), storage.Metadata{Tags: tags})
		wantTags(t, b, name, tags)
		wantTags(t, h.reopen(t, b), name, tags)
	}
	putMeta(t, b, "some", []byte("y"), storage.Metadata{}) // a new object, not the old one's tags
	wantTags(t, b, "some", nil)
	_, err := g.Tags(t.Context(), "missing")
	wantError(t, b, err, "missing", storage.ErrNotFound)
}

// tagsUnicode: letters of all languages are kept or refused.
func tagsUnicode(t *testing.T, h Harness) {
	b, _, ok := tagger(t, h)
	if !ok {
		return
	}
	tags := map[string]string{"größe": "ü", "k": "日本"}
	_, err := b.Put(t.Context(), "k", body([]byte("x")), storage.PutOptions{Size: 1, Meta: storage.Metadata{Tags: tags}})
	if err != nil {
		wantError(t, b, err, "k", storage.ErrInvalid)
		wantAbsent(t, b, "k")
		return
	}
	wantTags(t, b, "k", tags)
}

func tagsCopied(t *testing.T, h Harness) {
	b, _, ok := tagger(t, h)
	if !ok {
		return
	}
	if _, can := storage.As[storage.Copier](b); can {
		o := put(t, b, "from", []byte("x"))
		c, _ := storage.As[storage.Copier](b)
		copyOne(t, c, b, o.Key, "to", storage.CopyOptions{Meta: storage.Metadata{Tags: someTags()}})
		wantTags(t, b, "to", someTags())
		copyOne(t, c, b, "to", "again", storage.CopyOptions{}) // exactly what is asked for
		wantTags(t, b, "again", nil)
	}
	if b, can := upload(t, h, "big", storage.Metadata{Tags: someTags()}); can {
		wantTags(t, b, "big", someTags())
	}
}

// upload writes an object in parts into a fresh bucket that can.
func upload(t *testing.T, h Harness, key string, m storage.Metadata) (storage.Bucket, bool) {
	t.Helper()
	p, ok := newParts(t, h, key, 7)
	if !ok {
		return nil, false
	}
	if err := p.m.AbortUpload(t.Context(), key, p.id); err != nil {
		t.Fatal(err)
	}
	p.meta = m
	p.create(t)
	for n := range 3 {
		p.send(t, n+1)
	}
	p.complete(t)
	return p.b, true
}

// otherClass returns a class that is not the default and can be read at once.
func otherClass(f storage.Features) (string, bool) {
	for _, c := range f.Classes {
		if c.Name != f.Classes[0].Name && !f.Archived(c.Name) {
			return c.Name, true
		}
	}
	return "", false
}

func wantClass(t *testing.T, b storage.Bucket, key, want string) {
	t.Helper()
	if got := stat(t, b, key).Class; got != want {
		t.Errorf("stat says class %q of %q, want %q", got, key, want)
	}
	for _, o := range list(t, b, storage.Range{}) {
		if o.Key == key && o.Class != want {
			t.Errorf("list says class %q of %q, want %q", o.Class, key, want)
		}
	}
}

func classKept(t *testing.T, h Harness) {
	b := h.New(t)
	f := b.Features()
	class, ok := otherClass(f)
	if !ok {
		return
	}
	putMeta(t, b, "default", []byte("x"), storage.Metadata{})
	wantClass(t, b, "default", "")
	putMeta(t, b, "named", []byte("x"), storage.Metadata{StorageClass: f.Classes[0].Name})
	wantClass(t, b, "named", "")
	putMeta(t, b, "put", []byte("x"), storage.Metadata{StorageClass: class})
	wantClass(t, b, "put", class)
	if c, can := storage.As[storage.Copier](b); can {
		copyOne(t, c, b, "default", "copy", storage.CopyOptions{Meta: storage.Metadata{StorageClass: class}})
		wantClass(t, b, "copy", class)
	}
	if b, can := upload(t, h, "big", storage.Metadata{StorageClass: class}); can {
		wantClass(t, b, "big", class)
	}
	putMeta(t, b, "put", []byte("y"), storage.Metadata{})
	wantClass(t, b, "put", "")
}

func classRefused(t *testing.T, h Harness) {
	b := h.New(t)
	if len(b.Features().Classes) == 0 {
		return
	}
	_, err := b.Put(t.Context(), "k", body([]byte("x")), storage.PutOptions{Size: 1, Meta: storage.Metadata{StorageClass: "NO_SUCH_CLASS"}})
	wantError(t, b, err, "k", storage.ErrInvalid, storage.ErrUnsupported)
	wantAbsent(t, b, "k")
}

// selfCopy changes the metadata of an object and leaves its bytes.
func selfCopy(t *testing.T, h Harness) {
	b := h.New(t)
	c, ok := storage.As[storage.Copier](b)
	if !ok || b.Features().FileTree {
		return
	}
	if !c.CanCopyFrom(b) {
		t.Fatal("cannot copy from itself")
	}
	putMeta(t, b, "k", []byte("bytes"), someMetadata())
	m := storage.Metadata{CacheControl: "no-store", User: map[string]string{"color": "red"}, MTime: nanos.Add(time.Second)}
	copyOne(t, c, b, "k", "k", storage.CopyOptions{Meta: m})
	wantContent(t, b, "k", []byte("bytes"))
	wantMetadata(t, stat(t, b, "k").Metadata, m)
}

// archived goes once through the life of an archived object, if the place has
// such a class and the harness can let the time of a restore pass.
func archived(t *testing.T, h Harness) {
	b := h.New(t)
	f := b.Features()
	r, ok := storage.As[storage.Restorer](b)
	if !ok || h.Thaw == nil {
		return
	}
	put(t, b, "warm", []byte("x"))
	wantError(t, b, r.Restore(t.Context(), "missing", 1, ""), "missing", storage.ErrNotFound)
	for _, class := range f.Classes {
		if !f.Archived(class.Name) {
			continue
		}
		key := "cold/" + class.Name
		putMeta(t, b, key, []byte("frozen"), storage.Metadata{StorageClass: class.Name})
		wantClass(t, b, key, class.Name)
		_, _, err := read(t.Context(), b, key, whole)
		wantError(t, b, err, key, storage.ErrArchived)
		if got := stat(t, b, key).Restored; got != (storage.Restored{}) {
			t.Errorf("nobody restored %q, which says %+v", key, got)
		}
		for range 2 { // asking again is success
			if err := r.Restore(t.Context(), key, 2, ""); err != nil {
				t.Fatalf("restore %q: %v", key, err)
			}
		}
		h.Thaw(t, b)
		got := stat(t, b, key).Restored
		if left := time.Until(got.Until); got.Ongoing || left < 24*time.Hour || left > 4*24*time.Hour {
			t.Errorf("a copy of %q for two days says %+v", key, got)
		}
		wantContent(t, b, key, []byte("frozen"))
		if err := r.Restore(t.Context(), key, 2, ""); err != nil {
			t.Errorf("restore %q once more: %v", key, err)
		}
	}
}

func setMeta(t *testing.T, h Harness) {
	b := h.New(t)
	tr, ok := storage.As[storage.Tree](b)
	if !ok {
		return
	}
	old := put(t, b, "k", []byte("bytes"))
	m := storage.Metadata{MTime: nanos, Mode: 0o600, HasMode: true}
	got, err := tr.SetMeta(t.Context(), stat(t, b, "k").Object, m)
	if err != nil {
		t.Fatal(err)
	}
	i := stat(t, b, "k")
	if i.Mode != 0o600 || i.MTime.Sub(nanos).Abs() >= b.Features().MTimeGrain || i.TargetVersion() != got.TargetVersion() {
		t.Errorf("the file has mode %o, mtime %v, version %s; want 600, %v, %s", i.Mode, i.MTime, i.TargetVersion(), nanos, got.TargetVersion())
	}
	wantContent(t, b, "k", []byte("bytes"))
	_, err = tr.SetMeta(t.Context(), old, storage.Metadata{Mode: 0o644, HasMode: true})
	wantError(t, b, err, "k", storage.ErrChanged)
	if i := stat(t, b, "k"); i.Mode != 0o600 {
		t.Errorf("another version got mode %o", i.Mode)
	}
	_, err = tr.SetMeta(t.Context(), storage.Object{Key: "missing"}, m)
	wantError(t, b, err, "missing", storage.ErrNotFound)
}
