package ossfake

import (
	"compress/gzip"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// compressible are the content types that OSS compresses on the fly
// (alibabacloud.com/help/faq-detail/39645.html).
var compressible = []string{
	"application/javascript", "application/json", "application/rss+xml", "application/x-javascript",
	"text/cache-manifest", "text/css", "text/html", "text/json", "text/plain", "text/xml",
}

// compresses tells whether OSS would answer a request for an object with gzip:
// if the client accepts it, for some types, from 1 KB on. What is stored with a
// Content-Encoding is sent as it is, and so are ranges.
func (c *call) compresses(o *object) bool {
	kind, _, _ := mime.ParseMediaType(o.header.Get("Content-Type"))
	return strings.Contains(c.header("Accept-Encoding"), "gzip") && c.header("Range") == "" &&
		o.header.Get("Content-Encoding") == "" && len(o.data) >= 1024 && slices.Contains(compressible, kind)
}

// compress answers with an object in gzip. Such an answer has neither ETag nor
// length, while its checksums are those of what is stored.
func (c *call) compress(o *object) error {
	h := c.w.Header()
	h.Del("Etag")
	h.Del("Accept-Ranges")
	h.Set("Content-Encoding", "gzip")
	h.Set("Vary", "Accept-Encoding")
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return nil
	}
	// Without this Go's server finds out the length of a short answer.
	_ = http.NewResponseController(c.w).Flush()
	z := gzip.NewWriter(c.w)
	_, _ = z.Write(o.data) // a client that went away needs no answer
	_ = z.Close()
	return nil
}
