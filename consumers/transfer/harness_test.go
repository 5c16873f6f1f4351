package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/bus/membus"
	. "github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// notes is a State in memory. Each write asks broken first.
type notes struct {
	mu      sync.Mutex
	applied map[string][2]string
	uploads map[string][]byte
	broken  func(op string) error
	puts    int
}

func newNotes() *notes { return &notes{applied: map[string][2]string{}, uploads: map[string][]byte{}} }

func (n *notes) Applied(key string) (src, dst string, ok bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v, ok := n.applied[key]
	return v[0], v[1], ok, nil
}

func (n *notes) Upload(key string) ([]byte, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	rec, ok := n.uploads[key]
	return rec, ok, nil
}

func (n *notes) change(op string, f func()) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.broken != nil {
		if err := n.broken(op); err != nil {
			return err
		}
	}
	f()
	return nil
}

func (n *notes) PutUpload(key string, rec []byte) error {
	return n.change("put", func() { n.puts++; n.uploads[key] = rec })
}

func (n *notes) DropUpload(key string) error {
	return n.change("drop", func() { delete(n.uploads, key) })
}

// rig is a transfer between two stores in memory.
type rig struct {
	t        *testing.T
	src, dst *mem.Bucket // undecorated
	cfg      Config
	state    *notes
	store    *membus.Store // outlives the bus, as a disk does
	bus      *membus.Bus
	streams  bus.Streams
	results  []bus.Result
	drain    context.CancelFunc
	ended    chan error
	moving   *Transfer
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, src: mem.New(mem.Options{}), dst: mem.New(mem.Options{}), state: newNotes(), store: &membus.Store{}}
	r.cfg = Config{Task: "t", Source: r.src, Target: r.dst, Workers: 4, Deletes: true, Threshold: 64 << 10, PartSize: 16 << 10}
	r.openBus()
	return r
}

func (r *rig) openBus() {
	r.t.Helper()
	r.bus = membus.New(membus.Options{Store: r.store})
	s, _, err := r.bus.Open(r.t.Context(), "t", bus.StreamOptions{})
	r.no(err)
	r.streams = s
}

func (r *rig) no(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// faulty decorates both ends by rules.
func (r *rig) faulty(src, dst []fault.Rule) (s, d *fault.Bucket) {
	s, d = fault.New(r.src, 1, src...), fault.New(r.dst, 2, dst...)
	r.cfg.Source, r.cfg.Target = s, d
	return s, d
}

func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	g := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1})
	_, _ = g.Read(b)
	return b
}

func (r *rig) put(key string, body []byte, m storage.Metadata) storage.Object {
	r.t.Helper()
	o, err := r.src.Put(r.t.Context(), key, bytes.NewReader(body), storage.PutOptions{Size: int64(len(body)), Meta: m})
	r.no(err)
	return o
}

func event(o storage.Object, class bus.Class) bus.Event {
	return bus.Event{Task: "t", Op: bus.OpPut, Key: o.Key, Size: o.Size, MTime: o.ModTime, ETag: o.ETag,
		Inode: o.Inode, CTime: o.CTime, Class: class, Run: "r"}
}

func (r *rig) publish(events ...bus.Event) {
	r.t.Helper()
	_, err := r.streams.PublishEvents(r.t.Context(), events)
	r.no(err)
}

func (r *rig) start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.drain, r.ended, r.moving = cancel, make(chan error, 1), New(r.cfg, r.streams, r.state)
	go func() { r.ended <- r.moving.Run(ctx) }()
}

// stop drains and returns what Run did.
func (r *rig) stop() error {
	r.drain()
	err := <-r.ended
	r.collect()
	return err
}

// restart closes the bus and opens it again on what it stored.
func (r *rig) restart() {
	r.close()
	r.openBus()
}

func (r *rig) close() {
	r.no(r.streams.Close())
	r.no(r.bus.Close())
}

// collect takes the results published since.
func (r *rig) collect() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	c, err := r.streams.Results(ctx, "test", true)
	r.no(err)
	defer c.Close()
	for {
		batches, err := c.Fetch(ctx, 100)
		if err != nil {
			return
		}
		for _, b := range batches {
			r.results = append(r.results, b.Results...)
			r.no(b.Token.Ack())
		}
	}
}

// settle runs until nothing happens any more and returns the results.
func (r *rig) settle() []bus.Result {
	r.t.Helper()
	r.start()
	time.Sleep(5 * time.Minute)
	synctest.Wait()
	r.no(r.stop())
	return r.results
}

func (r *rig) one() bus.Result {
	r.t.Helper()
	rs := r.settle()
	if len(rs) != 1 {
		r.t.Fatalf("%d results: %+v", len(rs), rs)
	}
	return rs[0]
}

func body(t *testing.T, b storage.Source, key string) []byte {
	t.Helper()
	rd, err := b.Open(t.Context(), key, storage.ReadOptions{Length: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Body.Close()
	data, err := io.ReadAll(rd.Body)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// holds fails unless the target has exactly these bytes and no open upload.
func (r *rig) holds(key string, want []byte) {
	r.t.Helper()
	if got := body(r.t, r.dst, key); !bytes.Equal(got, want) {
		r.t.Fatalf("%s holds %d other bytes, not the %d of the source", key, len(got), len(want))
	}
	r.clean()
}

func (r *rig) clean() {
	r.t.Helper()
	us, err := r.dst.ListUploads(context.Background(), "")
	r.no(err)
	if len(us) != 0 || len(r.state.uploads) != 0 {
		r.t.Fatalf("left behind: uploads %v, records %d", us, len(r.state.uploads))
	}
}

func (r *rig) lacks(key string) {
	r.t.Helper()
	if _, err := r.dst.Stat(context.Background(), key); !errors.Is(err, storage.ErrNotFound) {
		r.t.Fatalf("%s is at the target: %v", key, err)
	}
}

func (r *rig) outcome(res bus.Result, want bus.Outcome, why string) {
	r.t.Helper()
	if got := res.Reason + res.Cause; res.Outcome != want || got != why {
		r.t.Fatalf("outcome %s %q, want %s %q (%s)", res.Outcome, got, want, why, res.Error)
	}
}

// bubble runs a test on fake time, with a new rig; goroutines that stay are found.
func bubble(t *testing.T, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		f(r)
	})
}

// count is a rule that counts calls; see calls.
func count(op fault.Op) fault.Rule { return fault.Rule{Ops: []fault.Op{op}} }

var allOps = []fault.Op{fault.Stat, fault.Open, fault.Put, fault.Delete, fault.Check, fault.CreateUpload,
	fault.UploadPart, fault.ListParts, fault.CompleteUpload, fault.AbortUpload, fault.ListUploads}

// counting appends rules that count all calls which the rules before spare.
func counting(rules ...fault.Rule) []fault.Rule {
	for _, op := range allOps {
		rules = append(rules, count(op))
	}
	return rules
}

// calls reads the hits of the last rules, made by counting.
func calls(b *fault.Bucket) string {
	hits := b.Hits()
	hits = hits[len(hits)-len(allOps):]
	s := ""
	for i, op := range allOps {
		if hits[i] > 0 {
			s += fmt.Sprintf("%s %d, ", op, hits[i])
		}
	}
	return s
}
