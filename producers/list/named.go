package list

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-sync/sluice/storage"
)

// Kinds of entries that no listing yields, but a look at a named key.
const (
	kindGone   storage.Kind = 255 // the side lacks the key
	kindUnseen storage.Kind = 254 // it could not be looked at
)

// namedPage is how many named keys are looked at before any is decided.
const namedPage = 1000

// namedPages is the listing of the named keys of one side: each is looked at.
// It yields an entry for each, also where there is none, so that neither side
// runs far ahead, and under the source's key, so that the two meet.
type namedPages struct {
	l *Lister
	b storage.Source
	r storage.Range
}

func (p *namedPages) Next(ctx context.Context) ([]storage.Object, error) {
	keys, err := p.l.cfg.Named(p.r.After, namedPage)
	if err != nil {
		return nil, fmt.Errorf("read the named keys: %w", err)
	}
	if p.r.Last != "" {
		keys = keys[:sort.Search(len(keys), func(i int) bool { return keys[i] > p.r.Last })]
	}
	if len(keys) == 0 {
		return nil, io.EOF
	}
	p.r.After = keys[len(keys)-1]
	page := make([]storage.Object, len(keys))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(p.l.cfg.Heads)
	for i, key := range keys {
		g.Go(func() (err error) {
			page[i], err = p.look(gctx, key)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(page, func(o storage.Object) bool { return o.Kind == kindGone }) {
		return page, p.b.Check(ctx) // a look at a key does not tell whether the whole bucket is gone
	}
	return page, nil
}

func (p *namedPages) Close() error { return nil }

// look looks at one key. An object that cannot be looked at is published, as
// by looks; only what concerns a whole endpoint is an error.
func (p *namedPages) look(ctx context.Context, key string) (storage.Object, error) {
	at, mapped := key, true
	if p.b == p.l.cfg.Target {
		at, mapped = p.l.cfg.Map.Target(key)
	}
	if !mapped {
		return storage.Object{Key: key, Kind: kindGone}, nil
	}
	info, err := p.b.Stat(ctx, at)
	o := info.Object
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return o, ctx.Err()
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrInvalidKey):
		o = storage.Object{Kind: kindGone}
	case storage.IsEndpoint(err):
		return o, err
	default:
		o = storage.Object{Kind: kindUnseen}
	}
	o.Key = key
	return o, nil
}

// selected tells whether an entry takes part. Of one that was not seen only
// the key is known.
func (w *worker) selected(s *storage.Object) bool {
	if s.Kind == kindGone || s.Kind == kindUnseen {
		return w.cfg.KeyRules == nil || w.cfg.KeyRules(w.targetKey(s.Key))
	}
	return w.cfg.Select == nil || w.cfg.Select(s)
}
