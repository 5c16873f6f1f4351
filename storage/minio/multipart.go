package minio

import (
	"context"
	"errors"
	"net/http"
	"strings"

	miniogo "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/tags"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// CreateUpload begins an upload.
func (b *Bucket) CreateUpload(ctx context.Context, key string, o storage.UploadOptions) (string, error) {
	const op = "create upload"
	headers, err := b.headers(op, key, o.Meta)
	if err != nil {
		return "", err
	}
	// minio-go sends the names it knows as they are, x-amz-tagging not among
	// them, and leaves out silently what it takes for no tags.
	if _, err := tags.NewTags(o.Meta.Tags, true); err != nil {
		return "", &storage.Error{Op: op, Key: key, Place: b.Place, Kind: storage.ErrInvalid, Err: err}
	}
	delete(headers, "X-Amz-Tagging")
	put := miniogo.PutObjectOptions{ContentType: headers["Content-Type"], UserMetadata: headers, UserTags: o.Meta.Tags}
	id, err := b.core.NewMultipartUpload(ctx, b.Config.Bucket, b.FullKey(key), put)
	if err == nil && id == "" {
		err = errNoAnswer
	}
	return id, b.fail(ctx, op, key, err)
}

// headers checks the key and returns the metadata as headers.
func (b *Bucket) headers(op, key string, m storage.Metadata) (map[string]string, error) {
	if err := b.CheckKey(op, key); err != nil {
		return nil, err
	}
	if strings.TrimSpace(b.FullKey(key)) == "" {
		return nil, &storage.Error{Op: op, Key: key, Place: b.Place, Kind: storage.ErrInvalidKey, Err: errors.New("a blank key")}
	}
	h := http.Header{}
	if err := s3wire.SetHeader(h, m); err != nil {
		return nil, &storage.Error{Op: op, Key: key, Place: b.Place, Kind: storage.ErrInvalid, Err: err}
	}
	flat := make(map[string]string, len(h)+2)
	for name, v := range h {
		flat[name] = v[0]
	}
	return flat, nil
}

// ListParts returns the finished parts.
func (b *Bucket) ListParts(ctx context.Context, key, id string) ([]storage.Part, error) {
	const op = "list parts"
	var all []storage.Part
	for marker := 0; ; {
		r, err := b.core.ListObjectParts(ctx, b.Config.Bucket, b.FullKey(key), id, marker, 1000)
		if err != nil {
			return nil, b.fail(ctx, op, key, err)
		}
		for _, p := range r.ObjectParts {
			all = append(all, storage.Part{Number: p.PartNumber, Size: p.Size, ETag: s3wire.CleanETag(p.ETag)})
		}
		if !r.IsTruncated {
			return all, nil
		}
		if r.NextPartNumberMarker <= marker {
			return nil, b.fail(ctx, op, key, errNoAnswer)
		}
		marker = r.NextPartNumberMarker
	}
}

// CompleteUpload makes the object visible.
func (b *Bucket) CompleteUpload(ctx context.Context, key, id string, parts []storage.Part) (storage.Object, error) {
	const op = "complete"
	o := storage.Object{Key: key}
	list := make([]miniogo.CompletePart, len(parts))
	for i, p := range parts {
		list[i] = miniogo.CompletePart{PartNumber: p.Number, ETag: p.ETag}
		o.Size += p.Size
	}
	done, err := b.core.CompleteMultipartUpload(ctx, b.Config.Bucket, b.FullKey(key), id, list, miniogo.PutObjectOptions{})
	if err == nil && done.ETag == "" {
		err = errNoAnswer
	}
	o.ETag = done.ETag
	return o, b.fail(ctx, op, key, err)
}

// AbortUpload removes an upload; one that is gone is success.
func (b *Bucket) AbortUpload(ctx context.Context, key, id string) error {
	err := b.core.AbortMultipartUpload(ctx, b.Config.Bucket, b.FullKey(key), id)
	if err = b.fail(ctx, "abort", key, err); errors.Is(err, storage.ErrNoUpload) {
		return nil
	}
	return err
}

// ListUploads returns the uploads of a key. Those of all keys are, on MinIO,
// the ones that the server that answers has seen since it started.
func (b *Bucket) ListUploads(ctx context.Context, key string) ([]storage.Upload, error) {
	return b.Uploads(key, func(prefix, keyMarker, idMarker string) (p s3wire.UploadPage, err error) {
		r, err := b.core.ListMultipartUploads(ctx, b.Config.Bucket, prefix, keyMarker, idMarker, "", 1000)
		for _, u := range r.Uploads {
			p.Uploads = append(p.Uploads, storage.Upload{Key: u.Key, ID: u.UploadID, Started: u.Initiated})
		}
		p.More, p.NextKey, p.NextID = r.IsTruncated, r.NextKeyMarker, r.NextUploadIDMarker
		return p, b.fail(ctx, "list uploads", key, err)
	})
}
