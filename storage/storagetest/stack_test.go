package storagetest_test

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/file"
	"github.com/sluice-sync/sluice/storage/limit"
	"github.com/sluice-sync/sluice/storage/mem"
	"github.com/sluice-sync/sluice/storage/retry"
	"github.com/sluice-sync/sluice/storage/storagetest"
)

// memory opens mem buckets of one server.
func memory(o mem.Options) storagetest.Harness {
	s, n := mem.NewServer(o), 0
	return storagetest.Harness{
		New: func(t *testing.T) storage.Bucket {
			n++
			b := s.Bucket(strconv.Itoa(n))
			if err := b.Create(t.Context()); err != nil {
				t.Fatal(err)
			}
			return b
		},
		Reopen: func(_ *testing.T, b storage.Bucket) storage.Bucket {
			return s.Bucket(strings.TrimPrefix(b.String(), "mem://"))
		},
		PageSize: o.PageSize,
	}
}

var small = mem.Options{PageSize: 7, MinPart: 1000}

// files opens directories, which have powers that mem lacks.
func files() storagetest.Harness {
	open := func(t *testing.T, root string) storage.Bucket {
		b, err := file.Open(root, file.Options{Owner: "stack", TempDir: filepath.Dir(root)})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Create(t.Context()); err != nil {
			t.Fatal(err)
		}
		return b
	}
	return storagetest.Harness{
		New:    func(t *testing.T) storage.Bucket { return open(t, filepath.Join(t.TempDir(), "root")) },
		Reopen: func(t *testing.T, b storage.Bucket) storage.Bucket { return open(t, b.String()) },
		Refuses: func(key string) bool {
			bad := strings.Contains(key, "\x00")
			for _, name := range strings.Split(key, "/") {
				bad = bad || len(name) > 255
			}
			return bad || !filepath.IsLocal(key) || filepath.Clean(key) != key || key == "."
		},
		PartSize: 100_000,
	}
}

// TestStacks holds every decorator, and all of them together, to the contract
// that the bucket below keeps.
func TestStacks(t *testing.T) {
	// Tight enough that the suite's concurrent topics have to wait.
	limits := limit.NewLimits(limit.Config{
		Lists: 1, Objects: 2, Parts: 1, RequestsPerSecond: 1e6, Bandwidth: limit.NewBandwidth(4 << 30),
	})
	faulty := func(b storage.Bucket) storage.Bucket { return fault.New(b, 1) }
	retried := func(b storage.Bucket) storage.Bucket { return retry.New(b, retry.Config{}) }
	limited := func(b storage.Bucket) storage.Bucket { return limit.New(b, limits) }
	for _, c := range []struct {
		name string
		h    storagetest.Harness
		wrap func(storage.Bucket) storage.Bucket
	}{
		{"fault", memory(small), faulty},
		{"retry", memory(small), retried},
		{"limit", memory(small), limited},
		{"all", memory(small), func(b storage.Bucket) storage.Bucket { return retried(limited(faulty(b))) }},
		{"all over files", files(), func(b storage.Bucket) storage.Bucket { return limited(retried(faulty(b))) }},
	} {
		t.Run(c.name, func(t *testing.T) { storagetest.Run(t, c.h.Wrapped(c.wrap)) })
	}
}

// TestRetryHidesFaults runs the suite over a bucket of which every bodiless
// call fails twice in passing: retry makes it as good as a sound one.
func TestRetryHidesFaults(t *testing.T) {
	ops := []fault.Op{fault.Stat, fault.Open, fault.List, fault.Delete, fault.ListParts, fault.ListUploads, fault.AbortUpload}
	var rules []fault.Rule
	for _, op := range ops {
		for _, kind := range []error{storage.ErrUnavailable, storage.ErrBusy} {
			rules = append(rules, fault.Rule{Ops: []fault.Op{op}, Effect: fault.Fail, Times: 1, Err: kind})
		}
	}
	storagetest.Run(t, memory(small).Wrapped(func(b storage.Bucket) storage.Bucket {
		return retry.New(fault.New(b, 1, rules...), retry.Config{Base: 1})
	}))
}
