// Package file is a directory tree as a bucket. It has the powers Multipart,
// Copier, Tree, Syncer and Sweeper of package storage.
//
// Nothing outside the root is ever reached: the parent directory of a key is
// opened without following a symbolic link, and everything else is one name in
// that directory. A link inside the tree is an entry, not a way. A bucket
// holds no descriptor between calls, so that a root that was removed, replaced
// or unmounted is noticed, and there is nothing to close.
//
// It must not know other drivers, retry policy, tasks or the environment.
package file

import (
	"context"
	"errors"
	"math"
	"os"
	"sync"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// Options of a bucket. Zero values stand for the defaults named.
type Options struct {
	// Owner names who writes, usually the task. Temporary files carry it, so
	// that Sweep and ListUploads touch only what this owner left behind.
	Owner string
	// TempDir takes the sort runs of very large directories; os.TempDir().
	TempDir string
	// SortRun is the number of entries of one directory that a listing sorts
	// in memory at a time; 256 Ki. An entry takes its name and 12 bytes.
	SortRun int
	// Parallel is the number of goroutines of one listing that look at
	// entries, and of directories that it reads ahead; 4.
	Parallel int
}

const (
	pageSize   = 1000
	maxParts   = 100_000
	maxPart    = 1 << 40
	bufferSize = 256 << 10
)

// Bucket is a directory tree. All methods are safe for concurrent use.
type Bucket struct {
	root    string
	o       Options
	owner   string                 // hash of Options.Owner in temporary names
	boot    func() (string, error) // names the run of the machine
	buffers sync.Pool              // of *[bufferSize]byte
}

var (
	_ storage.Bucket    = (*Bucket)(nil)
	_ storage.Multipart = (*Bucket)(nil)
	_ storage.Copier    = (*Bucket)(nil)
	_ storage.Tree      = (*Bucket)(nil)
	_ storage.Syncer    = (*Bucket)(nil)
	_ storage.Sweeper   = (*Bucket)(nil)
)

// Open names a directory tree; it does no I/O and the root need not exist (see
// Check and Create). The root itself may be a symbolic link to a directory.
func Open(root string, o Options) (*Bucket, error) {
	if root == "" {
		return nil, errors.New("file: a root is required")
	}
	if o.TempDir == "" {
		o.TempDir = os.TempDir()
	}
	if o.SortRun <= 0 {
		o.SortRun = 256 << 10
	}
	if o.Parallel <= 0 {
		o.Parallel = 4
	}
	return &Bucket{
		root: root, o: o, owner: hash(o.Owner), boot: sync.OnceValues(bootID),
		buffers: sync.Pool{New: func() any { return new([bufferSize]byte) }},
	}, nil
}

// String returns the root as it was given.
func (b *Bucket) String() string { return b.root }

// Features declares a file system. Copies have no size limit.
func (b *Bucket) Features() storage.Features {
	return storage.Features{
		FileTree:   true,
		MTimeGrain: mtimeGrain,
		MinPart:    1,
		MaxPart:    maxPart,
		MaxParts:   maxParts,
		MaxCopy:    math.MaxInt64,
		PageSize:   pageSize,
	}
}

// Check opens the root for reading.
func (b *Bucket) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d, err := openRoot(b.root, true)
	if err != nil {
		return b.readFault("check", "", noRoot(err))
	}
	d.close()
	return nil
}

// Create makes the root and its parents.
func (b *Bucket) Create(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.writeFault("create", "", os.MkdirAll(b.root, 0o777))
}

// Sync makes all finished writes survive a power cut: on Linux it syncs the
// file system that holds the root, elsewhere the root directory as well as the
// platform can. File systems mounted below the root are not included. It
// cannot be interrupted.
func (b *Bucket) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d, err := openRoot(b.root, true)
	if err != nil {
		return b.writeFault("sync", "", noRoot(err))
	}
	defer d.close()
	return b.writeFault("sync", "", d.sync())
}

// meta is what a stat tells beside the object.
func (s stat) meta() storage.Metadata {
	m := storage.Metadata{MTime: s.mtime}
	if s.kind == storage.KindFile || s.kind == storage.KindDir {
		m.Mode, m.HasMode = s.perm, true
	}
	if s.kind != storage.KindSpecial {
		m.UID, m.GID, m.HasOwner = s.owner.uid, s.owner.gid, s.owner.known
	}
	return m
}

// owner is whose an entry is, where the platform says so by number.
type owner struct {
	uid, gid uint32
	known    bool
}

// object describes an entry. Only files have a size.
func (s stat) object(key string) storage.Object {
	o := storage.Object{Key: key, ModTime: s.mtime, Kind: s.kind, Inode: s.inode, CTime: s.ctime}
	if s.kind == storage.KindFile {
		o.Size = s.size
	}
	return o
}

// is tells whether the stat shows the version that obj names.
func (s stat) is(obj *storage.Object) bool {
	return s.kind == storage.KindFile && obj.Kind == storage.KindFile && s.inode == obj.Inode &&
		s.size == obj.Size && s.ctime == obj.CTime && s.mtime.Equal(obj.ModTime)
}

// settled returns how long to wait until a later write must show in the ctime:
// file systems take times from a clock that ticks, so two writes in one tick
// look like one. A time without a fraction is that of a file system that keeps
// whole seconds.
func (s stat) settled(now time.Time) time.Duration {
	tick := 20 * time.Millisecond
	if s.ctime%int64(time.Second) == 0 {
		tick += time.Second
	}
	age := time.Duration(now.UnixNano() - s.ctime)
	return min(tick-age, tick) // a clock that is behind the file's waits one tick
}
