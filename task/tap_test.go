package task

import (
	"context"
	"io"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
)

// tap is a bucket whose calls are seen. No lock is held while they are told of.
type tap struct {
	storage.Bucket
	before func(op fault.Op, key string) error             // an error is the answer; nil: no objection
	after  func(op fault.Op, key string, o storage.Object) // told of calls that succeeded; nil: nobody
}

func (b *tap) Unwrap() storage.Source { return b.Bucket }

func through[T any](b *tap, op fault.Op, key string, do func() (T, error)) (T, error) {
	var none T
	if b.before != nil {
		if err := b.before(op, key); err != nil {
			return none, err
		}
	}
	v, err := do()
	if err == nil && b.after != nil {
		o, _ := any(v).(storage.Object)
		b.after(op, key, o)
	}
	return v, err
}

func through0(b *tap, op fault.Op, key string, do func() error) error {
	_, err := through(b, op, key, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

type tapPages struct {
	storage.Pages
	b *tap
}

func (b *tap) List(r storage.Range) storage.Pages { return &tapPages{b.Bucket.List(r), b} }

func (p *tapPages) Next(ctx context.Context) ([]storage.Object, error) {
	return through(p.b, fault.List, "", func() ([]storage.Object, error) { return p.Pages.Next(ctx) })
}

func (b *tap) Stat(ctx context.Context, key string) (storage.Info, error) {
	return through(b, fault.Stat, key, func() (storage.Info, error) { return b.Bucket.Stat(ctx, key) })
}

func (b *tap) Open(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
	return through(b, fault.Open, key, func() (*storage.Reader, error) { return b.Bucket.Open(ctx, key, o) })
}

func (b *tap) Check(ctx context.Context) error {
	return through0(b, fault.Check, "", func() error { return b.Bucket.Check(ctx) })
}

func (b *tap) Delete(ctx context.Context, key string) error {
	return through0(b, fault.Delete, key, func() error { return b.Bucket.Delete(ctx, key) })
}

func (b *tap) Put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error) {
	return through(b, fault.Put, key, func() (storage.Object, error) { return b.Bucket.Put(ctx, key, body, o) })
}

func (b *tap) WrapPower(power any) any { return tapPowers{storage.PowersOf(power), b} }

type tapPowers struct {
	storage.Powers
	b *tap
}

func (p tapPowers) CreateUpload(ctx context.Context, key string, o storage.UploadOptions) (string, error) {
	return through(p.b, fault.CreateUpload, key, func() (string, error) { return p.Multipart.CreateUpload(ctx, key, o) })
}

func (p tapPowers) UploadPart(ctx context.Context, key, id string, n int, body io.Reader, o storage.PartOptions) (storage.Part, error) {
	return through(p.b, fault.UploadPart, key, func() (storage.Part, error) {
		return p.Multipart.UploadPart(ctx, key, id, n, body, o)
	})
}

func (p tapPowers) ListParts(ctx context.Context, key, id string) ([]storage.Part, error) {
	return through(p.b, fault.ListParts, key, func() ([]storage.Part, error) { return p.Multipart.ListParts(ctx, key, id) })
}

func (p tapPowers) CompleteUpload(ctx context.Context, key, id string, parts []storage.Part) (storage.Object, error) {
	return through(p.b, fault.CompleteUpload, key, func() (storage.Object, error) {
		return p.Multipart.CompleteUpload(ctx, key, id, parts)
	})
}

func (p tapPowers) AbortUpload(ctx context.Context, key, id string) error {
	return through0(p.b, fault.AbortUpload, key, func() error { return p.Multipart.AbortUpload(ctx, key, id) })
}

func (p tapPowers) ListUploads(ctx context.Context, key string) ([]storage.Upload, error) {
	return through(p.b, fault.ListUploads, key, func() ([]storage.Upload, error) { return p.Multipart.ListUploads(ctx, key) })
}

func (p tapPowers) CopyFrom(ctx context.Context, src storage.Source, obj storage.Object, key string, o storage.CopyOptions) (storage.Object, error) {
	return through(p.b, fault.CopyFrom, key, func() (storage.Object, error) { return p.Copier.CopyFrom(ctx, src, obj, key, o) })
}

func (p tapPowers) CopyPart(ctx context.Context, src storage.Source, obj storage.Object, off, n int64, key, id string, part int) (storage.Part, error) {
	return through(p.b, fault.CopyPart, key, func() (storage.Part, error) {
		return p.PartCopier.CopyPart(ctx, src, obj, off, n, key, id, part)
	})
}
