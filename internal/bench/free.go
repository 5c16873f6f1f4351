package main

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The free server answers S3 requests at next to no cost: objects are zeros,
// only their sizes are kept, signatures are not checked. A bucket whose name
// starts with gen-N-SIZE holds N objects that exist only in the answers.

// epoch is when everything on the free server was modified.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

type freeServer struct {
	mu      sync.Mutex
	buckets map[string]map[string]int64
	parts   map[string]map[int]int64 // sizes of each upload's parts
	etags   sync.Map                 // size → MD5 of that many zeros
}

func serveFree(addr string) {
	s := &freeServer{buckets: map[string]map[string]int64{}, parts: map[string]map[int]int64{}}
	srv := &http.Server{Addr: addr, Handler: s, ReadHeaderTimeout: time.Minute}
	log.Fatal(srv.ListenAndServe())
}

// freeWipe empties a bucket of the free server.
func (b *lab) freeWipe(name string) error {
	req, err := http.NewRequestWithContext(b.ctx, http.MethodDelete, "http://"+b.servers[2].Args[2]+"/"+name, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (s *freeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := r.URL.Query()
	switch {
	case bucket == "":
		xmlBody(w, "<ListAllMyBucketsResult></ListAllMyBucketsResult>")
	case key == "" && r.Method == http.MethodDelete:
		s.mu.Lock()
		delete(s.buckets, bucket)
		s.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	case key == "" && r.Method != http.MethodGet:
		discard(r)
	case key == "" && q.Has("location"):
		xmlBody(w, "<LocationConstraint></LocationConstraint>")
	case key == "" && q.Has("uploads"):
		xmlBody(w, "<ListMultipartUploadsResult></ListMultipartUploadsResult>")
	case key == "" && q.Has("versioning"):
		xmlBody(w, "<VersioningConfiguration/>")
	case key == "" && (q.Has("object-lock") || q.Has("lifecycle") || q.Has("policy") || q.Has("tagging") || q.Has("encryption") || q.Has("notification")):
		refuse(w, http.StatusNotFound, "NotFound")
	case key == "":
		s.list(w, bucket, q)
	default:
		s.object(w, r, bucket, key, q)
	}
}

func discard(r *http.Request) int64 {
	n, _ := io.Copy(io.Discard, r.Body)
	if d := r.Header.Get("X-Amz-Decoded-Content-Length"); d != "" {
		n, _ = strconv.ParseInt(d, 10, 64)
	}
	return n
}

func xmlBody(w http.ResponseWriter, s string) {
	w.Header().Set("Content-Type", "application/xml")
	_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+s)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
}

// etag is the MD5 of n zeros.
func (s *freeServer) etag(n int64) string {
	if v, ok := s.etags.Load(n); ok {
		return v.(string)
	}
	h := md5.New()
	_, _ = io.Copy(h, io.LimitReader(zeros{}, n))
	e := hex.EncodeToString(h.Sum(nil))
	s.etags.Store(n, e)
	return e
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// generated parses gen-N-SIZE….
func generated(bucket string) (n int, size int64, ok bool) {
	p := strings.Split(bucket, "-")
	if len(p) < 3 || p[0] != "gen" {
		return 0, 0, false
	}
	n, err1 := strconv.Atoi(p[1])
	size, err2 := strconv.ParseInt(p[2], 10, 64)
	return n, size, err1 == nil && err2 == nil
}

func genKey(b []byte, i int) []byte {
	b = append(b, 'd')
	b = pad(b, i/10000, 6)
	b = append(b, "/f"...)
	b = pad(b, i, 10)
	return append(b, ".bin"...)
}

func pad(b []byte, n, width int) []byte {
	s := strconv.Itoa(n)
	for range width - len(s) {
		b = append(b, '0')
	}
	return append(b, s...)
}

// size returns the size of an object; false if there is none.
func (s *freeServer) size(bucket, key string) (int64, bool) {
	if n, size, ok := generated(bucket); ok {
		i := sort.Search(n, func(i int) bool { return string(genKey(nil, i)) >= key })
		return size, i < n && string(genKey(nil, i)) == key
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	size, ok := s.buckets[bucket][key]
	return size, ok
}

func (s *freeServer) keep(bucket, key string, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[bucket] == nil {
		s.buckets[bucket] = map[string]int64{}
	}
	s.buckets[bucket][key] = size
}

// list answers ListObjects of both versions; directories are folded only for
// the one delimiter that clients use.
func (s *freeServer) list(w http.ResponseWriter, bucket string, q url.Values) {
	limit := 1000
	if v, err := strconv.Atoi(q.Get("max-keys")); err == nil {
		limit = min(limit, v)
	}
	after := firstOf(q.Get("continuation-token"), q.Get("start-after"), q.Get("marker"))
	prefix, fold := q.Get("prefix"), q.Get("delimiter") == "/"
	at := s.cursor(bucket)
	page := &page{escaped: q.Get("encoding-type") == "url"}
	i := at.seek(max(after, prefix), after == "" || after < prefix)
	for ; i < at.n && page.count < limit; i++ {
		key := at.key(i)
		if !strings.HasPrefix(key, prefix) {
			i = at.n
			break
		}
		if d := strings.IndexByte(key[len(prefix):], '/'); fold && d >= 0 {
			dir := key[:len(prefix)+d+1]
			page.dir(dir)
			i = at.seek(dir+"\x7f", true) - 1
			continue
		}
		size := at.size(key)
		page.object(key, size, s.etag(size))
	}
	page.write(w, bucket, prefix, i < at.n)
}

func firstOf(vs ...string) string {
	for _, v := range vs {
		if v != "" {
			return v
		}
	}
	return ""
}

// cursor is a sorted view of a bucket.
type cursor struct {
	n    int
	key  func(i int) string
	size func(key string) int64
}

// seek returns the first index at or behind key; exact: at it counts.
func (c cursor) seek(key string, exact bool) int {
	return sort.Search(c.n, func(i int) bool {
		k := c.key(i)
		return k > key || exact && k == key
	})
}

func (s *freeServer) cursor(bucket string) cursor {
	if n, size, ok := generated(bucket); ok {
		buf := make([]byte, 0, 32)
		return cursor{n, func(i int) string { buf = genKey(buf[:0], i); return string(buf) }, func(string) int64 { return size }}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := make([]string, 0, len(s.buckets[bucket]))
	for k := range s.buckets[bucket] {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return cursor{len(keys), func(i int) string { return keys[i] }, func(k string) int64 { size, _ := s.size(bucket, k); return size }}
}

// page is the body of one listing answer.
type page struct {
	body    bytes.Buffer
	escaped bool
	count   int
	last    string
}

func (p *page) text(s string) {
	if p.escaped {
		p.body.WriteString(url.QueryEscape(s))
		return
	}
	_ = xml.EscapeText(&p.body, []byte(s))
}

func (p *page) dir(dir string) {
	p.body.WriteString("<CommonPrefixes><Prefix>")
	p.text(dir)
	p.body.WriteString("</Prefix></CommonPrefixes>")
	p.count, p.last = p.count+1, dir+"\x7f"
}

func (p *page) object(key string, size int64, etag string) {
	p.body.WriteString("<Contents><Key>")
	p.text(key)
	p.body.WriteString("</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&#34;")
	p.body.WriteString(etag)
	p.body.WriteString("&#34;</ETag><Size>")
	p.body.WriteString(strconv.FormatInt(size, 10))
	p.body.WriteString("</Size><StorageClass>STANDARD</StorageClass></Contents>")
	p.count, p.last = p.count+1, key
}

func (p *page) write(w http.ResponseWriter, bucket, prefix string, more bool) {
	var h bytes.Buffer
	fmt.Fprintf(&h, "<ListBucketResult><Name>%s</Name><Prefix>%s</Prefix><KeyCount>%d</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>%v</IsTruncated>",
		bucket, url.QueryEscape(prefix), p.count, more)
	if p.escaped {
		h.WriteString("<EncodingType>url</EncodingType>")
	}
	if more {
		h.WriteString("<NextContinuationToken>")
		_ = xml.EscapeText(&h, []byte(p.last)) // a token is never URL-encoded, a marker is
		fmt.Fprintf(&h, "</NextContinuationToken><NextMarker>%s</NextMarker>", url.QueryEscape(p.last))
	}
	h.Write(p.body.Bytes())
	h.WriteString("</ListBucketResult>")
	xmlBody(w, h.String())
}

func (s *freeServer) object(w http.ResponseWriter, r *http.Request, bucket, key string, q url.Values) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		s.get(w, r, bucket, key)
	case http.MethodPut:
		size := discard(r)
		if id := q.Get("uploadId"); id != "" {
			n, _ := strconv.Atoi(q.Get("partNumber"))
			s.mu.Lock()
			if s.parts[id] == nil {
				s.parts[id] = map[int]int64{}
			}
			s.parts[id][n] = size
			s.mu.Unlock()
		} else {
			s.keep(bucket, key, size)
		}
		w.Header().Set("ETag", `"`+s.etag(size)+`"`)
	case http.MethodPost:
		discard(r)
		if q.Has("uploads") {
			xmlBody(w, fmt.Sprintf("<InitiateMultipartUploadResult><UploadId>%d</UploadId></InitiateMultipartUploadResult>", time.Now().UnixNano()))
			return
		}
		s.complete(w, bucket, key, q.Get("uploadId"))
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *freeServer) complete(w http.ResponseWriter, bucket, key, id string) {
	s.mu.Lock()
	parts := s.parts[id]
	delete(s.parts, id)
	s.mu.Unlock()
	var size int64
	h := md5.New()
	for n := 1; n <= len(parts); n++ {
		size += parts[n]
		sum, _ := hex.DecodeString(s.etag(parts[n]))
		h.Write(sum)
	}
	s.keep(bucket, key, size)
	xmlBody(w, fmt.Sprintf("<CompleteMultipartUploadResult><Bucket>%s</Bucket><ETag>\"%x-%d\"</ETag></CompleteMultipartUploadResult>",
		bucket, h.Sum(nil), len(parts)))
}

// get serves zeros through net/http's own handling of ranges.
func (s *freeServer) get(w http.ResponseWriter, r *http.Request, bucket, key string) {
	size, ok := s.size(bucket, key)
	if !ok {
		refuse(w, http.StatusNotFound, "NoSuchKey")
		return
	}
	w.Header().Set("ETag", `"`+s.etag(size)+`"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", epoch, io.NewSectionReader(zerosAt{}, 0, size))
}

type zerosAt struct{}

func (zerosAt) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }
