// Package fault decorates a bucket so that it fails on purpose: errors of any
// kind, lost answers, delays, stalls, bodies that break off and bits that
// flip. Tests and simulations use it to prove what the rest survives.
//
// What it does follows from its rules and a seed. It must not know drivers or
// tasks, and what it injects must stay within the contract: a body breaks off
// with an error, never with an early end.
package fault

import (
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// Bucket is a bucket that fails by rule. It is a storage.Wrapper.
type Bucket struct {
	storage.Bucket
	d *dice
}

// New decorates b. The same seed, rules and order of calls per key give the
// same faults.
func New(b storage.Bucket, seed uint64, rules ...Rule) *Bucket {
	return &Bucket{b, &dice{
		seed: seed, rules: slices.Clone(rules), thrown: map[string]int{},
		seen: make([]int, len(rules)), hits: make([]int, len(rules)),
	}}
}

// Hits tells how many calls each rule has hit so far.
func (b *Bucket) Hits() []int {
	b.d.mu.Lock()
	defer b.d.mu.Unlock()
	return slices.Clone(b.d.hits)
}

// Unwrap returns the bucket decorated.
func (b *Bucket) Unwrap() storage.Source { return b.Bucket }

// before throws the dice for a call and does what comes ahead of it. It
// returns the rule whose rest is still to happen, if any.
func (b *Bucket) before(ctx context.Context, op Op, key string) (*Rule, *rand.Rand, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	r, rng := b.d.throw(op, key)
	if r == nil {
		return nil, nil, nil
	}
	if r.Delay > 0 {
		t := time.NewTimer(r.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
	switch r.Effect {
	case Fail:
		return nil, nil, b.err(r, op, key)
	case Stall:
		<-ctx.Done()
		return nil, nil, ctx.Err()
	}
	return r, rng, nil
}

// call does one call without a body.
func call[T any](ctx context.Context, b *Bucket, op Op, key string, f func() (T, error)) (T, error) {
	var none T
	r, _, err := b.before(ctx, op, key)
	if err != nil {
		return none, err
	}
	v, err := f()
	if err == nil && r != nil && r.Effect == Lose {
		return none, b.err(r, op, key)
	}
	return v, err
}

func call0(ctx context.Context, b *Bucket, op Op, key string, f func() error) error {
	_, err := call(ctx, b, op, key, func() (struct{}, error) { return struct{}{}, f() })
	return err
}

// Stat looks at one object.
func (b *Bucket) Stat(ctx context.Context, key string) (storage.Info, error) {
	return call(ctx, b, Stat, key, func() (storage.Info, error) { return b.Bucket.Stat(ctx, key) })
}

// Delete removes an object.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	return call0(ctx, b, Delete, key, func() error { return b.Bucket.Delete(ctx, key) })
}

// Check asks whether the bucket is there.
func (b *Bucket) Check(ctx context.Context) error {
	return call0(ctx, b, Check, "", func() error { return b.Bucket.Check(ctx) })
}

// Create makes the bucket.
func (b *Bucket) Create(ctx context.Context) error {
	return call0(ctx, b, Create, "", func() error { return b.Bucket.Create(ctx) })
}

// List returns a listing of which each page may fail; after that it is dead.
func (b *Bucket) List(r storage.Range) storage.Pages { return &pages{Pages: b.Bucket.List(r), b: b} }

type pages struct {
	storage.Pages
	b    *Bucket
	dead error
}

func (p *pages) Next(ctx context.Context) ([]storage.Object, error) {
	if p.dead != nil {
		return nil, p.dead
	}
	page, err := call(ctx, p.b, List, "", func() ([]storage.Object, error) { return p.Pages.Next(ctx) })
	if err != nil && err != io.EOF { //nolint:errorlint // a wrapped EOF is a broken connection, not the end
		p.dead = err
	}
	return page, err
}

// Put writes an object.
func (b *Bucket) Put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error) {
	return write(ctx, b, Put, key, body, o.Size, func(body io.Reader) (storage.Object, error) {
		return b.Bucket.Put(ctx, key, body, o)
	})
}

// Open opens an object and its body.
func (b *Bucket) Open(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
	rule, rng, err := b.before(ctx, Open, key)
	if err != nil {
		return nil, err
	}
	r, err := b.Bucket.Open(ctx, key, o)
	if err != nil {
		return nil, err
	}
	if rule != nil && rule.Effect == Lose {
		r.Body.Close() // the caller never gets it
		return nil, b.err(rule, Open, key)
	}
	broken := *r
	if r.Confirm != nil {
		broken.Confirm = func(ctx context.Context) error {
			return call0(ctx, b, Confirm, key, func() error { return r.Confirm(ctx) })
		}
	}
	if rule != nil && rule.Effect >= Cut {
		size := o.Length
		if size < 0 {
			size = r.Info.Size - o.Offset
		}
		spoilt := b.spoil(ctx, rule, rng, "read", key, r.Body, size)
		broken.Body = readCloser{spoilt, r.Body}
	}
	return &broken, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}
