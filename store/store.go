// Package store keeps what is known about every object between runs and
// across crashes: the inventory, the failure ledger, listing cursors, delete
// candidates, uploads in progress and small named records, per task, in one
// embedded database (pebble).
//
// It is the only importer of pebble and shows no type of it. It must not know
// the bus, storage, drivers or workers: versions, cursors, uploads, events and
// records are opaque to it.
//
// Writes go through a [Batch], which is committed whole or not at all. Reads
// see every commit that has returned; a single read is consistent in itself.
// Keys are raw bytes, not empty, and are handed out in byte order.
//
// A [Store], its Tasks and their reads may be used by any number of
// goroutines. A Batch and a [Rows] belong to one goroutine each.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Errors by what a caller can do.
var (
	ErrInUse    = errors.New("state database is in use")                      // another process, or this one, has it open
	ErrDamaged  = errors.New("state database is damaged")                     // remove it; a new scan builds it again
	ErrFormat   = errors.New("state database was written by a newer release") // use that release
	ErrBroken   = errors.New("state database stopped after an error")         // close, mend the cause, open again
	ErrNoSpace  = errors.New("no space left for the state database")          // comes with ErrBroken
	ErrClosed   = errors.New("state database is closed")
	ErrReadOnly = errors.New("state database is open for reading only")
)

// Options of Open. The zero value opens for reading and writing.
type Options struct {
	// ReadOnly opens an existing database without changing a byte of it. It
	// takes the same lock as a writer does.
	ReadOnly bool
}

// Store is one open database.
type Store struct {
	db       *pebble.DB
	breaker  *breaker
	lock     *pebble.Lock
	readOnly bool
	rows     atomic.Int64 // open iterators

	// ledger makes replacing a failure and its place in the time index one step.
	ledger sync.Mutex

	mu     sync.RWMutex // held for reading by every operation, so that Close waits for them
	closed bool
}

// Open opens the database in dir, making both if need be, and takes the
// directory's lock: ErrInUse. ErrDamaged and ErrFormat leave the directory as
// it was. A read-only open of what does not exist is fs.ErrNotExist.
func Open(dir string, o Options) (*Store, error) {
	return open(dir, o, vfs.Default)
}

func open(dir string, o Options, fsys vfs.FS) (*Store, error) {
	if o.ReadOnly {
		// Taking the lock would make the file in any directory.
		if _, err := fsys.Stat(fsys.PathJoin(dir, "LOCK")); err != nil {
			return nil, fmt.Errorf("open state database: %w", err)
		}
	} else if err := makeDir(fsys, dir); err != nil {
		return nil, openError(err)
	}
	lock, err := pebble.LockDirectory(dir, fsys)
	if err != nil {
		return nil, lockError(dir, err)
	}
	s, err := openLocked(dir, o, fsys, lock)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

func openLocked(dir string, o Options, fsys vfs.FS, lock *pebble.Lock) (*Store, error) {
	if err := inspect(fsys, dir, o.ReadOnly); err != nil {
		return nil, err
	}
	b := &breaker{FS: fsys}
	db, err := pebble.Open(dir, tuned(b, lock, o.ReadOnly))
	if cause := b.err(); cause != nil {
		if db != nil {
			_ = db.Close() // writes nothing any more; the cause says more than what it could
		}
		return nil, cause
	}
	if err != nil {
		return nil, openError(err)
	}
	s := &Store{db: db, breaker: b, lock: lock, readOnly: o.ReadOnly}
	if err := s.checkVersion(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// checkVersion compares the version record with this release, and writes it
// into a database that is empty.
func (s *Store) checkVersion() error {
	found, err := s.get(versionKey(), checkVersionRecord)
	if found || err != nil {
		return err
	}
	empty := true
	if err := s.scan([]byte{0}, nil, 1, func(_, _ []byte) error { empty = false; return nil }); err != nil {
		return err
	}
	switch {
	case !empty:
		return fmt.Errorf("%w: the version record is missing", ErrDamaged)
	case s.readOnly:
		return fmt.Errorf("open state database: nothing was ever written: %w", fs.ErrNotExist)
	}
	b := s.db.NewBatch()
	defer b.Close()
	_ = b.Set(versionKey(), versionRecord(), nil)
	return s.apply(b, true)
}

// Close ends the database and gives the lock back. It waits for operations in
// progress; Rows must have been closed before, or it does nothing but say so.
// After ErrBroken it returns the cause; a second Close is nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	if n := s.rows.Load(); n > 0 {
		return fmt.Errorf("close state database: %d iterators are open", n)
	}
	s.closed = true
	err := s.db.Close()
	if cause := s.breaker.err(); cause != nil {
		err = cause
	}
	return errors.Join(err, s.lock.Close())
}

// Size is the disk space the database takes, in bytes; 0 after Close.
func (s *Store) Size() (bytes uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0
	}
	return s.db.Metrics().DiskSpaceUsage()
}

// Err is nil, ErrClosed, or why the store is broken.
func (s *Store) Err() error {
	if err := s.enter(); err != nil {
		return err
	}
	s.leave()
	return nil
}

// Task returns a view of one task's tables. Any name will do; a task exists
// once something is committed to it.
func (s *Store) Task(name string) *Task {
	return &Task{s: s, prefix: taskPrefix(name)}
}

// Tasks returns the names of all tasks that hold anything, in byte order.
func (s *Store) Tasks() ([]string, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceTask}, UpperBound: []byte{spaceTask + 1}})
	if err != nil {
		return nil, s.readError(err)
	}
	var names []string
	for ok := it.First(); ok; {
		name, err := taskName(it.Key())
		if err != nil {
			_ = it.Close()
			return nil, err
		}
		names = append(names, name)
		ok = it.SeekGE(after(taskPrefix(name)))
	}
	sort.Strings(names)
	return names, s.readError(it.Close())
}

// Forget removes all tables of a task; when it returns, that survives a power
// cut. A task that does not exist is success. Batches of the task that are
// committed later make it anew.
func (s *Store) Forget(task string) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	b := s.db.NewBatch()
	defer b.Close()
	p := taskPrefix(task)
	_ = b.DeleteRange(p, after(p), nil)
	return s.apply(b, true)
}

// enter begins an operation; unless it fails, leave must end it.
func (s *Store) enter() error {
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return ErrClosed
	}
	if cause := s.breaker.err(); cause != nil {
		s.mu.RUnlock()
		return cause
	}
	return nil
}

func (s *Store) leave() { s.mu.RUnlock() }

// apply commits a batch. Errors of the disk never reach pebble (see breaker),
// so success is only what the breaker agrees with afterwards.
func (s *Store) apply(b *pebble.Batch, sync bool) error {
	if s.readOnly {
		return ErrReadOnly
	}
	o := pebble.NoSync
	if sync {
		o = pebble.Sync
	}
	err := s.db.Apply(b, o)
	if cause := s.breaker.err(); cause != nil {
		return cause
	}
	return err
}

// get hands the value of key to use, which must not keep it.
func (s *Store) get(key []byte, use func(val []byte) error) (bool, error) {
	val, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, s.breaker.err()
	}
	if err != nil {
		return false, s.readError(err)
	}
	err = use(val)
	if cerr := s.readError(closer.Close()); err == nil {
		err = cerr
	}
	return err == nil, err
}

// scan hands the entries with lower <= key < upper (nil: no end) to fn, at
// most limit of them, which must not keep them.
func (s *Store) scan(lower, upper []byte, limit int, fn func(key, val []byte) error) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return s.readError(err)
	}
	for ok := limit > 0 && it.First(); ok; ok = it.Next() {
		val, err := it.ValueAndErr()
		if err == nil {
			err = fn(it.Key(), val)
		} else {
			err = s.readError(err)
		}
		if err != nil {
			_ = it.Close()
			return err
		}
		if limit--; limit == 0 {
			break
		}
	}
	return s.readError(it.Close())
}

// readError names what pebble says about a read.
func (s *Store) readError(err error) error {
	switch {
	case err == nil:
		return s.breaker.err()
	case s.breaker.err() != nil:
		return s.breaker.err()
	case pebble.IsCorruptionError(err):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return fmt.Errorf("read state database: %w", err)
}
