package s3fake

import (
	"crypto/md5"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// source finds the object that a copy names, if it is the version wanted.
func (s *Server) source(r *request) (*object, error) {
	path, err := url.PathUnescape(strings.TrimPrefix(r.Header.Get("X-Amz-Copy-Source"), "/"))
	if err != nil {
		return nil, faultf(http.StatusBadRequest, "InvalidArgument", "the source of the copy")
	}
	name, key, _ := strings.Cut(path, "/")
	b := s.buckets[name]
	if b == nil || b.objects[key] == nil {
		return nil, errNoSuchKey
	}
	o := b.objects[key]
	if match := r.Header.Get("X-Amz-Copy-Source-If-Match"); match != "" && match != quote(o.etag) {
		return nil, errPrecondition
	}
	if !o.readable(r.now) {
		return nil, errArchived
	}
	return o, nil
}

// behind200 is a failure that comes as success.
func behind200() answer {
	return answer{doc: "<Error><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message></Error>"}
}

func (s *Server) copyObject(b *bucket, r *request) (answer, error) {
	from, err := s.source(r)
	if err != nil {
		return answer{}, err
	}
	d, err := r.describe()
	if err != nil {
		return answer{}, err
	}
	if r.o.ErrorBehind200 {
		return behind200(), nil
	}
	if r.Header.Get("X-Amz-Metadata-Directive") != "REPLACE" {
		d.header = from.header
	}
	if r.Header.Get("X-Amz-Tagging-Directive") != "REPLACE" {
		d.tags = from.tags
	}
	sum := md5.Sum(from.data)
	o := &object{description: d, data: from.data, etag: r.etag(sum[:]), crc32c: from.crc32c, modified: r.now}
	b.add(r.key, o)
	return answer{doc: copyResult("CopyObjectResult", o.etag, r.now)}, nil
}

func (s *Server) copyPart(b *bucket, r *request) (answer, error) {
	from, err := s.source(r)
	if err != nil {
		return answer{}, err
	}
	if r.o.ErrorBehind200 {
		return behind200(), nil
	}
	r.body.data = from.data
	if v := r.Header.Get("X-Amz-Copy-Source-Range"); v != "" {
		a, z, err := parseRange(v, int64(len(from.data)))
		if err != nil {
			return answer{}, err
		}
		r.body.data = from.data[a:z]
	}
	r.body.md5 = md5.Sum(r.body.data)
	if u := b.uploads[r.query.Get("uploadId")]; u != nil && u.checksum {
		r.body.crc32c = crc32c(r.body.data)
	}
	p, err := b.addPart(r)
	if err != nil {
		return answer{}, err
	}
	return answer{doc: copyResult("CopyPartResult", p.etag, r.now)}, nil
}

func copyResult(name, etag string, now time.Time) string {
	return "<" + name + "><ETag>" + escapeXML(quote(etag)) + "</ETag><LastModified>" + now.UTC().Format(time.RFC3339) + "</LastModified></" + name + ">"
}
