// Package ossfake is a double of Aliyun OSS that runs in the process of a test:
// an http.Handler that keeps real objects in memory and answers as OSS's API
// reference says (help.aliyun.com/en/oss/developer-reference), with faults on
// demand. Where the reference is silent a comment says what was chosen.
//
// It must not know the driver that is tested against it, and only tests import
// it. There are no versions, symlinks, callbacks, encryption or policies
// (501 NotImplemented), and nothing is readable without a signature: ACLs are
// kept, not applied.
package ossfake

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Options configure a Server. The zero value accepts both versions of
// signatures, made with the key "AK" and the secret "SK".
type Options struct {
	Region      string       // of signatures and locations; "": cn-hangzhou
	Credentials []Credential // none: {ID: "AK", Secret: "SK"}
	Addressing  Addressing

	// NoV1 refuses V1 signatures, as OSS does for accounts made since March
	// 2025 and buckets since September 2025. NoV4 refuses V4 ones, as private
	// installations do that do not know them.
	NoV1, NoV4 bool

	// WholeIfOutside answers a Range that goes past the end with 200 and the whole
	// object, as the reference says of requests that do not ask for
	// x-oss-range-behavior: standard. Without it every Range is standard.
	WholeIfOutside bool

	Now     func() time.Time // the clock of objects, restores and Throttle; nil: time.Now
	AuthNow func() time.Time // the clock of signatures and tokens; nil: time.Now

	// RestoreTime tells how long a restore takes; nil: the longest time that
	// OSS documents for the class and tier.
	RestoreTime func(class, tier string) time.Duration

	MaxBody int64 // largest body of one request, bytes; 0: 1 GiB (OSS: 5 GiB)
}

// Server is the double. It is safe for concurrent use, also while it serves.
type Server struct {
	// URL is where a server made by Start listens: http://127.0.0.1:PORT.
	URL string

	o      Options
	keys   keyring
	faults faults
	closed chan struct{}

	mu       sync.Mutex
	buckets  map[string]*bucket
	requests uint64 // for the ids of requests and uploads
}

// New returns a server without buckets. The caller serves it over HTTP.
func New(o Options) *Server {
	if o.Region == "" {
		o.Region = "cn-hangzhou"
	}
	if o.Credentials == nil {
		o.Credentials = []Credential{{ID: "AK", Secret: "SK"}}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.AuthNow == nil {
		o.AuthNow = time.Now
	}
	if o.RestoreTime == nil {
		o.RestoreTime = restoreTime
	}
	if o.MaxBody == 0 {
		o.MaxBody = 1 << 30
	}
	s := &Server{o: o, closed: make(chan struct{}), buckets: map[string]*bucket{}}
	s.keys.byID = map[string]Credential{}
	s.faults.counts = map[Op]int{}
	for _, c := range o.Credentials {
		s.SetCredential(c)
	}
	return s
}

// Start returns a server that listens on a free port of the loopback until the
// test ends. Requests that wait for a fault to pass end then.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := New(o)
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		close(s.closed)
		h.CloseClientConnections()
		h.Close()
	})
	s.URL = h.URL
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{w: w, r: r, query: r.URL.Query(), id: s.nextID()}
	w.Header().Set("Server", "AliyunOSS")
	w.Header().Set("X-Oss-Request-Id", c.id)
	if err := s.serve(c); err != nil {
		c.fail(err)
	}
}

func (s *Server) serve(c *call) error {
	if err := s.address(c); err != nil {
		return err
	}
	rt, err := c.route()
	if err != nil {
		return err
	}
	c.op = rt.op
	return s.withFaults(c, func() error {
		if err := s.authenticate(c); err != nil {
			return err
		}
		return rt.serve(s, c)
	})
}

// now is the time as objects keep it: OSS knows seconds.
func (s *Server) now() time.Time { return s.o.Now().UTC().Truncate(time.Second) }
