// Package mem is the reference driver: the smallest correct bucket, in memory.
// Tests and simulations use it in place of an object store.
//
// It models a store with plain MD5 ETags, conditional writes, metadata,
// multipart uploads and server-side copy. It must not know any other driver,
// and it keeps no file, no goroutine and no clock of its own.
package mem

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// Options describe a server. Zero values stand for the defaults named.
type Options struct {
	PageSize int              // keys per listing page; 1000
	MinPart  int64            // smallest part but the last, bytes; 1
	MaxPut   int64            // largest Put and part, bytes; no limit for Put, 5 GiB for a part
	MaxCopy  int64            // largest CopyFrom, bytes; 5 GiB
	Now      func() time.Time // time.Now
	// Classes are the storage classes; a few of Amazon's. RestoreTime is how
	// long a restore of an archived object takes; 0: it is done at once.
	Classes     []storage.Class
	RestoreTime time.Duration
}

// Server holds buckets that can copy from each other. It is safe for
// concurrent use.
type Server struct {
	o Options

	mu      sync.Mutex
	buckets map[string]*contents
	uploads int // ever begun; numbers the ids
}

// contents is one bucket that has been created.
type contents struct {
	keys    []string // in order
	objects map[string]*object
	uploads map[string]*upload
}

// object is never changed, so that who reads it sees one version to the end.
type object struct {
	storage.Info
	body []byte
	// An archived object can be read from readable, unless that is zero, to until.
	readable, until time.Time
}

// NewServer returns a server without buckets.
func NewServer(o Options) *Server {
	if o.PageSize <= 0 {
		o.PageSize = 1000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.MinPart = max(o.MinPart, 1)
	if o.MaxCopy <= 0 {
		o.MaxCopy = 5 << 30
	}
	if o.Classes == nil {
		o.Classes = []storage.Class{
			{Name: "STANDARD"}, {Name: "STANDARD_IA", Tier: storage.TierInfrequent},
			{Name: "GLACIER", Tier: storage.TierArchive}, {Name: "DEEP_ARCHIVE", Tier: storage.TierDeep},
		}
	}
	return &Server{o: o, buckets: map[string]*contents{}}
}

// Bucket opens a bucket by name. It need not exist: its calls then fail with
// ErrNoBucket until Create. Values opened with one name hold the same objects.
func (s *Server) Bucket(name string) *Bucket { return &Bucket{s: s, name: name} }

// New returns an empty bucket, already created, on a server of its own.
func New(o Options) *Bucket {
	b := NewServer(o).Bucket("bucket")
	b.s.create(b.name)
	return b
}

func (s *Server) create(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[name] == nil {
		s.buckets[name] = &contents{objects: map[string]*object{}, uploads: map[string]*upload{}}
	}
}

// Bucket is a storage.Bucket with the powers Multipart, Copier, PartCopier,
// Tagger and Restorer.
type Bucket struct {
	s    *Server
	name string
}

var (
	_ storage.Bucket     = (*Bucket)(nil)
	_ storage.Multipart  = (*Bucket)(nil)
	_ storage.Copier     = (*Bucket)(nil)
	_ storage.PartCopier = (*Bucket)(nil)
	_ storage.Tagger     = (*Bucket)(nil)
	_ storage.Restorer   = (*Bucket)(nil)
)

// String returns "mem://" and the bucket's name.
func (b *Bucket) String() string { return "mem://" + b.name }

// Features declares what a modern object store can do.
func (b *Bucket) Features() storage.Features {
	maxPart := b.s.o.MaxPut
	if maxPart <= 0 {
		maxPart = 5 << 30
	}
	return storage.Features{
		ETagIsMD5:    true,
		Metadata:     true,
		Tags:         true,
		Classes:      b.s.o.Classes,
		PutIfAbsent:  true,
		PutIfVersion: true,
		CheapRanges:  true,
		MaxPut:       b.s.o.MaxPut,
		MinPart:      b.s.o.MinPart,
		MaxPart:      max(maxPart, b.s.o.MinPart),
		MaxParts:     10_000,
		MaxCopy:      b.s.o.MaxCopy,
		PageSize:     b.s.o.PageSize,
	}
}

func (b *Bucket) fail(op, key string, kind, cause error) error {
	return &storage.Error{Op: op, Key: key, Place: b.String(), Kind: kind, Err: cause}
}

// hold runs f with the bucket's contents under the server's lock.
func (b *Bucket) hold(ctx context.Context, op, key string, f func(*contents) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	c := b.s.buckets[b.name]
	if c == nil {
		return b.fail(op, key, storage.ErrNoBucket, nil)
	}
	return f(c)
}

// Check tells whether the bucket was created.
func (b *Bucket) Check(ctx context.Context) error {
	return b.hold(ctx, "check", "", func(*contents) error { return nil })
}

// Create makes the bucket.
func (b *Bucket) Create(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.s.create(b.name)
	return nil
}

// Delete removes an object.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if key == "" {
		return b.fail("delete", key, storage.ErrInvalidKey, nil)
	}
	return b.hold(ctx, "delete", key, func(c *contents) error {
		c.remove(key)
		return nil
	})
}

func (c *contents) remove(key string) {
	if c.objects[key] == nil {
		return
	}
	delete(c.objects, key)
	i, _ := slices.BinarySearch(c.keys, key)
	c.keys = slices.Delete(c.keys, i, i+1)
}

func (c *contents) add(o *object) {
	if c.objects[o.Key] == nil {
		i, _ := slices.BinarySearch(c.keys, o.Key)
		c.keys = slices.Insert(c.keys, i, o.Key)
	}
	c.objects[o.Key] = o
}

func (s *Server) newID() string {
	s.uploads++
	return "upload-" + strconv.Itoa(s.uploads)
}
