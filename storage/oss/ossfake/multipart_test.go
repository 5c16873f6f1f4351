package ossfake_test

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-sync/sluice/storage/oss/ossfake"
)

const least = 100 << 10 // bytes of a part but the last

// begin begins an upload and returns its id.
func begin(t *testing.T, c *oss.Client, key string, h headers) string {
	t.Helper()
	r := send(c, "POST", key, params{"uploads": nil}, h, "")
	want(t, r, 200, "")
	var out struct {
		UploadID string `xml:"UploadId"`
	}
	ok(t, xml.Unmarshal([]byte(r.body), &out))
	return out.UploadID
}

func part(id string, n int) params { return params{"uploadId": id, "partNumber": strconv.Itoa(n)} }

// addPart uploads a part and returns its ETag.
func addPart(t *testing.T, c *oss.Client, key, id string, n int, body string) string {
	t.Helper()
	r := send(c, "PUT", key, part(id, n), nil, body)
	want(t, r, 200, "")
	return r.header.Get("Etag")
}

// document is the body of a Complete that names numbers and ETags in turn.
func document(parts ...any) string {
	s := "<CompleteMultipartUpload>"
	for i := 0; i < len(parts); i += 2 {
		s += fmt.Sprintf("<Part><PartNumber>%v</PartNumber><ETag>%v</ETag></Part>", parts[i], parts[i+1])
	}
	return s + "</CompleteMultipartUpload>"
}

// TestComplete: which lists of parts make an object. Parts 1 and 3 have the
// least size, part 2 is smaller.
func TestComplete(t *testing.T) {
	s, c := start(t, ossfake.Options{})
	big := strings.Repeat("x", least)
	for name, x := range map[string]struct {
		body   func(e1, e2, e3 string) string
		header headers
		status int
		code   string
		size   int
	}{
		"in order":     {func(e1, _, e3 string) string { return document(1, e1, 3, e3) }, nil, 200, "", 2 * least},
		"one":          {func(_, e2, _ string) string { return document(2, e2) }, nil, 200, "", 5},
		"bare ETags":   {func(e1, _, _ string) string { return document(1, strings.Trim(e1, `"`)) }, nil, 200, "", least},
		"out of order": {func(e1, _, e3 string) string { return document(3, e3, 1, e1) }, nil, 400, "InvalidPartOrder", 0},
		"twice":        {func(e1, _, _ string) string { return document(1, e1, 1, e1) }, nil, 400, "InvalidPartOrder", 0},
		"missing":      {func(e1, _, _ string) string { return document(1, e1, 4, e1) }, nil, 400, "InvalidPart", 0},
		"other ETag":   {func(_, e2, _ string) string { return document(1, e2) }, nil, 400, "InvalidPart", 0},
		"small":        {func(e1, e2, e3 string) string { return document(1, e1, 2, e2, 3, e3) }, nil, 400, "EntityTooSmall", 0},
		"none":         {func(string, string, string) string { return document() }, nil, 400, "MalformedXML", 0},
		"no document":  {func(string, string, string) string { return "x" }, nil, 400, "MalformedXML", 0},
		"all, small":   {func(string, string, string) string { return "" }, headers{"X-Oss-Complete-All": "yes"}, 400, "EntityTooSmall", 0},
		"all and body": {func(e1, _, _ string) string { return document(1, e1) }, headers{"X-Oss-Complete-All": "yes"}, 400, "InvalidArgument", 0},
		"forbidden":    {func(e1, _, _ string) string { return document(1, e1) }, headers{"X-Oss-Forbid-Overwrite": "true"}, 409, "FileAlreadyExists", 0},
	} {
		t.Run(name, func(t *testing.T) {
			ok(t, s.Put(bkt, "k", []byte("before"), ""))
			id := begin(t, c, "k", nil)
			e1, e2, e3 := addPart(t, c, "k", id, 1, big), addPart(t, c, "k", id, 2, "small"), addPart(t, c, "k", id, 3, big)
			r := send(c, "POST", "k", params{"uploadId": id}, x.header, x.body(e1, e2, e3))
			want(t, r, x.status, x.code)
			o, _ := s.Object(bkt, "k")
			if x.status != 200 {
				equal(t, "object", string(o.Data), "before")
				want(t, send(c, "GET", "k", params{"uploadId": id}, nil, ""), 200, "")
				return
			}
			equal(t, "size", len(o.Data), x.size)
			want(t, send(c, "GET", "k", params{"uploadId": id}, nil, ""), 404, "NoSuchUpload")
			want(t, send(c, "POST", "k", params{"uploadId": id}, x.header, x.body(e1, e2, e3)), 404, "NoSuchUpload")
		})
	}
}

// TestCompleteAll takes the parts that there are, the last of each number.
func TestCompleteAll(t *testing.T) {
	s, c := start(t, ossfake.Options{})
	id := begin(t, c, "k", headers{"X-Oss-Meta-A": "1", "X-Oss-Tagging": "t=1", "Content-Type": "text/x"})
	addPart(t, c, "k", id, 9, "tail")
	addPart(t, c, "k", id, 2, "replaced")
	addPart(t, c, "k", id, 2, strings.Repeat("x", least))
	want(t, send(c, "POST", "k", params{"uploadId": id}, headers{"X-Oss-Complete-All": "yes"}, ""), 200, "")
	o, _ := s.Object(bkt, "k")
	equal(t, "bytes", string(o.Data), strings.Repeat("x", least)+"tail")
	equal(t, "metadata", o.Header.Get("X-Oss-Meta-A")+o.Header.Get("Content-Type")+o.Tags["t"], "1text/x1")
}

// TestPartsRefused: parts that no upload takes.
func TestPartsRefused(t *testing.T) {
	clock := newClock()
	s, c := start(t, ossfake.Options{Now: clock.now})
	put(t, c, "src", "0123456789", nil)
	ok(t, s.Put(bkt, "archived", []byte("x"), ossfake.Archive))
	id := begin(t, c, "k", nil)
	from := func(key, rg string) headers {
		return headers{"X-Oss-Copy-Source": "/" + bkt + "/" + key, "X-Oss-Copy-Source-Range": rg}
	}
	changed := from("src", "bytes=0-1")
	changed["X-Oss-Copy-Source-If-Match"] = "other"
	for name, x := range map[string]struct {
		key    string
		p      params
		h      headers
		status int
		code   string
	}{
		"number 0":             {"k", part(id, 0), nil, 400, "InvalidArgument"},
		"number 10001":         {"k", part(id, 10001), nil, 400, "InvalidArgument"},
		"no number":            {"k", params{"uploadId": id}, nil, 400, "InvalidArgument"},
		"number 10000":         {"k", part(id, 10000), nil, 200, ""},
		"unknown upload":       {"k", part("none", 1), nil, 404, "NoSuchUpload"},
		"upload of other key":  {"k2", part(id, 1), nil, 404, "NoSuchUpload"},
		"another digest":       {"k", part(id, 1), headers{"Content-Md5": md5Of("y")}, 400, "InvalidDigest"},
		"source changed":       {"k", part(id, 1), changed, 412, "PreconditionFailed"},
		"source missing":       {"k", part(id, 1), from("none", "bytes=0-1"), 404, "NoSuchKey"},
		"source archived":      {"k", part(id, 1), from("archived", "bytes=0-0"), 403, "InvalidObjectState"},
		"copy without upload":  {"k", part("none", 1), from("src", "bytes=0-1"), 404, "NoSuchUpload"},
		"copy of a range":      {"k", part(id, 1), from("src", "bytes=0-1"), 200, ""},
		"range beyond the end": {"k", part(id, 2), from("src", "bytes=5-15"), 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			body := "x"
			if x.h["X-Oss-Copy-Source"] != "" {
				body = ""
			}
			want(t, send(c, "PUT", x.key, x.p, x.h, body), x.status, x.code)
		})
	}
	// A range that is not wholly inside the source is ignored.
	r := send(c, "GET", "k", params{"uploadId": id}, nil, "")
	equal(t, "sizes", strings.Join(sizes(t, r.body), " "), "1:2 2:10 10000:1")
}

func sizes(t *testing.T, doc string) []string {
	t.Helper()
	var out struct {
		Part []struct{ PartNumber, Size int }
	}
	ok(t, xml.Unmarshal([]byte(doc), &out))
	var all []string
	for _, p := range out.Part {
		all = append(all, fmt.Sprintf("%d:%d", p.PartNumber, p.Size))
	}
	return all
}

// TestListPartsPaging: ascending, each part once, whatever the pages' size.
func TestListPartsPaging(t *testing.T) {
	_, c := start(t, ossfake.Options{})
	id := begin(t, c, "k", nil)
	for _, n := range []int{7, 3, 10000, 1, 12} {
		addPart(t, c, "k", id, n, "x")
	}
	for size := 1; size <= 6; size++ {
		var all []string
		for marker, more := "0", true; more; {
			r := send(c, "GET", "k", params{"uploadId": id, "max-parts": strconv.Itoa(size), "part-number-marker": marker}, nil, "")
			want(t, r, 200, "")
			var out struct {
				IsTruncated          bool
				NextPartNumberMarker string
			}
			ok(t, xml.Unmarshal([]byte(r.body), &out))
			all = append(all, sizes(t, r.body)...)
			marker, more = out.NextPartNumberMarker, out.IsTruncated
		}
		equal(t, "parts", strings.Join(all, " "), "1:1 3:1 7:1 12:1 10000:1")
	}
	want(t, send(c, "GET", "k", params{"uploadId": id, "max-parts": "1001"}, nil, ""), 400, "InvalidArgument")
}

// TestListUploadsPaging: by key and then in the order in which they were begun.
func TestListUploadsPaging(t *testing.T) {
	_, c := start(t, ossfake.Options{})
	var order []string
	for _, key := range []string{"a", "b/中", "b/中", "b/中", "c"} {
		order = append(order, key+" "+begin(t, c, key, nil))
	}
	b := must(c.Bucket(bkt))(t)
	for size := 1; size <= 6; size++ {
		for prefix, all := range map[string][]string{"": order, "b": order[1:4]} {
			var got []string
			for key, id, more := "", "", true; more; {
				r := must(b.ListMultipartUploads(oss.Prefix(prefix), oss.MaxUploads(size), oss.KeyMarker(key), oss.UploadIDMarker(id)))(t)
				for _, u := range r.Uploads {
					got = append(got, u.Key+" "+u.UploadID)
				}
				key, id, more = r.NextKeyMarker, r.NextUploadIDMarker, r.IsTruncated
			}
			equal(t, "uploads", strings.Join(got, ","), strings.Join(all, ","))
		}
	}
	after := must(b.ListMultipartUploads(oss.KeyMarker("b/中")))(t)
	equal(t, "uploads after a key", len(after.Uploads), 1)
	ignored := must(b.ListMultipartUploads(oss.UploadIDMarker("zzz")))(t)
	equal(t, "uploads after an id without a key", len(ignored.Uploads), 5)
	refused(t, c.DeleteBucket(bkt), "BucketNotEmpty")
}
