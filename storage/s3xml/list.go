// Package s3xml decodes the answers of S3 listings (ListObjects and
// ListObjectsV2) and error documents. Listing is what a copy tool does most,
// and encoding/xml costs more per key than everything else together.
//
// It must not know requests, dialects or retry policy.
package s3xml

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// Page is one page of a listing.
type Page struct {
	Objects    []storage.Object // in the order of the answer; keys as the store holds them
	Truncated  bool             // there is more
	NextToken  string           // of V2
	NextMarker string           // of V1; stores may leave it out: then it is the last key
}

// Decoder decodes listing pages. It may be used again, not concurrently.
type Decoder struct {
	s     scanner
	arena []byte // all strings of the page, one after another
	spans []strings3
	size  int // objects on the last page
}

// strings3 are the places in the arena of an object's key, ETag and class.
type strings3 struct{ key, etag, class span }

// List decodes one page. All strings of a page share one allocation, so
// keeping one key keeps the page's strings. An <Error> document gives a *Fault
// even if it came with status 200. A document that leaves out what decides
// whether the listing is complete is an error, never a short listing.
func (d *Decoder) List(doc []byte) (Page, error) {
	d.s.reset(doc)
	d.arena, d.spans = d.arena[:0], d.spans[:0]
	t, err := d.s.next()
	if err != nil {
		return Page{}, err
	}
	switch string(d.s.name) {
	case "ListBucketResult":
	case "Error":
		return Page{}, parseFault(&d.s, t)
	default:
		return Page{}, fmt.Errorf("xml: <%s> is not a listing", clip(d.s.name))
	}
	p := page{Page: Page{Objects: make([]storage.Object, 0, max(d.size, 16))}}
	if t == tokStart {
		for {
			if t, err = d.s.next(); err != nil {
				return Page{}, err
			}
			if t == tokEnd {
				break
			}
			if err := d.element(&p, t); err != nil {
				return Page{}, err
			}
		}
	}
	if t, err = d.s.next(); t != tokEOF || err != nil {
		return Page{}, errors.Join(errSyntax, err)
	}
	return d.finish(&p)
}

// page is a page being read.
type page struct {
	Page
	sawTruncated bool
	urlKeys      bool
}

// element takes one child of the root.
func (d *Decoder) element(p *page, t token) error {
	switch string(d.s.name) {
	case "Contents":
		return d.contents(p, t)
	case "IsTruncated":
		b, err := d.s.leaf(t)
		p.Truncated, p.sawTruncated = string(bytes.TrimSpace(b)) == "true", true
		if err == nil && !p.Truncated && string(bytes.TrimSpace(b)) != "false" {
			err = fmt.Errorf("xml: IsTruncated is %q", clip(b))
		}
		return err
	case "EncodingType":
		b, err := d.s.leaf(t)
		p.urlKeys = string(bytes.TrimSpace(b)) == "url"
		return err
	case "NextContinuationToken":
		b, err := d.s.leaf(t)
		p.NextToken = string(b)
		return err
	case "NextMarker":
		b, err := d.s.leaf(t)
		p.NextMarker = string(b)
		return err
	}
	return d.s.skip(t)
}

// contents takes one object.
func (d *Decoder) contents(p *page, t token) error {
	if t == tokEmpty {
		return errors.New("xml: an entry without a key")
	}
	o := storage.Object{Size: -1}
	var w strings3
	for {
		t, err := d.s.next()
		if err != nil {
			return err
		}
		if t == tokEnd {
			break
		}
		if err := d.field(&o, &w, t); err != nil {
			return err
		}
	}
	if w.key.from == w.key.to || o.Size < 0 {
		return errors.New("xml: an entry without key or size")
	}
	p.Objects = append(p.Objects, o)
	d.spans = append(d.spans, w)
	return nil
}

// field takes one child of an object's entry. ETags and classes equal to those
// of the entry before share its string.
func (d *Decoder) field(o *storage.Object, w *strings3, t token) error {
	switch string(d.s.name) {
	case "Key":
		b, err := d.s.leaf(t)
		w.key = d.hold(b)
		return err
	case "Size":
		b, err := d.s.leaf(t)
		if err != nil {
			return err
		}
		o.Size, err = parseSize(b)
		return err
	case "LastModified":
		b, err := d.s.leaf(t)
		if err != nil {
			return err
		}
		o.ModTime, err = parseTime(b)
		return err
	case "ETag":
		b, err := d.s.leaf(t)
		w.etag = d.holdAs(bytes.Trim(b, `"`), d.last().etag)
		return err
	case "StorageClass":
		b, err := d.s.leaf(t)
		if string(b) == "STANDARD" {
			b = nil
		}
		w.class = d.holdAs(b, d.last().class)
		return err
	}
	return d.s.skip(t)
}

func (d *Decoder) last() strings3 {
	if n := len(d.spans); n > 0 {
		return d.spans[n-1]
	}
	return strings3{}
}

func (d *Decoder) hold(b []byte) span {
	from := len(d.arena)
	d.arena = append(d.arena, b...)
	return span{from, len(d.arena)}
}

func (d *Decoder) holdAs(b []byte, known span) span {
	if bytes.Equal(b, d.arena[known.from:known.to]) {
		return known
	}
	return d.hold(b)
}

// finish makes the strings, once it is known whether keys are encoded.
func (d *Decoder) finish(p *page) (Page, error) {
	if !p.sawTruncated {
		return Page{}, errors.New("xml: the listing does not say whether it is complete")
	}
	if p.urlKeys {
		for i := range d.spans {
			k := &d.spans[i].key
			n, err := unescape(d.arena[k.from:k.to])
			if err != nil {
				return Page{}, err
			}
			k.to = k.from + n
		}
		m := []byte(p.NextMarker)
		n, err := unescape(m)
		if err != nil {
			return Page{}, err
		}
		p.NextMarker = string(m[:n])
	}
	all := string(d.arena)
	for i, w := range d.spans {
		o := &p.Objects[i]
		o.Key, o.ETag, o.Class = all[w.key.from:w.key.to], all[w.etag.from:w.etag.to], all[w.class.from:w.class.to]
	}
	d.size = len(p.Objects)
	return p.Page, nil
}

// unescape decodes %XX and + in place and returns the new length.
func unescape(b []byte) (int, error) {
	i := bytes.IndexAny(b, "%+")
	if i < 0 {
		return len(b), nil
	}
	n := i
	for ; i < len(b); i++ {
		c := b[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(b) || hex[b[i+1]] == 0 || hex[b[i+2]] == 0 {
				return 0, fmt.Errorf("xml: %q is not URL-encoded", clip(b[n:]))
			}
			c = (hex[b[i+1]]-1)<<4 | (hex[b[i+2]] - 1)
			i += 2
		}
		b[n] = c
		n++
	}
	return n, nil
}

// hex holds the value of each hexadecimal digit plus one.
var hex = [256]byte{
	'0': 1, '1': 2, '2': 3, '3': 4, '4': 5, '5': 6, '6': 7, '7': 8, '8': 9, '9': 10,
	'a': 11, 'b': 12, 'c': 13, 'd': 14, 'e': 15, 'f': 16, 'A': 11, 'B': 12, 'C': 13, 'D': 14, 'E': 15, 'F': 16,
}

func parseSize(b []byte) (int64, error) {
	b = bytes.TrimSpace(b)
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' || n > (math.MaxInt64-9)/10 {
			return 0, fmt.Errorf("xml: size %q", clip(b))
		}
		n = n*10 + int64(c-'0')
	}
	if len(b) == 0 {
		return 0, errors.New("xml: an empty size")
	}
	return n, nil
}

// parseTime reads 2006-01-02T15:04:05[.fraction]Z by hand, anything else as RFC 3339.
func parseTime(b []byte) (time.Time, error) {
	b = bytes.TrimSpace(b)
	n := len(b)
	if n < 20 || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[n-1] != 'Z' || n > 20 && b[19] != '.' || n > 30 {
		return time.Parse(time.RFC3339, string(b))
	}
	y, mo, d := digits(b[0:4]), digits(b[5:7]), digits(b[8:10])
	h, mi, s := digits(b[11:13]), digits(b[14:16]), digits(b[17:19])
	ns := 0
	if n > 21 {
		ns = digits(b[20 : n-1])
		for range 30 - n {
			ns *= 10
		}
	}
	if y < 0 || mo < 1 || mo > 12 || d < 1 || d > 28 || h < 0 || h > 23 || mi < 0 || mi > 59 || s < 0 || s > 59 || ns < 0 {
		return time.Parse(time.RFC3339, string(b)) // also the ends of months, for their check
	}
	return time.Date(y, time.Month(mo), d, h, mi, s, ns, time.UTC), nil
}

// digits returns a number, or less than 0 if b holds anything but digits.
func digits(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return math.MinInt32
		}
		n = n*10 + int(c-'0')
	}
	return n
}
