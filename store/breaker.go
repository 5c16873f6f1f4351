package store

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// breaker stands between pebble and the disk. Pebble ends the process when a
// write or sync of its log or manifest fails, in places from which nobody can
// recover (a mutex unlocked twice), and repeats failed flushes for ever. So it
// never hears of such an error: the first one trips the breaker, and from then
// on nothing is written, renamed or removed any more, while pebble is told
// that all went well. The disk stays as a power cut at that moment would have
// left it, which is what pebble recovers from at the next open; goroutines
// that wait for the disk go on; Close works. The store looks at the breaker
// after every commit and before every answer, and then reports the cause.
type breaker struct {
	vfs.FS
	cause atomic.Pointer[error]
}

// trip keeps the first cause.
func (b *breaker) trip(cause error) {
	err := fmt.Errorf("%w: %w", ErrBroken, cause)
	if vfs.IsNoSpaceError(cause) {
		err = fmt.Errorf("%w: %w: %w", ErrBroken, ErrNoSpace, cause)
	}
	b.cause.CompareAndSwap(nil, &err)
}

// err is nil, or why the store is broken.
func (b *breaker) err() error {
	if p := b.cause.Load(); p != nil {
		return *p
	}
	return nil
}

// write does one change, unless the breaker is tripped.
func (b *breaker) write(change func() error) {
	if b.err() != nil {
		return
	}
	if err := change(); err != nil {
		b.trip(err)
	}
}

// create opens a file for writing; one that leads nowhere if that is not possible.
func (b *breaker) create(open func() (vfs.File, error)) (vfs.File, error) {
	var f vfs.File
	b.write(func() (err error) { f, err = open(); return err })
	if b.err() != nil && f == nil {
		f = vfs.NewMemFile(nil) // only for its Stat: writes end in guarded
	}
	return &guarded{f, b}, nil
}

func (b *breaker) Unwrap() vfs.FS { return b.FS }

// Create syncs the directory before it makes a marker, which is a name that
// points to another file: a power cut must not keep the one without the other.
func (b *breaker) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(b.PathBase(name), "marker.") {
		b.write(func() error { return syncDir(b.FS, b.PathDir(name)) })
	}
	return b.create(func() (vfs.File, error) { return b.FS.Create(name, c) })
}

func (b *breaker) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return b.create(func() (vfs.File, error) { return b.FS.OpenReadWrite(name, c, o...) })
}

func (b *breaker) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return b.create(func() (vfs.File, error) { return b.FS.ReuseForWrite(old, name, c) })
}

// Open does not say "not found" of a file that was never really written: that
// is fatal to pebble.
func (b *breaker) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := b.FS.Open(name, o...)
	if cause := b.err(); err != nil && cause != nil {
		return nil, cause
	}
	return f, err
}

// OpenDir opens a directory, which pebble does to sync it.
func (b *breaker) OpenDir(name string) (vfs.File, error) {
	f, err := b.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guarded{f, b}, nil
}

func (b *breaker) Link(old, name string) error {
	b.write(func() error { return b.FS.Link(old, name) })
	return nil
}

func (b *breaker) Rename(old, name string) error {
	b.write(func() error { return b.FS.Rename(old, name) })
	return nil
}

func (b *breaker) MkdirAll(dir string, perm os.FileMode) error {
	b.write(func() error { return b.FS.MkdirAll(dir, perm) })
	return nil
}

// Remove may fail: a file too many loses nothing. It must not happen once
// what replaces the file was not written.
func (b *breaker) Remove(name string) error {
	if b.err() != nil {
		return nil
	}
	return b.FS.Remove(name)
}

func (b *breaker) RemoveAll(name string) error {
	if b.err() != nil {
		return nil
	}
	return b.FS.RemoveAll(name)
}

// guarded is a file opened for writing, or a directory.
type guarded struct {
	vfs.File
	b *breaker
}

func (f *guarded) Write(p []byte) (int, error) {
	f.b.write(func() error { _, err := f.File.Write(p); return err })
	return len(p), nil
}

func (f *guarded) WriteAt(p []byte, off int64) (int, error) {
	f.b.write(func() error { _, err := f.File.WriteAt(p, off); return err })
	return len(p), nil
}

// Preallocate is a hint: the write that follows tells whether there is space.
func (f *guarded) Preallocate(off, n int64) error {
	if f.b.err() != nil {
		return nil
	}
	return f.File.Preallocate(off, n)
}

func (f *guarded) Sync() error {
	f.b.write(f.File.Sync)
	return nil
}

func (f *guarded) SyncData() error {
	f.b.write(f.File.SyncData)
	return nil
}

func (f *guarded) SyncTo(n int64) (full bool, err error) {
	f.b.write(func() (err error) { full, err = f.File.SyncTo(n); return err })
	return full, nil
}

// Close always closes: the descriptor must not leak.
func (f *guarded) Close() error {
	if err := f.File.Close(); err != nil {
		f.b.trip(err)
	}
	return nil
}
