package s3

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// CreateUpload begins an upload whose parts carry the dialect's checksum.
func (b *Bucket) CreateUpload(ctx context.Context, key string, o storage.UploadOptions) (string, error) {
	const op = "create upload"
	meta, err := b.headers(op, key, o.Meta)
	if err != nil {
		return "", err
	}
	in := &s3.CreateMultipartUploadInput{Bucket: &b.Config.Bucket, Key: aws.String(b.FullKey(key))}
	if b.Dialect.DeclareChecksum {
		in.ChecksumAlgorithm, in.ChecksumType = types.ChecksumAlgorithmCrc32c, types.ChecksumTypeFullObject
	}
	out, err := b.api.CreateMultipartUpload(ctx, in, meta)
	if err == nil && aws.ToString(out.UploadId) == "" {
		err = errNoAnswer
	}
	if err != nil {
		return "", b.fail(ctx, op, key, err)
	}
	return *out.UploadId, nil
}

// errNoAnswer is a success without what was asked for.
var errNoAnswer = &s3wire.Fault{Status: http.StatusOK, Message: "the answer is not understood"}

// headers checks the key and returns the metadata as an option of a call; the
// SDK's own fields cannot hold every Expires and would rename user metadata.
func (b *Bucket) headers(op, key string, m storage.Metadata) (func(*s3.Options), error) {
	if err := b.CheckKey(op, key); err != nil {
		return nil, err
	}
	h := http.Header{}
	if err := s3wire.SetHeader(h, m); err != nil {
		return nil, &storage.Error{Op: op, Key: key, Place: b.Place, Kind: storage.ErrInvalid, Err: err}
	}
	return func(o *s3.Options) {
		for name, v := range h {
			o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue(name, v[0]))
		}
	}, nil
}

// ListParts returns the finished parts.
func (b *Bucket) ListParts(ctx context.Context, key, id string) ([]storage.Part, error) {
	all, err := b.parts(ctx, "list parts", key, id)
	var parts []storage.Part
	for _, p := range all {
		parts = append(parts, storage.Part{
			Number: int(aws.ToInt32(p.PartNumber)), Size: aws.ToInt64(p.Size), ETag: s3wire.CleanETag(aws.ToString(p.ETag)),
		})
	}
	return parts, err
}

func (b *Bucket) parts(ctx context.Context, op, key, id string) ([]types.Part, error) {
	var all []types.Part
	in := &s3.ListPartsInput{Bucket: &b.Config.Bucket, Key: aws.String(b.FullKey(key)), UploadId: &id}
	for marker := -1; ; {
		out, err := b.api.ListParts(ctx, in)
		if err != nil {
			return nil, b.fail(ctx, op, key, err)
		}
		all = append(all, out.Parts...)
		if !aws.ToBool(out.IsTruncated) {
			return all, nil
		}
		next, err := strconv.Atoi(aws.ToString(out.NextPartNumberMarker))
		if err != nil || next <= marker {
			return nil, b.fail(ctx, op, key, errNoAnswer)
		}
		marker, in.PartNumberMarker = next, out.NextPartNumberMarker
	}
}

// CompleteUpload makes the object visible. If checksums were declared it first
// asks for those of the parts, which have to be named again.
func (b *Bucket) CompleteUpload(ctx context.Context, key, id string, parts []storage.Part) (storage.Object, error) {
	const op = "complete"
	in := &s3.CompleteMultipartUploadInput{Bucket: &b.Config.Bucket, Key: aws.String(b.FullKey(key)), UploadId: &id}
	sums := map[int32]*string{}
	if b.Dialect.DeclareChecksum {
		held, err := b.parts(ctx, op, key, id)
		if err != nil {
			return storage.Object{}, err
		}
		for _, p := range held {
			sums[aws.ToInt32(p.PartNumber)] = p.ChecksumCRC32C
		}
		in.ChecksumType = types.ChecksumTypeFullObject
	}
	o := storage.Object{Key: key}
	list := make([]types.CompletedPart, len(parts))
	for i, p := range parts {
		n := int32(p.Number)
		list[i] = types.CompletedPart{PartNumber: &n, ETag: aws.String(`"` + p.ETag + `"`), ChecksumCRC32C: sums[n]}
		o.Size += p.Size
	}
	in.MultipartUpload = &types.CompletedMultipartUpload{Parts: list}
	out, err := b.api.CompleteMultipartUpload(ctx, in)
	if err == nil && aws.ToString(out.ETag) == "" {
		err = errNoAnswer
	}
	if err != nil {
		return storage.Object{}, b.fail(ctx, op, key, err)
	}
	o.ETag = s3wire.CleanETag(*out.ETag)
	return o, nil
}

// AbortUpload removes an upload; one that is gone is success.
func (b *Bucket) AbortUpload(ctx context.Context, key, id string) error {
	_, err := b.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &b.Config.Bucket, Key: aws.String(b.FullKey(key)), UploadId: &id,
	})
	if err = b.fail(ctx, "abort", key, err); errors.Is(err, storage.ErrNoUpload) {
		return nil
	}
	return err
}

// ListUploads returns the uploads of a key, or of all keys.
func (b *Bucket) ListUploads(ctx context.Context, key string) ([]storage.Upload, error) {
	return b.Uploads(key, func(prefix, keyMarker, idMarker string) (p s3wire.UploadPage, err error) {
		out, err := b.api.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{
			Bucket: &b.Config.Bucket, Prefix: orNil(prefix), KeyMarker: orNil(keyMarker), UploadIdMarker: orNil(idMarker),
		})
		if err != nil {
			return p, b.fail(ctx, "list uploads", key, err)
		}
		for _, u := range out.Uploads {
			p.Uploads = append(p.Uploads, storage.Upload{Key: aws.ToString(u.Key), ID: aws.ToString(u.UploadId), Started: aws.ToTime(u.Initiated)})
		}
		p.More, p.NextKey, p.NextID = aws.ToBool(out.IsTruncated), aws.ToString(out.NextKeyMarker), aws.ToString(out.NextUploadIdMarker)
		return p, nil
	})
}

// orNil leaves an empty parameter out of a request.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
