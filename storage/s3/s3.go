// Package s3 is the driver for Amazon S3. Objects travel through
// storage/s3wire; aws-sdk-go-v2 finds credentials and endpoints and does what
// is rare: buckets, the bookkeeping of multipart uploads, copies inside the
// store.
//
// It must not know other drivers, retry policy, tasks or the environment (the
// SDK's default chain, in Load, reads its own variables and files).
package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// Load is the SDK's default chain: environment, shared files, SSO, web
// identity, container and machine roles, which the SDK asks again before they
// expire. All arguments may be ""; endpoint "" is that of AWS_ENDPOINT_URL_S3,
// AWS_ENDPOINT_URL or the shared files, else Amazon's. It makes no request to S3.
func Load(ctx context.Context, endpoint, region, profile string) (aws.Config, error) {
	c, err := config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithSharedConfigProfile(profile))
	if err != nil {
		return c, err
	}
	if c.BaseEndpoint = s3.NewFromConfig(c).Options().BaseEndpoint; endpoint != "" {
		c.BaseEndpoint = &endpoint
	}
	return c, nil
}

// Keyed is a configuration of keys that may change: the function is asked for
// every request. endpoint "" is Amazon's for the region.
func Keyed(endpoint, region string, keys func(context.Context) (s3wire.Keys, error)) aws.Config {
	c := aws.Config{Region: region, Credentials: aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		k, err := keys(ctx)
		return aws.Credentials{AccessKeyID: k.Access, SecretAccessKey: k.Secret, SessionToken: k.Session}, err
	})}
	if endpoint != "" {
		c.BaseEndpoint = &endpoint
	}
	return c
}

// Static is a configuration of keys that do not change; it reads nothing.
func Static(endpoint, region, access, secret, session string) aws.Config {
	return Keyed(endpoint, region, s3wire.StaticKeys(s3wire.Keys{Access: access, Secret: secret, Session: session}))
}

// Config names a bucket and how to reach it.
type Config struct {
	AWS     aws.Config  // from Load or Static; its HTTP client and retryer are not used
	Bucket  string      // name
	Prefix  string      // a directory in the bucket; "" is all of it
	Dialect dialect.Row // the row "aws", or what another endpoint does differently
	Place   string      // what String returns; "" is s3://Bucket/Prefix
	// Account names whose keys these are. Objects are copied inside the store
	// between buckets of equal region, endpoint and Account. "" never equals.
	Account  string
	Limits   s3wire.Limits
	PageSize int // keys per listing request; 0: 1,000
}

// Bucket is storage.Bucket with the powers Multipart, Copier and PartCopier.
type Bucket struct {
	*s3wire.Client
	api     *s3.Client
	account string
}

// slowAnswer is how long S3 may work before it answers a copy or a Complete:
// copying 5 GiB takes it minutes.
const slowAnswer = 10 * time.Minute

// Open makes no request but what AWS.Credentials may need later.
func Open(c Config) (*Bucket, error) {
	if c.AWS.Region == "" {
		c.AWS.Region = "us-east-1"
	}
	if c.Place == "" {
		c.Place = "s3://" + c.Bucket + "/" + c.Prefix
	}
	api, err := newAPI(c)
	if err != nil {
		return nil, err
	}
	endpoint, err := endpointOf(api.Options())
	if err != nil {
		return nil, err
	}
	if err := c.Dialect.CheckAddress(endpoint, c.Bucket); err != nil {
		return nil, err
	}
	transport, err := s3wire.RoundTripper(c.Limits)
	if err != nil {
		return nil, err
	}
	wire, err := s3wire.New(s3wire.Config{
		Endpoint: endpoint, Region: c.AWS.Region, Bucket: c.Bucket, Prefix: c.Prefix, Place: c.Place,
		Dialect: c.Dialect, Keys: keys(api.Options().Credentials), Transport: transport, PageSize: c.PageSize,
	})
	if err != nil {
		return nil, err
	}
	return &Bucket{Client: wire, api: api, account: c.Account}, nil
}

// newAPI returns a client that retries nothing and waits long.
func newAPI(c Config) (*s3.Client, error) {
	slow := c.Limits
	slow.Stall = max(slow.Stall, slowAnswer)
	transport, err := s3wire.Transport(slow)
	if err != nil {
		return nil, err
	}
	return s3.NewFromConfig(c.AWS, func(o *s3.Options) {
		o.BaseEndpoint = c.AWS.BaseEndpoint // an environment's own must not replace one that was given
		o.UsePathStyle = c.Dialect.PathStyle
		o.Retryer = aws.NopRetryer{}
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.HTTPClient = &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}), nil
}

// endpointOf is the address without the bucket.
func endpointOf(o s3.Options) (string, error) {
	if o.BaseEndpoint != nil {
		return *o.BaseEndpoint, nil
	}
	e, err := s3.NewDefaultEndpointResolverV2().ResolveEndpoint(context.Background(), s3.EndpointParameters{
		Region:       &o.Region,
		UseDualStack: aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
		UseFIPS:      aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
	})
	if err != nil {
		return "", fmt.Errorf("region %q: %w", o.Region, err)
	}
	return e.URI.String(), nil
}

// keys asks the SDK's provider, which keeps what it got until it expires.
func keys(p aws.CredentialsProvider) func(context.Context) (s3wire.Keys, error) {
	if p == nil || aws.IsCredentialsProvider(p, aws.AnonymousCredentials{}) {
		return nil
	}
	return func(ctx context.Context) (s3wire.Keys, error) {
		k, err := p.Retrieve(ctx)
		return s3wire.Keys{Access: k.AccessKeyID, Secret: k.SecretAccessKey, Session: k.SessionToken}, err
	}
}

// Create makes the bucket; one that is there and ours is success.
func (b *Bucket) Create(ctx context.Context) error {
	in := &s3.CreateBucketInput{Bucket: &b.Config.Bucket}
	if b.Region != "us-east-1" { // which has no name as a constraint
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(b.Region)}
	}
	_, err := b.api.CreateBucket(ctx, in)
	var ours *types.BucketAlreadyOwnedByYou
	if errors.As(err, &ours) {
		return nil
	}
	return b.fail(ctx, "create", "", err)
}

// fail wraps what the SDK says.
func (b *Bucket) fail(ctx context.Context, op, key string, err error) error {
	if err == nil {
		return nil
	}
	var resp *smithyhttp.ResponseError
	var said smithy.APIError
	var addr *url.Error
	switch {
	case errors.As(err, &resp):
		f := &s3wire.Fault{Status: resp.HTTPStatusCode()}
		if resp.Response != nil && resp.Response.Response != nil {
			f = s3wire.FaultOf(resp.Response.Response, b.Now())
		}
		if errors.As(err, &said) {
			f.Code, f.Message = said.ErrorCode(), said.ErrorMessage()
		}
		err = f
	case errors.As(err, &addr): // the address says nothing that the place does not
		err = addr.Err
	}
	return b.Fail(ctx, op, key, err)
}

var (
	_ storage.Bucket     = (*Bucket)(nil)
	_ storage.Multipart  = (*Bucket)(nil)
	_ storage.Copier     = (*Bucket)(nil)
	_ storage.PartCopier = (*Bucket)(nil)
)
