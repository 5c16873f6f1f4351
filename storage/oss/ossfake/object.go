package ossfake

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"hash/crc64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The types of an object, by how it was written.
const (
	normal     = "Normal"
	multipart  = "Multipart"
	appendable = "Appendable"
)

// object is one version of an object. It is never changed: a reader that has
// it sees that version to the end.
type object struct {
	data     []byte
	etag     string
	crc      uint64 // CRC64-ECMA
	kind     string
	class    string
	modified time.Time
	header   http.Header // content headers and x-oss-meta-
	tags     []tag
	acl      string
	restore  restore
}

// but returns the object with a change.
func (o *object) but(change func(*object)) *object {
	changed := *o
	change(&changed)
	return &changed
}

func crcOf(data []byte) uint64 { return crc64.Checksum(data, crc64.MakeTable(crc64.ECMA)) }

// plainETag is that of one Put: the MD5 in upper case.
func plainETag(data []byte) string {
	sum := md5.Sum(data)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// Object is what the server keeps of an object.
type Object struct {
	Data     []byte // must not be changed
	ETag     string // without quotes
	CRC64    uint64 // ECMA, of Data
	Type     string // Normal, Multipart or Appendable
	Class    string
	Modified time.Time
	Header   http.Header // content headers and x-oss-meta-
	Tags     map[string]string
}

// Object returns an object, false if there is none.
func (s *Server) Object(bucket, key string) (Object, bool) {
	o, err := s.find(bucket, key)
	if err != nil {
		return Object{}, false
	}
	tags := map[string]string{}
	for _, t := range o.tags {
		tags[t.Key] = t.Value
	}
	return Object{o.data, o.etag, o.crc, o.kind, o.class, o.modified, o.header.Clone(), tags}, true
}

// Put writes an object without a request. class "" is the bucket's; there must
// be a bucket.
func (s *Server) Put(bucketName, key string, data []byte, class string) error {
	return s.within(bucketName, func(b *bucket) error {
		if class == "" {
			class = b.class
		}
		b.set(key, s.newObject(slices.Clone(data), class, http.Header{}))
		return nil
	})
}

// newObject is one that was put whole.
func (s *Server) newObject(data []byte, class string, h http.Header) *object {
	return &object{
		data: data, etag: plainETag(data), crc: crcOf(data), kind: normal, class: class, modified: s.now(), header: h,
		acl: "default",
	}
}

// find returns the version that a key holds now.
func (s *Server) find(bucketName, key string) (*object, error) {
	var found *object
	err := s.within(bucketName, func(b *bucket) error {
		if found = b.objects[key]; found == nil {
			return noSuchKey(key)
		}
		return nil
	})
	return found, err
}

// change replaces an object by one that f makes of it.
func (s *Server) change(c *call, f func(*object)) error {
	return s.within(c.bucket, func(b *bucket) error {
		o := b.objects[c.key]
		if o == nil {
			return noSuchKey(c.key)
		}
		b.set(c.key, o.but(f))
		return nil
	})
}

// contentHeaders are kept with an object as they are.
var contentHeaders = []string{
	"Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires",
}

// properties are what a request says about the object that it writes.
type properties struct {
	header http.Header
	class  string // "": the bucket's
	tags   []tag
	acl    string
	// forbid says that nothing may be overwritten.
	forbid bool
}

func (c *call) properties() (properties, error) {
	p := properties{header: http.Header{}, class: c.header("X-Oss-Storage-Class"), acl: c.header("X-Oss-Object-Acl")}
	p.forbid = strings.EqualFold(c.header("X-Oss-Forbid-Overwrite"), "true")
	for name, values := range c.r.Header {
		if strings.HasPrefix(name, "X-Oss-Meta-") || slices.Contains(contentHeaders, name) {
			p.header[name] = slices.Clone(values)
		}
	}
	if p.class != "" && !validClass(p.class) {
		return p, invalid("no such storage class: " + p.class)
	}
	if p.acl == "" {
		p.acl = "default"
	}
	if !validACL(p.acl) {
		return p, invalid("no such ACL: " + p.acl)
	}
	values, err := url.ParseQuery(c.header("X-Oss-Tagging"))
	if err != nil {
		return p, invalidTag("x-oss-tagging is not a query string")
	}
	for k, v := range values {
		for _, one := range v {
			p.tags = append(p.tags, tag{k, one})
		}
	}
	slices.SortFunc(p.tags, func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
	return p, checkTags(p.tags)
}

// store makes a key hold an object of a request, if it may. It sets the class.
func (p properties) store(b *bucket, key string, o *object) error {
	if p.forbid && b.objects[key] != nil {
		return fileExists()
	}
	if o.class == "" {
		o.class = b.class
	}
	b.set(key, o)
	return nil
}

func fileExists() *apiError {
	return refuse(http.StatusConflict, "FileAlreadyExists", "there is an object of that name and it must not be overwritten")
}

// object makes one of a request's properties.
func (s *Server) object(data []byte, p properties) *object {
	o := s.newObject(data, p.class, p.header)
	o.tags, o.acl = p.tags, p.acl
	return o
}

func (s *Server) putObject(c *call) error {
	p, err := c.properties()
	if err != nil {
		return err
	}
	data, err := c.body(s.o.MaxBody)
	if err != nil {
		return err
	}
	o := s.object(data, p)
	if err := s.within(c.bucket, func(b *bucket) error { return p.store(b, c.key, o) }); err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Etag", quote(o.etag))
	h.Set("Content-Md5", contentMD5(o))
	h.Set("X-Oss-Hash-Crc64ecma", fmt.Sprint(o.crc))
	return c.status(http.StatusOK)
}

// deleteObject succeeds also if there is nothing.
func (s *Server) deleteObject(c *call) error {
	err := s.within(c.bucket, func(b *bucket) error {
		b.set(c.key, nil)
		return nil
	})
	if err != nil {
		return err
	}
	return c.status(http.StatusNoContent)
}
