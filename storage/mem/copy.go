package mem

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"

	"github.com/sluice-sync/sluice/storage"
)

// CanCopyFrom tells whether src is a bucket of the same server.
func (b *Bucket) CanCopyFrom(src storage.Source) bool {
	_, ok := b.sibling(src)
	return ok
}

func (b *Bucket) sibling(src storage.Source) (*Bucket, bool) {
	s, ok := storage.Undecorated(src).(*Bucket)
	return s, ok && s.s == b.s
}

// fetch returns the bytes of a version of an object of the same server.
func (b *Bucket) fetch(ctx context.Context, src storage.Source, obj storage.Object, off, n int64) ([]byte, error) {
	from, ok := b.sibling(src)
	if !ok {
		return nil, b.fail("copy", obj.Key, storage.ErrUnsupported, fmt.Errorf("from %s", src))
	}
	if limit := b.s.o.MaxCopy; n > limit {
		return nil, b.fail("copy", obj.Key, storage.ErrTooLarge, fmt.Errorf("%d bytes, at most %d", n, limit))
	}
	o, err := from.find(ctx, "copy", obj.Key, &obj)
	if err != nil {
		return nil, err
	}
	if from.Features().Archived(o.Class) && from.restored(o).Until.IsZero() {
		return nil, b.fail("copy", obj.Key, storage.ErrArchived, nil)
	}
	if off < 0 || n < 0 || off > o.Size-n {
		return nil, b.fail("copy", obj.Key, storage.ErrInvalid, fmt.Errorf("%d bytes from %d of an object of %d", n, off, o.Size))
	}
	return o.body[off : off+n], nil
}

// CopyFrom copies a version of an object.
func (b *Bucket) CopyFrom(ctx context.Context, src storage.Source, obj storage.Object, key string, o storage.CopyOptions) (out storage.Object, err error) {
	if key == "" {
		return out, b.fail("copy", key, storage.ErrInvalidKey, nil)
	}
	data, err := b.fetch(ctx, src, obj, 0, obj.Size)
	if err != nil {
		return out, err
	}
	if err := b.checkClass("copy", key, o.Meta); err != nil {
		return out, err
	}
	sum := md5.Sum(data)
	err = b.hold(ctx, "copy", key, func(c *contents) error {
		out = b.store(c, key, data, hex.EncodeToString(sum[:]), o.Meta)
		return nil
	})
	return out, err
}

// CopyPart fills a part of an upload from a version of an object.
func (b *Bucket) CopyPart(ctx context.Context, src storage.Source, obj storage.Object, off, n int64, key, id string, number int) (storage.Part, error) {
	data, err := b.fetch(ctx, src, obj, off, n)
	if err != nil {
		return storage.Part{}, err
	}
	sum := md5.Sum(data)
	return b.addPart(ctx, "copy part", key, id, number, data, sum[:])
}
