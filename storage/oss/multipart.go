package oss

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// headers checks the key and returns the metadata as headers.
func (b *Bucket) headers(op, key string, m storage.Metadata) (map[string]string, error) {
	if err := b.CheckKey(op, key); err != nil {
		return nil, err
	}
	h := http.Header{}
	if err := b.Protocol.SetHeader(h, m); err != nil {
		return nil, &storage.Error{Op: op, Key: key, Place: b.Place, Kind: storage.ErrInvalid, Err: err}
	}
	flat := make(map[string]string, len(h)+4)
	for name, v := range h {
		flat[name] = v[0]
	}
	return flat, nil
}

// options are those of one call of the SDK.
func (b *Bucket) options(ctx context.Context, op, key string, headers map[string]string) ([]sdk.Option, error) {
	if err := b.refresh(ctx, op, key); err != nil {
		return nil, err
	}
	opts := make([]sdk.Option, 0, len(headers)+4)
	for name, v := range headers {
		opts = append(opts, sdk.SetHeader(name, v))
	}
	return append(opts, sdk.WithContext(ctx)), nil
}

// upload names an upload.
func (b *Bucket) upload(key, id string) sdk.InitiateMultipartUploadResult {
	return sdk.InitiateMultipartUploadResult{Bucket: b.Config.Bucket, Key: b.FullKey(key), UploadID: id}
}

// CreateUpload begins an upload.
func (b *Bucket) CreateUpload(ctx context.Context, key string, o storage.UploadOptions) (string, error) {
	const op = "create upload"
	headers, err := b.headers(op, key, o.Meta)
	if err != nil {
		return "", err
	}
	opts, err := b.options(ctx, op, key, headers)
	if err != nil {
		return "", err
	}
	up, err := b.bucket.InitiateMultipartUpload(b.FullKey(key), opts...)
	if err == nil && up.UploadID == "" {
		err = errNoAnswer
	}
	return up.UploadID, b.fail(ctx, op, key, err)
}

// ListParts returns the finished parts.
func (b *Bucket) ListParts(ctx context.Context, key, id string) ([]storage.Part, error) {
	const op = "list parts"
	var all []storage.Part
	for marker := 0; ; {
		opts, err := b.options(ctx, op, key, nil)
		if err != nil {
			return nil, err
		}
		r, err := b.bucket.ListUploadedParts(b.upload(key, id), append(opts, sdk.MaxParts(1000), sdk.PartNumberMarker(marker))...)
		if err != nil {
			return nil, b.fail(ctx, op, key, err)
		}
		for _, p := range r.UploadedParts {
			all = append(all, storage.Part{Number: p.PartNumber, Size: int64(p.Size), ETag: s3wire.CleanETag(p.ETag)})
		}
		if !r.IsTruncated {
			return all, nil
		}
		next, err := strconv.Atoi(r.NextPartNumberMarker)
		if err != nil || next <= marker {
			return nil, b.fail(ctx, op, key, errNoAnswer)
		}
		marker = next
	}
}

// CompleteUpload makes the object visible.
func (b *Bucket) CompleteUpload(ctx context.Context, key, id string, parts []storage.Part) (storage.Object, error) {
	const op = "complete"
	opts, err := b.options(ctx, op, key, nil)
	if err != nil {
		return storage.Object{}, err
	}
	o := storage.Object{Key: key}
	list := make([]sdk.UploadPart, len(parts))
	for i, p := range parts {
		list[i] = sdk.UploadPart{PartNumber: p.Number, ETag: `"` + p.ETag + `"`}
		o.Size += p.Size
	}
	done, err := b.bucket.CompleteMultipartUpload(b.upload(key, id), list, opts...)
	if err == nil && done.ETag == "" {
		err = errNoAnswer
	}
	o.ETag = s3wire.CleanETag(done.ETag)
	return o, b.fail(ctx, op, key, err)
}

// AbortUpload removes an upload; one that is gone is success.
func (b *Bucket) AbortUpload(ctx context.Context, key, id string) error {
	const op = "abort"
	opts, err := b.options(ctx, op, key, nil)
	if err != nil {
		return err
	}
	err = b.fail(ctx, op, key, b.bucket.AbortMultipartUpload(b.upload(key, id), opts...))
	if errors.Is(err, storage.ErrNoUpload) {
		return nil
	}
	return err
}

// ListUploads returns the uploads of a key, or of all keys.
func (b *Bucket) ListUploads(ctx context.Context, key string) ([]storage.Upload, error) {
	const op = "list uploads"
	return b.Uploads(key, func(prefix, keyMarker, idMarker string) (p s3wire.UploadPage, err error) {
		opts, err := b.options(ctx, op, key, nil)
		if err != nil {
			return p, err
		}
		opts = append(opts, sdk.MaxUploads(1000), sdk.Prefix(prefix), sdk.KeyMarker(keyMarker), sdk.UploadIDMarker(idMarker))
		r, err := b.bucket.ListMultipartUploads(opts...)
		for _, u := range r.Uploads {
			p.Uploads = append(p.Uploads, storage.Upload{Key: u.Key, ID: u.UploadID, Started: u.Initiated})
		}
		p.More, p.NextKey, p.NextID = r.IsTruncated, r.NextKeyMarker, r.NextUploadIDMarker
		return p, b.fail(ctx, op, key, err)
	})
}
