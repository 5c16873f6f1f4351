package transfer_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/bus/membus"
	. "github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/mem"
)

// endless is a source of objects of any size that holds none of their bytes.
type endless struct {
	*mem.Bucket
	size int64
}

func (e *endless) object(key string) storage.Object {
	return storage.Object{Key: key, Size: e.size, ETag: "none", ModTime: time.Unix(1e9, 0)}
}

func (e *endless) Stat(_ context.Context, key string) (storage.Info, error) {
	return storage.Info{Object: e.object(key), Tagged: storage.TagsNone}, nil
}

func (e *endless) Open(_ context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
	return &storage.Reader{Info: storage.Info{Object: e.object(key), Tagged: storage.TagsNone}, Body: io.NopCloser(io.LimitReader(zeros{}, o.Length))}, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// void is a target that reads and forgets, and keeps watch over the memory.
type void struct {
	*mem.Bucket
	peak chan uint64
}

func (v *void) UploadPart(_ context.Context, _, _ string, n int, body io.Reader, o storage.PartOptions) (storage.Part, error) {
	got, err := io.Copy(struct{ io.Writer }{io.Discard}, body)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p := max(<-v.peak, m.HeapInuse)
	v.peak <- p
	return storage.Part{Number: n, Size: got, ETag: "part"}, err
}

func (v *void) ListParts(context.Context, string, string) ([]storage.Part, error) { return nil, nil }

func (v *void) CompleteUpload(_ context.Context, key, _ string, parts []storage.Part) (storage.Object, error) {
	o := storage.Object{Key: key, ETag: "done"}
	for _, p := range parts {
		o.Size += p.Size
	}
	return o, nil
}

// Four large objects at once stream: the memory in use depends neither on their
// size nor on that of their parts.
func TestLargeObjectsStream(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	r := newRig(t)
	defer r.close()
	const size = 2 << 30
	v := &void{r.dst, make(chan uint64, 1)}
	v.peak <- 0
	r.cfg.Source, r.cfg.Target = &endless{r.src, size}, v
	r.cfg.Threshold, r.cfg.PartSize = 64<<20, 16<<20
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var events []bus.Event
	for k := range 4 {
		events = append(events, event((&endless{size: size}).object(fmt.Sprint("k", k)), bus.ClassBulk))
	}
	for key, res := range r.handle(events...) {
		if res.Outcome != bus.Copied || res.Moved != size || !res.Unvouched {
			t.Errorf("%s: %+v", key, res)
		}
	}
	if used := <-v.peak - min(before.HeapInuse, 1<<62); used > 16<<20 {
		t.Errorf("%d MiB of heap for 4 objects of 2 GiB", used>>20)
	} else {
		t.Logf("%d KiB of heap", used>>10)
	}
}

// BenchmarkSmallObjects is the whole way of a 4 KiB object through this package,
// an in-memory bus and stores in memory.
func BenchmarkSmallObjects(b *testing.B) {
	src, dst := mem.New(mem.Options{}), mem.New(mem.Options{})
	ctx := b.Context()
	body := noise(1, 4096)
	events := make([]bus.Event, 1000)
	for k := range events {
		o, err := src.Put(ctx, fmt.Sprintf("key-%04d", k), bytes.NewReader(body), storage.PutOptions{Size: 4096})
		if err != nil {
			b.Fatal(err)
		}
		events[k] = event(o, bus.ClassScan)
	}
	mb := membus.New(membus.Options{})
	s, _, err := mb.Open(ctx, "t", bus.StreamOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer mb.Close()
	results, err := s.Results(ctx, "bench", true)
	if err != nil {
		b.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() {
		ended <- New(Config{Task: "t", Source: src, Target: dst}, s, newNotes()).Run(run)
	}()
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; {
		n := min(left, len(events))
		if _, err := s.PublishEvents(ctx, events[:n]); err != nil {
			b.Fatal(err)
		}
		for got := 0; got < n; {
			batches, err := results.Fetch(ctx, 100)
			if err != nil {
				b.Fatal(err)
			}
			for _, x := range batches {
				got += len(x.Results)
				_ = x.Token.Ack()
			}
		}
		if err := s.Trim(ctx, bus.Retain{}); err != nil {
			b.Fatal(err)
		}
		left -= n
	}
	b.StopTimer()
	stop()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
