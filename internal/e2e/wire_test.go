package e2e

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// What a network and a store can do to requests and answers. A fault meets each
// request of its kind (method, path, range) so often, and then no more.

// meets counts how often something happened to each of many.
type meets struct {
	mu    sync.Mutex
	times map[string]int
	total int
}

// again is true the first n times that it is asked about a name.
func (m *meets) again(name string, n int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.times == nil {
		m.times = map[string]int{}
	}
	if m.times[name] >= n {
		return false
	}
	m.times[name]++
	m.total++
	return true
}

func (m *meets) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total
}

// isObject tells a request for an object from one for a bucket.
func isObject(r *http.Request) bool {
	_, key, _ := strings.Cut(r.URL.Path[1:], "/")
	return key != ""
}

// isGet tells a read of bytes from a look at uploads: nothing vouches for the
// documents of a store.
func isGet(r *http.Request) bool {
	return r.Method == http.MethodGet && isObject(r) && !r.URL.Query().Has("uploadId")
}

// nameOf tells requests apart, as far as a fault should.
func nameOf(r *http.Request) string {
	return r.Method + " " + r.URL.Path + " " + r.URL.Query().Get("partNumber") + " " + r.Header.Get("Range")
}

// damaged is a body with one bit flipped at a position.
type damaged struct {
	io.ReadCloser
	at int64
}

func (d *damaged) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	if 0 <= d.at && d.at < int64(n) {
		p[d.at] ^= 0x10
	}
	d.at -= int64(n)
	return n, err
}

// flipAnswers damages the bodies of GETs of objects whose path holds part.
func flipAnswers(m *meets, part string, times int) func(*http.Response) error {
	return func(resp *http.Response) error {
		r := resp.Request
		if isGet(r) && resp.ContentLength > 0 && strings.Contains(r.URL.Path, part) && m.again(nameOf(r), times) {
			// Another bit each time: two equal readings would count as the truth
			// about an object whose part size has to be guessed.
			resp.Body = &damaged{resp.Body, (resp.ContentLength*2/3 + int64(m.count())) % resp.ContentLength}
		}
		return nil
	}
}

// flipRequests damages the bodies of PUTs, in the bytes of the object.
func flipRequests(m *meets, part string, times int) func(http.ResponseWriter, *http.Request) bool {
	return func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && isObject(r) && r.ContentLength > 0 && strings.Contains(r.URL.Path, part) && m.again(nameOf(r), times) {
			r.Body = &damaged{r.Body, min(r.ContentLength/2, 100_000)} // before the end of the first chunk
		}
		return false
	}
}

// short is a body that ends early: with then, or after it waits for gone.
type short struct {
	io.ReadCloser
	left int64
	then error
	gone <-chan struct{}
}

func (s *short) Read(p []byte) (int, error) {
	if s.left <= 0 {
		if s.gone != nil {
			<-s.gone
		}
		return 0, s.then
	}
	n, err := s.ReadCloser.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	return n, err
}

var errCut = errors.New("the connection is cut")

// cutAnswers lets bodies of GETs end in the middle: by turns with a broken
// connection, and as if that were all.
func cutAnswers(m *meets, times int) func(*http.Response) error {
	return func(resp *http.Response) error {
		r := resp.Request
		name := nameOf(r)
		if !isGet(r) || resp.ContentLength < 2 || !m.again(name, times) {
			return nil
		}
		half := resp.ContentLength / 2
		resp.Body = &short{ReadCloser: resp.Body, left: half, then: errCut}
		if m.count()%2 == 0 {
			resp.Body.(*short).then = io.EOF
			resp.ContentLength = half
			resp.Header.Set("Content-Length", strconv.FormatInt(half, 10))
		}
		return nil
	}
}

// loseAnswers breaks the connection after the server did what was asked.
func loseAnswers(m *meets, times int, which func(*http.Request) bool) func(*http.Response) error {
	return func(resp *http.Response) error {
		if which(resp.Request) && m.again(nameOf(resp.Request), times) {
			_, _ = io.Copy(io.Discard, resp.Body) // the server is done
			return errCut
		}
		return nil
	}
}

// falseSuccess answers some requests with 200 and a document that says
// otherwise, or that says nothing; the server does not see them.
func falseSuccess(m *meets, times int, body string, which func(*http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !which(r) || !m.again(nameOf(r), times) {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/xml")
		_, _ = io.WriteString(w, body)
		return true
	}
}

func isComplete(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

func isCreate(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploads")
}

func isCopy(r *http.Request) bool {
	return r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != ""
}

func isPut(r *http.Request) bool { return r.Method == http.MethodPut && isObject(r) }
