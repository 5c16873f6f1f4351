package ossfake_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage/oss/ossfake"
)

// TestRange: OSS ignores a range that is not wholly inside the object, unless
// standard behaviour is asked for. The object has ten bytes.
func TestRange(t *testing.T) {
	for spec, c := range map[string]struct {
		plain, standard int    // status
		bytes           string // of 206
	}{
		"bytes=0-3":     {206, 206, "0123"},
		"bytes=9-9":     {206, 206, "9"},
		"bytes=7-":      {206, 206, "789"},
		"bytes=-3":      {206, 206, "789"},
		"bytes=-10":     {206, 206, "0123456789"},
		"bytes=7-20":    {200, 206, "789"},
		"bytes=-20":     {200, 206, "0123456789"},
		"bytes=10-20":   {200, 416, ""},
		"bytes=10-":     {200, 416, ""},
		"bytes=-0":      {200, 416, ""},
		"bytes=3-2":     {200, 200, ""},
		"bytes=a-b":     {200, 200, ""},
		"bytes=0-1,3-4": {200, 200, ""},
		"byte=0-3":      {200, 200, ""},
	} {
		t.Run(spec, func(t *testing.T) {
			_, cl := start(t, ossfake.Options{WholeIfOutside: true})
			put(t, cl, "k", "0123456789", nil)
			check := func(r reply, status int) {
				t.Helper()
				switch status {
				case 200:
					want(t, r, 200, "")
					equal(t, "bytes", r.body, "0123456789")
					equal(t, "Content-Range", r.header.Get("Content-Range"), "")
				case 206:
					want(t, r, 206, "")
					equal(t, "bytes", r.body, c.bytes)
					equal(t, "Content-Range has the size", strings.HasSuffix(r.header.Get("Content-Range"), "/10"), true)
				default:
					want(t, r, 416, "InvalidRange")
				}
			}
			check(send(cl, "GET", "k", nil, headers{"Range": spec}, ""), c.plain)
			check(send(cl, "GET", "k", nil, headers{"Range": spec, "X-Oss-Range-Behavior": "standard"}, ""), c.standard)
			_, cl = start(t, ossfake.Options{})
			put(t, cl, "k", "0123456789", nil)
			check(send(cl, "GET", "k", nil, headers{"Range": spec}, ""), c.standard)
		})
	}
}

// TestConditions hold for reading and, under other names, for the source of a copy.
func TestConditions(t *testing.T) {
	clock := newClock()
	_, c := start(t, ossfake.Options{Now: clock.now})
	etag := put(t, c, "k", "bytes", nil).header.Get("Etag")
	at := func(d time.Duration) string { return clock.now().Add(d).Format("Mon, 02 Jan 2006 15:04:05 GMT") }
	for _, x := range []struct {
		name, value string
		status      int
	}{
		{"If-Match", etag, 200},
		{"If-Match", strings.Trim(etag, `"`), 200},
		{"If-Match", strings.ToLower(etag), 412},
		{"If-None-Match", etag, 304},
		{"If-None-Match", "other", 200},
		{"If-Modified-Since", at(0), 304},
		{"If-Modified-Since", at(-time.Second), 200},
		{"If-Unmodified-Since", at(0), 200},
		{"If-Unmodified-Since", at(-time.Second), 412},
		{"If-Unmodified-Since", "nonsense", 200},
	} {
		t.Run(x.name+" "+x.value, func(t *testing.T) {
			for _, r := range []reply{
				send(c, "GET", "k", nil, headers{x.name: x.value}, ""),
				send(c, "HEAD", "k", nil, headers{x.name: x.value}, ""),
				send(c, "PUT", "copy", nil, headers{"X-Oss-Copy-Source": "/" + bkt + "/k", "X-Oss-Copy-Source-" + x.name: x.value}, ""),
			} {
				equal(t, "status", r.status, x.status)
				if x.status == 412 {
					equal(t, "code", r.code, "PreconditionFailed")
				}
			}
		})
	}
}

// TestPut: what a request may say about the object that it writes.
func TestPut(t *testing.T) {
	s, c := start(t, ossfake.Options{MaxBody: 100})
	for name, x := range map[string]struct {
		header headers
		body   string
		status int
		code   string
	}{
		"digest":           {headers{"Content-Md5": "eB5eJF1ptWaXm4bijSPyxw=="}, "0123456789", 200, ""},
		"another digest":   {headers{"Content-Md5": "eB5eJF1ptWaXm4bijSPyxw=="}, "012345678", 400, "InvalidDigest"},
		"malformed digest": {headers{"Content-Md5": "%"}, "0123456789", 400, "InvalidDigest"},
		"too large":        {nil, strings.Repeat("x", 101), 400, "EntityTooLarge"},
		"class":            {headers{"X-Oss-Storage-Class": "DeepColdArchive"}, "x", 200, ""},
		"unknown class":    {headers{"X-Oss-Storage-Class": "GLACIER"}, "x", 400, "InvalidArgument"},
		"ACL":              {headers{"X-Oss-Object-Acl": "private"}, "x", 200, ""},
		"unknown ACL":      {headers{"X-Oss-Object-Acl": "open"}, "x", 400, "InvalidArgument"},
		"ten tags":         {headers{"X-Oss-Tagging": "a=&b=&c=&d=&e=&f=&g=&h=&i=&j="}, "x", 200, ""},
		"eleven tags":      {headers{"X-Oss-Tagging": "a=&b=&c=&d=&e=&f=&g=&h=&i=&j=&k="}, "x", 400, "InvalidTag"},
		"one tag twice":    {headers{"X-Oss-Tagging": "a=1&a=2"}, "x", 400, "InvalidTag"},
		"long tag":         {headers{"X-Oss-Tagging": strings.Repeat("k", 129) + "=v"}, "x", 400, "InvalidTag"},
		"malformed tags":   {headers{"X-Oss-Tagging": "%zz"}, "x", 400, "InvalidTag"},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, send(c, "PUT", "put/"+name, nil, x.header, x.body), x.status, x.code)
			o, found := s.Object(bkt, "put/"+name)
			equal(t, "stored", found, x.status == 200)
			if found {
				equal(t, "bytes", string(o.Data), x.body)
			}
		})
	}
	want(t, sendTo(c, "PUT", "nobucket", "k", nil, nil, "x"), 404, "NoSuchBucket")
}

// TestForbidOverwrite: no way of writing overwrites what it must not.
func TestForbidOverwrite(t *testing.T) {
	s, c := start(t, ossfake.Options{})
	forbid := headers{"X-Oss-Forbid-Overwrite": "true"}
	put(t, c, "k", "first", forbid)
	want(t, send(c, "PUT", "k", nil, forbid, "second"), 409, "FileAlreadyExists")
	want(t, send(c, "POST", "k", params{"append": nil, "position": "0"}, forbid, "second"), 409, "FileAlreadyExists")
	want(t, send(c, "POST", "k", params{"uploads": nil}, forbid, ""), 409, "FileAlreadyExists")
	put(t, c, "other", "second", nil)
	forbid["X-Oss-Copy-Source"] = "/" + bkt + "/other"
	want(t, send(c, "PUT", "k", nil, forbid, ""), 409, "FileAlreadyExists")
	o, _ := s.Object(bkt, "k")
	equal(t, "bytes", string(o.Data), "first")
}

// TestErrorsOfHead: they have no body, so the document is in a header.
func TestErrorsOfHead(t *testing.T) {
	_, c := start(t, ossfake.Options{})
	r := send(c, "HEAD", "none", nil, nil, "")
	want(t, r, 404, "NoSuchKey")
	doc := string(must(base64.StdEncoding.DecodeString(r.header.Get("X-Oss-Err")))(t))
	equal(t, "document names the key", strings.Contains(doc, "<Key>none</Key>"), true)
}

// TestGzip: what is stored encoded is served as it is; text is encoded on the
// fly for a client that accepts it, and then has neither ETag nor length.
func TestGzip(t *testing.T) {
	s, c := start(t, ossfake.Options{})
	text := strings.Repeat("text ", 300)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := io.WriteString(z, text)
	ok(t, err)
	ok(t, z.Close())
	put(t, c, "packed", packed.String(), headers{"Content-Encoding": "gzip", "Content-Type": "text/plain"})
	put(t, c, "text", text, headers{"Content-Type": "text/plain; charset=utf-8"})
	put(t, c, "short", text[:1023], headers{"Content-Type": "text/plain"})
	put(t, c, "binary", text, headers{"Content-Type": "application/octet-stream"})
	accept := headers{"Accept-Encoding": "gzip"}

	for _, h := range []headers{nil, accept} {
		r := send(c, "GET", "packed", nil, h, "")
		equal(t, "bytes as stored", r.body == packed.String(), true)
		equal(t, "encoding", r.header.Get("Content-Encoding"), "gzip")
	}
	r := send(c, "GET", "text", nil, accept, "")
	equal(t, "encoding", r.header.Get("Content-Encoding"), "gzip")
	equal(t, "ETag and length", r.header.Get("Etag")+r.header.Get("Content-Length"), "")
	plain := must(io.ReadAll(must(gzip.NewReader(strings.NewReader(r.body)))(t)))(t)
	equal(t, "text", string(plain), text)
	equal(t, "ETag", send(c, "HEAD", "text", nil, accept, "").header.Get("Etag"), "")
	for _, key := range []string{"short", "binary"} {
		equal(t, "encoding of "+key, send(c, "GET", key, nil, accept, "").header.Get("Content-Encoding"), "")
	}
	equal(t, "text as stored", send(c, "GET", "text", nil, nil, "").body, text)
	ranged := send(c, "GET", "text", nil, headers{"Accept-Encoding": "gzip", "Range": "bytes=0-3"}, "")
	equal(t, "range", ranged.body, "text")
	s.Inject(ossfake.Rule{Effect: ossfake.Cut, Bytes: 4})
	if r := send(c, "GET", "text", nil, accept, ""); r.err == nil {
		t.Error("a compressed answer was not cut")
	}
}

// TestCopy: what a copy keeps and what it takes from the request.
func TestCopy(t *testing.T) {
	s, c := start(t, ossfake.Options{})
	put(t, c, "src", "bytes", headers{"X-Oss-Meta-A": "1", "Content-Type": "text/x", "X-Oss-Tagging": "t=1", "X-Oss-Storage-Class": "IA"})
	for name, x := range map[string]struct {
		to              string
		header          headers
		meta, tag, kind string // of the copy: x-oss-meta-a, tag t, class
	}{
		"kept":              {"dst", headers{"X-Oss-Meta-A": "2", "X-Oss-Tagging": "t=2"}, "1", "1", "Standard"},
		"replaced":          {"dst", headers{"X-Oss-Meta-A": "2", "X-Oss-Metadata-Directive": "REPLACE"}, "2", "1", "Standard"},
		"tags replaced":     {"dst", headers{"X-Oss-Tagging": "t=2", "X-Oss-Tagging-Directive": "Replace"}, "1", "2", "Standard"},
		"class":             {"dst", headers{"X-Oss-Storage-Class": "IA"}, "1", "1", "IA"},
		"onto itself":       {"src", headers{"X-Oss-Meta-A": "2"}, "2", "1", "Standard"},
		"onto itself, bare": {"src", nil, "", "1", "Standard"},
	} {
		t.Run(name, func(t *testing.T) {
			put(t, c, "src", "bytes", headers{"X-Oss-Meta-A": "1", "X-Oss-Tagging": "t=1", "X-Oss-Storage-Class": "IA"})
			h := headers{"X-Oss-Copy-Source": "/" + bkt + "/src"}
			for k, v := range x.header {
				h[k] = v
			}
			want(t, send(c, "PUT", x.to, nil, h, ""), 200, "")
			o, _ := s.Object(bkt, x.to)
			equal(t, "bytes", string(o.Data), "bytes")
			equal(t, "metadata", o.Header.Get("X-Oss-Meta-A"), x.meta)
			equal(t, "tag", o.Tags["t"], x.tag)
			equal(t, "class", o.Class, x.kind)
		})
	}
	source := func(v string) headers { return headers{"X-Oss-Copy-Source": v} }
	want(t, send(c, "PUT", "dst", nil, source("/"+bkt+"/none"), ""), 404, "NoSuchKey")
	want(t, send(c, "PUT", "dst", nil, source("/nobucket/k"), ""), 404, "NoSuchBucket")
	want(t, send(c, "PUT", "dst", nil, source("/nokey"), ""), 400, "InvalidArgument")
	want(t, send(c, "PUT", "dst", nil, source(bkt+"/src"), ""), 400, "InvalidArgument")
	want(t, send(c, "PUT", "dst", nil, source("/"+bkt+"/%zz"), ""), 400, "InvalidArgument")
	want(t, send(c, "PUT", "dst", nil, source("/"+bkt+"/src?versionId=1"), ""), 501, "NotImplemented")
	want(t, send(c, "POST", "app", params{"append": nil, "position": "0"}, nil, "x"), 200, "")
	want(t, send(c, "PUT", "dst", nil, source("/"+bkt+"/app"), ""), 200, "")
	o, _ := s.Object(bkt, "dst")
	equal(t, "type and ETag", o.Type+o.ETag, "Normal9DD4E461268C8034F5C8564E155C67A6")
}

// TestDeleteObjects: what the SDK does not let a test send.
func TestDeleteObjects(t *testing.T) {
	_, c := start(t, ossfake.Options{})
	del := params{"delete": nil}
	want(t, send(c, "POST", "", del, nil, "<Delete><Object><Key>k</Key></Object></Delete>"), 400, "MissingArgument")
	delete := func(body string) reply {
		return send(c, "POST", "", del, headers{"Content-Md5": md5Of(body)}, body)
	}
	want(t, delete("<Delete>"), 400, "MalformedXML")
	want(t, delete("<Delete></Delete>"), 400, "MalformedXML")
	want(t, delete("<Delete>"+strings.Repeat("<Object><Key>k</Key></Object>", 1001)+"</Delete>"), 400, "MalformedXML")
	r := delete("<Delete><Quiet>true</Quiet>" + strings.Repeat("<Object><Key>k</Key></Object>", 1000) + "</Delete>")
	want(t, r, 200, "")
	equal(t, "body", r.body, "")
}

// TestNotServed: what the double does not know is refused, never taken for
// something else.
func TestNotServed(t *testing.T) {
	_, c := start(t, ossfake.Options{})
	put(t, c, "k", "x", nil)
	for _, x := range []struct{ method, key, sub string }{
		{"GET", "", "lifecycle"}, {"GET", "", "versions"}, {"PUT", "", "acl"}, {"PUT", "k", "symlink"},
		{"GET", "k", "versionId"}, {"DELETE", "k", "versionId"}, {"GET", "k", "x-oss-process"},
	} {
		want(t, send(c, x.method, x.key, params{x.sub: "v"}, nil, ""), 501, "NotImplemented")
	}
	want(t, send(c, "PATCH", "k", nil, nil, ""), 501, "NotImplemented")
}
