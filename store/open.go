package store

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

const (
	memtableBytes = 4 << 20
	memtables     = 3 // one being filled and two being flushed, then writes wait
	// Pebble takes the memtables out of the cache's budget: 8 MiB are left for
	// blocks while two of them exist, the usual case, and 4 MiB at worst.
	cacheBytes = 16 << 20
	openFiles  = 200

	// diskFormat is pinned, so that a newer pebble does not silently make
	// databases that an earlier release cannot open.
	diskFormat = pebble.FormatTableFormatV6
)

// tuned are the settings of a database that is one part of a small process:
// 16 MiB for blocks and memtables together, one compaction at a time.
func tuned(b *breaker, lock *pebble.Lock, readOnly bool) *pebble.Options {
	o := &pebble.Options{
		FS:                          b,
		Lock:                        lock,
		ReadOnly:                    readOnly,
		FormatMajorVersion:          diskFormat,
		CacheSize:                   cacheBytes,
		MemTableSize:                memtableBytes,
		MemTableStopWritesThreshold: memtables,
		MaxOpenFiles:                openFiles,
		Logger:                      quiet{},
		EventListener: &pebble.EventListener{
			// Pebble repeats failed flushes and compactions at once and for ever.
			BackgroundError: func(err error) { b.trip(damage(err)) },
			DataCorruption:  func(i pebble.DataCorruptionInfo) { b.trip(damage(i.Details)) },
		},
	}
	o.Experimental.FileCacheShards = 1
	o.Experimental.CompactionScheduler = scheduler{
		// The one without a ticker: with a fixed limit there is nothing to sample.
		pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest(), b,
	}
	return o
}

// damage marks what pebble calls corruption.
func damage(err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// quiet drops what pebble would log: errors come back to the caller. What is
// fatal to pebble once disk errors are kept from it is a defect of the program.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic("state database: " + fmt.Sprintf(format, args...))
}

// scheduler starts no compaction after the breaker has tripped.
type scheduler struct {
	*pebble.ConcurrencyLimitScheduler
	breaker *breaker
}

func (s scheduler) Register(goroutines int, db pebble.DBForCompaction) {
	s.ConcurrencyLimitScheduler.Register(goroutines, stoppable{db, s.breaker})
}

type stoppable struct {
	pebble.DBForCompaction
	breaker *breaker
}

func (s stoppable) GetAllowedWithoutPermission() int {
	if s.breaker.err() != nil {
		return 0
	}
	return s.DBForCompaction.GetAllowedWithoutPermission()
}

// makeDir makes dir and what is missing above it, for the owner only, so that
// it survives a power cut.
func makeDir(fsys vfs.FS, dir string) error {
	var parents []string
	for d := dir; ; d = fsys.PathDir(d) {
		if _, err := fsys.Stat(d); err == nil || d == fsys.PathDir(d) {
			break
		}
		parents = append(parents, fsys.PathDir(d))
	}
	if err := fsys.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, p := range parents {
		if err := syncDir(fsys, p); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(fsys vfs.FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// inspect looks at a directory before pebble changes anything in it.
func inspect(fsys vfs.FS, dir string, mustExist bool) error {
	format, err := atomicfs.ReadMarker(fsys, dir, "format-version")
	if err != nil {
		return openError(err)
	}
	if n, _ := strconv.ParseUint(format, 10, 64); n > uint64(pebble.FormatNewest) {
		return fmt.Errorf("%w: disk format %s", ErrFormat, format)
	}
	desc, err := pebble.Peek(dir, fsys)
	if err != nil {
		return openError(err)
	}
	if desc.Exists {
		return nil
	}
	names, err := fsys.List(dir)
	if err != nil {
		return openError(err)
	}
	for _, n := range names {
		// Pebble would begin anew and delete these.
		if strings.HasSuffix(n, ".sst") || strings.HasSuffix(n, ".log") {
			return fmt.Errorf("%w: no manifest, but %s", ErrDamaged, n)
		}
	}
	if mustExist {
		return fmt.Errorf("open state database: %w", fs.ErrNotExist)
	}
	return nil
}

// openError tells the file system's errors from those of what was read: all
// that pebble finds wrong while it opens a database is damage.
func openError(err error) error {
	var errno syscall.Errno
	switch {
	case vfs.IsNoSpaceError(err):
		return fmt.Errorf("open state database: %w: %w", ErrNoSpace, err)
	case errors.As(err, &errno) && errno != syscall.ENOENT:
		return fmt.Errorf("open state database: %w", err)
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

func lockError(dir string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("open state database: %w", err)
	}
	return fmt.Errorf("%w: %s: %w", ErrInUse, dir, err)
}
