// Package transfer applies events to the target: it looks at the source's
// present state of a key, makes the target equal to it and, where the state can
// have moved meanwhile, looks again. What an event says is a hint about where to
// look, never an order to copy old bytes. Results travel in batches; an event is
// acked only after the batch that holds its result was stored.
//
// It must not know where an event came from, what bus or store is behind the
// contracts, nor which driver a bucket is: it branches on declared features and
// powers.
package transfer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/keymap"
	"github.com/sluice-sync/sluice/metadata"
	"github.com/sluice-sync/sluice/storage"
)

// ErrGaveUp ends a run because an endpoint stayed unusable for
// Config.GiveUpAfter. The cause is wrapped with it. Nothing is lost: what was
// not done is un-acked.
var ErrGaveUp = errors.New("gave up waiting for the endpoint")

// Policy says when an object at the target may be written over.
type Policy uint8

// The policies.
const (
	Always  Policy = iota
	IfNewer        // only if the source's modification time is later than the target's
	Never
)

// Config says what to move and how wide. Zero values take the defaults named.
type Config struct {
	Task   string // put into results
	Source storage.Source
	Target storage.Bucket
	Map    keymap.Map

	// Run, if set, is the only run whose scan and bulk events are handled;
	// those of other runs are acked unseen, without a result. Resumed says that
	// an earlier process worked on it: State is asked about every event, since
	// one may be stored twice.
	Run     string
	Resumed bool

	Workers     int // for scan events; 32. A quarter, at least 4, is reserved for each of live, repair and retry
	BulkWorkers int // for bulk events; 4

	Threshold   int64 // objects of this many bytes and more go in parts where the target can; 64 MiB
	PartSize    int64 // bytes; 16 MiB; raised to fit the target's limits, moved to fit the source's parts
	PartWorkers int   // parts at once of one object, and half of the parts at once over all objects; 4

	Metadata metadata.Policy
	// CompareMetadata: an object whose bytes the target holds is given new
	// metadata where it lies, if that differs.
	CompareMetadata bool
	DirMarkers      bool // empty directories of files become empty objects "dir/" at a store

	Archived     Archived      // ArchivedFail
	RestoreDays  int           // how long restored copies stay readable; 7
	RestoreTier  string        // the source vendor's word for how fast, "" its default
	RestorePause time.Duration // before the first look at a restore under way, longer each time; 1 min

	Tries       int           // handlings of one event before it is given up; 5
	Overwrite   Policy        // Always
	Deletes     bool          // whether anything may be deleted at the target
	GiveUpAfter time.Duration // how long an endpoint may stay unusable; 10 min
	Grace       time.Duration // how long a drain waits for requests in flight; 10 s

	// Gate, if set, is called before each event is handled and may hold it
	// back, as while the disk under the state is nearly full. Its context ends
	// when a drain begins. An error leaves the event un-acked and ends the run.
	Gate func(context.Context) error
}

func (c Config) withDefaults() Config {
	orInt := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	orBytes := func(p *int64, v int64) {
		if *p <= 0 {
			*p = v
		}
	}
	orTime := func(p *time.Duration, v time.Duration) {
		if *p <= 0 {
			*p = v
		}
	}
	orInt(&c.Workers, 32)
	orInt(&c.BulkWorkers, 4)
	orInt(&c.PartWorkers, 4)
	orInt(&c.Tries, 5)
	orInt(&c.RestoreDays, 7)
	orTime(&c.RestorePause, time.Minute)
	orBytes(&c.Threshold, 64<<20)
	orBytes(&c.PartSize, 16<<20)
	orTime(&c.GiveUpAfter, 10*time.Minute)
	orTime(&c.Grace, 10*time.Second)
	return c
}

// workers returns how many of them a class has.
func (c Config) workers(class bus.Class) int {
	switch class {
	case bus.ClassScan:
		return c.Workers
	case bus.ClassBulk:
		return c.BulkWorkers
	}
	return max(4, c.Workers/4)
}

// State is what a transfer must remember beyond the bus. Keys of uploads are
// target keys; records are opaque to the store. Its errors end the run. It is
// used by many goroutines at once.
type State interface {
	// Applied returns the versions of the source key that this task applied
	// last (outcome copied): storage.Object.Version of the source and
	// TargetVersion of the target. It may lag behind what was done.
	Applied(key string) (src, dst string, ok bool, err error)
	// Upload returns the record of an upload under way.
	Upload(key string) (rec []byte, ok bool, err error)
	// PutUpload returns after the record is safe from a crash.
	PutUpload(key string, rec []byte) error
	// DropUpload removes a record; none is success.
	DropUpload(key string) error
}

// Transfer applies the events of one task. Run it once at a time.
type Transfer struct {
	cfg     Config
	streams bus.Streams
	state   State

	srcHas, dstHas storage.Features
	srcTree        storage.Tree       // nil where the source has no such power
	dstTree        storage.Tree       // these nil where the target has none
	multipart      storage.Multipart  //
	copier         storage.Copier     // only if the source is within its reach
	partCopier     storage.PartCopier // likewise
	restorer       storage.Restorer   // nil where the source has none
	mapper         metadata.Mapper

	gates [2]*gate // by Side
	slots chan struct{}
	bufs  buffers

	noCopy      atomic.Bool // the copier said that it cannot after all
	wholeOnly   atomic.Bool // the source answers ranges with whole objects
	tagsShown   atomic.Bool // the source's keys may read tags
	asking      sync.Mutex  // for that; guards tagsDenied
	tagsDenied  error
	opaqueParts atomic.Bool // the target's ETags of parts are no MD5s after all

	moved, partial, active atomic.Int64
}

// New prepares a transfer; it does no I/O and starts nothing.
func New(cfg Config, streams bus.Streams, state State) *Transfer {
	cfg = cfg.withDefaults()
	t := &Transfer{
		cfg: cfg, streams: streams, state: state,
		srcHas: cfg.Source.Features(), dstHas: cfg.Target.Features(),
		slots: make(chan struct{}, 2*cfg.PartWorkers),
	}
	t.srcTree, _ = storage.As[storage.Tree](cfg.Source)
	t.dstTree, _ = storage.As[storage.Tree](cfg.Target)
	t.multipart, _ = storage.As[storage.Multipart](cfg.Target)
	if c, ok := storage.As[storage.Copier](cfg.Target); ok && c.CanCopyFrom(cfg.Source) {
		t.copier = c
		t.partCopier, _ = storage.As[storage.PartCopier](cfg.Target)
	}
	t.restorer, _ = storage.As[storage.Restorer](cfg.Source)
	t.mapper = metadata.NewMapper(cfg.Metadata, t.srcHas, t.dstHas, nil)
	t.gates[Source] = newGate(Source, cfg.Source.Check, cfg.GiveUpAfter)
	t.gates[Target] = newGate(Target, cfg.Target.Check, cfg.GiveUpAfter)
	return t
}

// Side is one of the two endpoints of a transfer.
type Side uint8

// The sides.
const (
	Source Side = iota
	Target
)

// String returns "source" or "target".
func (s Side) String() string {
	if s == Source {
		return "source"
	}
	return "target"
}

// Pause says that work waits for an endpoint to become usable again.
type Pause struct {
	Side  Side
	Since time.Time
	Err   error
}

// Progress is a look at a running transfer.
type Progress struct {
	Moved   int64 // bytes sent since New, those of failed attempts included: good for a rate
	Partial int64 // bytes of unfinished objects that the target has or is being sent; results do not count them yet
	Active  int64 // events being handled
	Paused  []Pause
}

// Progress may be called at any time.
func (t *Transfer) Progress() Progress {
	p := Progress{Moved: t.moved.Load(), Partial: t.partial.Load(), Active: t.active.Load()}
	for _, g := range t.gates {
		if pause, ok := g.paused(); ok {
			p.Paused = append(p.Paused, pause)
		}
	}
	return p
}
