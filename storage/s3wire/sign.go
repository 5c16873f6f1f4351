package s3wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// signer makes AWS Signature Version 4. The SDKs' signers give the same
// signatures (a test compares) for three to six times the work, on every request.
type signer struct {
	last atomic.Pointer[dayKey]
}

// dayKey is derived from a secret and holds for one day and region.
type dayKey struct {
	secret, region, day string
	key                 []byte
	scope               string
}

const (
	algorithm = "AWS4-HMAC-SHA256"
	timeForm  = "20060102T150405Z"
)

// sign sets the headers of the time, the payload, the session and the
// signature. path and the query are escaped as the signature wants them.
func (s *signer) sign(req *http.Request, path, payload string, k Keys, region string, now time.Time) {
	at := now.UTC().Format(timeForm)
	h := req.Header
	h["X-Amz-Date"] = []string{at}
	h["X-Amz-Content-Sha256"] = []string{payload}
	if k.Session != "" {
		h["X-Amz-Security-Token"] = []string{k.Session}
	}
	day := s.dayKey(k.Secret, region, at[:8])

	var names [24]string
	signed := sortedNames(names[:0], h)
	buf := make([]byte, 0, 1024)
	buf = append(buf, req.Method...)
	buf = append(buf, '\n')
	buf = append(buf, path...)
	buf = append(buf, '\n')
	buf = append(buf, req.URL.RawQuery...)
	buf = append(buf, '\n')
	for _, name := range signed {
		buf = appendLower(buf, name)
		buf = append(buf, ':')
		if name == "Host" {
			buf = append(buf, req.Host...)
		} else {
			buf = appendValues(buf, h[name])
		}
		buf = append(buf, '\n')
	}
	buf = append(buf, '\n')
	from := len(buf)
	for i, name := range signed {
		if i > 0 {
			buf = append(buf, ';')
		}
		buf = appendLower(buf, name)
	}
	to := len(buf)
	buf = append(buf, '\n')
	buf = append(buf, payload...)
	digest := sha256.Sum256(buf)

	var auth []byte
	auth = slices.Grow(auth, 256+to-from)
	auth = append(append(append(append(auth, algorithm+" Credential="...), k.Access...), '/'), day.scope...)
	auth = append(append(auth, ", SignedHeaders="...), buf[from:to]...)
	auth = append(auth, ", Signature="...)

	buf = append(append(append(buf[:0], algorithm+"\n"...), at...), '\n')
	buf = append(append(buf, day.scope...), '\n')
	buf = hex.AppendEncode(buf, digest[:])
	auth = hex.AppendEncode(auth, mac(day.key, buf))
	h["Authorization"] = []string{string(auth)}
}

func (s *signer) dayKey(secret, region, day string) *dayKey {
	if d := s.last.Load(); d != nil && d.day == day && d.secret == secret && d.region == region {
		return d
	}
	key := mac([]byte("AWS4"+secret), []byte(day))
	key = mac(mac(mac(key, []byte(region)), []byte("s3")), []byte("aws4_request"))
	d := &dayKey{secret: secret, region: region, day: day, key: key, scope: day + "/" + region + "/s3/aws4_request"}
	s.last.Store(d)
	return d
}

func mac(key, data []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(data)
	return m.Sum(nil)
}

// sortedNames returns the headers that are signed, in the order of their lower
// case: all but those that proxies change.
func sortedNames(names []string, h http.Header) []string {
	names = append(names, "Host")
	for name := range h {
		switch name {
		case "Accept-Encoding", "User-Agent", "Authorization":
		default:
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		for i := range min(len(a), len(b)) {
			if x, y := lower(a[i]), lower(b[i]); x != y {
				return int(x) - int(y)
			}
		}
		return len(a) - len(b)
	})
	return names
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func appendLower(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = append(dst, lower(s[i]))
	}
	return dst
}

// appendValues writes values with outer blanks taken off and inner ones joined.
func appendValues(dst []byte, values []string) []byte {
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		if plain(v) {
			dst = append(dst, v...)
			continue
		}
		for j, word := range strings.Fields(v) {
			if j > 0 {
				dst = append(dst, ' ')
			}
			dst = append(dst, word...)
		}
	}
	return dst
}

// plain tells whether a value is written as it is.
func plain(v string) bool {
	was := byte(' ')
	for i := range len(v) {
		c := v[i]
		if c < ' ' || c >= 0x7f || c == ' ' && was == ' ' {
			return false
		}
		was = c
	}
	return v == "" || was != ' '
}

// EscapePath escapes a path as signatures and the source of a copy want it:
// all but unreserved characters and "/".
func EscapePath(s string) string { return escape(s, '/') }

// escapeQuery escapes a name or a value of a query.
func escapeQuery(s string) string { return escape(s, 'A') }

func escape(s string, also byte) string {
	n := 0
	for i := range len(s) {
		if c := s[i]; !unreserved(c) && c != also {
			n++
		}
	}
	if n == 0 {
		return s
	}
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)+2*n)
	for i := range len(s) {
		if c := s[i]; unreserved(c) || c == also {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
