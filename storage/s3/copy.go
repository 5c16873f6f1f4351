package s3

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// CanCopyFrom tells whether src is of the same store and account.
func (b *Bucket) CanCopyFrom(src storage.Source) bool {
	s, ok := storage.Undecorated(src).(*Bucket)
	return ok && (s == b || s.account != "" && s.account == b.account && s.Endpoint == b.Endpoint && s.Region == b.Region)
}

// source checks what is to be copied and returns its address and the ETag that
// pins its version.
func (b *Bucket) source(op, key string, src storage.Source, obj storage.Object) (from, tag *string, err error) {
	s, ok := storage.Undecorated(src).(*Bucket)
	if !ok || !b.CanCopyFrom(src) || obj.ETag == "" {
		return nil, nil, &storage.Error{Op: op, Key: key, Place: b.Place, Kind: storage.ErrUnsupported}
	}
	return aws.String(s3wire.EscapePath(s.Config.Bucket + "/" + s.FullKey(obj.Key))), aws.String(`"` + obj.ETag + `"`), nil
}

// CopyFrom copies an object inside the store, with the metadata, the tags and
// the class given, and none of the source's.
func (b *Bucket) CopyFrom(ctx context.Context, src storage.Source, obj storage.Object, key string, o storage.CopyOptions) (storage.Object, error) {
	const op = "copy"
	from, tag, err := b.source(op, key, src, obj)
	if err != nil {
		return storage.Object{}, err
	}
	meta, err := b.headers(op, key, o.Meta)
	if err != nil {
		return storage.Object{}, err
	}
	if obj.Size > b.Dialect.MaxCopy {
		return storage.Object{}, &storage.Error{Op: op, Key: key, Place: b.Place, Kind: storage.ErrTooLarge}
	}
	in := &s3.CopyObjectInput{
		Bucket: &b.Config.Bucket, Key: aws.String(b.FullKey(key)),
		CopySource: from, CopySourceIfMatch: tag, MetadataDirective: types.MetadataDirectiveReplace,
	}
	if b.Dialect.Tags {
		in.TaggingDirective = types.TaggingDirectiveReplace
	}
	out, err := b.api.CopyObject(ctx, in, meta)
	if err == nil && (out.CopyObjectResult == nil || aws.ToString(out.CopyObjectResult.ETag) == "") {
		err = errNoAnswer
	}
	if err != nil {
		return storage.Object{}, b.fail(ctx, op, key, err)
	}
	return storage.Object{Key: key, Size: obj.Size, ETag: s3wire.CleanETag(*out.CopyObjectResult.ETag)}, nil
}

// CopyPart fills a part from a stretch of an object of the store.
func (b *Bucket) CopyPart(ctx context.Context, src storage.Source, obj storage.Object, off, n int64, key, id string, part int) (storage.Part, error) {
	const op = "copy part"
	from, tag, err := b.source(op, key, src, obj)
	if err != nil {
		return storage.Part{}, err
	}
	out, err := b.api.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
		Bucket: &b.Config.Bucket, Key: aws.String(b.FullKey(key)), UploadId: &id, PartNumber: aws.Int32(int32(part)),
		CopySource: from, CopySourceIfMatch: tag, CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", off, off+n-1)),
	})
	if err == nil && (out.CopyPartResult == nil || aws.ToString(out.CopyPartResult.ETag) == "") {
		err = errNoAnswer
	}
	if err != nil {
		return storage.Part{}, b.fail(ctx, op, key, err)
	}
	return storage.Part{Number: part, Size: n, ETag: s3wire.CleanETag(*out.CopyPartResult.ETag)}, nil
}
