package ossfake

import (
	"net/http"
	"slices"
	"strconv"
)

// appendObject adds to the end of an object, which the first append makes. The
// position must be the object's length.
func (s *Server) appendObject(c *call) error {
	position, err := strconv.Atoi(c.query.Get("position"))
	if err != nil || position < 0 {
		return invalid("position must be a number").numbered("0016-00000501")
	}
	p, err := c.properties()
	if err != nil {
		return err
	}
	data, err := c.body(s.o.MaxBody)
	if err != nil {
		return err
	}
	var o *object
	err = s.within(c.bucket, func(b *bucket) error {
		old := b.objects[c.key]
		if old == nil {
			old = s.object(nil, p)
			old.kind = appendable
		} else if p.forbid {
			return fileExists()
		}
		switch {
		case old.kind != appendable:
			return refuse(http.StatusConflict, "ObjectNotAppendable", "the object was not made by AppendObject").numbered("0026-00000017")
		case position != len(old.data):
			c.w.Header().Set("X-Oss-Next-Append-Position", strconv.Itoa(len(old.data)))
			return refuse(http.StatusConflict, "PositionNotEqualToLength", "the position is not the object's length").numbered("0026-00000016")
		}
		o = old.but(func(o *object) {
			o.data = slices.Concat(old.data, data)
			o.etag, o.crc, o.modified = appendETag(o.data), crcOf(o.data), s.now()
		})
		return properties{}.store(b, c.key, o)
	})
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Etag", quote(o.etag))
	h.Set("X-Oss-Hash-Crc64ecma", strconv.FormatUint(o.crc, 10))
	h.Set("X-Oss-Next-Append-Position", strconv.Itoa(len(o.data)))
	return c.status(http.StatusOK)
}

// appendETag has the form of an MD5 and is none, as OSS's are: they end in
// eight zeros (help.aliyun.com/en/oss/user-guide/0026-00000016).
func appendETag(data []byte) string { return plainETag(data)[:24] + "00000000" }
