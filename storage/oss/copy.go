package oss

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// CanCopyFrom tells whether src is of the same store and account. OSS copies
// inside a region only.
func (b *Bucket) CanCopyFrom(src storage.Source) bool {
	s, ok := storage.Undecorated(src).(*Bucket)
	return ok && (s == b || s.account != "" && s.account == b.account && s.Endpoint == b.Endpoint && s.Region == b.Region)
}

// source checks what is to be copied and returns the headers that name it and
// pin its version. (The SDK would write a blank in a key as "+".)
func (b *Bucket) source(op, key string, src storage.Source, obj storage.Object) (map[string]string, error) {
	s, ok := storage.Undecorated(src).(*Bucket)
	if !ok || !b.CanCopyFrom(src) || obj.ETag == "" {
		return nil, &storage.Error{Op: op, Key: key, Place: b.Place, Kind: storage.ErrUnsupported}
	}
	return map[string]string{
		sdk.HTTPHeaderOssCopySource:        s3wire.EscapePath("/" + s.Config.Bucket + "/" + s.FullKey(obj.Key)),
		sdk.HTTPHeaderOssCopySourceIfMatch: `"` + obj.ETag + `"`,
	}, nil
}

// CopyFrom copies an object inside the store, with the metadata, tags and class
// given.
func (b *Bucket) CopyFrom(ctx context.Context, src storage.Source, obj storage.Object, key string, o storage.CopyOptions) (storage.Object, error) {
	const op = "copy"
	from, err := b.source(op, key, src, obj)
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
	for name, v := range from {
		headers[name] = v
	}
	headers[sdk.HTTPHeaderOssMetadataDirective] = "REPLACE"
	headers[sdk.HTTPHeaderOssTaggingDirective] = "Replace"
	if err := b.refresh(ctx, op, key); err != nil {
		return storage.Object{}, err
	}
	tag, err := b.copied(b.api.Conn.DoWithContext(ctx, "PUT", b.Config.Bucket, b.FullKey(key), nil, headers, nil, 0, nil))
	return storage.Object{Key: key, Size: obj.Size, ETag: tag}, b.fail(ctx, op, key, err)
}

// copied reads the answer to a copy.
func (b *Bucket) copied(resp *sdk.Response, err error) (tag string, _ error) {
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var done sdk.CopyObjectResult
	if err := xml.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&done); err != nil {
		return "", err
	}
	if done.ETag == "" {
		return "", errNoAnswer
	}
	return s3wire.CleanETag(done.ETag), nil
}

// CopyPart fills a part from a stretch of an object of the store.
func (b *Bucket) CopyPart(ctx context.Context, src storage.Source, obj storage.Object, off, n int64, key, id string, part int) (storage.Part, error) {
	const op = "copy part"
	from, err := b.source(op, key, src, obj)
	if err != nil {
		return storage.Part{}, err
	}
	from[sdk.HTTPHeaderOssCopySourceRange] = fmt.Sprintf("bytes=%d-%d", off, off+n-1)
	opts, err := b.options(ctx, op, key, from)
	if err != nil {
		return storage.Part{}, err
	}
	done, err := b.bucket.UploadPartCopy(b.upload(key, id), "", "", off, n, part, opts...)
	tag := s3wire.CleanETag(done.ETag)
	if err == nil && tag == "" {
		err = errNoAnswer
	}
	return storage.Part{Number: part, Size: n, ETag: tag}, b.fail(ctx, op, key, err)
}
