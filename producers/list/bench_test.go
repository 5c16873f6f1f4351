package list

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

// ready is a side whose pages cost nothing.
type ready struct {
	*place
	objects []storage.Object
}

func (r ready) List(storage.Range) storage.Pages { return &readyPages{r.objects} }

type readyPages struct{ rest []storage.Object }

func (p *readyPages) Next(context.Context) ([]storage.Object, error) {
	if len(p.rest) == 0 {
		return nil, io.EOF
	}
	n := min(1000, len(p.rest))
	page := p.rest[:n:n]
	p.rest = p.rest[n:]
	return page, nil
}

func (p *readyPages) Close() error { return nil }

func million() []storage.Object {
	objects := make([]storage.Object, 1_000_000)
	for i := range objects {
		objects[i] = storage.Object{Key: fmt.Sprintf("data/2026/%010d.bin", i), Size: 4096, ETag: md5Of(i), ModTime: at(0)}
	}
	return objects
}

func benchmark(b *testing.B, src, dst storage.Source, change func(*Config)) {
	cfg := Config{Task: "t", Run: testRun, Source: src, Target: dst, Ranges: 1, State: newMemory(), Publish: func(context.Context, []bus.Event) error { return nil }}
	if change != nil {
		change(&cfg)
	}
	b.ReportAllocs()
	for b.Loop() {
		cfg.State = newMemory()
		totals, err := New(cfg).Run(context.Background(), 0)
		if err != nil || totals.Source != 1_000_000 {
			b.Fatal(totals, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e6, "ns/key")
}

// BenchmarkEqual merges 1,000,000 keys that are equal on both sides.
func BenchmarkEqual(b *testing.B) {
	objects := million()
	copies := make([]storage.Object, len(objects))
	for i, o := range objects { // as two drivers would have it: the texts are not shared
		o.Key, o.ETag = string([]byte(o.Key)), string([]byte(o.ETag))
		copies[i] = o
	}
	b.Run("stores", func(b *testing.B) { benchmark(b, ready{store(), objects}, ready{store(), copies}, nil) })
	b.Run("stores with deletes and filter", func(b *testing.B) {
		benchmark(b, ready{store(), objects}, ready{store(), copies}, func(c *Config) {
			c.Deletes = true
			c.Select = func(*storage.Object) bool { return true }
			c.KeyRules = func(string) bool { return true }
		})
	})
	for i := range objects {
		objects[i].ETag, copies[i].ETag = "", ""
	}
	b.Run("files", func(b *testing.B) { benchmark(b, ready{tree(), objects}, ready{tree(), copies}, nil) })
}

// BenchmarkNew publishes 1,000,000 keys.
func BenchmarkNew(b *testing.B) {
	benchmark(b, ready{store(), million()}, store(), nil)
}

// endless makes up n keys as they are listed and watches the heap.
type endless struct {
	*place
	n    int
	peak *atomic.Uint64
}

func (e endless) List(r storage.Range) storage.Pages {
	p := &endlessPages{e: e, end: e.n}
	if r.After != "" {
		fmt.Sscanf(r.After, "k%d", &p.next)
		p.next++
	}
	return p
}

type endlessPages struct {
	e         endless
	next, end int
	pages     int
}

func (p *endlessPages) Next(context.Context) ([]storage.Object, error) {
	if p.next >= p.end {
		return nil, io.EOF
	}
	if p.pages++; p.pages%100 == 0 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		p.e.peak.Store(max(p.e.peak.Load(), m.HeapAlloc))
	}
	page := make([]storage.Object, 0, 1000)
	for ; p.next < p.end && len(page) < 1000; p.next++ {
		page = append(page, storage.Object{Key: fmt.Sprintf("k%09d", p.next), Size: 1, ETag: "0123456789abcdef0123456789abcdef", ModTime: at(0)})
	}
	return page, nil
}

func (p *endlessPages) Close() error { return nil }

// What is held does not grow with the number of keys.
func TestMemoryIsFlat(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for name, dst := range map[string]storage.Source{"equal": nil, "new": store(), "extraneous": nil} {
		peak := &atomic.Uint64{}
		var src storage.Source = endless{tree(), n, peak}
		switch name {
		case "equal":
			dst = endless{tree(), n, peak}
		case "extraneous":
			src, dst = store(), src
		}
		state := &forgetful{}
		totals, err := New(Config{Run: testRun, Source: src, Target: dst, State: state, Deletes: true, Publish: func(context.Context, []bus.Event) error { return nil }}).Run(context.Background(), 0)
		if err != nil || totals.Source+totals.Target < int64(n) {
			t.Fatalf("%+v %v", totals, err)
		}
		if name == "extraneous" && state.candidates.Load() != int64(n) {
			t.Errorf("%d candidates", state.candidates.Load())
		}
		used := int64(peak.Load()) - int64(before.HeapAlloc)
		t.Logf("%s: %.1f MB at most", name, float64(used)/1e6)
		if used > 16<<20 {
			t.Errorf("%s: %d bytes held", name, used)
		}
	}
}

// forgetful is a State that only counts.
type forgetful struct{ candidates atomic.Int64 }

func (f *forgetful) Cursors(int) (map[string][]byte, error) { return nil, nil }
func (f *forgetful) Save(_ context.Context, _ int, s Save) error {
	f.candidates.Add(int64(len(s.Candidates)))
	return nil
}
func (f *forgetful) Rows(string, string) RowReader { return noRows{} }

type noRows struct{}

func (noRows) Get(string) (Row, bool, error) { return Row{}, false, nil }
func (noRows) Close() error                  { return nil }
