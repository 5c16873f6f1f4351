package s3fake

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// request is one request after its address was read.
type request struct {
	*http.Request
	o      Options
	now    time.Time
	bucket string
	key    string // "" is the bucket
	query  url.Values
	body   body
}

// answer is what a request comes to.
type answer struct {
	status int // 0: 200
	header map[string]string
	doc    string // XML
	data   []byte // of an object, in place of doc
	length int64  // announced; more than data is a body that breaks off
}

// fault is an answer that is none.
type fault struct {
	status  int
	code    string
	message string
}

func (f *fault) Error() string { return f.code }

func faultf(status int, code, format string, args ...any) error {
	return &fault{status, code, fmt.Sprintf(format, args...)}
}

var errNotImplemented = &fault{http.StatusNotImplemented, "NotImplemented", "A header or function you asked for is not implemented."}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := s.answer(r)
	var f *fault
	if errors.As(err, &f) {
		a = answer{status: f.status, doc: "<Error><Code>" + f.code + "</Code><Message>" + escapeXML(f.message) + "</Message></Error>"}
		if f.status == http.StatusServiceUnavailable {
			a.header = map[string]string{"Retry-After": "1"}
		}
	} else if err != nil { // the body broke off: nobody is there to be answered
		panic(http.ErrAbortHandler)
	}
	a.write(w, r.Method)
}

func (a answer) write(w http.ResponseWriter, method string) {
	for name, v := range a.header {
		w.Header()[name] = []string{v}
	}
	data, length := a.data, a.length
	if a.doc != "" {
		w.Header().Set("Content-Type", "application/xml")
		data = []byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + a.doc)
	}
	if length == 0 {
		length = int64(len(data))
	}
	if a.status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	}
	w.WriteHeader(max(a.status, http.StatusOK))
	if method == http.MethodHead {
		return
	}
	_, _ = w.Write(data)
	if length > int64(len(data)) {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) answer(hr *http.Request) (answer, error) {
	o := s.options()
	r := &request{Request: hr, o: o, now: o.Now()}
	if err := r.address(); err != nil {
		return answer{}, err
	}
	if err := r.checkSignature(); err != nil {
		return answer{}, err
	}
	switch {
	case !s.within(o):
		return answer{}, faultf(http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
	case o.Denied != "" && strings.HasPrefix(r.key, o.Denied):
		return answer{}, faultf(http.StatusForbidden, "AccessDenied", "Access Denied")
	}
	if err := r.readBody(); err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[r.bucket]
	switch {
	case b == nil && r.key == "" && r.Method == http.MethodPut:
		s.buckets[r.bucket] = newBucket()
		return answer{}, nil
	case b == nil:
		return answer{}, faultf(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	case r.key == "":
		return b.serve(r)
	}
	return s.object(b, r)
}

// address finds the bucket in the host name or in the path.
func (r *request) address() error {
	var err error
	if r.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return faultf(http.StatusBadRequest, "InvalidArgument", "the query")
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if name, below := strings.CutSuffix(r.Host, "."+Host); below {
		if r.bucket, r.key = name, path; r.o.PathOnly {
			return faultf(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
		}
		return nil
	}
	if r.bucket, r.key, _ = strings.Cut(path, "/"); r.o.VirtualOnly {
		return faultf(http.StatusForbidden, "SecondLevelDomainForbidden", "The bucket you are attempting to access must be addressed using the specified endpoint.")
	}
	return nil
}

// serve answers a request to the bucket.
func (b *bucket) serve(r *request) (answer, error) {
	switch {
	case r.Method == http.MethodPut:
		return answer{}, faultf(http.StatusConflict, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
	case r.Method == http.MethodHead:
		return answer{}, nil
	case r.Method == http.MethodGet && r.query.Has("uploads"):
		return b.listUploads(r)
	case r.Method == http.MethodGet:
		return b.list(r)
	case r.Method == http.MethodPost && r.query.Has("delete"):
		return b.deleteMany(r)
	}
	return answer{}, errNotImplemented
}

// object answers a request to an object.
func (s *Server) object(b *bucket, r *request) (answer, error) {
	upload := r.query.Has("uploadId")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		switch {
		case upload:
			return b.listParts(r)
		case r.query.Has("tagging"):
			return b.tagging(r)
		}
		return b.get(r)
	case http.MethodPut:
		switch from := r.Header.Get("X-Amz-Copy-Source"); {
		case upload && from != "":
			return s.copyPart(b, r)
		case upload:
			return b.putPart(r)
		case from != "":
			return s.copyObject(b, r)
		}
		return b.put(r)
	case http.MethodPost:
		switch {
		case upload:
			return b.complete(r)
		case r.query.Has("uploads"):
			s.uploads++
			return b.createUpload(r, "upload-"+strconv.Itoa(s.uploads))
		case r.query.Has("restore"):
			return b.restore(r)
		}
	case http.MethodDelete:
		if upload {
			return b.abort(r)
		}
		b.remove(r.key)
		return answer{status: http.StatusNoContent}, nil
	}
	return answer{}, errNotImplemented
}

// escapeXML writes what XML cannot hold as a reference, as Amazon does; NUL, of
// which there is none, as it is.
func escapeXML(s string) string {
	var b strings.Builder
	for _, c := range s {
		if 0 < c && c < ' ' || c == 0x7f || strings.ContainsRune(`&<>"'`, c) {
			fmt.Fprintf(&b, "&#x%x;", c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}
