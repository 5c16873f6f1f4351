package task

import (
	"errors"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/metadata"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/mem"
)

// A task restores what lies in an archive, copies the rest meanwhile, goes on
// after an interruption without asking again, and ends with all of it.
func TestArchivedObjectsAreWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.src = mem.New(mem.Options{PageSize: 10, RestoreTime: 5 * time.Hour})
		r.fill(20, 0)
		for _, key := range []string{"cold/1", "cold/2", "cold/3"} {
			r.put(r.src, key, []byte(key), storage.Metadata{StorageClass: "GLACIER"})
		}
		counted := fault.New(r.src, 1, fault.Rule{Ops: []fault.Op{fault.Restore}}, fault.Rule{Ops: []fault.Op{fault.Open}})
		r.cfg.Source = counted
		r.cfg.Spec.Archived = transfer.ArchivedRestore
		r.cfg.Spec.Metadata.StorageClass = metadata.ClassDefault
		p := r.start()
		time.Sleep(2 * time.Hour)
		s := p.Snapshot()
		if s.Copied != 20 || s.Pending != 3 || s.Retrying != 3 || s.Restoring != 3 {
			t.Errorf("after two hours: %+v", s)
		}
		p.stop()
		if _, err := p.wait(); !errors.Is(err, ErrInterrupted) {
			t.Fatal(err)
		}
		began := time.Now()
		r.finish("found 23, copied 23")
		if took := time.Since(began); took > 6*time.Hour {
			t.Errorf("took %v more", took)
		}
		if hits := counted.Hits(); hits[0] != 3 || hits[1] != 23 {
			t.Errorf("%d restores, %d objects opened", hits[0], hits[1])
		}
		r.once()
		r.finish("found 23, skipped 23")
	})
}

func TestArchivedObjectsAreReported(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(5, 0)
		r.put(r.src, "cold", []byte("x"), storage.Metadata{StorageClass: "DEEP_ARCHIVE"})
		r.finish("found 6, copied 5, failed 1")
		r.cfg.Spec.Archived = transfer.ArchivedSkip
		s := r.finish("found 6, skipped 6")
		if s.SkippedReasons["archived"] != 1 {
			t.Errorf("%+v", s.SkippedReasons)
		}
	})
}

// What the target cannot hold is named once, with the first object.
func TestNotKept(t *testing.T) {
	b := newBench(t)
	rs := res("put a copied", "put b copied", "put c copied")
	rs[1].Lost, rs[2].Lost = "tags", "tags,storage_class"
	b.project(rs)
	b.project(rs[1:2]) // delivered again
	c, _ := b.counters()
	if len(c.NotKept) != 2 || c.NotKept["tags"] != "b" || c.NotKept["storage_class"] != "c" {
		t.Errorf("%v", c.NotKept)
	}
}
