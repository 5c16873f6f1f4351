package endpoint

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/file"
	"github.com/sluice-sync/sluice/storage/minio"
	"github.com/sluice-sync/sluice/storage/s3"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// OpenOptions go with the opening of a bucket. The zero value is good.
type OpenOptions struct {
	Owner       string // who writes, usually the task; marks temporary files
	TempDir     string // for the sort runs of very large directories; "": the system's
	Connections int    // to keep open to a store; 0: 128. Not fewer than workers
	// Proxy as in http.Transport; nil: none.
	Proxy func(*http.Request) (*url.URL, error)
}

// opener opens a bucket of an endpoint.
type opener func(ctx context.Context, e *Endpoint, l Location, row dialect.Row, o OpenOptions) (storage.Bucket, error)

// openers is the table from providers to drivers. What differs among the
// stores of one driver is in the provider's row of the dialect table.
func openers() map[string]opener {
	return map[string]opener{
		"aws":   openS3,
		"ceph":  openMinio,
		"cos":   openMinio,
		"jd":    openMinio,
		"jrss":  openMinio,
		"minio": openMinio,
		"obs":   openMinio,
		"qiniu": openMinio,
		"s3":    openMinio,
	}
}

// Providers returns the names of all providers an endpoint may have, in order.
func Providers() []string { return slices.Sorted(maps.Keys(openers())) }

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
	row, ok := dialect.Lookup(e.Provider)
	if !ok {
		return nil, fmt.Errorf("%s: the provider %s has no dialect", e.where, e.Provider)
	}
	b, err := openers()[e.Provider](ctx, &e.Endpoint, l, row, o)
	if err != nil {
		return nil, fmt.Errorf("%s (endpoint defined at %s): %w", l, e.where, err)
	}
	return b, nil
}

func openS3(ctx context.Context, e *Endpoint, l Location, row dialect.Row, o OpenOptions) (storage.Bucket, error) {
	c := s3.Config{
		Bucket: l.Bucket, Prefix: l.Prefix, Dialect: row, Place: l.String(), Limits: limits(e, o),
		Account: "profile " + e.Profile,
	}
	if access := e.AccessKey.Reveal(); access != "" {
		c.Account = "key " + access
		c.AWS = s3.Static(e.URL, e.Region, access, e.SecretKey.Reveal(), e.SessionToken.Reveal())
	} else {
		var err error
		if c.AWS, err = s3.Load(ctx, e.Region, e.Profile); err != nil {
			return nil, err
		}
		if e.URL != "" {
			c.AWS.BaseEndpoint = &e.URL
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

func openMinio(_ context.Context, e *Endpoint, l Location, row dialect.Row, o OpenOptions) (storage.Bucket, error) {
	row.PathStyle = pathStyle(e, row, e.URL)
	b, err := minio.Open(minio.Config{
		Endpoint: e.URL, Region: e.Region, Bucket: l.Bucket, Prefix: l.Prefix, Dialect: row, Place: l.String(),
		AccessKey: e.AccessKey.Reveal(), SecretKey: e.SecretKey.Reveal(), SessionToken: e.SessionToken.Reveal(),
		Limits: limits(e, o),
	})
	if err != nil {
		return nil, err
	}
	return b, nil
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
		MaxIdle: o.Connections, Proxy: o.Proxy,
		CAFile: e.CAFile, InsecureSkipVerify: e.InsecureSkipVerify,
	}
}
