package s3wire

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ossV1 makes OSS signatures of version 1, as Alibaba Cloud documents them in
// "Include a V1 signature in the Authorization header". Accounts made since
// March 2025 are refused with them.
type ossV1 struct {
	resource string // goes in front of the path
}

func (s *ossV1) sign(req *http.Request, _, _ string, k Keys, _ string, now time.Time) {
	h := req.Header
	at := now.UTC().Format(http.TimeFormat)
	h["Date"] = []string{at}
	if k.Session != "" {
		h["X-Oss-Security-Token"] = []string{k.Session}
	}
	buf := make([]byte, 0, 512)
	for _, part := range [...]string{req.Method, first(h, "Content-Md5"), first(h, "Content-Type"), at} {
		buf = append(append(buf, part...), '\n')
	}
	var names [24]string
	signed := names[:0]
	for name := range h {
		if strings.HasPrefix(name, "X-Oss-") {
			signed = append(signed, name)
		}
	}
	slices.SortFunc(signed, compareLower)
	for _, name := range signed {
		buf = append(appendLower(buf, name), ':')
		buf = append(appendTrimmed(buf, h[name]), '\n')
	}
	buf = append(append(buf, s.resource...), req.URL.Path...)
	buf = appendSubresources(buf, req.URL.RawQuery)
	m := hmac.New(sha1.New, []byte(k.Secret))
	m.Write(buf)
	h["Authorization"] = []string{"OSS " + k.Access + ":" + base64.StdEncoding.EncodeToString(m.Sum(nil))}
}

// appendSubresources writes those parts of a query that version 1 signs, of
// those that are sent here, unescaped. They come in order.
func appendSubresources(dst []byte, query string) []byte {
	sep := byte('?')
	for part := range strings.SplitSeq(query, "&") {
		name, value, found := strings.Cut(part, "=")
		switch name {
		case "continuation-token", "partNumber", "restore", "tagging", "uploadId":
		default:
			continue
		}
		dst = append(append(dst, sep), name...)
		sep = '&'
		if plain, err := url.QueryUnescape(value); found && err == nil {
			dst = append(append(dst, '='), plain...)
		}
	}
	return dst
}
