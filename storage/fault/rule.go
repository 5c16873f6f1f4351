package fault

import (
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// Op is a call that faults can be injected into.
type Op string

// The calls, as they are named in the errors injected.
const (
	List           Op = "list" // one page; its key is ""
	Stat           Op = "stat"
	Open           Op = "open" // and the body it returns
	Confirm        Op = "confirm"
	Put            Op = "put"
	Delete         Op = "delete"
	Check          Op = "check"
	Create         Op = "create"
	CreateUpload   Op = "create upload"
	UploadPart     Op = "upload part"
	ListParts      Op = "list parts"
	CompleteUpload Op = "complete"
	AbortUpload    Op = "abort"
	ListUploads    Op = "list uploads"
	CopyFrom       Op = "copy" // its key is that of the copy
	CopyPart       Op = "copy part"
	MakeDir        Op = "make dir"
	Readlink       Op = "readlink"
	Symlink        Op = "symlink"
	SetMeta        Op = "set metadata"
	Tags           Op = "tags"
	Restore        Op = "restore"
	Sync           Op = "sync"
	Sweep          Op = "sweep"
)

// bodied are the calls through which bytes flow.
var bodied = []Op{Open, Put, UploadPart}

// Effect is what happens to a call that a rule hits.
type Effect int

// The effects. Cut, StallBody and Flip happen to bytes, so they hit only Open,
// Put and UploadPart.
const (
	// None does nothing but wait for the rule's Delay.
	None Effect = iota
	// Fail returns the rule's error; nothing was done.
	Fail
	// Stall does nothing until the context ends.
	Stall
	// Lose does what is asked and then returns the rule's error instead of the
	// answer. What Open opened is closed again.
	Lose
	// Cut breaks off after half of the bytes: a body that is read ends with
	// the rule's error, a write fails with it and nothing was written.
	Cut
	// StallBody stops after half of the bytes until the context ends.
	StallBody
	// Flip inverts one bit of the bytes: those that are read, or those that a
	// write hands on to the bucket.
	Flip
)

// Rule says which calls are hit by what. Of several rules that match, the
// first one hits.
type Rule struct {
	Ops    []Op                  // none: all that the effect can happen to
	Match  func(key string) bool // nil: all keys
	After  int                   // spare so many matching calls first
	Times  int                   // hit at most so many; 0: no limit
	Chance float64               // of a matching call to be hit; 0: certain

	Delay  time.Duration // before the call, or until its context ends
	Effect Effect
	// Err is what Fail, Lose and Cut return: a kind of package storage, which
	// becomes a *storage.Error, or any other error as it is. Nil: ErrUnavailable.
	Err        error
	RetryAfter time.Duration // goes into the *storage.Error made of a kind
}

func (r *Rule) matches(op Op, key string) bool {
	if r.Effect >= Cut && !slices.Contains(bodied, op) {
		return false
	}
	return (len(r.Ops) == 0 || slices.Contains(r.Ops, op)) && (r.Match == nil || r.Match(key))
}

// dice decide which calls are hit. The outcome depends on the seed and on how
// often a rule saw the same call with the same key, not on how calls of
// different keys interleave.
type dice struct {
	seed  uint64
	rules []Rule

	mu     sync.Mutex
	seen   []int // matching calls per rule
	hits   []int
	thrown map[string]int // per rule, call and key
}

// throw returns the rule that hits a call, or nil, and a source of the
// further random choices for it.
func (d *dice) throw(op Op, key string) (*Rule, *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.rules {
		r := &d.rules[i]
		if !r.matches(op, key) {
			continue
		}
		d.seen[i]++
		if d.seen[i] <= r.After || r.Times > 0 && d.hits[i] >= r.Times {
			continue
		}
		rng := d.random(strconv.Itoa(i) + " " + string(op) + " " + key)
		if r.Chance > 0 && rng.Float64() >= r.Chance {
			continue
		}
		d.hits[i]++
		return r, rng
	}
	return nil, nil
}

func (d *dice) random(what string) *rand.Rand {
	d.thrown[what]++
	h := fnv.New64a()
	_, _ = h.Write([]byte(what)) // never fails
	return rand.New(rand.NewPCG(d.seed^h.Sum64(), uint64(d.thrown[what])))
}

// err is the error that a rule injects.
func (b *Bucket) err(r *Rule, op Op, key string) error {
	kind := r.Err
	if kind == nil {
		kind = storage.ErrUnavailable
	}
	var e *storage.Error
	if known, _ := storage.KindOf(kind); known == nil || errors.As(kind, &e) {
		return kind
	}
	return &storage.Error{
		Op: string(op), Key: key, Place: b.String(), Kind: kind, RetryAfter: r.RetryAfter,
		Err: errInjected,
	}
}

var errInjected = errors.New("injected")
