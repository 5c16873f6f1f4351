package http1_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sluice-sync/sluice/storage/http1"
)

// TestWire: what leaves, byte for byte.
func TestWire(t *testing.T) {
	got := make(chan string, 1)
	s := serve(t, func(p *peer) {
		for {
			var b strings.Builder
			for !strings.HasSuffix(b.String(), "\r\n\r\n") {
				c, err := p.r.ReadByte()
				if err != nil {
					return
				}
				b.WriteByte(c)
			}
			got <- b.String()
			p.say(empty)
		}
	})
	host := strings.TrimPrefix(s.url, "http://")
	tr := transport(t, http1.Config{})
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   []string // lines; in any order behind the second
	}{
		"GET":              {func(r *http.Request) {}, []string{"GET /a%2Fb%20c?x=%2F&y= HTTP/1.1", "Host: " + host}},
		"no method":        {func(r *http.Request) { r.Method = "" }, []string{"GET /a%2Fb%20c?x=%2F&y= HTTP/1.1", "Host: " + host}},
		"no path":          {func(r *http.Request) { r.URL = &url.URL{Scheme: "http", Host: host} }, []string{"GET / HTTP/1.1", "Host: " + host}},
		"host":             {func(r *http.Request) { r.Host = "bucket.example:80" }, []string{"GET /a%2Fb%20c?x=%2F&y= HTTP/1.1", "Host: bucket.example:80"}},
		"zone":             {func(r *http.Request) { r.Host = "[fe80::1%eth0]:9000" }, []string{"GET /a%2Fb%20c?x=%2F&y= HTTP/1.1", "Host: [fe80::1]:9000"}},
		"PUT without body": {func(r *http.Request) { r.Method = "PUT" }, []string{"PUT /a%2Fb%20c?x=%2F&y= HTTP/1.1", "Host: " + host, "Content-Length: 0"}},
		"NoBody":           {func(r *http.Request) { r.Method, r.Body = "POST", http.NoBody }, []string{"POST /a%2Fb%20c?x=%2F&y= HTTP/1.1", "Host: " + host, "Content-Length: 0"}},
		"DELETE":           {func(r *http.Request) { r.Method = "DELETE" }, []string{"DELETE /a%2Fb%20c?x=%2F&y= HTTP/1.1", "Host: " + host}},
		"headers": {func(r *http.Request) {
			r.Header = http.Header{"X-A": {"1", "2\t3"}, "x-b": {"ü"}, "Content-Length": {"7"}, "Host": {"evil"}, "Transfer-Encoding": {"chunked"}}
		}, []string{"GET /a%2Fb%20c?x=%2F&y= HTTP/1.1", "Host: " + host, "X-A: 1", "X-A: 2\t3", "x-b: ü"}},
		"close": {func(r *http.Request) { r.Close = true }, []string{"GET /a%2Fb%20c?x=%2F&y= HTTP/1.1", "Host: " + host, "Connection: close"}},
	} {
		req := newRequest(t, http.MethodGet, s.url+"/a%2Fb%20c?x=%2F&y=", nil, 0)
		c.change(req)
		if _, _, err := fetch(tr, req); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		lines := strings.Split(strings.TrimSuffix(<-got, "\r\n\r\n"), "\r\n")
		slices.Sort(lines[2:])
		slices.Sort(c.want[2:])
		if !slices.Equal(lines, c.want) {
			t.Errorf("%s: %q, want %q", name, lines, c.want)
		}
	}
}

// TestRefused: what would be something else on the wire is refused before
// anything is connected, and its body is closed.
func TestRefused(t *testing.T) {
	s := serve(t, func(p *peer) {})
	for name, change := range map[string]func(*http.Request){
		"CR":               func(r *http.Request) { r.Header.Set("X", "a\rb") },
		"LF":               func(r *http.Request) { r.Header.Set("X", "a\nEvil: b") },
		"NUL":              func(r *http.Request) { r.Header.Set("X", "a\x00") },
		"name with blank":  func(r *http.Request) { r.Header["X Y"] = []string{"a"} },
		"name with colon":  func(r *http.Request) { r.Header["X:"] = []string{"a"} },
		"empty name":       func(r *http.Request) { r.Header[""] = []string{"a"} },
		"method":           func(r *http.Request) { r.Method = "GET / HTTP/1.1\r\n" },
		"CONNECT":          func(r *http.Request) { r.Method = "CONNECT" },
		"query":            func(r *http.Request) { r.URL.RawQuery = "a b" },
		"query with lines": func(r *http.Request) { r.URL.RawQuery = "a\r\nEvil: b" },
		"opaque":           func(r *http.Request) { r.URL.Opaque = "//host/a\nb" },
		"host":             func(r *http.Request) { r.Host = "a\r\nEvil: b" },
		"host with path":   func(r *http.Request) { r.Host = "a/b" },
		"not ASCII":        func(r *http.Request) { r.Host = "bücher.example" },
		"no host":          func(r *http.Request) { r.URL.Host = "" },
		"scheme":           func(r *http.Request) { r.URL.Scheme = "ftp" },
		"no URL":           func(r *http.Request) { r.URL = nil },
		"unknown length":   func(r *http.Request) { r.ContentLength = -1 },
		"length not told":  func(r *http.Request) { r.ContentLength = 0 },
	} {
		body := &tracked{Reader: strings.NewReader("body")}
		req := newRequest(t, http.MethodPut, s.url, nil, 0)
		req.Body, req.ContentLength = body, 4
		change(req)
		if _, _, err := fetch(transport(t, http1.Config{}), req); err == nil {
			t.Errorf("%s: sent", name)
		} else if strings.Contains(err.Error(), "Evil") && !strings.Contains(err.Error(), `\n`) {
			t.Errorf("%s: the error holds what was refused as it is: %q", name, err)
		}
		if n := body.closed.Load(); n != 1 {
			t.Errorf("%s: the body was closed %d times", name, n)
		}
	}
	req := newRequest(t, http.MethodPut, s.url, nil, 0)
	req.ContentLength = 4
	if _, _, err := fetch(transport(t, http1.Config{}), req); err == nil {
		t.Error("a length without a body was sent")
	}
	if n := s.conns.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

// TestBodies: bodies of all sizes around the block arrive as they are, however
// their readers yield them.
func TestBodies(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || r.ContentLength != int64(len(b)) || r.TransferEncoding != nil {
			t.Errorf("%d of %d bytes, %v", len(b), r.ContentLength, err)
		}
		w.Write(b)
	}))
	defer s.Close()
	tr := transport(t, http1.Config{})
	for _, size := range []int{0, 1, 4096, 32 << 10, 65_000, 65_300, 65_350, 65_400, 65_450, 65_500, 65_535, 65_536, 65_537, 131_072, 1 << 20, 3<<20 + 7} {
		data := bytes.Repeat([]byte("0123456789abcdefg"), size/17+1)[:size]
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "with EOF": iotest.DataErrReader,
		} {
			body := &tracked{Reader: wrap(bytes.NewReader(data))}
			req := newRequest(t, http.MethodPut, s.URL, nil, 0)
			req.Body, req.ContentLength = body, int64(size)
			_, got, err := fetch(tr, req)
			if err != nil || got != string(data) || body.closed.Load() != 1 {
				t.Errorf("%d bytes %s: %d came back, %v, closed %d times", size, name, len(got), err, body.closed.Load())
			}
		}
	}
	for size := 65_200; size < 65_540; size++ { // every place of the end in the block
		data := bytes.Repeat([]byte{byte(size)}, size)
		if _, got, err := fetch(tr, newRequest(t, http.MethodPut, s.URL, bytes.NewReader(data), int64(size))); err != nil || got != string(data) {
			t.Fatalf("%d bytes: %d came back, %v", size, len(got), err)
		}
	}
}

// TestWrongBodies: the server never sees a request that is complete, and the
// error is the body's.
func TestWrongBodies(t *testing.T) {
	boom := errors.New("boom")
	for _, size := range []int64{10, 65_400, 200 << 10} {
		whole := func(n int64) io.Reader { return bytes.NewReader(make([]byte, n)) }
		for name, c := range map[string]struct {
			r    io.Reader
			want error
		}{
			"short":            {whole(size - 1), io.ErrUnexpectedEOF},
			"empty":            {whole(0), io.ErrUnexpectedEOF},
			"long":             {whole(size + 1), nil},
			"fails":            {io.MultiReader(whole(size/2), iotest.ErrReader(boom)), boom},
			"fails at the end": {io.MultiReader(whole(size), iotest.ErrReader(boom)), boom},
			"fails with EOF":   {io.MultiReader(whole(size), iotest.ErrReader(fmt.Errorf("%w: %w", boom, io.EOF))), boom},
			"stuck":            {io.MultiReader(whole(size/2), stuck{}), io.ErrNoProgress},
		} {
			t.Run(fmt.Sprintf("%s of %d", name, size), func(t *testing.T) {
				complete := make(chan bool, 1)
				s := serve(t, func(p *peer) {
					complete <- p.request() != nil
					p.say(okay)
				})
				body := &tracked{Reader: c.r}
				req := newRequest(t, http.MethodPut, s.url, nil, 0)
				req.Body, req.ContentLength = body, size
				_, _, err := fetch(transport(t, http1.Config{}), req)
				if err == nil || c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("error %v, want %v", err, c.want)
				}
				if body.closed.Load() != 1 {
					t.Error("not closed")
				}
				if s.conns.Load() > 0 && <-complete {
					t.Error("the server got a complete request")
				}
			})
		}
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }
