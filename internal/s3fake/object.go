package s3fake

import (
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// bucket holds objects in the order of their keys.
type bucket struct {
	keys    []string
	objects map[string]*object
	uploads map[string]*upload
}

func newBucket() *bucket {
	return &bucket{objects: map[string]*object{}, uploads: map[string]*upload{}}
}

// object is never changed, but for restored.
type object struct {
	description
	data     []byte
	etag     string
	crc32c   string
	modified time.Time
	restored restored
}

// description is what travels with an object besides its bytes.
type description struct {
	header map[string]string // content headers and user metadata, as they came
	tags   url.Values
	class  storage.Class
}

var kept = []string{"Content-Type", "Content-Language", "Content-Disposition", "Content-Encoding", "Cache-Control", "Expires"}

// describe reads the headers of a write.
func (r *request) describe() (d description, err error) {
	d.header = map[string]string{}
	for name, v := range r.Header {
		if slices.Contains(kept, name) || strings.HasPrefix(name, "X-Amz-Meta-") {
			d.header[name] = v[0]
		}
	}
	if enc, ok := strings.CutPrefix(d.header["Content-Encoding"], "aws-chunked"); ok {
		if enc = strings.TrimPrefix(enc, ","); enc == "" {
			delete(d.header, "Content-Encoding")
		} else {
			d.header["Content-Encoding"] = enc
		}
	}
	var ok bool
	if d.class, ok = r.o.class(r.Header.Get("X-Amz-Storage-Class")); !ok {
		return d, faultf(http.StatusBadRequest, "InvalidStorageClass", "The storage class you specified is not valid")
	}
	tags := r.Header.Get("X-Amz-Tagging")
	if r.o.NoTags && (tags != "" || r.Header.Get("X-Amz-Tagging-Directive") != "") {
		return d, errNotImplemented
	}
	if d.tags, err = url.ParseQuery(tags); err != nil || len(d.tags) > 10 {
		return d, faultf(http.StatusBadRequest, "InvalidTag", "%q", tags)
	}
	return d, nil
}

func (r *request) etag(data []byte) string {
	if r.o.CapitalETags {
		return strings.ToUpper(hex.EncodeToString(data))
	}
	return hex.EncodeToString(data)
}

func (b *bucket) put(r *request) (answer, error) {
	d, err := r.describe()
	if err != nil {
		return answer{}, err
	}
	if err := b.checkConditions(r); err != nil {
		return answer{}, err
	}
	o := &object{description: d, data: r.body.data, etag: r.etag(r.body.md5[:]), crc32c: r.body.crc32c, modified: r.now}
	b.add(r.key, o)
	return answer{header: map[string]string{"Etag": quote(o.etag)}}, nil
}

// checkConditions looks at what a write demands of the object in its place.
func (b *bucket) checkConditions(r *request) error {
	if r.o.NoConditions {
		return nil
	}
	old := b.objects[r.key]
	match := r.Header.Get("If-Match")
	switch {
	case r.Header.Get("If-None-Match") == "*" && old != nil, match != "" && old != nil && quote(old.etag) != match:
		return errPrecondition
	case match != "" && old == nil:
		return errNoSuchKey
	}
	return nil
}

var (
	errPrecondition = &fault{http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"}
	errNoSuchKey    = &fault{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."}
)

func (b *bucket) add(key string, o *object) {
	if b.objects[key] == nil {
		i, _ := slices.BinarySearch(b.keys, key)
		b.keys = slices.Insert(b.keys, i, key)
	}
	b.objects[key] = o
}

func (b *bucket) remove(key string) {
	if b.objects[key] == nil {
		return
	}
	delete(b.objects, key)
	i, _ := slices.BinarySearch(b.keys, key)
	b.keys = slices.Delete(b.keys, i, i+1)
}

// get answers GET and HEAD.
func (b *bucket) get(r *request) (answer, error) {
	o := b.objects[r.key]
	if o == nil {
		return answer{}, errNoSuchKey
	}
	if match := r.Header.Get("If-Match"); match != "" && !r.o.IgnoresIfMatch && match != quote(o.etag) {
		return answer{}, errPrecondition
	}
	if r.Method == http.MethodGet && !o.readable(r.now) {
		return answer{}, errArchived
	}
	a := answer{data: o.data, header: o.headers(r)}
	if v := r.Header.Get("Range"); v != "" && !r.o.IgnoresRange {
		from, to, err := parseRange(v, int64(len(o.data)))
		if err != nil {
			return answer{}, err
		}
		a.status, a.data = http.StatusPartialContent, o.data[from:to]
		a.header["Content-Range"] = fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(o.data))
	}
	if n := r.o.Truncate; n > 0 && n < int64(len(a.data)) && r.Method == http.MethodGet {
		a.length, a.data = int64(len(a.data)), a.data[:n]
	}
	return a, nil
}

func (o *object) headers(r *request) map[string]string {
	h := map[string]string{"Etag": quote(o.etag), "Last-Modified": o.modified.UTC().Format(http.TimeFormat)}
	for name, v := range o.header {
		h[name] = v
	}
	if o.class.Name != r.o.Classes[0].Name {
		h["X-Amz-Storage-Class"] = o.class.Name
	}
	if len(o.tags) > 0 {
		h["X-Amz-Tagging-Count"] = strconv.Itoa(len(o.tags))
	}
	if o.crc32c != "" && r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
		h["X-Amz-Checksum-Crc32c"], h["X-Amz-Checksum-Type"] = o.crc32c, "FULL_OBJECT"
	}
	if v := o.restored.header(r.now); v != "" {
		h["X-Amz-Restore"] = v
	}
	return h
}

// parseRange reads bytes=from-to, the end included, and returns it excluded.
func parseRange(v string, size int64) (from, to int64, err error) {
	stretch, ok := strings.CutPrefix(v, "bytes=")
	a, z, dash := strings.Cut(stretch, "-")
	from, err = strconv.ParseInt(a, 10, 64)
	if to = size; z != "" && err == nil {
		to, err = strconv.ParseInt(z, 10, 64)
		to = min(to+1, size)
	}
	if !ok || !dash || err != nil || from >= to {
		return 0, 0, faultf(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable")
	}
	return from, to, nil
}

func quote(etag string) string { return `"` + etag + `"` }

// deleteMany answers DeleteObjects.
func (b *bucket) deleteMany(r *request) (answer, error) {
	if r.o.DeleteNeedsMD5 && r.Header.Get("Content-Md5") == "" {
		return answer{}, faultf(http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: Content-MD5")
	}
	var list struct {
		Objects []struct{ Key string } `xml:"Object"`
	}
	if err := xml.Unmarshal(r.body.data, &list); err != nil {
		return answer{}, errMalformed
	}
	doc := "<DeleteResult>"
	for _, o := range list.Objects {
		b.remove(o.Key)
		doc += "<Deleted><Key>" + escapeXML(o.Key) + "</Key></Deleted>"
	}
	return answer{doc: doc + "</DeleteResult>"}, nil
}

var errMalformed = &fault{http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed."}
