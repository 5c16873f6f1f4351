// Package s3wire is the part of the S3 protocol that carries the objects:
// list, look, read, write, delete, each one signed request over storage/http1,
// with the errors, headers and proofs of integrity that belong to them, and its
// twin of OSS, which differs in names and signatures. The drivers s3, minio and
// oss add what their SDKs are good at: credentials, endpoints, multipart
// bookkeeping, copies. An SDK's own GET or PUT of a small object costs two to
// four times the CPU.
//
// It must not know SDKs, providers beyond their protocol and their row of the
// dialect table, retry policy or the environment. It retries nothing.
package s3wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
)

// Keys are what a request is signed with.
type Keys struct {
	Access, Secret string
	Session        string // "" for lasting keys
}

// StaticKeys are keys that do not change.
func StaticKeys(k Keys) func(context.Context) (Keys, error) {
	return func(context.Context) (Keys, error) { return k, nil }
}

// Config says which bucket to talk to and how.
type Config struct {
	Protocol Protocol
	Endpoint string // http(s)://host[:port][/path]
	Bound    bool   // the endpoint is the bucket's own, as a custom domain is: requests do not name it
	Region   string // of the signature
	Bucket   string
	Prefix   string // a directory: "photos" means the keys below "photos/"; "" is the whole bucket
	Place    string // what String returns; no secrets
	Dialect  dialect.Row
	// Keys returns the keys of the moment; it is called for every request and
	// by many goroutines. Nil: requests are not signed.
	Keys      func(ctx context.Context) (Keys, error)
	Transport http.RoundTripper // from RoundTripper, below; it must not decode bodies
	PageSize  int               // keys per listing request; 0: 1,000, the protocol's limit
	Now       func() time.Time  // of signatures; nil: time.Now
}

// Client is a bucket, or a directory in one. It is storage.Bucket but for
// Create, storage.Tagger, storage.Restorer and storage.Clock.
type Client struct {
	Config
	says         *words
	scheme, host string
	path         string // in front of every key, ends in "/"
	prefix       string // in front of every key, "" or ends in "/"
	standard     string // storage class that is ""
	signer       signer
}

// New makes no request.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("endpoint must be a URL of the form http(s)://host[:port]")
	}
	if c.Bucket == "" || strings.Contains(c.Bucket, "/") {
		return nil, fmt.Errorf("bucket name %q", c.Bucket)
	}
	if c.PageSize == 0 {
		c.PageSize = 1000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	cl := &Client{
		Config: c, says: c.Protocol.words(), scheme: u.Scheme, host: u.Host,
		path: strings.TrimSuffix(u.Path, "/") + "/", standard: "STANDARD",
	}
	if len(c.Dialect.Classes) > 0 {
		cl.standard = c.Dialect.Classes[0].Name
	}
	if p := strings.Trim(c.Prefix, "/"); p != "" {
		cl.prefix = p + "/"
	}
	// A certificate for *.host does not hold for a name with a dot in front of it.
	dotted := strings.Contains(c.Bucket, ".") && u.Scheme == "https" && !c.Dialect.VirtualOnly
	inPath := !c.Bound && (c.Dialect.PathStyle || dotted)
	switch {
	case inPath:
		cl.path += c.Bucket + "/"
	case !c.Bound:
		cl.host = c.Bucket + "." + u.Host
	}
	cl.signer = c.Protocol.signer(c.Bucket, !inPath)
	return cl, nil
}

// String is the location as people write it.
func (c *Client) String() string { return c.Place }

// Features follow from the dialect.
func (c *Client) Features() storage.Features {
	d := c.Dialect
	return storage.Features{
		ETagIsMD5: d.ETagIsMD5, Metadata: true, Tags: d.Tags, PutIfAbsent: d.PutIfAbsent, PutIfVersion: d.PutIfVersion, CheapRanges: true,
		MaxPut: d.MaxPut, MinPart: d.MinPart, MaxPart: d.MaxPart, MaxParts: d.MaxParts, MaxCopy: d.MaxCopy,
		PageSize: c.PageSize, Classes: d.Classes,
	}
}

// FullKey is the key in the bucket.
func (c *Client) FullKey(key string) string { return c.prefix + key }

// ownKey is the opposite of FullKey.
func (c *Client) ownKey(full string) (string, bool) { return strings.CutPrefix(full, c.prefix) }

// CheckKey refuses what no store of the protocol can hold: keys are UTF-8 of
// 1 to 1,024 bytes; for OSS to 1,023, not beginning with a slash or backslash.
func (c *Client) CheckKey(op, key string) error {
	var why error
	switch full := c.FullKey(key); {
	case key == "":
		why = errors.New("an empty key")
	case len(full) > c.says.maxKey:
		why = fmt.Errorf("longer than %d bytes", c.says.maxKey)
	case strings.IndexByte(c.says.badStart, full[0]) >= 0:
		why = fmt.Errorf("begins with %q", full[0])
	case !utf8.ValidString(full):
		why = errors.New("not UTF-8")
	case c.Dialect.PathKeys && !cleanPath(full):
		why = errors.New("the store takes keys for paths, and this is no clean one")
	default:
		return nil
	}
	return &storage.Error{Op: op, Key: key, Place: c.Place, Kind: storage.ErrInvalidKey, Err: why}
}

// cleanPath tells whether a key names one file, and no other key the same.
func cleanPath(key string) bool {
	for name := range strings.SplitSeq(strings.TrimSuffix(key, "/"), "/") {
		if name == "" || name == "." || name == ".." || len(name) > 255 {
			return false
		}
	}
	return !strings.Contains(key, "\x00")
}

// request is one request before it is signed.
type request struct {
	method  string
	key     string // full; "" is the bucket
	query   string // escaped, its names in order
	header  http.Header
	payload string // what the signature says of the body; "": nothing
	body    io.ReadCloser
	getBody func() (io.ReadCloser, error)
	size    int64 // of body on the wire
}

const unsigned = "UNSIGNED-PAYLOAD"

// do sends a request. An answer other than 2xx is a *Fault. The caller closes
// the answer's body.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	path := c.path + r.key
	if r.key == "" && path != "/" && !c.says.slash {
		path = strings.TrimSuffix(path, "/")
	}
	escaped := EscapePath(path)
	u := url.URL{Scheme: c.scheme, Host: c.host, Path: path, RawQuery: r.query}
	if escaped != path {
		u.RawPath = escaped
	}
	if r.header == nil {
		r.header = make(http.Header, 8)
	}
	r.header["Accept-Encoding"] = identity
	r.header["User-Agent"] = userAgent
	if r.payload == "" {
		r.payload = unsigned
	}
	req := (&http.Request{
		Method: r.method, URL: &u, Host: c.host, Header: r.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: r.body, GetBody: r.getBody, ContentLength: r.size,
	}).WithContext(ctx)
	if c.Keys != nil {
		k, err := c.Keys(ctx)
		if err != nil {
			closeBody(r.body)
			return nil, &keysError{err}
		}
		c.signer.sign(req, escaped, r.payload, k, c.Region, c.Now())
	}
	resp, err := c.Transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, readFault(resp, c.Now())
	}
	return resp, nil
}

var (
	identity  = []string{"identity"} // bodies arrive as they are stored
	userAgent = []string{"sluice"}
)

func closeBody(b io.Closer) {
	if b != nil {
		b.Close()
	}
}

// discard makes a connection reusable, if that costs little.
func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	resp.Body.Close()
}

// Delete removes an object; one that is not there is success.
func (c *Client) Delete(ctx context.Context, key string) error {
	if err := c.CheckKey("delete", key); err != nil {
		return err
	}
	resp, err := c.do(ctx, request{method: http.MethodDelete, key: c.FullKey(key)})
	if err != nil {
		if err = c.Fail(ctx, "delete", key, err); errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		return err
	}
	discard(resp)
	return nil
}

// checkTime bounds Check: a person waits for it.
const checkTime = 9 * time.Second

// Check lists one key.
func (c *Client) Check(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	p := &pages{c: c, max: 1, within: c.prefix}
	if _, err := p.fetch(limited); err != nil {
		return c.Fail(ctx, "check", "", err)
	}
	return nil
}
