package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

var errDisk = errors.New("the disk is on fire")

// TestWriteErrors fails one change of the disk, or all from one on: removals
// may fail, anything else breaks the store. What was acknowledged before is
// there, nothing later is claimed, nothing hangs, panics or leaks.
func TestWriteErrors(t *testing.T) {
	r := random(t)
	seed := r.Uint64()
	var total atomic.Int64 // about: background work makes it vary
	count := newHookFS(vfs.NewMem(), func(errorfs.Op) error { total.Add(1); return nil })
	if err := newHistory().run(rand.New(rand.NewPCG(seed, 3)), count, 120); err != nil {
		t.Fatal(err)
	}
	step := 6
	if testing.Short() {
		step = 50
	}
	for at := 1; at <= int(total.Load()) && !t.Failed(); at += 1 + r.IntN(step) {
		t.Run(fmt.Sprint(at), func(t *testing.T) { writeError(t, seed, at, at%2 == 0) })
	}
}

func writeError(t *testing.T, seed uint64, at int, lasting bool) {
	mem := vfs.NewCrashableMem()
	var (
		mu     sync.Mutex
		n      int
		failed errorfs.Op
		broke  bool // by something that may not fail
	)
	fsys := newHookFS(mem, func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		n++
		if n != at && !(lasting && n > at) {
			return nil
		}
		failed = op
		switch op.Kind {
		case errorfs.OpRemove, errorfs.OpRemoveAll, errorfs.OpFilePreallocate:
		default:
			broke = true
		}
		return errDisk
	})
	h := newHistory()
	err := h.run(rand.New(rand.NewPCG(seed, 3)), fsys, 120)
	mu.Lock()
	defer mu.Unlock()
	if broke != (err != nil) || err != nil && !errors.Is(err, errDisk) {
		t.Fatalf("failed %d %s, the history ended with: %v", failed.Kind, failed.Path, err)
	}
	t.Logf("failed %d %s, then %v", failed.Kind, failed.Path, err)
	low, high := h.synced.Load(), h.begun.Load()
	// After the process, and after the machine.
	rng := rand.New(rand.NewPCG(seed, 4))
	h.check(t, mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng}), low, high)
	h.check(t, mem.CrashClone(vfs.CrashCloneCfg{}), low, high)
}

// failing is a disk that begins to fail on command.
type failing struct {
	vfs.FS
	err atomic.Pointer[error]
}

func newFailing(inner vfs.FS, kinds ...errorfs.OpKind) *failing {
	f := &failing{}
	f.FS = newHookFS(inner, func(op errorfs.Op) error {
		p := f.err.Load()
		if p == nil {
			return nil
		}
		for _, k := range kinds {
			if op.Kind == k && !(k == errorfs.OpCreate && !strings.HasSuffix(op.Path, ".sst")) {
				return *p
			}
		}
		return nil
	})
	return f
}

func (f *failing) fail(err error) { f.err.Store(&err) }

// TestBroken looks at every way in after a failed commit.
func TestBroken(t *testing.T) {
	for name, c := range map[string]struct {
		cause error
		kind  errorfs.OpKind
		space bool
	}{
		"write":    {errDisk, errorfs.OpFileWrite, false},
		"sync":     {errDisk, errorfs.OpFileSyncData, false},
		"no space": {syscall.ENOSPC, errorfs.OpFileWrite, true},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			disk := newFailing(mem, c.kind)
			s, err := open("db", Options{}, disk)
			if err != nil {
				t.Fatal(err)
			}
			task := s.Task("t")
			put := func(key string) error {
				b := task.Batch()
				b.PutRow(key, goldenRow)
				b.PutFailure(goldenFailure)
				return b.Commit(true)
			}
			if err := put("before"); err != nil {
				t.Fatal(err)
			}
			rows := task.Rows("", "")
			disk.fail(c.cause)
			check := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, ErrBroken) || !errors.Is(err, c.cause) || errors.Is(err, ErrNoSpace) != c.space {
					t.Errorf("%s: %v", what, err)
				}
			}
			check("commit", put("while"))
			disk.err.Store(nil) // a disk that recovers changes nothing
			check("commit again", put("after"))
			check("forget", s.Forget("t"))
			check("err", s.Err())
			_, err = s.Tasks()
			check("tasks", err)
			_, _, err = task.Row("before")
			check("row", err)
			_, err = task.Failures("", 1)
			check("failures", err)
			_, err = task.Due(goldenTime, 1)
			check("due", err)
			if rows.Next() {
				t.Error("an open walk went on")
			}
			check("open rows", rows.Err())
			if err := rows.Close(); err != nil && !errors.Is(err, ErrBroken) {
				t.Error(err)
			}
			fresh := task.Rows("", "")
			if fresh.Next() {
				t.Error("a new walk began")
			}
			check("rows", fresh.Err())
			check("close", s.Close())

			s, err = open("db", Options{}, mem)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for key, want := range map[string]bool{"before": true, "after": false} {
				if _, found, err := s.Task("t").Row(key); err != nil || found != want {
					t.Errorf("%s: %v, %v", key, found, err)
				}
			}
		})
	}
}

// TestStalledWriters commits more than the memtables hold while they cannot
// be flushed: writers must get the error, not wait for ever.
func TestStalledWriters(t *testing.T) {
	disk := newFailing(vfs.NewMem(), errorfs.OpCreate)
	s, err := open("db", Options{}, disk)
	if err != nil {
		t.Fatal(err)
	}
	disk.fail(errDisk)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				b := s.Task("t").Batch()
				b.PutRecord(fmt.Sprint(w, i), make([]byte, 100_000))
				if err := b.Commit(i%2 == 0); err != nil {
					if !errors.Is(err, ErrBroken) || !errors.Is(err, errDisk) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	wg.Wait()
	if err := s.Close(); !errors.Is(err, errDisk) {
		t.Error(err)
	}
}

// TestDamagedTable flips bytes of a table file that is full of rows.
func TestDamagedTable(t *testing.T) {
	mem := vfs.NewMem()
	s, err := open("db", Options{}, mem)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, 0, 5000)
	if err := errors.Join(s.db.Flush(), s.Close()); err != nil {
		t.Fatal(err)
	}
	names, err := mem.List("db")
	if err != nil {
		t.Fatal(err)
	}
	flipped := 0
	for _, n := range names {
		if !strings.HasSuffix(n, ".sst") {
			continue
		}
		f, err := mem.OpenReadWrite("db/"+n, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte("not what was here"), 5000); err != nil {
			t.Fatal(err)
		}
		f.Close()
		flipped++
	}
	if flipped == 0 {
		t.Fatalf("no table in %q", names)
	}
	s, err = open("db", Options{}, mem)
	if err == nil {
		rows := s.Task("photos-3fa9c1").Rows("", "")
		for rows.Next() {
			if _, err := rows.Row(); err != nil {
				break
			}
		}
		err = rows.Err()
		rows.Close()
		s.Close()
	}
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("reading flipped bytes: %v", err)
	}
}

// TestDamagedDir takes files away or spoils them.
func TestDamagedDir(t *testing.T) {
	for name, c := range map[string]struct {
		prefix, suffix string
		spoil          bool
		want           error
	}{
		"no table":       {"", ".sst", false, ErrDamaged},
		"no manifest":    {"MANIFEST", "", false, ErrDamaged},
		"no marker":      {"marker.manifest", "", false, ErrDamaged},
		"no format":      {"marker.format-version", "", false, ErrDamaged},
		"spoilt options": {"OPTIONS", "", true, ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			s, err := open("db", Options{}, mem)
			if err != nil {
				t.Fatal(err)
			}
			fill(t, s, 0, 10)
			if err := errors.Join(s.db.Flush(), s.Close()); err != nil {
				t.Fatal(err)
			}
			names, err := mem.List("db")
			if err != nil {
				t.Fatal(err)
			}
			hit := false
			for _, n := range names {
				if !strings.HasPrefix(n, c.prefix) || !strings.HasSuffix(n, c.suffix) {
					continue
				}
				hit = true
				if err := mem.Remove("db/" + n); err != nil {
					t.Fatal(err)
				}
				if c.spoil {
					f, err := mem.Create("db/"+n, vfs.WriteCategoryUnspecified)
					if err != nil {
						t.Fatal(err)
					}
					_, _ = f.Write([]byte("[Options]\n  comparer=another\n"))
					f.Close()
				}
			}
			if !hit {
				t.Fatalf("nothing to spoil in %q", names)
			}
			s, err = open("db", Options{}, mem)
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, c.want) {
				t.Errorf("open: %v", err)
			}
		})
	}
}
