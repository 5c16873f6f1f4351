package fault

import (
	"context"
	"io"

	"github.com/sluice-sync/sluice/storage"
)

// WrapPower injects faults into all powers.
func (b *Bucket) WrapPower(power any) any { return powers{storage.PowersOf(power), b} }

type powers struct {
	storage.Powers
	b *Bucket
}

func (p powers) CreateUpload(ctx context.Context, key string, o storage.UploadOptions) (string, error) {
	return call(ctx, p.b, CreateUpload, key, func() (string, error) { return p.Multipart.CreateUpload(ctx, key, o) })
}

func (p powers) UploadPart(ctx context.Context, key, id string, n int, body io.Reader, o storage.PartOptions) (storage.Part, error) {
	return write(ctx, p.b, UploadPart, key, body, o.Size, func(body io.Reader) (storage.Part, error) {
		return p.Multipart.UploadPart(ctx, key, id, n, body, o)
	})
}

func (p powers) ListParts(ctx context.Context, key, id string) ([]storage.Part, error) {
	return call(ctx, p.b, ListParts, key, func() ([]storage.Part, error) { return p.Multipart.ListParts(ctx, key, id) })
}

func (p powers) CompleteUpload(ctx context.Context, key, id string, parts []storage.Part) (storage.Object, error) {
	return call(ctx, p.b, CompleteUpload, key, func() (storage.Object, error) {
		return p.Multipart.CompleteUpload(ctx, key, id, parts)
	})
}

func (p powers) AbortUpload(ctx context.Context, key, id string) error {
	return call0(ctx, p.b, AbortUpload, key, func() error { return p.Multipart.AbortUpload(ctx, key, id) })
}

func (p powers) ListUploads(ctx context.Context, key string) ([]storage.Upload, error) {
	return call(ctx, p.b, ListUploads, key, func() ([]storage.Upload, error) { return p.Multipart.ListUploads(ctx, key) })
}

func (p powers) CopyFrom(ctx context.Context, src storage.Source, obj storage.Object, key string, o storage.CopyOptions) (storage.Object, error) {
	return call(ctx, p.b, CopyFrom, key, func() (storage.Object, error) { return p.Copier.CopyFrom(ctx, src, obj, key, o) })
}

func (p powers) CopyPart(ctx context.Context, src storage.Source, obj storage.Object, off, n int64, key, id string, part int) (storage.Part, error) {
	return call(ctx, p.b, CopyPart, key, func() (storage.Part, error) {
		return p.PartCopier.CopyPart(ctx, src, obj, off, n, key, id, part)
	})
}

func (p powers) MakeDir(ctx context.Context, key string, m storage.Metadata) error {
	return call0(ctx, p.b, MakeDir, key, func() error { return p.Tree.MakeDir(ctx, key, m) })
}

func (p powers) Readlink(ctx context.Context, key string) (string, error) {
	return call(ctx, p.b, Readlink, key, func() (string, error) { return p.Tree.Readlink(ctx, key) })
}

func (p powers) Symlink(ctx context.Context, key, text string, m storage.Metadata) (storage.Object, error) {
	return call(ctx, p.b, Symlink, key, func() (storage.Object, error) { return p.Tree.Symlink(ctx, key, text, m) })
}

func (p powers) SetMeta(ctx context.Context, obj storage.Object, m storage.Metadata) (storage.Object, error) {
	return call(ctx, p.b, SetMeta, obj.Key, func() (storage.Object, error) { return p.Tree.SetMeta(ctx, obj, m) })
}

func (p powers) Tags(ctx context.Context, key string) (map[string]string, error) {
	return call(ctx, p.b, Tags, key, func() (map[string]string, error) { return p.Tagger.Tags(ctx, key) })
}

func (p powers) Restore(ctx context.Context, key string, days int, tier string) error {
	return call0(ctx, p.b, Restore, key, func() error { return p.Restorer.Restore(ctx, key, days, tier) })
}

func (p powers) Sync(ctx context.Context) error {
	return call0(ctx, p.b, Sync, "", func() error { return p.Syncer.Sync(ctx) })
}

func (p powers) Sweep(ctx context.Context, keep map[string]bool) (int, error) {
	return call(ctx, p.b, Sweep, "", func() (int, error) { return p.Sweeper.Sweep(ctx, keep) })
}
