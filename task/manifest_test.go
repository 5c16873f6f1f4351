package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sluice-sync/sluice/producers/list"
	"github.com/sluice-sync/sluice/producers/manifest"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/mem"
	"github.com/sluice-sync/sluice/store"
)

// lists gives the task a manifest of these lines, in a place of its own.
func (r *rig) lists(in *mem.Bucket, keys ...string) {
	r.t.Helper()
	r.put(in, "keys", []byte(strings.Join(keys, "\n")), storage.Metadata{})
	r.opens(in)
}

// opens opens the manifest anew, as each process does.
func (r *rig) opens(in storage.Source) {
	r.t.Helper()
	m, err := manifest.Open(context.Background(), manifest.Config{Source: in, Key: "keys"})
	r.no(err)
	r.cfg.Spec.Manifest = m
}

func dirKeys(from, to int) (keys []string) {
	for i := from; i < to; i++ {
		keys = append(keys, fmt.Sprintf("dir/%03d", i))
	}
	return keys
}

func TestManifestNamesWhatIsCopied(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		in := mem.New(mem.Options{})
		r.fill(40, 0)
		r.cfg.Spec.Manifest = nil
		r.put(r.dst, "extra", []byte("only there"), storage.Metadata{})
		// Out of order, twice, gone, and there only.
		keys := append(dirKeys(10, 20), "none/1", "none/2", "extra")
		slices.Reverse(keys)
		r.lists(in, slices.Concat(keys, keys)...)
		s := r.finish("found 13, copied 10, skipped 3")
		if s.SkippedReasons["gone"] != 3 || s.Manifest == nil || s.Manifest.Keys != 26 || !r.noticed("names 26 keys") {
			t.Errorf("%+v, %+v: %q", s, s.Manifest, r.notices)
		}
		r.once()
		if len(r.wrote) != 10 || len(r.deleted) != 0 {
			t.Errorf("wrote %v, deleted %v", r.wrote, r.deleted)
		}
		r.finish("found 13, skipped 13")
		r.fill(12, 1)
		s = r.finish("found 13, copied 2, skipped 11")
		if s.SkippedReasons["gone"] != 3 || s.SkippedReasons["equal"] != 8 {
			t.Errorf("%+v", s)
		}
		r.cfg.Spec.Manifest = nil
		r.finish("found 40, copied 30, skipped 10")
		r.equal("extra")
	})
}

// Interrupted at any object, the run goes on and counts each key once.
func TestInterruptedManifestGoesOn(t *testing.T) {
	for _, at := range []int{1, 7, 29, 30} {
		bubble(t, func(t *testing.T, r *rig) {
			in := mem.New(mem.Options{})
			r.fill(40, 0)
			r.lists(in, append(dirKeys(10, 60), "none")...)
			a := r.interrupt(at)
			r.opens(in)
			if b := r.finish("found 51, copied 30, skipped 21"); b.Run != a.Run || !b.Resumed || b.SkippedReasons["gone"] != 21 {
				t.Errorf("%+v, then %+v", a, b)
			}
			r.once()
		})
	}
}

// Another manifest under the same name begins another run.
func TestChangedManifestStartsAnew(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		in := mem.New(mem.Options{})
		r.fill(40, 0)
		r.lists(in, dirKeys(0, 20)...)
		a := r.interrupt(10)
		r.lists(in, dirKeys(15, 30)...)
		b, err := r.run()
		if r.no(err); b.Run == a.Run || b.Resumed || b.Found != 15 || b.Pending+b.Failed != 0 {
			t.Errorf("%+v, then %+v", a, b)
		}
	})
}

// A source object that vanishes or appears while the run goes on is counted
// once, as what the last look says.
func TestManifestOfAChangingSource(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		in := mem.New(mem.Options{})
		r.fill(20, 0)
		r.lists(in, append(dirKeys(0, 20), "late", "never")...)
		r.cfg.Spec.Workers = 1
		r.cfg.Target = at(r.cfg.Target, fault.Put, 10, func() {
			r.no(r.src.Delete(context.Background(), "dir/000"))
			r.put(r.src, "late", []byte("late"), storage.Metadata{})
		})
		s := r.finish("found 22, copied 21, skipped 1")
		if s.SkippedReasons["gone"] != 1 || r.wrote["late"] != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// An unusable endpoint of the manifest pauses the run; what is wrong with the
// manifest ends it, resumable.
func TestManifestThatCannotBeRead(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		in := mem.New(mem.Options{})
		r.fill(20, 0)
		r.lists(in, dirKeys(0, 10)...)
		r.opens(failing(in, fault.Open, storage.ErrDenied, 1))
		s, err := r.run()
		if !errors.Is(err, storage.ErrDenied) || s.State != StateHalted || s.Found != 0 {
			t.Errorf("%v, %+v", err, s)
		}
		r.opens(failing(in, fault.Open, storage.ErrUnavailable, 3))
		if b := r.finish("found 10, copied 10"); b.Run != s.Run || !r.noticed("pauses") {
			t.Errorf("%+v: %q", b, r.notices)
		}
	})
}

// cutShort is a place whose bodies break off.
type cutShort struct {
	storage.Source
	most int64 // bytes
}

func (c cutShort) Open(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
	rd, err := c.Source.Open(ctx, key, o)
	if err == nil && rd.Info.Size > c.most {
		broken := iotest.ErrReader(&storage.Error{Op: "read", Key: key, Kind: storage.ErrUnavailable})
		rd.Body = io.NopCloser(io.MultiReader(io.LimitReader(rd.Body, c.most), broken))
	}
	return rd, err
}

// The keys of a manifest are read once, whatever ends the reading: it goes on
// behind what was saved.
func TestNamedReadsOn(t *testing.T) {
	st, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	in := mem.New(mem.Options{})
	const n = 20_000 // several commits
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "k%05d\n", (i*7919)%n)
	}
	r := &rig{t: t}
	r.put(in, "keys", []byte(text.String()), storage.Metadata{})
	keys := NamedIn(st.Task("t"), "run")
	steps := map[string]bool{}
	for most := int64(0); ; most += 9999 {
		r.opens(cutShort{in, most})
		c, unsaved, err := keys.Read(t.Context(), r.cfg.Spec.Manifest)
		steps[fmt.Sprint(c)] = true
		if err == nil {
			if c.Keys != n || !unsaved {
				t.Errorf("%+v", c)
			}
			break
		}
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	if len(steps) < 4 {
		t.Errorf("read in %d steps", len(steps))
	}
	if c, unsaved, err := keys.Read(t.Context(), r.cfg.Spec.Manifest); err != nil || unsaved || c.Keys != n {
		t.Errorf("again: %+v %t %v", c, unsaved, err)
	}
	got, err := keys.After("k00009", 3)
	if err != nil || fmt.Sprint(got) != "[k00010 k00011 k00012]" {
		t.Errorf("%q, %v", got, err)
	}
	if all, err := keys.After("", n+1); err != nil || len(all) != n {
		t.Errorf("%d keys, %v", len(all), err)
	}
	other := mem.NewServer(mem.Options{}).Bucket("other")
	r.no(other.Create(t.Context()))
	r.put(other, "keys", []byte("x"), storage.Metadata{})
	r.opens(other)
	if _, _, err := keys.Read(t.Context(), r.cfg.Spec.Manifest); err == nil {
		t.Error("another manifest is read into the keys of the first")
	}
}

// What is named, and where, decides what ends up at the target.
func TestHashOfBoundsAndManifest(t *testing.T) {
	in := mem.New(mem.Options{})
	r := &rig{t: t}
	seen := map[string]bool{Spec{}.hash(): true}
	add := func(s Spec) {
		t.Helper()
		if seen[s.hash()] {
			t.Errorf("%+v has the hash of another", s)
		}
		seen[s.hash()] = true
	}
	add(Spec{Bounds: list.Bounds{From: "a"}})
	add(Spec{Bounds: list.Bounds{To: "a"}})
	add(Spec{Bounds: list.Bounds{From: "a", To: "b"}})
	add(Spec{Bounds: list.Bounds{From: `a"|"`, To: "b"}})
	r.lists(in, "a")
	add(r.cfg.Spec)
	r.lists(in, "b")
	add(r.cfg.Spec)
}

// What a manifest leaves out is not extraneous, and what it names is kept
// where candidates would be: the two never meet.
func TestNoDeletesWithAManifest(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		in := mem.New(mem.Options{})
		r.fill(3, 0)
		r.put(r.dst, "extra", []byte("extra"), storage.Metadata{})
		r.lists(in, "dir/000")
		r.deletes("none")
		if s, err := r.run(); err == nil || s.Found != 0 || len(r.deleted) > 0 {
			t.Errorf("%v, %+v", err, s)
		}
		r.cfg.Spec.Delete = false
		r.finish("found 1, copied 1")
		r.cfg.Spec.Manifest = nil
		r.deletes("none")
		r.finish("found 3, copied 2, skipped 1, deleted 1")
	})
}

// Deletes keep to the bounds.
func TestBoundsOfATask(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		for _, key := range []string{"a", "dir/009x", "dir/010x", "dir/019x", "dir/020", "e"} {
			r.put(r.dst, key, []byte("extra"), storage.Metadata{})
		}
		r.cfg.Spec.Bounds = list.Bounds{From: "dir/010", To: "dir/020"}
		r.deletes("none")
		r.finish("found 10, copied 10, deleted 2")
		r.finish("found 10, skipped 10")
		r.cfg.Spec.Bounds = list.Bounds{To: "dir/010"}
		r.finish("found 10, copied 10, deleted 2")
		r.cfg.Spec.Bounds = list.Bounds{}
		r.finish("found 40, copied 20, skipped 20, deleted 1")
		r.equal()
	})
}
