package s3wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/sluice-sync/sluice/storage"
)

// Stat looks at one object.
func (c *Client) Stat(ctx context.Context, key string) (storage.Info, error) {
	return c.head(ctx, "stat", key, nil)
}

func (c *Client) head(ctx context.Context, op, key string, want *storage.Object) (storage.Info, error) {
	if err := c.CheckKey(op, key); err != nil {
		return storage.Info{}, err
	}
	h := make(http.Header, 8)
	pin(h, want)
	c.says.whole.set(h)
	resp, err := c.do(ctx, request{method: http.MethodHead, key: c.FullKey(key), header: h})
	if err != nil {
		return storage.Info{}, c.Fail(ctx, op, key, c.reason(ctx, err))
	}
	resp.Body.Close()
	i := c.info(key, resp.Header)
	if i.Size = resp.ContentLength; i.Size < 0 {
		return storage.Info{}, c.fail(op, key, storage.ErrUnsupported, "the answer names no length")
	}
	return i, c.checkVersion(op, key, i, want)
}

// reason finds out whether a refusal to a HEAD, which has no room for a reason,
// is one of the credentials: then it concerns all objects. A listing would be
// refused for the same.
func (c *Client) reason(ctx context.Context, refused error) error {
	var f *Fault
	if !errors.As(refused, &f) || f.Code != "" || f.Status != http.StatusBadRequest && f.Status != http.StatusForbidden {
		return refused
	}
	p := &pages{c: c, max: 1, within: c.prefix}
	if _, err := p.fetch(ctx); err != nil && errors.Is(c.Fail(ctx, "check", "", err), storage.ErrCredentials) {
		return err
	}
	return refused
}

// pin makes a request fail unless the object is the version wanted.
func pin(h http.Header, want *storage.Object) {
	if want != nil {
		h["If-Match"] = []string{`"` + want.ETag + `"`}
	}
}

// checkVersion holds for stores that do not know If-Match.
func (c *Client) checkVersion(op, key string, i storage.Info, want *storage.Object) error {
	if want != nil && (i.ETag != want.ETag || i.Size != want.Size) {
		return c.fail(op, key, storage.ErrChanged, "is %s, was %s", i.Version(), want.Version())
	}
	return nil
}

// Open starts to read an object. The body belongs to one version, as the store
// answers with the version it found when the request came.
func (c *Client) Open(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
	if err := c.CheckKey("open", key); err != nil {
		return nil, err
	}
	if o.Offset < 0 || o.Length < -1 {
		return nil, c.fail("open", key, storage.ErrInvalid, "%d bytes from %d", o.Length, o.Offset)
	}
	if o.Length == 0 || o.Length < 0 && o.Offset > 0 && o.Want != nil && o.Offset == o.Want.Size {
		return c.openNothing(ctx, key, o)
	}
	h := make(http.Header, 8)
	pin(h, o.Want)
	ranged := o.Offset > 0 || o.Length >= 0
	if ranged {
		h["Range"] = []string{rangeOf(o.Offset, o.Length)}
		c.says.ranged.set(h)
	} else {
		c.says.whole.set(h)
	}
	resp, err := c.do(ctx, request{method: http.MethodGet, key: c.FullKey(key), header: h})
	if err != nil {
		var f *Fault
		if errors.As(err, &f) && f.Status == http.StatusRequestedRangeNotSatisfiable {
			return c.openNothing(ctx, key, o)
		}
		return nil, c.Fail(ctx, "open", key, err)
	}
	i := c.info(key, resp.Header)
	n, err := c.length(key, &i, resp, o, ranged)
	if err == nil {
		err = c.checkVersion("open", key, i, o.Want)
	}
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	return &storage.Reader{Info: i, Body: &body{c: c, key: key, ended: ctx.Err, rc: resp.Body, left: n}}, nil
}

func rangeOf(off, n int64) string {
	s := "bytes=" + strconv.FormatInt(off, 10) + "-"
	if n > 0 {
		s += strconv.FormatInt(off+n-1, 10)
	}
	return s
}

// openNothing opens a stretch without bytes, which Range cannot ask for, and
// finds out what is wrong with a range that was refused.
func (c *Client) openNothing(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
	i, err := c.head(ctx, "open", key, o.Want)
	if err != nil {
		return nil, err
	}
	if o.Length > 0 || o.Offset > i.Size {
		return nil, c.pastEnd(key, o, i.Size)
	}
	if o.Length < 0 && o.Offset < i.Size {
		return nil, c.fail("open", key, storage.ErrBusy, "the range from %d of %d bytes was refused", o.Offset, i.Size)
	}
	return &storage.Reader{Info: i, Body: http.NoBody}, nil
}

func (c *Client) pastEnd(key string, o storage.ReadOptions, size int64) error {
	return c.fail("open", key, storage.ErrInvalid, "%d bytes from %d of an object of %d", o.Length, o.Offset, size)
}

// length sets the object's size and returns the length of the body, which must
// be the stretch that was asked for.
func (c *Client) length(key string, i *storage.Info, resp *http.Response, o storage.ReadOptions, ranged bool) (int64, error) {
	n := resp.ContentLength
	switch {
	case n < 0:
		return 0, c.fail("open", key, storage.ErrUnsupported, "the answer names no length")
	case !ranged:
		i.Size = n
		return n, nil
	case resp.StatusCode == http.StatusOK: // all of it
		i.Size = n
		if o.Offset > n || o.Length > n-o.Offset {
			return 0, c.pastEnd(key, o, n)
		}
		if o.Offset > 0 || o.Length != n {
			return 0, c.fail("open", key, storage.ErrUnsupported, "the store ignores Range")
		}
		return n, nil
	}
	from, to, size, err := parseContentRange(first(resp.Header, "Content-Range"))
	if err != nil || from != o.Offset || to-from+1 != n {
		return 0, c.fail("open", key, storage.ErrBusy, "asked for %s, got %q and %d bytes",
			rangeOf(o.Offset, o.Length), first(resp.Header, "Content-Range"), n)
	}
	i.Size = size
	if want := o.Length; want < 0 && n != size-from || want >= 0 && n != want {
		return 0, c.pastEnd(key, o, size)
	}
	return n, nil
}

// parseContentRange reads "bytes from-to/size".
func parseContentRange(v string) (from, to, size int64, err error) {
	v, ok := strings.CutPrefix(v, "bytes ")
	stretch, total, ok2 := strings.Cut(v, "/")
	a, b, ok3 := strings.Cut(stretch, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, 0, errors.New("no byte range")
	}
	from, err = strconv.ParseInt(a, 10, 64)
	if err == nil {
		to, err = strconv.ParseInt(b, 10, 64)
	}
	if err == nil {
		size, err = strconv.ParseInt(total, 10, 64)
	}
	return from, to, size, err
}

// body yields exactly left bytes, or an error.
type body struct {
	c     *Client
	key   string
	ended func() error // Err of the context that Open got
	rc    io.ReadCloser
	left  int64
	err   error
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.rc.Read(p)
	if b.left -= int64(n); b.left < 0 { // transports hold bodies to their length
		n, err = 0, errors.New("more bytes than announced")
	}
	switch {
	case isEnd(err) && b.left == 0:
		b.err = io.EOF
	case isEnd(err):
		err = fmt.Errorf("the body ended %d bytes early", b.left)
		fallthrough
	case err != nil:
		b.err = b.fail(err)
	}
	return n, b.err
}

func (b *body) fail(err error) error {
	e := &storage.Error{Op: "read", Key: b.key, Place: b.c.Place, Kind: storage.ErrUnavailable, Err: err}
	if cause := b.ended(); errors.Is(cause, context.Canceled) {
		e.Kind, e.Err = cause, nil
	}
	return e
}

func (b *body) Close() error { return b.rc.Close() }
