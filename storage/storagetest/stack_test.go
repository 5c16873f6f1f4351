package storagetest_test

import (
	"strconv"
	"testing"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/limit"
	"github.com/sluice-sync/sluice/storage/mem"
	"github.com/sluice-sync/sluice/storage/retry"
	"github.com/sluice-sync/sluice/storage/storagetest"
)

// harness opens mem buckets of one server, each wrapped.
func harness(o mem.Options, wrap func(*mem.Bucket) storage.Bucket) storagetest.Harness {
	s, n := mem.NewServer(o), 0
	return storagetest.Harness{
		New: func(t *testing.T) storage.Bucket {
			n++
			b := s.Bucket(strconv.Itoa(n))
			if err := b.Create(t.Context()); err != nil {
				t.Fatal(err)
			}
			return wrap(b)
		},
		Reopen: func(t *testing.T, b storage.Bucket) storage.Bucket {
			return wrap(s.Bucket(b.String()[len("mem://"):]))
		},
		PageSize: o.PageSize,
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
	for name, stack := range map[string][]func(storage.Bucket) storage.Bucket{
		"fault": {faulty}, "retry": {retried}, "limit": {limited},
		"retry over limit over fault": {faulty, limited, retried},
		"limit over retry over fault": {faulty, retried, limited},
	} {
		t.Run(name, func(t *testing.T) {
			storagetest.Run(t, harness(mem.Options{PageSize: 7, MinPart: 1000}, func(m *mem.Bucket) storage.Bucket {
				var b storage.Bucket = m
				for _, wrap := range stack {
					b = wrap(b)
				}
				return b
			}))
		})
	}
}

// TestRetryHidesFaults runs the suite over a bucket of which every bodiless
// call fails twice in passing: retry makes it as good as a sound one.
func TestRetryHidesFaults(t *testing.T) {
	ops := []fault.Op{fault.Stat, fault.Open, fault.List, fault.Delete, fault.CreateUpload, fault.ListParts, fault.ListUploads, fault.AbortUpload}
	var rules []fault.Rule
	for _, op := range ops {
		for _, kind := range []error{storage.ErrUnavailable, storage.ErrBusy} {
			rules = append(rules, fault.Rule{Ops: []fault.Op{op}, Effect: fault.Fail, Times: 1, Err: kind})
		}
	}
	storagetest.Run(t, harness(mem.Options{PageSize: 7, MinPart: 1000}, func(m *mem.Bucket) storage.Bucket {
		return retry.New(fault.New(m, 1, rules...), retry.Config{Base: 1})
	}))
}
