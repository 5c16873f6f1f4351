package endpoint

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/file"
	"github.com/sluice-sync/sluice/storage/minio"
	"github.com/sluice-sync/sluice/storage/oss"
	"github.com/sluice-sync/sluice/storage/s3"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// OpenOptions go with the opening of a bucket. The zero value is good.
type OpenOptions struct {
	Owner       string // who writes, usually the task; marks temporary files
	TempDir     string // for the sort runs of very large directories; "": the system's
	Connections int    // to keep open to a store; 0: 128. Not fewer than workers
	// Proxy as in http.Transport, for endpoints that name none; nil: none.
	Proxy func(*http.Request) (*url.URL, error)
	// Warn is told what is dangerous about an endpoint each time a bucket of it
	// is opened; nil: nobody is.
	Warn func(msg string)
}

// Providers returns the names of all providers an endpoint may have, in order.
func Providers() []string {
	names := append(dialect.Names(), ossProvider)
	slices.Sort(names)
	return names
}

// Open returns the bucket at a location; its String is the location's. It asks
// the store nothing (see storage.Source.Check), but may read the files and
// variables of the AWS tools for an endpoint of provider aws without keys.
func (s *Set) Open(ctx context.Context, l Location, o OpenOptions) (storage.Bucket, error) {
	if l.IsPath() {
		b, err := file.Open(l.Path, file.Options{Owner: o.Owner, TempDir: o.TempDir})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l, err)
		}
		return b, nil
	}
	e, err := s.find(l.Endpoint)
	if err != nil {
		return nil, err
	}
	if e.err != nil {
		return nil, e.err
	}
	if e.InsecureSkipVerify && o.Warn != nil {
		o.Warn(fmt.Sprintf("%s: the certificate of the store is not checked (insecure_skip_verify, %s): whoever is in between can read and change everything; give ca_file instead", l, e.where))
	}
	b, err := e.open(ctx, l, o)
	if err != nil {
		return nil, fmt.Errorf("%s (endpoint defined at %s): %w", l, e.where, err)
	}
	return b, nil
}

// open chooses the driver. What differs among the stores of one driver is in
// the provider's row of the dialect table.
func (e *Endpoint) open(ctx context.Context, l Location, o OpenOptions) (storage.Bucket, error) {
	row, known := dialect.Lookup(e.Provider)
	switch {
	case e.Provider == ossProvider:
		return openOSS(e, l, o)
	case !known:
		return nil, fmt.Errorf("the provider %s has no dialect", e.Provider)
	case e.Provider == "aws":
		return openS3(ctx, e, l, row, o)
	}
	return openMinio(e, l, row, o)
}

func openS3(ctx context.Context, e *Endpoint, l Location, row dialect.Row, o OpenOptions) (storage.Bucket, error) {
	c := s3.Config{
		Bucket: l.Bucket, Prefix: l.Prefix, Dialect: row, Place: l.String(), Limits: limits(e, o),
		Account: "profile " + e.Profile,
	}
	if keys := e.keys(); keys != nil {
		c.Account, c.AWS = "key "+e.AccessKey.Reveal(), s3.Keyed(e.URL, e.Region, keys)
	} else {
		var err error
		if c.AWS, err = s3.Load(ctx, e.URL, e.Region, e.Profile); err != nil {
			return nil, err
		}
	}
	address := ""
	if c.AWS.BaseEndpoint != nil {
		address = *c.AWS.BaseEndpoint
	}
	c.Dialect.PathStyle = pathStyle(e, row, address)
	b, err := s3.Open(c)
	if err != nil {
		return nil, err
	}
	return b, nil
}

func openMinio(e *Endpoint, l Location, row dialect.Row, o OpenOptions) (storage.Bucket, error) {
	row.PathStyle = pathStyle(e, row, e.URL)
	b, err := minio.Open(minio.Config{
		Endpoint: e.URL, Region: e.Region, Bucket: l.Bucket, Prefix: l.Prefix, Dialect: row, Place: l.String(),
		AccessKey: e.AccessKey.Reveal(), Keys: e.keys(), Limits: limits(e, o),
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

func openOSS(e *Endpoint, l Location, o OpenOptions) (storage.Bucket, error) {
	c := oss.Config{
		Endpoint: e.URL, Region: e.Region, Bucket: l.Bucket, Prefix: l.Prefix, Place: l.String(),
		SignV1: e.Signature == "v1", CustomDomain: e.CustomDomain, Keys: e.keys(), Limits: limits(e, o),
	}
	if c.Endpoint == "" {
		c.Endpoint = "https://oss-" + strings.TrimPrefix(e.Region, "oss-") + ossDomain
	}
	c.PathStyle = pathStyle(e, dialect.Row{}, c.Endpoint)
	if access := e.AccessKey.Reveal(); access != "" {
		c.Account = "key " + access
	}
	b, err := oss.Open(c)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// keys returns a function that gives the keys of the moment, for every request
// anew; nil if the endpoint has none.
func (e *Endpoint) keys() func(context.Context) (s3wire.Keys, error) {
	if e.AccessKey.Reveal() == "" {
		return nil
	}
	return func(context.Context) (s3wire.Keys, error) {
		return s3wire.Keys{Access: e.AccessKey.Reveal(), Secret: e.SecretKey.Reveal(), Session: e.SessionToken.Reveal()}, nil
	}
}

// pathStyle is what was asked for, else what the provider needs. An address and
// localhost have no subdomains, so there the bucket can only be in the path.
func pathStyle(e *Endpoint, row dialect.Row, address string) bool {
	if e.PathStyle != nil {
		return *e.PathStyle
	}
	if u, err := url.Parse(address); err == nil {
		if host := u.Hostname(); host == "localhost" || net.ParseIP(host) != nil {
			return true
		}
	}
	return row.PathStyle
}

func limits(e *Endpoint, o OpenOptions) s3wire.Limits {
	return s3wire.Limits{
		MaxIdle: o.Connections, Proxy: e.proxy(o.Proxy),
		CAFile: e.CAFile, InsecureSkipVerify: e.InsecureSkipVerify,
	}
}

// proxy is the endpoint's own, which all its requests go through, or instead.
func (e *Endpoint) proxy(instead func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	switch text := e.Proxy.Reveal(); text {
	case "":
		return instead
	case noProxy:
		return nil
	default:
		return func(*http.Request) (*url.URL, error) { return url.Parse(text) } // set has tried it
	}
}
