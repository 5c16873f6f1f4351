package ossfake

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The limits of OSS (help.aliyun.com/en/oss/developer-reference/completemultipartupload).
const (
	maxParts    = 10000
	minPartSize = 100 << 10 // bytes, of every part but the last
)

// upload is an unfinished multipart upload. Server.mu guards it.
type upload struct {
	id         string
	key        string
	initiated  time.Time
	properties properties
	parts      map[int]part
}

// part is never changed.
type part struct {
	number   int
	data     []byte
	etag     string // without quotes
	modified time.Time
}

// uploading calls f with the upload that a request names while nobody else
// uses the bucket.
func (s *Server) uploading(c *call, f func(b *bucket, u *upload) error) error {
	id := c.query.Get("uploadId")
	return s.within(c.bucket, func(b *bucket) error {
		u := b.uploads[id]
		if u == nil || u.key != c.key {
			return noSuchUpload(id)
		}
		return f(b, u)
	})
}

type initiated struct {
	XMLName      xml.Name `xml:"InitiateMultipartUploadResult"`
	EncodingType string   `xml:",omitempty"`
	Bucket       string
	Key          string
	UploadID     string `xml:"UploadId"`
}

func (s *Server) initiate(c *call) error {
	enc, encoding, err := c.encoder()
	if err != nil {
		return err
	}
	p, err := c.properties()
	if err != nil {
		return err
	}
	u := &upload{id: s.nextID(), key: c.key, initiated: s.now(), properties: p, parts: map[int]part{}}
	err = s.within(c.bucket, func(b *bucket) error {
		if p.forbid && b.objects[c.key] != nil {
			return fileExists()
		}
		b.uploads[u.id] = u
		return nil
	})
	if err != nil {
		return err
	}
	return c.answer(initiated{EncodingType: encoding, Bucket: c.bucket, Key: enc(c.key), UploadID: u.id})
}

// partNumber reads the part's number and finds out whether there is such an
// upload, before the bytes are read.
func (s *Server) partNumber(c *call) (int, error) {
	n, err := c.number("partNumber", 0, 1, maxParts)
	if err == nil && n == 0 {
		err = invalid("partNumber is missing")
	}
	if err != nil {
		return 0, err
	}
	return n, s.uploading(c, func(*bucket, *upload) error { return nil })
}

func (s *Server) addPart(c *call, n int, data []byte) (part, error) {
	p := part{number: n, data: data, etag: plainETag(data), modified: s.now()}
	return p, s.uploading(c, func(_ *bucket, u *upload) error {
		u.parts[n] = p
		return nil
	})
}

func (s *Server) uploadPart(c *call) error {
	n, err := s.partNumber(c)
	if err != nil {
		return err
	}
	data, err := c.body(s.o.MaxBody)
	if err != nil {
		return err
	}
	p, err := s.addPart(c, n, data)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Etag", quote(p.etag))
	h.Set("X-Oss-Hash-Crc64ecma", strconv.FormatUint(crcOf(data), 10))
	return c.status(http.StatusOK)
}

// copyPart takes the whole source if the range is malformed or not wholly
// inside of it (help.aliyun.com/en/oss/developer-reference/uploadpartcopy).
func (s *Server) copyPart(c *call) error {
	n, err := s.partNumber(c)
	if err != nil {
		return err
	}
	_, _, src, err := s.source(c)
	if err != nil {
		return err
	}
	off, length, _, err := byteRange(c.header("X-Oss-Copy-Source-Range"), int64(len(src.data)), false)
	if err != nil {
		return err
	}
	p, err := s.addPart(c, n, src.data[off:off+length])
	if err != nil {
		return err
	}
	return c.answer(copied("CopyPartResult", p.etag, p.modified))
}

// abort removes an upload and its parts.
func (s *Server) abort(c *call) error {
	err := s.uploading(c, func(b *bucket, u *upload) error {
		delete(b.uploads, u.id)
		return nil
	})
	if err != nil {
		return err
	}
	return c.status(http.StatusNoContent)
}

type completeRequest struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Parts   []struct {
		PartNumber int
		ETag       string
	} `xml:"Part"`
}

type completeResult struct {
	XMLName      xml.Name `xml:"CompleteMultipartUploadResult"`
	EncodingType string   `xml:",omitempty"`
	Location     string
	Bucket       string
	Key          string
	ETag         string
}

// complete makes the object of the parts that the request names, or of all if
// it says x-oss-complete-all: yes.
func (s *Server) complete(c *call) error {
	enc, encoding, err := c.encoder()
	if err != nil {
		return err
	}
	var in completeRequest
	all := strings.EqualFold(c.header("X-Oss-Complete-All"), "yes")
	switch {
	case all && c.r.ContentLength != 0:
		return invalid("x-oss-complete-all allows no body")
	case !all:
		if err := c.document(&in); err != nil {
			return err
		}
		if len(in.Parts) == 0 {
			return refuse(http.StatusBadRequest, "MalformedXML", "no part is named")
		}
	}
	var o *object
	err = s.uploading(c, func(b *bucket, u *upload) error {
		parts, err := u.choose(in, all)
		if err != nil {
			return err
		}
		o = s.joined(u, parts)
		p := u.properties
		p.forbid = p.forbid || strings.EqualFold(c.header("X-Oss-Forbid-Overwrite"), "true")
		if err := p.store(b, c.key, o); err != nil {
			return err
		}
		delete(b.uploads, u.id)
		return nil
	})
	if err != nil {
		return err
	}
	c.w.Header().Set("X-Oss-Hash-Crc64ecma", strconv.FormatUint(o.crc, 10))
	return c.answer(completeResult{
		EncodingType: encoding, Location: "http://" + c.r.Host + c.r.URL.EscapedPath(), Bucket: c.bucket, Key: enc(c.key),
		ETag: quote(o.etag),
	})
}

// choose returns the parts of which the object is made, in order.
func (u *upload) choose(in completeRequest, all bool) ([]part, error) {
	var parts []part
	if all {
		for _, n := range slices.Sorted(maps.Keys(u.parts)) {
			parts = append(parts, u.parts[n])
		}
	}
	for i, want := range in.Parts {
		if i > 0 && want.PartNumber <= in.Parts[i-1].PartNumber {
			return nil, refuse(http.StatusBadRequest, "InvalidPartOrder", "the parts are not in ascending order")
		}
		p, ok := u.parts[want.PartNumber]
		if !ok || unquote(want.ETag) != p.etag {
			return nil, refuse(http.StatusBadRequest, "InvalidPart", "a part is missing or another one than named").
				with("PartNumber", strconv.Itoa(want.PartNumber))
		}
		parts = append(parts, p)
	}
	for i, p := range parts {
		if i < len(parts)-1 && len(p.data) < minPartSize {
			return nil, refuse(http.StatusBadRequest, "EntityTooSmall", "a part but the last is smaller than 100 KB").
				with("MinSizeAllowed", strconv.Itoa(minPartSize)).with("PartNumber", strconv.Itoa(p.number)).
				numbered("0042-00000213")
		}
	}
	return parts, nil
}

// joined is the object of an upload's parts.
func (s *Server) joined(u *upload, parts []part) *object {
	data, etags := []byte(nil), ""
	for _, p := range parts {
		data = append(data, p.data...)
		etags += p.etag
	}
	o := s.object(data, u.properties)
	o.kind, o.etag = multipart, joinedETag(etags, len(parts))
	return o
}

// joinedETag has the form of OSS's: that of a composite ETag, yet not the one
// that AWS computes. How OSS makes them is not documented.
func joinedETag(etags string, parts int) string {
	return fmt.Sprintf("%s-%d", plainETag([]byte("parts of "+etags)), parts)
}
