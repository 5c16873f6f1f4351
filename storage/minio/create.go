package minio

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7/pkg/s3utils"
	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// inPath tells whether requests name the bucket in the path: where the store
// wants it so, and where no certificate would hold for bucket.host.
func (c Config) inPath(u *url.URL) bool {
	return c.Dialect.PathStyle || strings.Contains(c.Bucket, ".") && u.Scheme == "https"
}

// Create makes the bucket; one that is there and ours is success. minio-go
// would name it in the path wherever it is, which some stores refuse.
func (b *Bucket) Create(ctx context.Context) error {
	const op = "create"
	if err := s3utils.CheckValidBucketNameStrict(b.Config.Bucket); err != nil {
		return &storage.Error{Op: op, Place: b.Place, Kind: storage.ErrInvalid, Err: err}
	}
	req, err := b.createRequest(ctx)
	if err != nil {
		return b.fail(ctx, op, "", err)
	}
	resp, err := b.slow.RoundTrip(req)
	if err == nil {
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
		return resp.Body.Close()
	}
	var f *s3wire.Fault
	if errors.As(err, &f) && f.Code == "BucketAlreadyOwnedByYou" {
		return nil
	}
	return b.fail(ctx, op, "", err)
}

// createRequest is CreateBucket, signed.
func (b *Bucket) createRequest(ctx context.Context) (*http.Request, error) {
	var doc []byte
	if b.Region != "us-east-1" { // which has no name as a constraint
		doc = []byte("<CreateBucketConfiguration><LocationConstraint>" + b.Region + "</LocationConstraint></CreateBucketConfiguration>")
	}
	u := *b.address
	if u.Path = "/"; b.inPath {
		u.Path = "/" + b.Config.Bucket + "/"
	} else {
		u.Host = b.Config.Bucket + "." + u.Host
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, u.String(), bytes.NewReader(doc))
	if err != nil || b.Keys == nil {
		return req, err
	}
	k, err := b.Keys(ctx)
	if err != nil {
		return nil, &storage.Error{Op: "create", Place: b.Place, Kind: storage.ErrCredentials, Err: err}
	}
	sum := sha256.Sum256(doc)
	req.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	return signer.SignV4(*req, k.Access, k.Secret, k.Session, b.Region), nil
}
