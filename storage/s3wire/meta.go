package s3wire

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"mime"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// SetHeader is SetHeader of protocol S3.
func SetHeader(h http.Header, m storage.Metadata) error { return S3.SetHeader(h, m) }

// SetHeader writes metadata, tags and the storage class into the headers of a
// request that begins an object. A missing Content-Type is sent as
// application/octet-stream, so that no store guesses. User values that a header
// cannot hold (not ASCII, control characters, outer blanks) travel as RFC 2047
// words, the form in which S3 itself returns them. The error is one of the
// caller's request.
func (p Protocol) SetHeader(h http.Header, m storage.Metadata) error {
	return p.words().setHeader(h, m)
}

func (w *words) setHeader(h http.Header, m storage.Metadata) error {
	for _, f := range [...]struct{ name, v string }{
		{"Content-Encoding", m.ContentEncoding}, {"Content-Language", m.ContentLanguage},
		{"Content-Disposition", m.ContentDisposition}, {"Cache-Control", m.CacheControl},
		{"Expires", m.Expires}, {"Content-Type", m.ContentType}, {w.class, m.StorageClass},
	} {
		if strings.ContainsFunc(f.v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return fmt.Errorf("the value of %s holds control characters", f.name)
		}
		if f.v != "" {
			h[f.name] = []string{f.v}
		}
	}
	if m.ContentType == "" {
		h["Content-Type"] = octets
	}
	for name, v := range m.User {
		if !validName(name) {
			return fmt.Errorf("user metadata cannot be named %q", name)
		}
		if mustEncode(v) {
			v = mime.BEncoding.Encode("utf-8", v)
		}
		h[textproto.CanonicalMIMEHeaderKey(w.user+name)] = []string{v}
	}
	if !m.MTime.IsZero() {
		h[w.mtime] = []string{formatMTime(m.MTime)}
	}
	if len(m.Tags) > 0 {
		h[w.tagging] = []string{tagQuery(m.Tags)}
	}
	return nil
}

var octets = []string{"application/octet-stream"}

// validName tells whether a name may end a header's name; upper case would not
// come back.
func validName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (!unreserved(c) && c != '!' && c != '#' && c != '$' && c != '&' && c != '*' && c != '+' && c != '|') || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return s != ""
}

// mustEncode tells whether a value needs the form of RFC 2047, and so whether
// one that has this form is to be decoded.
func mustEncode(v string) bool {
	for i := range len(v) {
		if c := v[i]; c < ' ' || c >= 0x7f {
			return true
		}
	}
	return v != strings.TrimSpace(v)
}

// info reads what an answer to GET or HEAD says about the object. Size is left
// to the caller.
func (c *Client) info(key string, h http.Header) storage.Info {
	w := c.says
	i := storage.Info{
		Object: storage.Object{Key: key, ETag: etag(h), Class: first(h, w.class)},
		Metadata: storage.Metadata{
			ContentType: first(h, "Content-Type"), ContentEncoding: first(h, "Content-Encoding"),
			ContentLanguage: first(h, "Content-Language"), ContentDisposition: first(h, "Content-Disposition"),
			CacheControl: first(h, "Cache-Control"), Expires: first(h, "Expires"),
		},
		Tagged: c.tagged(h),
	}
	if i.Class == c.standard {
		i.Class = ""
	}
	if v := first(h, w.restored); v != "" {
		i.Restored = parseRestored(v)
	}
	if v := first(h, w.crc64); v != "" {
		addCRC64(&i, v)
	}
	i.ModTime, _ = time.Parse(http.TimeFormat, first(h, "Last-Modified")) // zero if unknown
	for name, v := range h {
		if !strings.HasPrefix(name, w.prefix) {
			continue
		}
		if user, ok := strings.CutPrefix(name, w.user); ok {
			setUser(&i.Metadata, strings.ToLower(user), strings.Join(v, ","))
		} else if sum, ok := strings.CutPrefix(name, "X-Amz-Checksum-"); ok && first(h, "X-Amz-Checksum-Type") != "COMPOSITE" {
			addChecksum(&i, strings.ToUpper(sum), v[0])
		}
	}
	return i
}

func setUser(m *storage.Metadata, name, v string) {
	if name == "mtime" {
		if t, ok := parseMTime(v); ok {
			m.MTime = t
			return
		}
	}
	if strings.Contains(v, "=?") {
		if d, err := new(mime.WordDecoder).DecodeHeader(v); err == nil && mustEncode(d) {
			v = d
		}
	}
	if m.User == nil {
		m.User = map[string]string{}
	}
	m.User[name] = v
}

// addChecksum keeps the digests of whole objects. Those of a digest per part
// have the number of parts behind them, and no place here.
func addChecksum(i *storage.Info, name, v string) {
	switch name {
	case "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256":
		if b, err := base64.StdEncoding.DecodeString(v); err == nil {
			i.Checksums = append(i.Checksums, storage.Checksum{Algorithm: name, Value: b})
		}
	}
}

// addCRC64 keeps OSS's checksum, which is a decimal number and of the whole
// object also where it was written in parts.
func addCRC64(i *storage.Info, v string) {
	if n, err := strconv.ParseUint(v, 10, 64); err == nil {
		i.Checksums = append(i.Checksums, storage.Checksum{Algorithm: "CRC64ECMA", Value: binary.BigEndian.AppendUint64(nil, n)})
	}
}

func etag(h http.Header) string { return CleanETag(first(h, "Etag")) }

// CleanETag takes off quotes, and the mark of a weak one that proxies add.
func CleanETag(s string) string { return strings.Trim(strings.TrimPrefix(s, "W/"), `"`) }

// first is Header.Get for a name in canonical form.
func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// formatMTime writes seconds since 1970 with as many decimals as needed.
func formatMTime(t time.Time) string {
	s, ns := t.Unix(), t.Nanosecond()
	sign := ""
	if s < 0 {
		sign = "-"
		if s = -s; ns > 0 {
			s, ns = s-1, 1e9-ns
		}
	}
	out := sign + strconv.FormatInt(s, 10)
	if ns > 0 {
		out += "." + strings.TrimRight(fmt.Sprintf("%09d", ns), "0")
	}
	return out
}

// parseMTime reads what formatMTime and rclone write; more than nine decimals are cut.
func parseMTime(v string) (time.Time, bool) {
	digits, negative := strings.CutPrefix(v, "-")
	whole, frac, _ := strings.Cut(digits, ".")
	s, err := strconv.ParseUint(whole, 10, 40)
	if err != nil {
		return time.Time{}, false
	}
	ns, err := strconv.ParseUint((frac + "000000000")[:9], 10, 32)
	if err != nil {
		return time.Time{}, false
	}
	if negative {
		return time.Unix(-int64(s), -int64(ns)), true
	}
	return time.Unix(int64(s), int64(ns)), true
}
