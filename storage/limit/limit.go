package limit

import (
	"context"
	"io"

	"github.com/sluice-sync/sluice/storage"
)

// Bucket is a bucket that waits for its turn. It is a storage.Wrapper.
type Bucket struct {
	storage.Bucket
	l *Limits
}

// New decorates b. With nothing to limit it returns b itself.
func New(b storage.Bucket, l *Limits) storage.Bucket {
	if l.none() {
		return b
	}
	return &Bucket{b, l}
}

// Unwrap returns the bucket decorated.
func (b *Bucket) Unwrap() storage.Source { return b.Bucket }

// List returns a listing of which each page waits for its turn.
func (b *Bucket) List(r storage.Range) storage.Pages { return &pages{b.Bucket.List(r), b.l} }

type pages struct {
	storage.Pages
	l *Limits
}

func (p *pages) Next(ctx context.Context) ([]storage.Object, error) {
	if err := p.l.begin(ctx, p.l.lists); err != nil {
		return nil, err
	}
	defer p.l.lists.give()
	return p.Pages.Next(ctx)
}

// Open waits for a slot and holds it until the body is closed. The Confirm of
// a reader counts as a request, but waits for no slot: it is called while
// others are held.
func (b *Bucket) Open(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
	if err := b.l.begin(ctx, b.l.reads); err != nil {
		return nil, err
	}
	r, err := b.Bucket.Open(ctx, key, o)
	if err != nil {
		b.l.reads.give()
		return nil, err
	}
	limited := *r
	if r.Confirm != nil && b.l.requests != nil {
		limited.Confirm = func(ctx context.Context) error {
			if err := b.l.begin(ctx, nil); err != nil {
				return err
			}
			return r.Confirm(ctx)
		}
	}
	if b.l.reads == nil && b.l.bandwidth == nil {
		return &limited, nil
	}
	body := &body{ReadCloser: r.Body, slot: b.l.reads}
	if bw := b.l.bandwidth; bw != nil {
		body.burst = bw.l.Burst()
		body.wait = func(n int) error { return wait(ctx, bw.l, n) }
	}
	limited.Body = body
	return &limited, nil
}

// Put holds a slot of the writes.
func (b *Bucket) Put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error) {
	return call(ctx, b.l, b.l.writes, func() (storage.Object, error) { return b.Bucket.Put(ctx, key, body, o) })
}

// Stat holds a slot of the bodiless requests.
func (b *Bucket) Stat(ctx context.Context, key string) (storage.Info, error) {
	return call(ctx, b.l, b.l.calls, func() (storage.Info, error) { return b.Bucket.Stat(ctx, key) })
}

// Delete holds a slot of the bodiless requests.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	return call0(ctx, b.l, func() error { return b.Bucket.Delete(ctx, key) })
}

// Check holds a slot of the bodiless requests.
func (b *Bucket) Check(ctx context.Context) error {
	return call0(ctx, b.l, func() error { return b.Bucket.Check(ctx) })
}

// Create holds a slot of the bodiless requests.
func (b *Bucket) Create(ctx context.Context) error {
	return call0(ctx, b.l, func() error { return b.Bucket.Create(ctx) })
}

func call[T any](ctx context.Context, l *Limits, s slots, f func() (T, error)) (T, error) {
	if err := l.begin(ctx, s); err != nil {
		var none T
		return none, err
	}
	defer s.give()
	return f()
}

func call0(ctx context.Context, l *Limits, f func() error) error {
	_, err := call(ctx, l, l.calls, func() (struct{}, error) { return struct{}{}, f() })
	return err
}

// WrapPower limits uploads and server-side copies. What only file systems
// have is left as it is: an endpoint is not asked for it.
func (b *Bucket) WrapPower(power any) any { return powers{storage.PowersOf(power), b.l} }

type powers struct {
	storage.Powers
	l *Limits
}

func (p powers) CreateUpload(ctx context.Context, key string, o storage.UploadOptions) (string, error) {
	return call(ctx, p.l, p.l.calls, func() (string, error) { return p.Multipart.CreateUpload(ctx, key, o) })
}

func (p powers) UploadPart(ctx context.Context, key, id string, n int, body io.Reader, o storage.PartOptions) (storage.Part, error) {
	return call(ctx, p.l, p.l.parts, func() (storage.Part, error) { return p.Multipart.UploadPart(ctx, key, id, n, body, o) })
}

func (p powers) ListParts(ctx context.Context, key, id string) ([]storage.Part, error) {
	return call(ctx, p.l, p.l.calls, func() ([]storage.Part, error) { return p.Multipart.ListParts(ctx, key, id) })
}

func (p powers) CompleteUpload(ctx context.Context, key, id string, parts []storage.Part) (storage.Object, error) {
	return call(ctx, p.l, p.l.calls, func() (storage.Object, error) { return p.Multipart.CompleteUpload(ctx, key, id, parts) })
}

func (p powers) AbortUpload(ctx context.Context, key, id string) error {
	return call0(ctx, p.l, func() error { return p.Multipart.AbortUpload(ctx, key, id) })
}

func (p powers) ListUploads(ctx context.Context, key string) ([]storage.Upload, error) {
	return call(ctx, p.l, p.l.calls, func() ([]storage.Upload, error) { return p.Multipart.ListUploads(ctx, key) })
}

func (p powers) Tags(ctx context.Context, key string) (map[string]string, error) {
	return call(ctx, p.l, p.l.calls, func() (map[string]string, error) { return p.Tagger.Tags(ctx, key) })
}

func (p powers) Restore(ctx context.Context, key string, days int, tier string) error {
	return call0(ctx, p.l, func() error { return p.Restorer.Restore(ctx, key, days, tier) })
}

// CopyFrom pays for the bytes of a file, which pass through this machine,
// before it begins; a store copies inside itself.
func (p powers) CopyFrom(ctx context.Context, src storage.Source, obj storage.Object, key string, o storage.CopyOptions) (storage.Object, error) {
	if src.Features().FileTree {
		if err := p.l.bandwidth.pay(ctx, obj.Size); err != nil {
			return storage.Object{}, err
		}
	}
	return call(ctx, p.l, p.l.writes, func() (storage.Object, error) { return p.Copier.CopyFrom(ctx, src, obj, key, o) })
}

func (p powers) CopyPart(ctx context.Context, src storage.Source, obj storage.Object, off, n int64, key, id string, part int) (storage.Part, error) {
	return call(ctx, p.l, p.l.parts, func() (storage.Part, error) {
		return p.PartCopier.CopyPart(ctx, src, obj, off, n, key, id, part)
	})
}
