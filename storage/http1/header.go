package http1

import (
	"net/textproto"
	"strings"
)

// token marks what names and methods are made of (RFC 9110, 5.6.2).
var token = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()

func isToken(s string) bool {
	for i := range len(s) {
		if !token[s[i]] {
			return false
		}
	}
	return s != ""
}

// isValue tells whether a header can hold s: no control characters but tabs.
func isValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func isGraphic(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// canonical returns the name of a header as http.Header has it, and false if
// it is none. Names that come in that form, and those of the table, are not
// copied.
func canonical(name string) (string, bool) {
	first, same := true, true
	for i := range len(name) {
		c := name[i]
		if !token[c] {
			return "", false
		}
		if first && 'a' <= c && c <= 'z' || !first && 'A' <= c && c <= 'Z' {
			same = false
		}
		first = c == '-'
	}
	if same {
		return name, name != ""
	}
	if c, ok := spelled[name]; ok {
		return c, true
	}
	return textproto.CanonicalMIMEHeaderKey(name), true
}

// spelled are names as servers of objects write them, in another form than the
// canonical one, which most of them use.
var spelled = func() map[string]string {
	m := map[string]string{"ETag": "Etag", "x-amz-id-2": "X-Amz-Id-2"}
	for _, name := range []string{
		"Accept-Ranges", "Cache-Control", "Connection", "Content-Encoding", "Content-Language", "Content-Length",
		"Content-Range", "Content-Type", "Date", "Etag", "Last-Modified", "Server", "Vary",
		"X-Amz-Checksum-Crc32", "X-Amz-Checksum-Crc32c", "X-Amz-Checksum-Crc64nvme", "X-Amz-Checksum-Type",
		"X-Amz-Meta-Mtime", "X-Amz-Replication-Status", "X-Amz-Request-Id", "X-Amz-Server-Side-Encryption",
		"X-Amz-Storage-Class", "X-Amz-Tagging-Count", "X-Amz-Version-Id",
		"Content-Disposition", "Content-Md5", "X-Oss-Hash-Crc64ecma", "X-Oss-Meta-Mtime", "X-Oss-Object-Type", "X-Oss-Request-Id",
		"X-Oss-Server-Time", "X-Oss-Storage-Class", "X-Oss-Tagging-Count",
	} {
		m[strings.ToLower(name)] = name
	}
	return m
}()

// hasToken looks for a word in comma-separated lists; word is in lower case.
func hasToken(values []string, word string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(trim(part), word) {
				return true
			}
		}
	}
	return false
}
