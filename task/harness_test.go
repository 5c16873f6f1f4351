package task

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/bus/membus"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/mem"
	"github.com/sluice-sync/sluice/store"
)

// rig is a task between two stores in memory, and what outlives its processes.
type rig struct {
	t        *testing.T
	src, dst *mem.Bucket // undecorated
	stored   *membus.Store
	dir      string
	cfg      Config

	live *process              // the one that was started last
	wrap func(bus.Bus) bus.Bus // decorates the bus of a process; nil: not

	mu      sync.Mutex
	wrote   map[string]int // objects that appeared at the target, by key
	deleted map[string]int
	notices []string
}

// bubble runs a test on fake time; goroutines that stay are found.
func bubble(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { f(t, newRig(t, dir)) })
}

func newRig(t *testing.T, dir string) *rig {
	r := &rig{
		t: t, dir: dir, stored: new(membus.Store), wrote: map[string]int{}, deleted: map[string]int{},
		src: mem.New(mem.Options{PageSize: 10}), dst: mem.New(mem.Options{PageSize: 10}),
	}
	r.cfg = Config{
		Name: "t", BootID: "boot-1", Source: r.src, Target: r.watched(),
		Spec:   Spec{MaxDelete: DefaultCap(), Workers: 4, Threshold: 64 << 10, PartSize: 16 << 10},
		Notify: r.note,
	}
	return r
}

// watched is the target with its writes noted. Faults go around it, so that
// what took effect and was not answered is noted, too.
func (r *rig) watched() storage.Bucket {
	return &tap{Bucket: r.dst, after: func(op fault.Op, key string, _ storage.Object) {
		r.mu.Lock()
		defer r.mu.Unlock()
		switch op {
		case fault.Put, fault.CompleteUpload, fault.CopyFrom:
			r.wrote[key]++
		case fault.Delete:
			r.deleted[key]++
		}
	}}
}

func (r *rig) note(_ Level, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notices = append(r.notices, text)
}

func (r *rig) noticed(part string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(strings.Join(r.notices, "\n"), part)
}

func (r *rig) no(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// process is one process that runs the task.
type process struct {
	*Task
	bus    *membus.Bus
	store  *store.Store
	killer sync.WaitGroup
	stop   context.CancelFunc
	done   chan struct{}
	sum    Snapshot
	err    error
}

func (r *rig) start() *process {
	r.t.Helper()
	s, err := store.Open(r.dir, store.Options{})
	r.no(err)
	b := membus.New(membus.Options{Store: r.stored})
	cfg := r.cfg
	cfg.Store, cfg.Bus = s, b
	if r.wrap != nil {
		cfg.Bus = r.wrap(b)
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &process{Task: New(cfg), bus: b, store: s, stop: stop, done: make(chan struct{})}
	r.live = p
	go func() {
		defer close(p.done)
		p.sum, p.err = p.Run(ctx)
		stop()
		p.killer.Wait()
		if err := errors.Join(b.Close(), s.Close()); p.err == nil {
			p.err = err
		}
	}()
	return p
}

func (p *process) wait() (Snapshot, error) {
	<-p.done
	return p.sum, p.err
}

// run is a process from start to end.
func (r *rig) run() (Snapshot, error) {
	r.t.Helper()
	return r.start().wait()
}

// finish runs a process that must do what is to be done.
func (r *rig) finish(want string) Snapshot {
	r.t.Helper()
	s, err := r.run()
	r.no(err)
	r.says(s, want)
	if s.State != StateDone || s.Phase != phaseDone || s.Pending != 0 || s.Retrying != 0 || s.Type != "summary" {
		r.t.Fatalf("not done: %+v", s)
	}
	r.clean()
	return s
}

// says fails unless the counts of a snapshot are these; 0 is left out.
func (r *rig) says(s Snapshot, want string) {
	r.t.Helper()
	var got []string
	for _, c := range []struct {
		name string
		n    int64
	}{
		{"found", s.Found}, {"copied", s.Copied}, {"skipped", s.Skipped}, {"pending", s.Pending}, {"failed", s.Failed},
		{"deleted", s.Deleted}, {"failed deletes", s.FailedDeletes}, {"held", s.DeletesHeld}, {"changing", s.Changing},
	} {
		if c.n != 0 {
			got = append(got, fmt.Sprintf("%s %d", c.name, c.n))
		}
	}
	if g := strings.Join(got, ", "); g != want {
		r.t.Errorf("the snapshot says %q, want %q (%+v)", g, want, s)
	}
}

// at does something before the nth call of a kind on a bucket, with which the
// caller decorates it.
func at(b storage.Bucket, op fault.Op, n int, do func()) storage.Bucket {
	var mu sync.Mutex // held by do, or all others could overtake it
	seen := 0
	return &tap{Bucket: b, before: func(o fault.Op, _ string) error {
		mu.Lock()
		defer mu.Unlock()
		if o == op {
			if seen++; seen == n {
				do()
			}
		}
		return nil
	}}
}

// interrupt runs a process until the nth object is about to be written.
func (r *rig) interrupt(n int) Snapshot {
	r.t.Helper()
	whole := r.cfg.Target
	r.cfg.Target = at(whole, fault.Put, n, func() { r.live.stop() })
	s, err := r.run()
	r.cfg.Target = whole
	if !errors.Is(err, ErrInterrupted) || s.State != StateInterrupted {
		r.t.Fatalf("interrupted: %v, %+v", err, s)
	}
	return s
}

// forget drops what was noted of writes.
func (r *rig) forget() {
	clear(r.wrote)
	clear(r.deleted)
}

// once fails unless each object was written exactly once.
func (r *rig) once() {
	r.t.Helper()
	for key, n := range r.wrote {
		if n != 1 {
			r.t.Errorf("%s was written %d times", key, n)
		}
	}
}

// state opens the store while no process has it.
func (r *rig) state(look func(st *store.Task)) {
	r.t.Helper()
	s, err := store.Open(r.dir, store.Options{})
	r.no(err)
	look(s.Task(r.cfg.Name))
	r.no(s.Close())
}

// clean fails if anything of an upload is left.
func (r *rig) clean() {
	r.t.Helper()
	open, err := r.dst.ListUploads(context.Background(), "")
	r.no(err)
	r.state(func(st *store.Task) {
		recs, err := st.Uploads("", 10)
		r.no(err)
		if len(open)+len(recs) > 0 {
			r.t.Errorf("left behind: %d uploads at the target %v, %d records", len(open), open, len(recs))
		}
	})
}

// noise is bytes that no other seed gives.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	g := rand.NewPCG(seed, 3)
	for i := range b {
		b[i] = byte(g.Uint64())
	}
	return b
}

func (r *rig) put(b storage.Bucket, key string, body []byte, m storage.Metadata) {
	r.t.Helper()
	_, err := b.Put(context.Background(), key, bytes.NewReader(body), storage.PutOptions{Size: int64(len(body)), Meta: m})
	r.no(err)
}

// fill puts n small objects at the source, of which those of another
// generation differ.
func (r *rig) fill(n int, generation uint64) {
	r.t.Helper()
	for i := range n {
		r.put(r.src, fmt.Sprintf("dir/%03d", i), noise(uint64(i)+generation<<32, 100+i), storage.Metadata{
			ContentType: "text/x-test", User: map[string]string{"number": fmt.Sprint(i)},
		})
	}
}

// contents are the objects of a bucket as one can see them, times of storing
// and ETags left out.
func contents(t *testing.T, b storage.Source) map[string]storage.Info {
	t.Helper()
	all := map[string]storage.Info{}
	pages := b.List(storage.Range{})
	defer pages.Close()
	for {
		page, err := pages.Next(context.Background())
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page {
			info, body := read(t, b, o.Key)
			if info.MTime.IsZero() {
				info.MTime = info.ModTime
			}
			info.ModTime, info.MTime = info.MTime.UTC(), info.MTime.UTC()
			info.ETag = fmt.Sprintf("%x", body)
			all[o.Key] = info
		}
	}
}

func read(t *testing.T, b storage.Source, key string) (storage.Info, []byte) {
	t.Helper()
	rd, err := b.Open(context.Background(), key, storage.ReadOptions{Length: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Body.Close()
	body, err := io.ReadAll(rd.Body)
	if err != nil {
		t.Fatal(err)
	}
	return rd.Info, body
}

// show writes what contents found, its bytes as a digest.
func show(i storage.Info) string {
	body := sha256.Sum256([]byte(i.ETag))
	return fmt.Sprintf("%d bytes %x of %s, %+v", i.Size, body[:4], i.MTime, i.Metadata)
}

// equal fails unless both ends hold the same, bytes and metadata, and the
// target these keys besides.
func (r *rig) equal(besides ...string) {
	r.t.Helper()
	src, dst := contents(r.t, r.src), contents(r.t, r.dst)
	for _, key := range besides {
		if _, ok := dst[key]; !ok {
			r.t.Errorf("%s is no longer at the target", key)
		}
		delete(dst, key)
	}
	for key, want := range src {
		got, ok := dst[key]
		switch {
		case !ok:
			r.t.Errorf("%s is not at the target", key)
		case !reflect.DeepEqual(got, want):
			r.t.Errorf("%s at the target is another:\n%s\n%s", key, show(got), show(want))
		}
		delete(dst, key)
	}
	for key := range dst {
		r.t.Errorf("%s is at the target only", key)
	}
}
