package ossfake

import (
	"encoding/base64"
	"encoding/xml"
	"slices"
	"strings"
)

// listing is what both versions of listing ask for.
type listing struct {
	prefix    string
	delimiter string
	after     string
	limit     int
	owners    bool // tell the owner of each object
	enc       func(string) string
	encoding  string
}

// listed is a page of a listing.
type listed struct {
	objects   []contents
	prefixes  []commonPrefix
	truncated bool
	last      string // the last key or common prefix of the page
}

type contents struct {
	XMLName      xml.Name `xml:"Contents"`
	Key          string
	LastModified string
	ETag         string
	Type         string
	Size         int
	StorageClass string
	Owner        *owner `xml:",omitempty"`
	RestoreInfo  string `xml:",omitempty"`
}

type commonPrefix struct {
	XMLName xml.Name `xml:"CommonPrefixes"`
	Prefix  string
}

func (c *call) listing() (l listing, err error) {
	if l.enc, l.encoding, err = c.encoder(); err != nil {
		return l, err
	}
	l.prefix, l.delimiter = c.query.Get("prefix"), c.query.Get("delimiter")
	for _, name := range []string{"prefix", "delimiter", "marker", "start-after"} {
		if len(c.query.Get(name)) > 1023 {
			return l, invalid(name + " is longer than 1023 bytes")
		}
	}
	l.limit, err = c.number("max-keys", 100, 1, 1000)
	return l, err
}

// page lists what comes after l.after, in byte order: keys, and in place of
// keys that hold the delimiter after the prefix what they have in common.
func (s *Server) page(b *bucket, l listing) (p listed) {
	keys := b.keys()
	from, _ := slices.BinarySearch(keys, max(l.prefix, l.after))
	for _, key := range keys[from:] {
		rest, ok := strings.CutPrefix(key, l.prefix)
		if !ok {
			break
		}
		item, group := key, false
		if l.delimiter != "" {
			if i := strings.Index(rest, l.delimiter); i >= 0 {
				item, group = key[:len(l.prefix)+i+len(l.delimiter)], true
			}
		}
		if item <= l.after || group && item == p.last {
			continue
		}
		if len(p.objects)+len(p.prefixes) == l.limit {
			p.truncated = true
			break
		}
		p.last = item
		if group {
			p.prefixes = append(p.prefixes, commonPrefix{Prefix: l.enc(item)})
		} else {
			p.objects = append(p.objects, s.entry(key, b.objects[key], l))
		}
	}
	return p
}

func (s *Server) entry(key string, o *object, l listing) contents {
	e := contents{
		Key: l.enc(key), LastModified: stamp(o.modified), ETag: quote(o.etag), Type: o.kind, Size: len(o.data),
		StorageClass: o.class, RestoreInfo: s.restoreInfo(o),
	}
	if l.owners {
		who := theOwner()
		e.Owner = &who
	}
	return e
}

type listV1Result struct {
	XMLName        xml.Name `xml:"ListBucketResult"`
	Name           string
	Prefix         string
	Marker         string
	MaxKeys        int
	Delimiter      string
	EncodingType   string `xml:",omitempty"`
	IsTruncated    bool
	NextMarker     string `xml:",omitempty"`
	Contents       []contents
	CommonPrefixes []commonPrefix
}

func (s *Server) listV1(c *call) error {
	l, err := c.listing()
	if err != nil {
		return err
	}
	l.after, l.owners = c.query.Get("marker"), true
	var p listed
	err = s.within(c.bucket, func(b *bucket) error {
		p = s.page(b, l)
		return nil
	})
	if err != nil {
		return err
	}
	out := listV1Result{
		Name: c.bucket, Prefix: l.enc(l.prefix), Marker: l.enc(l.after), MaxKeys: l.limit, Delimiter: l.enc(l.delimiter),
		EncodingType: l.encoding, IsTruncated: p.truncated, Contents: p.objects, CommonPrefixes: p.prefixes,
	}
	if p.truncated {
		out.NextMarker = l.enc(p.last)
	}
	return c.answer(out)
}

type listV2Result struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Name                  string
	Prefix                string
	StartAfter            string `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	MaxKeys               int
	Delimiter             string
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	NextContinuationToken string `xml:",omitempty"`
	KeyCount              int
	Contents              []contents
	CommonPrefixes        []commonPrefix
}

// tokenMark begins every token, so that others are refused. In base64 it is
// "+//+", which a client must encode in its URL and decode in an answer.
const tokenMark = "\xfb\xff\xfe"

// listV2 continues at a token, which counts for more than start-after.
func (s *Server) listV2(c *call) error {
	l, err := c.listing()
	if err != nil {
		return err
	}
	if c.query.Get("list-type") != "2" {
		return invalid("list-type must be 2")
	}
	start, token := c.query.Get("start-after"), c.query.Get("continuation-token")
	l.after, l.owners = start, c.query.Get("fetch-owner") == "true"
	if token != "" {
		plain, err := base64.StdEncoding.DecodeString(token)
		after, ok := strings.CutPrefix(string(plain), tokenMark)
		if err != nil || !ok {
			return invalid("the continuation token is not valid")
		}
		l.after = after
	}
	var p listed
	err = s.within(c.bucket, func(b *bucket) error {
		p = s.page(b, l)
		return nil
	})
	if err != nil {
		return err
	}
	out := listV2Result{
		Name: c.bucket, Prefix: l.enc(l.prefix), StartAfter: l.enc(start), ContinuationToken: token, MaxKeys: l.limit,
		Delimiter: l.enc(l.delimiter), EncodingType: l.encoding, IsTruncated: p.truncated,
		KeyCount: len(p.objects) + len(p.prefixes), Contents: p.objects, CommonPrefixes: p.prefixes,
	}
	if p.truncated {
		out.NextContinuationToken = l.enc(base64.StdEncoding.EncodeToString([]byte(tokenMark + p.last)))
	}
	return c.answer(out)
}
