package retry

import (
	"context"

	"github.com/sluice-sync/sluice/storage"
)

// Unwrap returns the bucket decorated.
func (b *Bucket) Unwrap() storage.Source { return b.Bucket }

// Stat looks at one object.
func (b *Bucket) Stat(ctx context.Context, key string) (storage.Info, error) {
	return do(ctx, b.c, func() (storage.Info, error) { return b.Bucket.Stat(ctx, key) })
}

// Open starts to read an object. What fails after that is the reader's to repeat.
func (b *Bucket) Open(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
	r, err := do(ctx, b.c, func() (*storage.Reader, error) { return b.Bucket.Open(ctx, key, o) })
	if err != nil || r.Confirm == nil {
		return r, err
	}
	again := *r
	again.Confirm = func(ctx context.Context) error {
		return do0(ctx, b.c, func() error { return r.Confirm(ctx) })
	}
	return &again, nil
}

// Delete removes an object.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	return do0(ctx, b.c, func() error { return b.Bucket.Delete(ctx, key) })
}

// List returns a listing that, where a page fails in passing, is begun again
// after the last key seen.
func (b *Bucket) List(r storage.Range) storage.Pages {
	return &pages{b: b, rest: r, inner: b.Bucket.List(r)}
}

type pages struct {
	b     *Bucket
	rest  storage.Range // what was not seen yet
	inner storage.Pages
	dead  error // what ended the listing
}

func (p *pages) Next(ctx context.Context) ([]storage.Object, error) {
	if p.dead != nil {
		return nil, p.dead
	}
	fresh := true
	page, err := do(ctx, p.b.c, func() ([]storage.Object, error) {
		if !fresh {
			_ = p.inner.Close() // it is dead already
			p.inner = p.b.Bucket.List(p.rest)
		}
		fresh = false
		return p.inner.Next(ctx)
	})
	if err != nil {
		p.dead = err
		return nil, err
	}
	p.rest.After = page[len(page)-1].Key
	return page, nil
}

func (p *pages) Close() error { return p.inner.Close() }

// WrapPower repeats the bodiless calls of uploads, and those about tags and restores.
func (b *Bucket) WrapPower(power any) any { return powers{storage.PowersOf(power), b.c} }

type powers struct {
	storage.Powers
	c Config
}

func (p powers) ListParts(ctx context.Context, key, id string) ([]storage.Part, error) {
	return do(ctx, p.c, func() ([]storage.Part, error) { return p.Multipart.ListParts(ctx, key, id) })
}

func (p powers) AbortUpload(ctx context.Context, key, id string) error {
	return do0(ctx, p.c, func() error { return p.Multipart.AbortUpload(ctx, key, id) })
}

func (p powers) Tags(ctx context.Context, key string) (map[string]string, error) {
	return do(ctx, p.c, func() (map[string]string, error) { return p.Tagger.Tags(ctx, key) })
}

func (p powers) Restore(ctx context.Context, key string, days int, tier string) error {
	return do0(ctx, p.c, func() error { return p.Restorer.Restore(ctx, key, days, tier) })
}

func (p powers) ListUploads(ctx context.Context, key string) ([]storage.Upload, error) {
	return do(ctx, p.c, func() ([]storage.Upload, error) { return p.Multipart.ListUploads(ctx, key) })
}
