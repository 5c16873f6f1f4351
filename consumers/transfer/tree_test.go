package transfer_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/file"
)

// These tests run on real time, since files do.

func tree(t *testing.T) (*file.Bucket, string) {
	t.Helper()
	dir := t.TempDir()
	b, err := file.Open(dir, file.Options{Owner: "t"})
	if err != nil {
		t.Fatal(err)
	}
	return b, dir
}

// handle publishes events and returns their results by key.
func (r *rig) handle(events ...bus.Event) map[string]bus.Result {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := r.streams.Results(ctx, "waits", true)
	r.no(err)
	defer c.Close()
	r.publish(events...)
	r.start()
	got := map[string]bus.Result{}
	for n := 0; n < len(events); {
		batches, err := c.Fetch(ctx, 10)
		r.no(err)
		for _, b := range batches {
			for _, res := range b.Results {
				got[res.Key] = res
			}
			n += len(b.Results)
			r.no(b.Token.Ack())
		}
	}
	r.no(r.stop())
	return got
}

func write(t *testing.T, dir, name string, data []byte, mode fs.FileMode) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

// entries lists a source as a producer would.
func entries(t *testing.T, b storage.Source) (events []bus.Event) {
	t.Helper()
	p := b.List(storage.Range{})
	defer p.Close()
	for {
		page, err := p.Next(t.Context())
		if err != nil {
			return events
		}
		for _, o := range page {
			e := event(o, bus.ClassScan)
			switch o.Kind {
			case storage.KindDir:
				e.Kind = bus.KindDir
			case storage.KindSymlink:
				e.Kind = bus.KindSymlink
			}
			events = append(events, e)
		}
	}
}

func TestTreeToTree(t *testing.T) {
	r := newRig(t)
	defer r.close()
	src, from := tree(t)
	dst, to := tree(t)
	_, d := fault.New(src, 1), fault.New(dst, 2, count(fault.Put), count(fault.CopyFrom))
	r.cfg.Source, r.cfg.Target = src, d
	small, large := noise(1, 5000), noise(2, 300<<10)
	write(t, from, "a/small", small, 0o640)
	write(t, from, "a/large", large, 0o755)
	r.no(os.MkdirAll(filepath.Join(from, "empty"), 0o750))
	r.no(os.Symlink("a/small", filepath.Join(from, "link")))
	for key, res := range r.handle(entries(t, src)...) {
		if res.Outcome != bus.Copied || res.Unvouched || res.Src == "" && key != "empty/" {
			t.Errorf("%s: %+v", key, res)
		}
	}
	for name, want := range map[string][]byte{"a/small": small, "a/large": large} {
		got, err := os.ReadFile(filepath.Join(to, name))
		was, _ := os.Stat(filepath.Join(from, name))
		is, _ := os.Stat(filepath.Join(to, name))
		if err != nil || !bytes.Equal(got, want) || is.Mode() != was.Mode() || !is.ModTime().Equal(was.ModTime()) {
			t.Errorf("%s: %v, %v %v", name, err, is, was)
		}
	}
	if text, err := os.Readlink(filepath.Join(to, "link")); text != "a/small" {
		t.Errorf("link %q, %v", text, err)
	}
	if i, err := os.Stat(filepath.Join(to, "empty")); err != nil || !i.IsDir() || i.Mode().Perm() != 0o750 {
		t.Errorf("empty: %v, %v", i, err)
	}
	if hits := d.Hits(); hits[0] != 0 || hits[1] != 2 {
		t.Errorf("puts and copies %v", hits)
	}
}

func TestTreeToStore(t *testing.T) {
	r := newRig(t)
	defer r.close()
	src, from := tree(t)
	r.cfg.Source = src
	small, large := noise(1, 5000), noise(2, 300<<10)
	write(t, from, "small", small, 0o640)
	write(t, from, "large", large, 0o755)
	r.no(os.MkdirAll(filepath.Join(from, "empty"), 0o750))
	r.no(os.Symlink("small", filepath.Join(from, "link")))
	for key, res := range r.handle(entries(t, src)...) {
		want, why := bus.Copied, ""
		switch key {
		case "empty/":
			want, why = bus.Skipped, "directory"
		case "link":
			want, why = bus.Skipped, "symlink"
		}
		r.outcome(res, want, why)
		if res.Unvouched {
			t.Errorf("%s: a file was not vouched for", key)
		}
	}
	r.holds("small", small)
	r.holds("large", large)
	there, err := r.dst.Stat(t.Context(), "large")
	r.no(err)
	was, err := os.Stat(filepath.Join(from, "large"))
	r.no(err)
	if !there.MTime.Equal(was.ModTime()) {
		t.Errorf("mtime %v, want %v", there.MTime, was.ModTime())
	}
}

func TestStoreToTree(t *testing.T) {
	r := newRig(t)
	defer r.close()
	dst, to := tree(t)
	r.cfg.Target = dst
	small, large := noise(1, 5000), noise(2, 300<<10)
	mtime := time.Unix(1e9, 0)
	r.put("d/small", small, storage.Metadata{MTime: mtime})
	r.put("d/large", large, storage.Metadata{MTime: mtime})
	r.put("marker/", nil, storage.Metadata{})
	r.put("bytes/", []byte("x"), storage.Metadata{})
	r.put("a//b", []byte("x"), storage.Metadata{})
	got := r.handle(entries(t, r.src)...)
	for key, res := range got {
		switch key {
		case "bytes/", "a//b":
			r.outcome(res, bus.GivenUp, "invalid_key")
		default:
			r.outcome(res, bus.Copied, "")
		}
	}
	for name, want := range map[string][]byte{"d/small": small, "d/large": large} {
		data, err := os.ReadFile(filepath.Join(to, name))
		i, _ := os.Stat(filepath.Join(to, name))
		if err != nil || !bytes.Equal(data, want) || !i.ModTime().Equal(mtime) {
			t.Errorf("%s: %v %v", name, err, i)
		}
	}
	if i, err := os.Stat(filepath.Join(to, "marker")); err != nil || !i.IsDir() {
		t.Errorf("marker: %v %v", i, err)
	}
}

func gone(key string, class bus.Class) bus.Event {
	return bus.Event{Task: "t", Op: bus.OpDelete, Key: key, Class: class, Run: "r"}
}

func TestDeletesAtATree(t *testing.T) {
	r := newRig(t)
	defer r.close()
	src, from := tree(t)
	dst, to := tree(t)
	r.cfg.Source, r.cfg.Target = src, dst
	for _, name := range []string{"x/y/z/f", "kept/f", "full/a", "full/b", "present", "both/dir/f"} {
		write(t, to, name, []byte("old"), 0o644)
	}
	write(t, from, "present", []byte("new"), 0o644)
	r.no(os.MkdirAll(filepath.Join(from, "kept"), 0o755))
	r.no(os.MkdirAll(filepath.Join(from, "both"), 0o755))
	r.no(os.MkdirAll(filepath.Join(to, "hollow"), 0o755))
	got := r.handle(gone("x/y/z/f", bus.ClassScan), gone("kept/f", bus.ClassScan), gone("full/a", bus.ClassLive),
		gone("present", bus.ClassScan), gone("both/dir/f", bus.ClassLive), gone("hollow/", bus.ClassScan),
		gone("never-was", bus.ClassScan))
	for key, res := range got {
		if key == "present" {
			r.outcome(res, bus.Skipped, "present")
		} else {
			r.outcome(res, bus.Deleted, "")
		}
	}
	for name, there := range map[string]bool{
		"x": false, "kept": true, "kept/f": false, "full": true, "full/a": false, "full/b": true,
		"present": true, "both": true, "both/dir": false, "hollow": false,
	} {
		if _, err := os.Lstat(filepath.Join(to, name)); (err == nil) != there {
			t.Errorf("%s: %v, should be there: %v", name, err, there)
		}
	}
	res := r.handle(gone("full/", bus.ClassScan))["full/"]
	r.outcome(res, bus.Skipped, "not_empty")
}

func TestDeletesAtAStore(t *testing.T) {
	bubble(t, func(r *rig) {
		for _, key := range []string{"a", "b", "c"} {
			_, err := r.dst.Put(t.Context(), key, bytes.NewReader([]byte("x")), storage.PutOptions{Size: 1})
			r.no(err)
		}
		r.put("b", []byte("y"), storage.Metadata{})
		// c cannot be looked at: not knowing is not absence.
		r.faulty([]fault.Rule{{Ops: []fault.Op{fault.Stat}, Effect: fault.Fail, Err: storage.ErrDenied,
			Match: func(k string) bool { return k == "c" }}}, nil)
		r.publish(gone("a", bus.ClassScan), gone("b", bus.ClassScan), gone("c", bus.ClassScan))
		for _, res := range r.settle() {
			switch res.Key {
			case "a":
				r.outcome(res, bus.Deleted, "")
			case "b":
				r.outcome(res, bus.Skipped, "present")
			case "c":
				r.outcome(res, bus.Retrying, "denied")
			}
		}
		r.lacks("a")
		r.holds("b", []byte("x"))
		r.holds("c", []byte("x"))
	})
	bubble(t, func(r *rig) {
		r.cfg.Deletes = false
		_, err := r.dst.Put(t.Context(), "a", bytes.NewReader([]byte("x")), storage.PutOptions{Size: 1})
		r.no(err)
		r.publish(gone("a", bus.ClassLive))
		r.outcome(r.one(), bus.Skipped, "deletes_off")
		r.holds("a", []byte("x"))
	})
}

// reviving is a target at which a delete makes the source's object come back.
type reviving struct {
	storage.Bucket
	r *rig
}

func (v *reviving) Delete(ctx context.Context, key string) error {
	v.r.put(key, []byte("again"), storage.Metadata{})
	return v.Bucket.Delete(ctx, key)
}

func TestObjectThatComesBackDuringItsDelete(t *testing.T) {
	bubble(t, func(r *rig) {
		r.cfg.Target = &reviving{r.dst, r}
		r.publish(gone("k", bus.ClassLive))
		r.outcome(r.one(), bus.Copied, "")
		r.holds("k", []byte("again"))
	})
}
