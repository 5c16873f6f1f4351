package list

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

// place is a bucket made of what a listing shows.
type place struct {
	name     string
	features storage.Features
	pageSize int

	mu      sync.Mutex
	objects []storage.Object // by key
	infos   map[string]storage.Info
	links   map[string]string
	bodies  map[string]string
	lists   int // requests
	stats   int
	failAt  int // fail this list request; 0: none
	jitter  func()
	statErr map[string]error
}

func store(objects ...storage.Object) *place {
	return newPlace(storage.Features{ETagIsMD5: true, CheapRanges: true, Metadata: true}, objects)
}

func tree(objects ...storage.Object) *place {
	return newPlace(storage.Features{FileTree: true, MTimeGrain: time.Nanosecond}, objects)
}

func newPlace(f storage.Features, objects []storage.Object) *place {
	objects = slices.Clone(objects)
	slices.SortFunc(objects, func(a, b storage.Object) int { return cmp.Compare(a.Key, b.Key) })
	return &place{name: "fake", features: f, pageSize: 1000, objects: objects, infos: map[string]storage.Info{}, links: map[string]string{}, bodies: map[string]string{}}
}

func (p *place) find(key string) (int, bool) {
	return slices.BinarySearchFunc(p.objects, key, func(o storage.Object, k string) int { return cmp.Compare(o.Key, k) })
}

func (p *place) set(o storage.Object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, ok := p.find(o.Key)
	if ok {
		p.objects[i] = o
	} else {
		p.objects = slices.Insert(p.objects, i, o)
	}
}

func (p *place) List(r storage.Range) storage.Pages { return &placePages{p: p, r: r} }

type placePages struct {
	p *place
	r storage.Range
}

func (l *placePages) Next(ctx context.Context) ([]storage.Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := l.p
	if p.jitter != nil {
		p.jitter()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lists++
	if p.lists == p.failAt {
		return nil, &storage.Error{Op: "list", Place: p.name, Kind: storage.ErrUnavailable, Err: io.EOF} // as net/http says it
	}
	i, ok := p.find(l.r.After)
	if ok {
		i++
	}
	page := slices.Clone(p.objects[i:min(i+p.pageSize, len(p.objects))])
	for n := range page {
		if l.r.Last != "" && page[n].Key > l.r.Last {
			page = page[:n]
			break
		}
	}
	if len(page) == 0 {
		p.lists-- // a store says with the page before that there is no more
		return nil, io.EOF
	}
	l.r.After = page[len(page)-1].Key
	return page, nil
}

func (l *placePages) Close() error { return nil }

func (p *place) Stat(_ context.Context, key string) (storage.Info, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats++
	if err := p.statErr[key]; err != nil {
		return storage.Info{}, err
	}
	i, ok := p.find(key)
	if !ok {
		return storage.Info{}, &storage.Error{Op: "stat", Key: key, Kind: storage.ErrNotFound}
	}
	info := p.infos[key]
	info.Object = p.objects[i]
	return info, nil
}

func (p *place) Open(_ context.Context, key string, _ storage.ReadOptions) (*storage.Reader, error) {
	return &storage.Reader{Body: io.NopCloser(strings.NewReader(p.bodies[key]))}, nil
}

func (p *place) Features() storage.Features  { return p.features }
func (p *place) Check(context.Context) error { return nil }
func (p *place) String() string              { return p.name }

func (p *place) Readlink(_ context.Context, key string) (string, error) { return p.links[key], nil }
func (p *place) MakeDir(context.Context, string, storage.Metadata) error {
	return storage.ErrUnsupported
}
func (p *place) SetMeta(context.Context, storage.Object, storage.Metadata) (storage.Object, error) {
	return storage.Object{}, storage.ErrUnsupported
}
func (p *place) Symlink(context.Context, string, string, storage.Metadata) (storage.Object, error) {
	return storage.Object{}, storage.ErrUnsupported
}

var errCrash = errors.New("crash")

// memory is a State that forgets unsynced commits in a crash, from the last.
type memory struct {
	mu      sync.Mutex
	cursors map[int]map[string][]byte
	cands   map[string]bool
	rows    map[string]Row
	lazy    []func() // undo unsynced commits
	saves   int
	syncs   int
	fail    func() (apply, fail bool) // nil: never
}

func newMemory() *memory {
	return &memory{cursors: map[int]map[string][]byte{}, cands: map[string]bool{}, rows: map[string]Row{}}
}

func (m *memory) Cursors(pass int) (map[string][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.cursors[pass]), nil
}

func (m *memory) Save(_ context.Context, pass int, s Save) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	apply, fail := true, false
	if m.fail != nil {
		apply, fail = m.fail()
	}
	if apply {
		cursors, cands, rows := maps.Clone(m.cursors[pass]), maps.Clone(m.cands), maps.Clone(m.rows)
		m.lazy = append(m.lazy, func() { m.cursors[pass], m.cands, m.rows = cursors, cands, rows })
		m.apply(pass, s)
	}
	if fail {
		return errCrash
	}
	return nil
}

func (m *memory) apply(pass int, s Save) {
	m.saves++
	if m.cursors[pass] == nil {
		m.cursors[pass] = map[string][]byte{}
	}
	for name, rec := range s.Put {
		m.cursors[pass][name] = bytes.Clone(rec)
	}
	for _, c := range s.Candidates {
		m.cands[c] = true
	}
	for _, r := range s.Rows {
		m.rows[r.Key] = Row{Src: r.Src, Dst: r.Dst}
	}
	if s.Sync {
		m.syncs++
		m.lazy = nil
	}
}

// crash forgets some of the last unsynced commits.
func (m *memory) crash(r *rand.Rand) {
	for n := r.IntN(len(m.lazy) + 1); n > 0; n-- {
		m.lazy[len(m.lazy)-1]()
		m.lazy = m.lazy[:len(m.lazy)-1]
	}
	m.lazy = nil
}

func (m *memory) Rows(after, last string) RowReader {
	return &memoryRows{m: m, after: after, last: last}
}

type memoryRows struct {
	m           *memory
	after, last string
}

func (r *memoryRows) Get(key string) (Row, bool, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if key <= r.after || r.last != "" && key > r.last {
		return Row{}, false, errors.New("key out of order or range: " + key)
	}
	r.after = key
	row, ok := r.m.rows[key]
	return row, ok, nil
}

func (r *memoryRows) Close() error { return nil }

// outlet collects what is published.
type outlet struct {
	mu     sync.Mutex
	events map[string]bus.Event
	calls  int
	total  int
	fail   func() (stored int, fail bool)
}

func (o *outlet) publish(_ context.Context, evs []bus.Event) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls++
	n, fail := len(evs), false
	if o.fail != nil {
		if k, f := o.fail(); f {
			n, fail = k%(n+1), true
		}
	}
	if o.events == nil {
		o.events = map[string]bus.Event{}
	}
	for _, e := range evs[:n] {
		o.events[e.Key] = e
		o.total++
	}
	if fail {
		return errCrash
	}
	return nil
}

func (o *outlet) keys() []string { return slices.Sorted(maps.Keys(o.events)) }
