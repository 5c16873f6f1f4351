package ossfake

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// source finds the object that a request copies, if its conditions hold and it
// can be read. A plus sign in its name means a space, as Aliyun's Go SDK
// writes one.
func (s *Server) source(c *call) (bucketName, key string, o *object, err error) {
	raw, _, versioned := strings.Cut(c.header(copySource), "?")
	if versioned {
		return "", "", nil, refuse(http.StatusNotImplemented, "NotImplemented", "the double keeps no versions")
	}
	path, err := url.QueryUnescape(raw)
	if err != nil {
		return "", "", nil, invalid("x-oss-copy-source is not percent-encoded well")
	}
	path, rooted := strings.CutPrefix(path, "/")
	bucketName, key, _ = strings.Cut(path, "/")
	if !rooted || key == "" {
		return "", "", nil, invalid("x-oss-copy-source must be /bucket/key").numbered("0042-00000301")
	}
	if o, err = s.find(bucketName, key); err != nil {
		return "", "", nil, err
	}
	if err := c.preconditions(copySource+"-", o); err != nil {
		return "", "", nil, err
	}
	return bucketName, key, o, s.readable(o)
}

// copyObject keeps the source's headers and tags unless a directive says
// otherwise. Copying an object onto itself always takes the request's headers,
// and the class is the request's or the bucket's, never the source's
// (help.aliyun.com/en/oss/developer-reference/copyobject). What becomes of the
// type and the ETag is not documented: a copy keeps those of its source, but
// one of an appendable object is as if it had been put.
func (s *Server) copyObject(c *call) error {
	p, err := c.properties()
	if err != nil {
		return err
	}
	bucketName, key, src, err := s.source(c)
	if err != nil {
		return err
	}
	onto := bucketName == c.bucket && key == c.key
	if !onto && !strings.EqualFold(c.header("X-Oss-Metadata-Directive"), "REPLACE") {
		p.header = src.header
	}
	if !strings.EqualFold(c.header("X-Oss-Tagging-Directive"), "REPLACE") {
		p.tags = src.tags
	}
	o := src.but(func(o *object) {
		o.header, o.tags, o.acl, o.class = p.header, p.tags, p.acl, p.class
		o.modified, o.restore = s.now(), restore{}
		if o.kind == appendable {
			o.kind, o.etag = normal, plainETag(o.data)
		}
	})
	if err := s.within(c.bucket, func(b *bucket) error { return p.store(b, c.key, o) }); err != nil {
		return err
	}
	c.w.Header().Set("X-Oss-Hash-Crc64ecma", strconv.FormatUint(o.crc, 10))
	return c.answer(copied("CopyObjectResult", o.etag, o.modified))
}

type copyResult struct {
	XMLName      xml.Name
	LastModified string
	ETag         string
}

func copied(element, etag string, at time.Time) copyResult {
	return copyResult{xml.Name{Local: element}, stamp(at), quote(etag)}
}
