// Package oss is the driver for Alibaba Cloud OSS by its own API. Objects
// travel through storage/s3wire, which speaks OSS too; Alibaba Cloud's SDK does
// what is rare: buckets, the bookkeeping of multipart uploads, copies inside
// the store.
//
// It must not know other drivers, retry policy, tasks or the environment.
package oss

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// Config names a bucket and how to reach it.
type Config struct {
	// Endpoint is http(s)://host[:port] as Alibaba Cloud names it
	// (oss-REGION.aliyuncs.com, oss-REGION-internal.aliyuncs.com,
	// oss-accelerate.aliyuncs.com), a custom domain, or an IP address, at which
	// the bucket is in the path.
	Endpoint     string
	Region       string // of V4 signatures, as cn-hangzhou or oss-cn-hangzhou; "" is the endpoint's
	Bucket       string // name
	Prefix       string // a directory in the bucket; "" is all of it
	Place        string // what String returns; "" is oss://Bucket/Prefix
	SignV1       bool   // sign with version 1, which needs no region; new accounts are refused with it
	CustomDomain bool   // Endpoint is a domain bound to the bucket
	PathStyle    bool   // the bucket is in the path, not in the host name
	// Keys returns the keys of the moment, with the token of temporary ones; it
	// is called for every request and by many goroutines. Nil: objects are read
	// unsigned, and multipart uploads and copies are refused by the store.
	Keys func(ctx context.Context) (s3wire.Keys, error)
	// Account names whose keys these are. Objects are copied inside the store
	// between buckets of equal region, endpoint and Account. "" never equals.
	Account  string
	Limits   s3wire.Limits
	PageSize int // keys per listing request; 0: 1,000
}

// Bucket is storage.Bucket with the powers Multipart, Copier, PartCopier, Tagger
// and Restorer. What the SDK sends is retried by nobody, as all of it.
type Bucket struct {
	*s3wire.Client
	api     *sdk.Client
	bucket  *sdk.Bucket
	keys    *latestKeys
	account string
}

// Open makes no request.
func Open(c Config) (*Bucket, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.Path != "" && u.Path != "/" {
		return nil, errors.New("oss: endpoint must be a URL of the form http(s)://host[:port]")
	}
	if c.Region, err = region(c, u.Hostname()); err != nil {
		return nil, err
	}
	if c.Place == "" {
		c.Place = "oss://" + c.Bucket + "/" + c.Prefix
	}
	if net.ParseIP(u.Hostname()) != nil { // as the SDK has it
		c.PathStyle, c.CustomDomain = true, false
	}
	transport, err := s3wire.RoundTripper(c.Limits)
	if err != nil {
		return nil, err
	}
	w := s3wire.Config{
		Protocol: s3wire.OSS, Endpoint: c.Endpoint, Bound: c.CustomDomain, Region: c.Region, Bucket: c.Bucket,
		Prefix: c.Prefix, Place: c.Place, Dialect: row(c.PathStyle), Keys: c.Keys, Transport: transport, PageSize: c.PageSize,
	}
	if c.SignV1 {
		w.Protocol = s3wire.OSSV1
	}
	wire, err := s3wire.New(w)
	if err != nil {
		return nil, fmt.Errorf("oss: %w", err)
	}
	b := &Bucket{Client: wire, keys: &latestKeys{}, account: c.Account}
	if b.api, err = newAPI(c, b.keys); err != nil {
		return nil, err
	}
	if b.bucket, err = b.api.Bucket(c.Bucket); err != nil {
		return nil, fmt.Errorf("oss: bucket name %q: %w", c.Bucket, err)
	}
	return b, nil
}

// Create makes the bucket; one that is there and may be listed is success. (The
// SDK's own call takes no context.)
func (b *Bucket) Create(ctx context.Context) error {
	const op = "create"
	if err := b.refresh(ctx, op, ""); err != nil {
		return err
	}
	resp, err := b.api.Conn.DoWithContext(ctx, "PUT", b.Config.Bucket, "", nil, nil, nil, 0, nil)
	if err == nil {
		return resp.Body.Close()
	}
	if err = b.fail(ctx, op, "", err); errors.Is(err, storage.ErrExists) && b.Check(ctx) == nil {
		return nil
	}
	return err
}

var (
	_ storage.Bucket     = (*Bucket)(nil)
	_ storage.Multipart  = (*Bucket)(nil)
	_ storage.Copier     = (*Bucket)(nil)
	_ storage.PartCopier = (*Bucket)(nil)
	_ storage.Tagger     = (*Bucket)(nil)
	_ storage.Restorer   = (*Bucket)(nil)
)
