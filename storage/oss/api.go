package oss

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// slowAnswer is how long OSS may work before it answers a copy or a Complete.
const slowAnswer = 10 * time.Minute

// newAPI returns a client that retries nothing and waits long.
func newAPI(c Config, keys *latestKeys) (*sdk.Client, error) {
	slow := c.Limits
	slow.Stall = max(slow.Stall, slowAnswer)
	transport, err := s3wire.Transport(slow)
	if err != nil {
		return nil, err
	}
	version := sdk.AuthV4
	if c.SignV1 {
		version = sdk.AuthV1
	}
	return sdk.New(c.Endpoint, "", "",
		sdk.HTTPClient(&http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}),
		sdk.AuthVersion(version), sdk.Region(c.Region), sdk.SetCredentialsProvider(keys),
		sdk.UseCname(c.CustomDomain), sdk.ForcePathStyle(c.PathStyle),
		sdk.UserAgent("sluice"), sdk.EnableCRC(false),
	)
}

// latestKeys hands the SDK the keys that Config.Keys gave last: the SDK asks
// for them without a context.
type latestKeys struct{ k atomic.Pointer[s3wire.Keys] }

func (l *latestKeys) GetCredentials() sdk.Credentials {
	if k := l.k.Load(); k != nil {
		return credentials(*k)
	}
	return credentials{}
}

type credentials s3wire.Keys

func (k credentials) GetAccessKeyID() string     { return k.Access }
func (k credentials) GetAccessKeySecret() string { return k.Secret }
func (k credentials) GetSecurityToken() string   { return k.Session }

// refresh gets the keys for a call of the SDK that follows.
func (b *Bucket) refresh(ctx context.Context, op, key string) error {
	if b.Keys == nil {
		return nil
	}
	k, err := b.Keys(ctx)
	switch {
	case err == nil:
		b.keys.k.Store(&k)
		return nil
	case ctx.Err() != nil:
		return b.Fail(ctx, op, key, ctx.Err())
	}
	return &storage.Error{Op: op, Key: key, Place: b.Place, Kind: storage.ErrCredentials, Err: err}
}

// fail wraps what the SDK says.
func (b *Bucket) fail(ctx context.Context, op, key string, err error) error {
	if err == nil {
		return nil
	}
	var said sdk.ServiceError
	var status sdk.UnexpectedStatusCodeError
	var addr *url.Error
	switch {
	case errors.As(err, &said):
		err = &s3wire.Fault{Status: said.StatusCode, Code: said.Code, Message: said.Message, Number: said.Ec}
	case errors.As(err, &status):
		err = &s3wire.Fault{Status: status.Got()}
	case unreadable(err):
		err = errNoAnswer
	case errors.As(err, &addr): // the address says nothing that the place does not
		err = addr.Err
	}
	return b.Fail(ctx, op, key, err)
}

// errNoAnswer is a success without what was asked for. The SDK reads an error
// document behind a 200 so.
var errNoAnswer = &s3wire.Fault{Status: http.StatusOK, Message: "the answer is not understood"}

// unreadable tells whether the SDK could not decode an answer. A bare io.EOF is
// an empty one: those of the network come wrapped.
func unreadable(err error) bool {
	var syntax *xml.SyntaxError
	var other xml.UnmarshalError
	return err == io.EOF || errors.As(err, &syntax) || errors.As(err, &other) //nolint:errorlint // see above
}
