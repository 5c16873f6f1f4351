package ossfake

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// contentMD5 is the MD5 of an object that was put whole.
func contentMD5(o *object) string {
	sum, err := hex.DecodeString(o.etag)
	if err != nil || o.kind != normal {
		return ""
	}
	return base64.StdEncoding.EncodeToString(sum)
}

func (s *Server) getObject(c *call) error {
	o, err := s.find(c.bucket, c.key)
	if err != nil {
		return err
	}
	if err := s.readable(o); err != nil {
		return err
	}
	if err := c.preconditions("", o); err != nil {
		return c.describe(o, err)
	}
	standard := !s.o.WholeIfOutside || c.header("X-Oss-Range-Behavior") == "standard"
	off, n, partial, err := byteRange(c.header("Range"), int64(len(o.data)), standard)
	if err != nil {
		return err
	}
	s.objectHeaders(c, o)
	if c.compresses(o) {
		return c.compress(o)
	}
	h, status := c.w.Header(), http.StatusOK
	if partial {
		h.Del("Content-Md5")
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", off, off+n-1, len(o.data)))
		status = http.StatusPartialContent
	}
	h.Set("Content-Length", strconv.FormatInt(n, 10))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(o.data[off : off+n]) // a client that went away needs no answer
	return nil
}

func (s *Server) headObject(c *call) error {
	o, err := s.find(c.bucket, c.key)
	if err != nil {
		return err
	}
	if err := c.preconditions("", o); err != nil {
		return c.describe(o, err)
	}
	s.objectHeaders(c, o)
	if c.compresses(o) {
		return c.compress(o)
	}
	c.w.Header().Set("Content-Length", strconv.Itoa(len(o.data)))
	return c.status(http.StatusOK)
}

// objectMeta answers the few headers of GetObjectMeta.
func (s *Server) objectMeta(c *call) error {
	o, err := s.find(c.bucket, c.key)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Length", strconv.Itoa(len(o.data)))
	h.Set("Etag", quote(o.etag))
	h.Set("Last-Modified", httpDate(o.modified))
	h.Set("X-Oss-Hash-Crc64ecma", strconv.FormatUint(o.crc, 10))
	return c.status(http.StatusOK)
}

// describe says in an answer to a condition that failed which version there is.
func (c *call) describe(o *object, err error) error {
	c.w.Header().Set("Etag", quote(o.etag))
	c.w.Header().Set("Last-Modified", httpDate(o.modified))
	return err
}

// objectHeaders are all that GET and HEAD tell about an object but its length.
func (s *Server) objectHeaders(c *call, o *object) {
	h := c.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	maps.Copy(h, o.header)
	h.Set("Accept-Ranges", "bytes")
	h.Set("Etag", quote(o.etag))
	h.Set("Last-Modified", httpDate(o.modified))
	h.Set("X-Oss-Object-Type", o.kind)
	h.Set("X-Oss-Storage-Class", o.class)
	h.Set("X-Oss-Hash-Crc64ecma", strconv.FormatUint(o.crc, 10))
	if sum := contentMD5(o); sum != "" {
		h.Set("Content-Md5", sum)
	}
	if len(o.tags) > 0 {
		h.Set("X-Oss-Tagging-Count", strconv.Itoa(len(o.tags)))
	}
	if o.kind == appendable {
		h.Set("X-Oss-Next-Append-Position", strconv.Itoa(len(o.data)))
	}
	if r := s.restoreInfo(o); r != "" {
		h.Set("X-Oss-Restore", r)
	}
}

// preconditions hold an object against the conditions of a request, whose
// headers' names begin with prefix.
func (c *call) preconditions(prefix string, o *object) error {
	if v := c.header(prefix + "If-Match"); v != "" && unquote(v) != o.etag {
		return preconditionFailed(prefix + "If-Match")
	}
	if at, err := http.ParseTime(c.header(prefix + "If-Unmodified-Since")); err == nil && o.modified.After(at) {
		return preconditionFailed(prefix + "If-Unmodified-Since")
	}
	if v := c.header(prefix + "If-None-Match"); v != "" && unquote(v) == o.etag {
		return notModified()
	}
	if at, err := http.ParseTime(c.header(prefix + "If-Modified-Since")); err == nil && !o.modified.After(at) {
		return notModified()
	}
	return nil
}

func notModified() *apiError {
	return refuse(http.StatusNotModified, "NotModified", "the object was not modified")
}

// byteRange reads a Range header. A range that is malformed, or that is not
// wholly inside the object, is ignored: the whole object is the answer. Under
// standard behaviour one that reaches beyond the end is clipped, and one that
// begins beyond it is refused
// (help.aliyun.com/en/oss/how-to-obtain-oss-resources-by-segmenting-http-range-requests).
func byteRange(header string, size int64, standard bool) (off, n int64, partial bool, err error) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, isRange := strings.Cut(spec, "-")
	if !ok || !isRange {
		return 0, size, false, nil
	}
	from, to := int64(0), size-1
	if first == "" { // the last so many bytes
		length, bad := strconv.ParseInt(last, 10, 64)
		if bad != nil || length < 0 {
			return 0, size, false, nil
		}
		from = size - length
		if standard {
			from = max(from, 0)
		}
	} else {
		var badFrom, badTo error
		from, badFrom = strconv.ParseInt(first, 10, 64)
		if last != "" {
			to, badTo = strconv.ParseInt(last, 10, 64)
		}
		if badFrom != nil || badTo != nil || last != "" && to < from {
			return 0, size, false, nil
		}
	}
	if standard {
		to = min(to, size-1)
	}
	if from >= 0 && from <= to && to < size {
		return from, to - from + 1, true, nil
	}
	if standard {
		return 0, 0, false, refuse(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "the range is outside of the object").
			with("ActualObjectSize", strconv.FormatInt(size, 10)).with("RangeHeader", header)
	}
	return 0, size, false, nil
}

// httpDate writes a time as headers do.
func httpDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }
