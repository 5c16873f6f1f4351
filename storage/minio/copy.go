package minio

import (
	"context"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// CanCopyFrom tells whether src is of the same store, seen with the same keys.
func (b *Bucket) CanCopyFrom(src storage.Source) bool {
	s, ok := storage.Undecorated(src).(*Bucket)
	return ok && s.Endpoint == b.Endpoint && s.Region == b.Region && s.access == b.access
}

// source checks what is to be copied and returns its full key and the
// condition that pins its version.
func (b *Bucket) source(op, key string, src storage.Source, obj storage.Object) (*Bucket, map[string]string, error) {
	s, ok := storage.Undecorated(src).(*Bucket)
	if !ok || !b.CanCopyFrom(src) || obj.ETag == "" {
		return nil, nil, &storage.Error{Op: op, Key: key, Place: b.Place, Kind: storage.ErrUnsupported}
	}
	return s, map[string]string{"X-Amz-Copy-Source-If-Match": `"` + obj.ETag + `"`}, nil
}

// CopyFrom copies an object inside the store, with the metadata, the tags and
// the class given, and none of the source's.
func (b *Bucket) CopyFrom(ctx context.Context, src storage.Source, obj storage.Object, key string, o storage.CopyOptions) (storage.Object, error) {
	const op = "copy"
	s, pin, err := b.source(op, key, src, obj)
	if err != nil {
		return storage.Object{}, err
	}
	headers, err := b.headers(op, key, o.Meta)
	if err != nil {
		return storage.Object{}, err
	}
	if obj.Size > b.Dialect.MaxCopy {
		return storage.Object{}, &storage.Error{Op: op, Key: key, Place: b.Place, Kind: storage.ErrTooLarge}
	}
	for name, v := range pin {
		headers[name] = v
	}
	headers["X-Amz-Metadata-Directive"] = "REPLACE"
	if b.Dialect.Tags {
		headers["X-Amz-Tagging-Directive"] = "REPLACE"
	}
	done, err := b.core.CopyObject(ctx, s.Config.Bucket, s.FullKey(obj.Key), b.Config.Bucket, b.FullKey(key),
		headers, miniogo.CopySrcOptions{}, miniogo.PutObjectOptions{})
	tag := s3wire.CleanETag(done.ETag)
	if err == nil && tag == "" { // an error document behind a 200
		err = errNoAnswer
	}
	return storage.Object{Key: key, Size: obj.Size, ETag: tag}, b.fail(ctx, op, key, err)
}

// CopyPart fills a part from a stretch of an object of the store.
func (b *Bucket) CopyPart(ctx context.Context, src storage.Source, obj storage.Object, off, n int64, key, id string, part int) (storage.Part, error) {
	const op = "copy part"
	s, pin, err := b.source(op, key, src, obj)
	if err != nil {
		return storage.Part{}, err
	}
	done, err := b.core.CopyObjectPart(ctx, s.Config.Bucket, s.FullKey(obj.Key), b.Config.Bucket, b.FullKey(key), id, part, off, n, pin)
	tag := s3wire.CleanETag(done.ETag)
	if err == nil && tag == "" {
		err = errNoAnswer
	}
	return storage.Part{Number: part, Size: n, ETag: tag}, b.fail(ctx, op, key, err)
}
