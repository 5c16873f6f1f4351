package task

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/mem"
)

// luck is a source of randomness that many goroutines may draw from.
type luck struct {
	mu sync.Mutex
	r  *rand.Rand
}

func (l *luck) intN(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.IntN(n)
}

func (l *luck) chance(p float64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return p > 0 && l.r.Float64() < p
}

// world is a random history: two buckets, whoever else changes them, and what
// the task was seen to do.
type world struct {
	*rig
	luck *luck

	large   int      // one object in so many goes in parts
	keys    []string // that may ever exist
	vouched bool     // no object was written in parts but by the task
	stamp   atomic.Int64

	// Of the present process.
	fuse                      fuse
	ops                       atomic.Int64
	stopAt                    int64         // the operation that interrupts it; 0: none
	changeEvery               int64         // operations between changes of the source; 0: none
	takePart                  int64         // objects of the source that the options select
	faulty                    bool          // the ends fail now and then
	lost                      bool          // the bus was replaced since a process came to an end
	listed                    bool          // the process before had come through its first pass
	full, unanswered, unacked float64       // chances of the bus
	lag                       time.Duration // of the results

	mu       sync.Mutex
	version  int64                // how often others changed something
	began    int64                // version when the process began
	touched  map[string]int64     // version at which a key of the source was changed last
	runs     map[string]*runSeen  // by id
	said     map[string]published // last copy that was reported, by key
	frozen   map[string]published // said when the process before ended in its first pass
	held     map[string]string    // TargetVersion of what is at the target, by key
	problems []string
}

// runSeen is what is known of a run.
type runSeen struct {
	base  int64 // version of the source when it began
	found int64 // objects that took part then
}

// published is a result that somebody may have read.
type published struct{ run, src, dst string }

const (
	simThreshold = 12 << 10
	simPart      = 4 << 10
)

func newWorld(t *testing.T, dir string, seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 11))
	w := &world{
		rig: newRig(t, dir), luck: &luck{r: r}, touched: map[string]int64{}, runs: map[string]*runSeen{},
		said: map[string]published{}, held: map[string]string{},
	}
	start := time.Now()
	// No two objects of the source are of one time: equal sizes and times are
	// what tells large objects apart.
	clock := func() time.Time { return start.Add(time.Duration(w.stamp.Add(1)) * 2 * time.Second) }
	if r.IntN(4) == 0 {
		s := mem.NewServer(mem.Options{PageSize: 1 + r.IntN(30), Now: clock, MaxCopy: 20 << 10})
		w.src, w.dst = s.Bucket("src"), s.Bucket("dst")
		w.no(w.src.Create(context.Background()))
		w.no(w.dst.Create(context.Background()))
	} else {
		w.src = mem.New(mem.Options{PageSize: 1 + r.IntN(30), Now: clock})
		w.dst = mem.New(mem.Options{PageSize: 1 + r.IntN(30)})
	}
	w.wrap = func(b bus.Bus) bus.Bus { return shaky{b, w} }
	w.vouched, w.large = r.IntN(2) == 0, []int{2, 12, 12}[r.IntN(3)]
	w.keys = randomKeys(r, 20+r.IntN(200))
	for _, k := range w.keys {
		if r.IntN(4) > 0 {
			w.write(w.src, k)
		}
		switch r.IntN(10) {
		case 0, 1:
			w.write(w.dst, k)
		case 2:
			w.copied(k)
		}
	}
	return w
}

// randomKeys draws names in one of some styles, in no order.
func randomKeys(r *rand.Rand, n int) []string {
	style := r.IntN(3)
	keys := map[string]bool{}
	for i := range n {
		switch style {
		case 0:
			keys[fmt.Sprintf("%06x", r.IntN(1<<24))] = true
		case 1:
			keys[fmt.Sprintf("d%d/e%d/%d", r.IntN(4), r.IntN(3), i)] = true
		default:
			b := make([]byte, 1+r.IntN(5))
			for j := range b {
				b[j] = "\x01-/0ab\x7f\xfe\xff"[r.IntN(9)]
			}
			keys[string(b)] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// write puts an object of bytes that no other has, a large one at times, and
// one that was itself written in parts at times.
func (w *world) write(b *mem.Bucket, key string) {
	n, size := w.stamp.Add(1), 8+w.luck.intN(300)
	large := w.luck.intN(w.large) == 0
	if w.luck.intN(30) == 0 {
		size = 0
	}
	if large {
		size = simThreshold - 1 + w.luck.intN(5*simPart)
	}
	m := storage.Metadata{User: map[string]string{"n": fmt.Sprint(n)}}
	if w.luck.intN(3) == 0 {
		m.ContentType, m.MTime = "text/x-test", time.Unix(1e9+n, 0).UTC()
	}
	body := noise(uint64(n), size)
	if size > 0 {
		binary.BigEndian.PutUint64(body, uint64(n))
	}
	ctx := context.Background()
	if !large || w.vouched || w.luck.intN(2) == 0 {
		_, err := b.Put(ctx, key, bytes.NewReader(body), storage.PutOptions{Size: int64(size), Meta: m})
		w.no(err)
		return
	}
	part := int64(simPart)
	if w.luck.intN(3) == 0 {
		part = 5000
	}
	id, err := b.CreateUpload(ctx, key, storage.UploadOptions{Size: int64(size), PartSize: part, Meta: m})
	w.no(err)
	var parts []storage.Part
	for chunk := range slices.Chunk(body, int(part)) {
		p, err := b.UploadPart(ctx, key, id, len(parts)+1, bytes.NewReader(chunk), storage.PartOptions{Size: int64(len(chunk))})
		w.no(err)
		parts = append(parts, p)
	}
	_, err = b.CompleteUpload(ctx, key, id, parts)
	w.no(err)
}

// copied puts at the target what the source has, as another tool would.
func (w *world) copied(key string) {
	if _, err := w.src.Stat(context.Background(), key); err != nil {
		return
	}
	info, body := read(w.t, w.src, key)
	m := info.Metadata
	if m.MTime.IsZero() {
		m.MTime = info.ModTime
	}
	w.put(w.dst, key, body, m)
}

// change does something to the source.
func (w *world) change() {
	key := w.keys[w.luck.intN(len(w.keys))]
	w.mu.Lock()
	w.version++
	w.touched[key] = w.version
	w.mu.Unlock()
	if w.luck.intN(4) == 0 {
		w.no(w.src.Delete(context.Background(), key))
		return
	}
	w.write(w.src, key)
}

// meddle does something to the target behind the task's back.
func (w *world) meddle() {
	key := w.keys[w.luck.intN(len(w.keys))]
	switch w.luck.intN(3) {
	case 0:
		w.no(w.dst.Delete(context.Background(), key))
	case 1:
		w.write(w.dst, key)
	default:
		w.copied(key)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.held, key)
	w.version++ // a run that had listed the key does not see it
}

// step is one operation of the task. It is where others act, and where the
// process may die.
func (w *world) step() error {
	n := w.ops.Add(1)
	if w.changeEvery > 0 && n%w.changeEvery == 0 {
		w.change()
	}
	if n%19 == 0 {
		w.look(w.live.Snapshot())
	}
	if w.faulty && n%97 == 0 {
		_, _ = w.live.RetryFailures() // fails before the task has begun
	}
	if n == w.stopAt {
		w.live.stop()
	}
	return w.fuse.burn()
}

// reported notes copies that were published.
func (w *world) reported(batch []bus.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range batch {
		if r.Outcome == bus.Copied && r.Op == bus.OpPut {
			w.said[r.Key] = published{r.Run, r.Src, r.Dst}
		} else {
			delete(w.said, r.Key)
		}
	}
}

func (w *world) problem(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.problems) < 20 {
		w.problems = append(w.problems, fmt.Sprintf(format, args...))
	}
}

// effect watches what takes effect at the target.
func (w *world) effect(op fault.Op, key string, o storage.Object) {
	switch op {
	case fault.Put, fault.CompleteUpload, fault.CopyFrom:
		now, err := w.src.Stat(context.Background(), key)
		run := w.live.Snapshot().Run
		w.mu.Lock()
		was, there := w.frozen[key]
		again := err == nil && there && now.Version() == was.src && w.held[key] == was.dst && w.mayNotRepeat(was, run)
		w.held[key] = o.TargetVersion()
		w.mu.Unlock()
		if again {
			w.problem("%q was copied again, its result was published", key)
		}
	case fault.Delete:
		_, err := w.src.Stat(context.Background(), key)
		w.mu.Lock()
		raced := w.touched[key] > w.began
		delete(w.held, key)
		w.mu.Unlock()
		if !raced && !errors.Is(err, storage.ErrNotFound) {
			w.problem("%q was deleted, the source holds it", key)
		}
	}
}

// mayNotRepeat tells whether the rules leave no reason to copy again.
func (w *world) mayNotRepeat(was published, run string) bool {
	rule := w.cfg.Spec.Rule
	return !rule.Force && !rule.Checksum || was.run == run
}
