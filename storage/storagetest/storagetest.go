// Package storagetest is the conformance suite of the contract in package
// storage. Every driver, and every stack of decorators over a driver, runs it:
// a driver's own test is a harness and its quirks.
//
// It must not know any driver. Where places differ it asks the declared
// features, the powers found by storage.As, and the harness. What is declared
// is tested; what is not declared must be refused with ErrUnsupported.
package storagetest

import (
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

// Harness opens the place under test.
type Harness struct {
	// New returns a fresh, empty bucket that has been created. Buckets of one
	// harness may be open side by side.
	New func(t *testing.T) storage.Bucket
	// Reopen opens the same place again as a new process would. Nil: b itself.
	Reopen func(t *testing.T, b storage.Bucket) storage.Bucket
	// Refuses tells which keys the place cannot hold. Put must answer them
	// with ErrInvalidKey and hold nothing. Nil: it holds all keys but "".
	Refuses func(key string) bool
	// ExpiresIsDate: the place keeps an Expires header only if it is a date,
	// and drops any other silently.
	ExpiresIsDate bool
	// Thaw lets the time pass that restores under way in b need. Nil: archived
	// objects are not tested.
	Thaw func(t *testing.T, b storage.Bucket)
	// PageSize is the number of keys per listing page, if it is known and
	// small enough to be crossed. 0: page boundaries are not tested.
	PageSize int
	// PartSize is the part size of multipart tests, in bytes. 0: the larger
	// of Features.MinPart and 1.
	PartSize int64
}

type topic struct {
	name string
	run  func(*testing.T, Harness)
}

// Run holds a place to the contract.
func Run(t *testing.T, h Harness) {
	groups := []struct {
		name   string
		topics []topic
	}{
		{"bucket", bucketTopics},
		{"keys", keyTopics},
		{"list", listTopics},
		{"read", readTopics},
		{"put", putTopics},
		{"body", bodyTopics},
		{"condition", conditionTopics},
		{"metadata", metadataTopics},
		{"multipart", multipartTopics},
		{"upload", uploadTopics},
		{"copy", copyTopics},
		{"tree", treeTopics},
		{"whole", wholeTopics},
		{"together", concurrentTopics},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, tp := range g.topics {
				t.Run(tp.name, func(t *testing.T) { tp.run(t, h) })
			}
		})
	}
}

// Wrapped returns the harness with every bucket decorated by wrap, so that a
// driver's test runs the suite again through a stack of decorators.
func (h Harness) Wrapped(wrap func(storage.Bucket) storage.Bucket) Harness {
	inner := h
	h.New = func(t *testing.T) storage.Bucket { return wrap(inner.New(t)) }
	h.Reopen = func(t *testing.T, b storage.Bucket) storage.Bucket {
		return wrap(inner.reopen(t, storage.Undecorated(b).(storage.Bucket)))
	}
	return h
}

func (h Harness) refuses(key string) bool {
	return key == "" || h.Refuses != nil && h.Refuses(key)
}

func (h Harness) reopen(t *testing.T, b storage.Bucket) storage.Bucket {
	if h.Reopen == nil {
		return b
	}
	return h.Reopen(t, b)
}

func (h Harness) partSize(b storage.Bucket) int64 {
	if h.PartSize > 0 {
		return h.PartSize
	}
	return max(b.Features().MinPart, 1)
}
