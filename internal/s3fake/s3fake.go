// Package s3fake is an S3 server in the process of a test. It keeps real bytes,
// checks signatures (AWS4-HMAC-SHA256) and digests, and can be given each of the
// habits by which stores differ from Amazon's, and a few faults that any store
// may have. What a store of a provider does is in Like.
//
// Only tests import it. It must not know drivers or the dialect table: it is
// what they are proven against. It holds all bodies in memory.
package s3fake

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// Host is the name under which a server is reached through its Proxy, where a
// bucket is a name below it.
const Host = "s3.fake.test"

// Key is a pair of keys that the server knows.
type Key struct {
	Access, Secret string
	Session        string    // of temporary keys; requests must send it
	Expires        time.Time // by the server's clock; zero: never
}

// Options are the habits and faults of a store. The zero value is a modern
// store of the manners of Amazon's that knows the keys AccessKey and SecretKey.
type Options struct {
	Keys   []Key
	Region string           // that signatures must name; "": any
	Now    func() time.Time // clock of everything but signatures; nil: time.Now

	PathOnly    bool // a bucket in the host name is not found
	VirtualOnly bool // a bucket in the path is refused

	NoTrailers   bool // refuses aws-chunked bodies and checksum headers
	MustDeclare  bool // refuses parts with a checksum that the upload did not announce
	NoConditions bool // ignores If-None-Match and If-Match on writes

	ListV1Only    bool // takes ListObjectsV2 for ListObjects
	NoEncoding    bool // ignores encoding-type in listings
	LoopingMarker bool // ListObjects with encoding-type starts at the first key for ever
	NoListUploads bool // ListMultipartUploads is not implemented

	DeleteNeedsMD5 bool // DeleteObjects without Content-MD5 is refused
	CapitalETags   bool // ETags are written in capital digits
	ForeignETags   bool // those of objects in parts are not of Amazon's form
	MinPart        int64

	NoTags      bool            // x-amz-tagging and ?tagging are not implemented
	Classes     []storage.Class // the first is the default; nil: STANDARD alone
	NoRestore   bool            // RestoreObject is not implemented
	RestoreTime time.Duration   // from the request to a copy that can be read

	IgnoresRange   bool   // answers a range with the whole object
	IgnoresIfMatch bool   // on GET and HEAD
	Truncate       int64  // bodies of GET break off after so many bytes; 0: they do not
	Denied         string // keys with this prefix are refused; "": none
	Rate           int    // requests per second of the clock, more get 503; 0: no limit
	ErrorBehind200 bool   // Complete and copies do nothing and answer 200 with an error
}

// The keys of a server whose Options name none.
const (
	AccessKey = "fake-access"
	SecretKey = "fake/secret+key"
)

// Server is a store. It is safe for concurrent use.
type Server struct {
	http *httptest.Server

	mu      sync.Mutex
	o       Options
	buckets map[string]*bucket
	uploads int       // ever begun; numbers the ids
	second  time.Time // of the clock that served counts in
	served  int
}

// New starts a server without buckets, until the test ends.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{buckets: map[string]*bucket{}}
	s.Change(func(now *Options) { *now = o })
	s.http = httptest.NewServer(s)
	t.Cleanup(s.http.Close)
	t.Cleanup(s.http.CloseClientConnections)
	return s
}

// Change gives the server other habits; requests under way keep the old ones.
func (s *Server) Change(f func(*Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.o)
	if s.o.Keys == nil {
		s.o.Keys = []Key{{Access: AccessKey, Secret: SecretKey}}
	}
	if s.o.Now == nil {
		s.o.Now = time.Now
	}
	if s.o.Classes == nil {
		s.o.Classes = []storage.Class{{Name: "STANDARD"}}
	}
}

func (s *Server) options() Options {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.o
}

// URL is the server's address, for requests with the bucket in the path.
func (s *Server) URL() string { return s.http.URL }

// Proxy sends all requests to the server, whatever host they name: so buckets
// below Host need no name service.
func (s *Server) Proxy(*http.Request) (*url.URL, error) { return url.Parse(s.http.URL) }

// Bucket makes an empty bucket.
func (s *Server) Bucket(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buckets[name] = newBucket()
}

// within tells whether one more request fits into the second, and counts it.
func (s *Server) within(o Options) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if second := o.Now().Truncate(time.Second); !second.Equal(s.second) {
		s.second, s.served = second, 0
	}
	s.served++
	return o.Rate == 0 || s.served <= o.Rate
}
