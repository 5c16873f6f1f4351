package transfer_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/metadata"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/file"
)

// The whole object travels, in one piece and in parts.
func TestTagsAndClassTravel(t *testing.T) {
	tags := map[string]string{"team": "a b", "x": ""}
	for name, size := range map[string]int{"small": 100, "parts": 200 << 10} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				want := noise(1, size)
				o := r.put("k", want, storage.Metadata{Tags: tags, StorageClass: "STANDARD_IA", Expires: "Thu, 01 Dec 2033 16:00:00 GMT"})
				plain := r.put("plain", want, storage.Metadata{})
				s, _ := r.faulty([]fault.Rule{count(fault.Tags)}, nil)
				r.publish(classed(o, bus.ClassScan), classed(plain, bus.ClassScan))
				r.settle()
				r.holds("k", want)
				there, err := r.dst.Stat(t.Context(), "k")
				r.no(err)
				got, err := r.dst.Tags(t.Context(), "k")
				r.no(err)
				if !maps.Equal(got, tags) || there.Class != "STANDARD_IA" || there.Expires == "" {
					t.Errorf("tags %v, class %q, expires %q", got, there.Class, there.Expires)
				}
				if n := s.Hits()[0]; n > 2 {
					t.Errorf("asked for tags %d times; one object has some, and one may be asked to see whether that is allowed", n)
				}
			})
		})
	}
}

// Keys that may not read tags see no number of them: nothing is copied as if
// there were none.
func TestHiddenTags(t *testing.T) {
	bubble(t, func(r *rig) {
		a, b := r.put("a", []byte("x"), storage.Metadata{}), r.put("b", []byte("y"), storage.Metadata{})
		r.faulty([]fault.Rule{{Ops: []fault.Op{fault.Tags}, Effect: fault.Fail, Err: storage.ErrDenied}}, nil)
		r.publish(classed(a, bus.ClassScan), classed(b, bus.ClassScan))
		for _, res := range r.settle() {
			r.outcome(res, bus.Retrying, "denied")
			if !strings.Contains(res.Error, "--tags drop") {
				t.Errorf("no way out: %s", res.Error)
			}
		}
		r.lacks("a")
		r.lacks("b")
		r.results = nil
		r.cfg.Metadata.DropTags = true
		r.publish(classed(a, bus.ClassScan))
		r.outcome(r.one(), bus.Copied, "")
	})
}

func TestPolicyChangesCopies(t *testing.T) {
	bubble(t, func(r *rig) {
		o := r.put("k", []byte("x"), storage.Metadata{Tags: map[string]string{"a": "b"}, StorageClass: "STANDARD_IA", Expires: "0"})
		s, _ := r.faulty([]fault.Rule{count(fault.Tags)}, nil)
		r.cfg.Metadata = metadata.Policy{Expires: metadata.Expires{After: time.Hour}, StorageClass: metadata.ClassDefault, DropTags: true}
		at := time.Now()
		r.publish(classed(o, bus.ClassScan))
		r.outcome(r.one(), bus.Copied, "")
		there, err := r.dst.Stat(t.Context(), "k")
		r.no(err)
		if there.Class != "" || there.Tagged != storage.TagsNone || there.Expires != at.Add(time.Hour).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") {
			t.Errorf("class %q, tagged %d, expires %q", there.Class, there.Tagged, there.Expires)
		}
		if n := s.Hits()[0]; n != 0 {
			t.Errorf("asked for tags that are left out")
		}
	})
}

// What a target cannot hold is named in the result.
func TestLossIsNamed(t *testing.T) {
	r := newRig(t)
	defer r.close()
	b, err := file.Open(t.TempDir(), file.Options{})
	r.no(err)
	r.cfg.Target = b
	o := r.put("k", []byte("x"), storage.Metadata{Tags: map[string]string{"a": "b"}, CacheControl: "no-store",
		User: map[string]string{"mode": "100600", "color": "red"}})
	res := r.handle(classed(o, bus.ClassScan))["k"]
	if res.Outcome != bus.Copied || res.Lost != "cache_control,user_metadata,tags" {
		t.Errorf("%+v", res)
	}
	i, err := b.Stat(t.Context(), "k")
	r.no(err)
	if i.Mode != 0o600 {
		t.Errorf("mode %o", i.Mode)
	}
}

// Only metadata differs: no byte is read or sent.
func TestMetadataAlone(t *testing.T) {
	bubble(t, func(r *rig) {
		want := noise(1, 5000)
		r.put("k", want, storage.Metadata{CacheControl: "old"})
		first := r.put("k", want, storage.Metadata{CacheControl: "old", MTime: time.Unix(1e9, 0)})
		r.publish(classed(first, bus.ClassScan))
		r.outcome(r.one(), bus.Copied, "")
		o := r.put("k", want, storage.Metadata{CacheControl: "new", Tags: map[string]string{"a": "b"}, MTime: time.Unix(1e9, 0)})
		s, d := r.faulty([]fault.Rule{count(fault.Open)}, []fault.Rule{count(fault.Put), count(fault.CopyFrom)})
		r.cfg.CompareMetadata = true
		for _, step := range []struct {
			outcome bus.Outcome
			why     string
		}{{bus.Copied, "metadata"}, {bus.Skipped, "equal"}} {
			r.results = nil
			r.publish(classed(o, bus.ClassScan))
			res := r.one()
			r.outcome(res, step.outcome, step.why)
			if res.Moved != 0 {
				t.Errorf("moved %d bytes", res.Moved)
			}
		}
		there, err := r.dst.Stat(t.Context(), "k")
		r.no(err)
		if there.CacheControl != "new" || there.Tagged != storage.TagsSome {
			t.Errorf("%+v", there)
		}
		if s.Hits()[0] != 0 || d.Hits()[0] != 0 || d.Hits()[1] != 1 {
			t.Errorf("source %v, target %v", s.Hits(), d.Hits())
		}
		r.holds("k", want)
		// Other bytes are copied as ever.
		other := noise(2, 5000)
		o = r.put("k", other, storage.Metadata{CacheControl: "new"})
		r.results = nil
		r.publish(classed(o, bus.ClassScan))
		r.outcome(r.one(), bus.Copied, "")
		r.holds("k", other)
	})
}

func TestDirMarkers(t *testing.T) {
	r := newRig(t)
	defer r.close()
	b, err := file.Open(t.TempDir(), file.Options{})
	r.no(err)
	r.no(b.MakeDir(t.Context(), "d/empty/", storage.Metadata{Mode: 0o750, HasMode: true}))
	r.cfg.Source, r.cfg.DirMarkers = b, true
	e := bus.Event{Task: "t", Op: bus.OpPut, Key: "d/empty/", Kind: bus.KindDir, Class: bus.ClassScan, Run: "r"}
	if res := r.handle(e)["d/empty/"]; res.Outcome != bus.Copied {
		t.Fatalf("%+v", res)
	}
	there, err := r.dst.Stat(t.Context(), "d/empty/")
	r.no(err)
	if there.Size != 0 || there.User["mode"] != "40750" {
		t.Errorf("%+v", there)
	}
}

// A marker obeys the policy too: at its key may lie an object with bytes.
func TestDirMarkerNeverOverwrites(t *testing.T) {
	r := newRig(t)
	defer r.close()
	b, err := file.Open(t.TempDir(), file.Options{})
	r.no(err)
	r.no(b.MakeDir(t.Context(), "d/", storage.Metadata{}))
	r.cfg.Source, r.cfg.DirMarkers, r.cfg.Overwrite = b, true, transfer.Never
	_, err = r.dst.Put(t.Context(), "d/", strings.NewReader("bytes"), storage.PutOptions{Size: 5})
	r.no(err)
	e := bus.Event{Task: "t", Op: bus.OpPut, Key: "d/", Kind: bus.KindDir, Class: bus.ClassScan, Run: "r"}
	r.outcome(r.handle(e)["d/"], bus.Skipped, "exists")
	r.holds("d/", []byte("bytes"))
}
