package store

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// hookFS calls a function before every change of a file system; its error, if
// any, takes the place of the change.
type hookFS struct {
	*errorfs.FS
	inner vfs.FS
	hook  errorfs.Injector
}

func newHookFS(inner vfs.FS, hook func(op errorfs.Op) error) vfs.FS {
	inj := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpLock {
			return hook(op)
		}
		return nil
	})
	return hookFS{errorfs.Wrap(inner, inj), inner, inj}
}

// ReuseForWrite also hooks the file, which errorfs does not.
func (h hookFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := h.hook.MaybeError(errorfs.Op{Kind: errorfs.OpReuseForWrite, Path: old}); err != nil {
		return nil, err
	}
	f, err := h.inner.ReuseForWrite(old, name, c)
	if err != nil {
		return nil, err
	}
	return errorfs.WrapFile(f, h.hook), nil
}

// history is a random sequence of commits to one task and what the task holds
// after each. The numbers say how far a run of it came.
type history struct {
	begun, synced atomic.Int64

	mu     sync.Mutex
	states []*model
}

func (h *history) state(i int64) *model {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.states[i]
}

func newHistory() *history { return &history{states: []*model{newModel()}} }

// run commits until a commit fails or n are done, with flushes and reopenings
// in between. It returns the first error; the store is closed.
func (h *history) run(r *rand.Rand, fsys vfs.FS, n int) error {
	s, err := open("db", Options{}, fsys)
	if err != nil {
		return err
	}
	for range n {
		if err := h.commit(r, s.Task("t")); err != nil {
			_ = s.Close()
			return err
		}
		switch r.IntN(12) {
		case 0, 1, 2: // some of these make a compaction
			_ = s.db.Flush() // what it means for us, the next commit says
		case 3:
			if err := s.Close(); err != nil {
				return err
			}
			if s, err = open("db", Options{}, fsys); err != nil {
				return err
			}
		}
	}
	return s.Close()
}

func (h *history) commit(r *rand.Rand, task *Task) error {
	next, b := h.state(h.begun.Load()).clone(), task.Batch()
	for range 1 + r.IntN(8) {
		change(r, next, b)
	}
	h.mu.Lock()
	h.states = append(h.states, next)
	h.mu.Unlock()
	i := h.begun.Add(1)
	sync := r.IntN(2) == 0
	err := b.Commit(sync)
	if err == nil && sync {
		h.synced.Store(i)
	}
	return err
}

// check opens what is left on a disk: it holds the state after one of the
// commits from low to high, and takes new ones.
func (h *history) check(t *testing.T, disk vfs.FS, low, high int64) {
	t.Helper()
	s, err := open("db", Options{}, disk)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	got := read(t, s.Task("t"))
	found := int64(-1)
	for i := high; i >= low && found < 0; i-- {
		if diff(got, h.state(i)) == "" {
			found = i
		}
	}
	if found < 0 {
		for i := range low {
			if diff(got, h.state(i)) == "" {
				t.Fatalf("%d … %d commits were acknowledged or begun, %d are there", low, high, i)
			}
		}
		t.Fatalf("what is there is the state after none of %d … %d commits: against %d: %.2000s",
			low, high, low, diff(got, h.state(low)))
	}
	b := s.Task("t").Batch()
	b.PutRecord("after the crash", []byte("x"))
	if err := b.Commit(true); err != nil {
		t.Fatalf("commit afterwards: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// TestPowerCut cuts the power before any write, sync, rename or removal, from
// the making of the directory on. With what was not synced lost, kept or kept
// in random pieces, the synced commits are there, possibly later ones, in
// order and whole.
func TestPowerCut(t *testing.T) {
	r := random(t)
	every := 4
	if testing.Short() {
		every = 40
	}
	type cut struct {
		disk      vfs.FS
		low, high int64
		op        errorfs.Op
	}
	mem := vfs.NewCrashableMem()
	h := newHistory()
	var (
		mu   sync.Mutex
		cuts []cut
		ops  int
		rng  = rand.New(rand.NewPCG(r.Uint64(), 2))
	)
	fsys := newHookFS(mem, func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		ops++
		if ops > 100 && rng.IntN(every) > 0 { // all of the first open
			return nil
		}
		c := cut{op: op, low: h.synced.Load()}
		c.disk = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: pick(rng, []int{0, 50, 100}), RNG: rng})
		c.high = h.begun.Load()
		cuts = append(cuts, c)
		return nil
	})
	if err := h.run(r, fsys, 300); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	t.Logf("%d cuts in %d operations", len(cuts), ops)
	for _, c := range cuts {
		if !t.Run(fmt.Sprintf("%d/%s", c.op.Kind, c.op.Path), func(t *testing.T) { h.check(t, c.disk, c.low, c.high) }) {
			return
		}
	}
}
