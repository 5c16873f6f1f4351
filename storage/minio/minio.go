// Package minio is the driver for MinIO and for other S3-compatible stores,
// whose differences are rows of the dialect table. Objects travel through
// storage/s3wire; minio-go does what is rare: buckets, the bookkeeping of
// multipart uploads, copies inside the store.
//
// It must not know other drivers, retry policy, tasks or the environment.
package minio

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	miniogo "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// Config names a bucket and how to reach it.
type Config struct {
	Endpoint     string // http(s)://host[:port]
	AccessKey    string // "" sends requests that are not signed
	SecretKey    string
	SessionToken string // of temporary keys
	// Keys, if not nil, is asked for every request instead of the three above,
	// of which AccessKey then only tells accounts apart.
	Keys     func(context.Context) (s3wire.Keys, error)
	Region   string // of the signature; "" is us-east-1, which most stores take
	Bucket   string
	Prefix   string      // a directory in the bucket; "" is all of it
	Dialect  dialect.Row // what the store does differently
	Place    string      // what String returns; "" is Endpoint/Bucket/Prefix
	Limits   s3wire.Limits
	PageSize int // keys per listing request; 0: 1,000
}

// Bucket is storage.Bucket with the powers Multipart, Copier and PartCopier.
// What minio-go sends is retried by nobody, as all of it.
type Bucket struct {
	*s3wire.Client
	core    miniogo.Core
	slow    http.RoundTripper // what core sends with
	address *url.URL
	inPath  bool
	access  string
}

// slowAnswer is how long a store may work before it answers a copy or a
// Complete: copying 5 GiB takes it minutes.
const slowAnswer = 10 * time.Minute

// Open makes no request. A MinIO server drops an Expires header that is not a
// date; everything else of the metadata is kept verbatim.
func Open(c Config) (*Bucket, error) {
	if c.Dialect.DeclareChecksum {
		return nil, fmt.Errorf("driver minio cannot declare checksums, which %s needs: use driver s3", c.Dialect.Name)
	}
	if err := c.Dialect.CheckAddress(c.Endpoint, c.Bucket); err != nil {
		return nil, err
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if c.Place == "" {
		c.Place = fmt.Sprintf("%s/%s/%s", c.Endpoint, c.Bucket, c.Prefix)
	}
	transport, err := s3wire.RoundTripper(c.Limits)
	if err != nil {
		return nil, err
	}
	w := s3wire.Config{
		Endpoint: c.Endpoint, Region: c.Region, Bucket: c.Bucket, Prefix: c.Prefix,
		Place: c.Place, Dialect: c.Dialect, Transport: transport, PageSize: c.PageSize,
	}
	creds := credentials.NewStaticV4(c.AccessKey, c.SecretKey, c.SessionToken)
	switch {
	case c.Keys != nil:
		w.Keys, creds = c.Keys, credentials.New(provider{c.Keys})
	case c.AccessKey != "":
		w.Keys = s3wire.StaticKeys(s3wire.Keys{Access: c.AccessKey, Secret: c.SecretKey, Session: c.SessionToken})
	}
	b := &Bucket{access: c.AccessKey}
	if b.Client, err = s3wire.New(w); err != nil {
		return nil, err
	}
	if err := b.connect(c, creds); err != nil {
		return nil, err
	}
	return b, nil
}

// provider hands minio-go the keys of the moment; it keeps none.
type provider struct {
	keys func(context.Context) (s3wire.Keys, error)
}

func (p provider) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	ctx := context.Background()
	if cc != nil && cc.Context != nil {
		ctx = cc.Context
	}
	k, err := p.keys(ctx)
	return credentials.Value{
		AccessKeyID: k.Access, SecretAccessKey: k.Secret, SessionToken: k.Session, SignerType: credentials.SignatureV4,
	}, err
}

func (p provider) Retrieve() (credentials.Value, error) { return p.RetrieveWithCredContext(nil) }

func (p provider) IsExpired() bool { return true }

// connect makes the client of minio-go, which retries nothing and waits long.
func (b *Bucket) connect(c Config, creds *credentials.Credentials) (err error) {
	if b.address, err = url.Parse(c.Endpoint); err != nil {
		return errors.New("endpoint is no URL")
	}
	limits := c.Limits
	limits.Stall = max(limits.Stall, slowAnswer)
	transport, err := s3wire.Transport(limits)
	if err != nil {
		return err
	}
	b.slow, b.inPath = faults{transport}, c.inPath(b.address)
	lookup := miniogo.BucketLookupDNS
	if b.inPath {
		lookup = miniogo.BucketLookupPath
	}
	core, err := miniogo.NewCore(b.address.Host, &miniogo.Options{
		Creds: creds, Secure: b.address.Scheme == "https", Transport: b.slow,
		Region: c.Region, BucketLookup: lookup, MaxRetries: 1,
	})
	if err == nil {
		b.core = *core
	}
	return err
}

// fail wraps what minio-go says.
func (b *Bucket) fail(ctx context.Context, op, key string, err error) error {
	if err == nil {
		return nil
	}
	var r miniogo.ErrorResponse
	if errors.As(err, &r) && r.Code != "" { // an error document behind a 200
		err = &s3wire.Fault{Status: http.StatusOK, Code: r.Code, Message: r.Message}
	} else if unreadable(err) {
		err = errNoAnswer
	}
	return b.Fail(ctx, op, key, withoutURL(err))
}

// errNoAnswer is a success without what was asked for.
var errNoAnswer = &s3wire.Fault{Status: http.StatusOK, Message: "the answer is not understood"}

// unreadable tells whether minio-go could not decode an answer. A bare io.EOF
// is an empty one: those of the network come wrapped.
func unreadable(err error) bool {
	var syntax *xml.SyntaxError
	var other xml.UnmarshalError
	return err == io.EOF || errors.As(err, &syntax) || errors.As(err, &other) //nolint:errorlint // see above
}

// withoutURL takes off what net/http's client puts around an error: addresses
// say nothing that the place does not.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

var (
	_ storage.Bucket     = (*Bucket)(nil)
	_ storage.Multipart  = (*Bucket)(nil)
	_ storage.Copier     = (*Bucket)(nil)
	_ storage.PartCopier = (*Bucket)(nil)
)
