package ossfake

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// call is one request under way.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	query  url.Values
	id     string
	bucket string // "" for the service
	key    string // "" for a bucket
	op     Op
}

// nextID makes ids that sort in the order in which they were made.
func (s *Server) nextID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	return fmt.Sprintf("%024X", s.requests)
}

// header returns a request's header, "" if it has none.
func (c *call) header(name string) string { return c.r.Header.Get(name) }

// body reads the request's body and holds it against Content-MD5. OSS names a
// digest that is malformed and one that differs alike: InvalidDigest
// (help.aliyun.com/en/oss/developer-reference/putobject).
func (c *call) body(limit int64) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, refuse(http.StatusBadRequest, "EntityTooLarge", "the body is larger than allowed")
	case err != nil: // the client went away: there is nobody to answer
		panic(http.ErrAbortHandler)
	}
	given := c.header("Content-MD5")
	if given == "" {
		return b, nil
	}
	sum := md5.Sum(b)
	if digest, err := base64.StdEncoding.DecodeString(given); err != nil || !bytes.Equal(digest, sum[:]) {
		return nil, refuse(http.StatusBadRequest, "InvalidDigest", "the Content-MD5 is not that of the body")
	}
	return b, nil
}

// document reads an XML body, at most 2 MiB, into v.
func (c *call) document(v any) error {
	b, err := c.body(2 << 20)
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(b, v); err != nil {
		return refuse(http.StatusBadRequest, "MalformedXML", "the body is not the XML that this operation takes")
	}
	return nil
}

// number reads a number among the query's parameters. One outside of
// [low, high] is refused.
func (c *call) number(name string, preset, low, high int) (int, error) {
	if !c.query.Has(name) {
		return preset, nil
	}
	n, err := strconv.Atoi(c.query.Get(name))
	if err != nil || n < low || n > high {
		return 0, refuse(http.StatusBadRequest, "InvalidArgument",
			fmt.Sprintf("%s must be between %d and %d", name, low, high))
	}
	return n, nil
}

// encoder returns how the answer writes keys: as they are, or percent-encoded
// if the request says encoding-type=url, and what the answer says about it.
func (c *call) encoder() (enc func(string) string, name string, err error) {
	switch c.query.Get("encoding-type") {
	case "":
		return func(s string) string { return s }, "", nil
	case "url":
		return escape, "url", nil
	}
	return nil, "", refuse(http.StatusBadRequest, "InvalidArgument", "encoding-type must be url")
}

// escape percent-encodes all but unreserved characters (RFC 3986).
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// answer writes a document with status 200.
func (c *call) answer(v any) error {
	c.document200(marshal(v))
	return nil
}

func (c *call) document200(b []byte) {
	h := c.w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(b) // a client that went away needs no answer
}

func (c *call) status(code int) error {
	c.w.WriteHeader(code)
	return nil
}

// marshal writes the package's own documents; that cannot fail.
func marshal(v any) []byte {
	b, err := xml.Marshal(v)
	if err != nil {
		panic(err)
	}
	return append([]byte(xml.Header), b...)
}

// stamp writes a time as OSS's documents do.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func quote(etag string) string { return `"` + etag + `"` }

func unquote(etag string) string { return strings.Trim(etag, `"`) }
