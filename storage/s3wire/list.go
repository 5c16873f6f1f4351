package s3wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/s3xml"
)

// maxPage bounds an answer; 1,000 keys of 1,024 escaped bytes are below 5 MiB.
const maxPage = 32 << 20

// List lists a range with one request per page.
func (c *Client) List(r storage.Range) storage.Pages {
	p := &pages{c: c, r: r, max: c.PageSize, within: c.prefix}
	if r.After != "" {
		p.after = c.prefix + fromUTF8(r.After)
	}
	return p
}

// fromUTF8 cuts off what a request cannot hold. The listing then starts
// earlier, and Next leaves out what was not asked for.
func fromUTF8(s string) string {
	for i, r := range s {
		if r == utf8.RuneError || r < ' ' {
			return s[:i]
		}
	}
	return s
}

type pages struct {
	c      *Client
	r      storage.Range
	max    int
	within string // the prefix asked for; longer than the bucket's while climb is at work
	exact  string // if not "", the one key to ask for next
	after  string // full key to start after; later the marker of V1
	token  string // of V2
	from   string // full key that the last request started after, by whatever means
	last   string // the last full key seen
	count  int    // pages fetched
	took   time.Duration
	err    error // io.EOF, or what ended the listing
	dec    s3xml.Decoder
	buf    []byte
}

// Where tokens are slow, this many pages at the start of a listing are fetched
// by key as long as they are quick. A page by key makes the store walk there
// again, which is dear in a directory of very many entries, and shows in time.
const (
	pagesByKey = 16
	quickPage  = 60 * time.Millisecond
)

// errOrder is a listing that cannot be merged, or that never ends.
var errOrder = errors.New("the listing is not in ascending order of keys")

// Next returns the keys of the next answer that holds any.
func (p *pages) Next(ctx context.Context) ([]storage.Object, error) {
	for p.err == nil {
		page, err := p.fetch(ctx)
		if err != nil {
			p.err = p.c.Fail(ctx, "list", "", err)
			break
		}
		var objs []storage.Object
		if objs, p.err = p.take(page); p.err != nil && !isEnd(p.err) {
			break
		}
		if len(objs) > 0 {
			return objs, nil
		}
	}
	p.buf = nil
	return nil, p.err
}

func (p *pages) Close() error {
	if p.err == nil {
		p.err = io.EOF
	}
	return nil
}

// fetch gets the next answer.
func (p *pages) fetch(ctx context.Context) (s3xml.Page, error) {
	began := time.Now()
	p.from = max(p.last, p.after)
	resp, err := p.c.do(ctx, request{method: http.MethodGet, query: p.query()})
	if err != nil {
		return s3xml.Page{}, err
	}
	defer resp.Body.Close()
	if p.buf, err = readAll(p.buf[:0], resp.Body, resp.ContentLength); err != nil {
		return s3xml.Page{}, err
	}
	p.count++
	p.took = time.Since(began)
	page, err := p.dec.List(p.buf)
	if err == nil {
		return page, nil
	}
	var f *s3xml.Fault
	if errors.As(err, &f) {
		return s3xml.Page{}, &Fault{Status: resp.StatusCode, Code: f.Code, Message: f.Message}
	}
	return s3xml.Page{}, p.c.fail("list", "", storage.ErrBusy, "unreadable answer: %w", err)
}

// query is escaped and in order.
func (p *pages) query() string {
	d := p.c.Dialect
	var b strings.Builder
	add := func(name, v string) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(escapeQuery(v))
	}
	if p.token != "" {
		add("continuation-token", p.token)
	}
	if d.EncodeKeys {
		add("encoding-type", "url")
	}
	if !d.ListV1 {
		add("list-type", "2")
	} else if p.after != "" {
		add("marker", p.after)
	}
	if p.exact != "" {
		add("max-keys", "1")
		add("prefix", p.exact)
		return b.String()
	}
	add("max-keys", strconv.Itoa(p.max))
	if p.within != "" {
		add("prefix", p.within)
	}
	if !d.ListV1 && p.token == "" && p.after != "" {
		add("start-after", p.after)
	}
	return b.String()
}

// take checks a page, moves the cursor behind it and returns what was asked
// for of it. io.EOF comes with the last page.
func (p *pages) take(page s3xml.Page) ([]storage.Object, error) {
	if p.exact != "" {
		return p.takeExact(page)
	}
	objs := page.Objects[:0]
	past := false
	for _, o := range page.Objects {
		key, ok := p.c.ownKey(o.Key)
		if !ok || o.Key <= p.last {
			return nil, p.broken("%q comes after %q", o.Key, p.last)
		}
		p.last = o.Key
		if past = p.r.Last != "" && key > p.r.Last; past {
			break
		}
		if key > p.r.After { // the prefix itself is "", and nobody's key
			objs = append(objs, p.owned(o, key))
		}
	}
	switch {
	case past:
		return objs, io.EOF
	case !page.Truncated && len(page.Objects) < p.max:
		return objs, p.ended()
	case !page.Truncated:
		// MinIO, asked to start after a key two levels deep, may call a full
		// page the last one. Ask again from there.
		p.token, p.after = "", p.last
		return objs, nil
	}
	return objs, p.advance(page)
}

// ended decides what an answer means that says no key follows. Where that may
// be wrong, the rest is listed level by level: first what follows in the
// directory that the listing has come to, then in the one above behind it, and
// so on. At its own level a listing is exact: there is no directory in what it
// starts after. The exception is the key "d0" behind the directory "d/", with
// nothing between them to start after: it is asked for by itself.
func (p *pages) ended() error {
	if !p.c.Dialect.EndsEarly {
		return io.EOF
	}
	if len(directory(p.from)) > len(p.within) {
		p.after, p.token = max(p.last, p.after), ""
		p.within = directory(p.after)
		return nil
	}
	if p.within == p.c.prefix {
		return io.EOF
	}
	p.token = ""
	name := strings.TrimSuffix(p.within, "/")
	p.exact = name + "0" // the next byte after the slash
	p.within, p.after = directory(name), p.exact
	if p.r.Last != "" && p.exact > p.c.prefix+p.r.Last {
		return io.EOF
	}
	return nil
}

func directory(key string) string { return key[:strings.LastIndexByte(key, '/')+1] }

// takeExact takes the one key that was asked for, if it is there.
func (p *pages) takeExact(page s3xml.Page) ([]storage.Object, error) {
	want := p.exact
	p.exact = ""
	if len(page.Objects) == 0 || page.Objects[0].Key != want || want <= p.last {
		return nil, nil
	}
	p.last = want
	key, _ := p.c.ownKey(want)
	return []storage.Object{p.owned(page.Objects[0], key)}, nil
}

// owned is an object of the bucket as its callers see it.
func (p *pages) owned(o storage.Object, key string) storage.Object {
	o.Key = key
	if o.Class == p.c.standard {
		o.Class = ""
	}
	return o
}

// advance finds where the next page starts, and refuses to stand still.
func (p *pages) advance(page s3xml.Page) error {
	d := p.c.Dialect
	switch {
	case d.SlowTokens && p.count < pagesByKey && p.took < quickPage && p.last > p.after && fromUTF8(p.last) == p.last:
		p.token, p.after = "", p.last
		return nil
	case !d.ListV1:
		next := page.NextToken
		if plain, err := url.QueryUnescape(next); err == nil && p.c.says.encodedToken && d.EncodeKeys {
			next = plain
		}
		if next == "" || next == p.token {
			return p.broken("continuation token %.40q after %.40q", next, p.token)
		}
		p.token = next
		return nil
	}
	marker := page.NextMarker
	if marker == "" {
		marker = p.last
	}
	if marker <= p.after {
		return p.broken("marker %q after %q", marker, p.after)
	}
	p.after = marker
	return nil
}

func (p *pages) broken(form string, args ...any) error {
	return p.c.fail("list", "", storage.ErrUnsupported, "%w: %s", errOrder, fmt.Sprintf(form, args...))
}

// readAll reads a bounded answer into buf.
func readAll(buf []byte, r io.Reader, size int64) ([]byte, error) {
	if size > maxPage {
		return buf, fmt.Errorf("an answer of %d bytes", size)
	}
	if need := int(max(size, 0)) + 1; cap(buf) < need {
		buf = make([]byte, 0, max(need, 64<<10))
	}
	for {
		if len(buf) == cap(buf) {
			if len(buf) > maxPage {
				return buf, errors.New("an answer without end")
			}
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}
