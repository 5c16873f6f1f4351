package ossfake

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"

	"golang.org/x/time/rate"
)

// Effect is what happens to a request that a rule hits.
type Effect int

// The effects.
const (
	// None does nothing but wait for the rule's Wait.
	None Effect = iota
	// Fail answers the rule's Status and Code; nothing is done.
	Fail
	// FailInOK answers 200 with the document of an error of the rule's Code, as
	// CopyObject and CompleteMultipartUpload can; nothing is done.
	FailInOK
	// Hangup closes the connection without an answer; nothing is done.
	Hangup
	// Lose does what is asked and then closes the connection without an
	// answer, or answers the rule's Status and Code if Status is set.
	Lose
	// Cut closes the connection after Bytes bytes of the body: of the answer,
	// or of the request where that brings bytes; then nothing is done.
	Cut
	// Stall stops after Bytes bytes of the answer's body until the client goes
	// away.
	Stall
	// Flip inverts a bit of the byte at offset Bytes of the body: of the answer
	// as it is sent, or of the request, so that other bytes are stored.
	Flip
)

// bringing are the operations whose bytes flow in.
var bringing = []Op{PutObject, UploadPart, AppendObject}

// Rule says which requests are hit by what. Of several rules that match, the
// first one hits.
type Rule struct {
	Ops   []Op                  // none: all
	Match func(key string) bool // nil: all keys; "" is that of an operation on a bucket
	After int                   // spare so many matching requests first
	Times int                   // hit at most so many; 0: no limit

	// Wait holds the request, before it is checked or done, until it is
	// closed. If the client goes away or the server is closed meanwhile,
	// nothing is done. Nil: not at all.
	Wait   <-chan struct{}
	Effect Effect
	Status int    // of Fail, and of Lose
	Code   string // of Fail, FailInOK and Lose
	Bytes  int    // of Cut, Stall and Flip
}

func (r *Rule) matches(op Op, key string) bool {
	return (len(r.Ops) == 0 || slices.Contains(r.Ops, op)) && (r.Match == nil || r.Match(key))
}

// faults hold the rules and count the requests.
type faults struct {
	mu      sync.Mutex
	rules   []*activeRule
	limiter *rate.Limiter // nil: no limit
	counts  map[Op]int
}

type activeRule struct {
	Rule
	seen, hits int
}

// Inject sets the rules that hold from now on, counted afresh. None: no faults.
func (s *Server) Inject(rules ...Rule) {
	active := make([]*activeRule, len(rules))
	for i, r := range rules {
		active[i] = &activeRule{Rule: r}
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.rules = active
}

// Throttle answers 503 TotalQpsLimitExceeded to requests beyond so many a
// second (by Options.Now), of which burst may come at once. 0 lifts the limit.
func (s *Server) Throttle(perSecond float64, burst int) {
	var l *rate.Limiter
	if perSecond > 0 {
		l = rate.NewLimiter(rate.Limit(perSecond), burst)
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.limiter = l
}

// Counts returns how many requests there were of each operation since the
// start or ResetCounts, also those that failed or were hit by a rule.
func (s *Server) Counts() map[Op]int {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return maps.Clone(s.faults.counts)
}

// ResetCounts begins to count anew.
func (s *Server) ResetCounts() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	clear(s.faults.counts)
}

// next counts a request and returns the rule that hits it, or nil.
func (f *faults) next(op Op, key string) (*Rule, *rate.Limiter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[op]++
	for _, r := range f.rules {
		if !r.matches(op, key) {
			continue
		}
		r.seen++
		if r.seen <= r.After || r.Times > 0 && r.hits >= r.Times {
			continue
		}
		r.hits++
		return &r.Rule, f.limiter
	}
	return nil, f.limiter
}

// withFaults does what a request asks, and to it what the rule says.
func (s *Server) withFaults(c *call, do func() error) error {
	rule, limiter := s.faults.next(c.op, c.key)
	if rule == nil {
		rule = &Rule{}
	}
	if rule.Wait != nil {
		select {
		case <-rule.Wait:
		case <-c.r.Context().Done():
			panic(http.ErrAbortHandler)
		case <-s.closed:
			panic(http.ErrAbortHandler)
		}
	}
	if limiter != nil && !limiter.AllowN(s.o.Now(), 1) {
		return refuse(http.StatusServiceUnavailable, "TotalQpsLimitExceeded", "too many requests a second")
	}
	injected := refuse(rule.Status, rule.Code, "injected")
	switch rule.Effect {
	case Fail:
		return injected
	case FailInOK:
		c.document200(c.errorDocument(injected))
		return nil
	case Hangup:
		panic(http.ErrAbortHandler)
	case Lose:
		return c.lose(injected, do)
	case Cut, Stall, Flip:
		c.spoil(s, rule)
	}
	return do()
}

// lose does what is asked and gives another answer than the one that came of it.
func (c *call) lose(instead *apiError, do func() error) error {
	w := c.w
	c.w = discard{http.Header{}}
	_ = do() // whatever came of it, the client is not told
	if c.w = w; instead.status != 0 {
		return instead
	}
	panic(http.ErrAbortHandler)
}

// discard is an answer that nobody gets.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) WriteHeader(int)             {}
func (d discard) Write(b []byte) (int, error) { return len(b), nil }

// spoil makes the bytes of a request or of its answer suffer a rule's effect.
func (c *call) spoil(s *Server, rule *Rule) {
	if slices.Contains(bringing, c.op) && rule.Effect != Stall {
		c.r.Body = &spoiltReader{ReadCloser: c.r.Body, rule: rule}
		return
	}
	c.w = &spoiltWriter{ResponseWriter: c.w, rule: rule, gone: c.r.Context().Done(), closed: s.closed}
}

// spoiltReader is a request's body that is cut or flipped.
type spoiltReader struct {
	io.ReadCloser
	rule *Rule
	at   int
}

func (r *spoiltReader) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	i := r.rule.Bytes - r.at
	r.at += n
	if i < n && r.rule.Effect == Cut {
		panic(http.ErrAbortHandler)
	}
	if i >= 0 && i < n {
		b[i] ^= 1
	}
	return n, err
}

// spoiltWriter is an answer's body that is cut, stalls or is flipped.
type spoiltWriter struct {
	http.ResponseWriter
	rule         *Rule
	at           int
	gone, closed <-chan struct{}
}

// Unwrap lets http.ResponseController flush.
func (w *spoiltWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *spoiltWriter) Write(b []byte) (int, error) {
	i := w.rule.Bytes - w.at
	w.at += len(b)
	if i < 0 || i >= len(b) {
		return w.ResponseWriter.Write(b)
	}
	if w.rule.Effect == Flip {
		flipped := slices.Clone(b)
		flipped[i] ^= 1
		return w.ResponseWriter.Write(flipped)
	}
	_, _ = w.ResponseWriter.Write(b[:i]) // it is cut anyway
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	if w.rule.Effect == Stall {
		select {
		case <-w.gone:
		case <-w.closed:
		}
	}
	panic(http.ErrAbortHandler)
}
