package http1_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-sync/sluice/storage/http1"
)

// TestAnswers: what a server says, and whether its connection is used again.
func TestAnswers(t *testing.T) {
	big := strings.Repeat("0123456789", 10_000)
	for name, c := range map[string]struct {
		method string // GET
		wire   string
		hangup bool // behind wire

		err  string // of RoundTrip
		torn string // of the body
		code int    // 200
		size int64
		body string
		kept bool
	}{
		"length":              {wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", size: 5, body: "hello", kept: true},
		"no body":             {wire: empty, kept: true},
		"large":               {wire: "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + big, size: 100000, body: big, kept: true},
		"bare line feeds":     {wire: "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", size: 5, body: "hello", kept: true},
		"no reason":           {wire: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", kept: true},
		"same length twice":   {wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", size: 5, body: "hello", kept: true},
		"404":                 {wire: "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", code: 404, size: 2, body: "no", kept: true},
		"says close":          {wire: "HTTP/1.1 200 OK\r\nConnection: Keep-Alive, Close\r\nContent-Length: 5\r\n\r\nhello", size: 5, body: "hello"},
		"to the end":          {wire: "HTTP/1.1 200 OK\r\n\r\nhello", hangup: true, size: -1, body: "hello"},
		"HTTP/1.0":            {wire: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello", size: 5, body: "hello"},
		"HTTP/1.0 to the end": {wire: "HTTP/1.0 200 OK\r\n\r\nhello", hangup: true, size: -1, body: "hello"},
		"HEAD":                {method: "HEAD", wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", size: 5, kept: true},
		"HEAD without length": {method: "HEAD", wire: "HTTP/1.1 200 OK\r\n\r\n", size: -1, kept: true},
		"HEAD with a body":    {method: "HEAD", wire: okay, size: 2},
		"204":                 {wire: "HTTP/1.1 204 No Content\r\n\r\n", code: 204, kept: true},
		"304":                 {wire: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", code: 304, kept: true},
		"interim":             {wire: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + okay, size: 2, body: "ok", kept: true},
		"garbage behind":      {wire: okay + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", size: 2, body: "ok"},

		"chunks":             {wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", size: -1, body: "hello", kept: true},
		"chunks, trailer":    {wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\nX-A: b\r\nX-C: d\r\n\r\n", size: -1, body: "hello", kept: true},
		"no chunks":          {wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", size: -1, kept: true},
		"chunks and length":  {wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n", size: -1, body: "hello"},
		"chunks break off":   {wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", hangup: true, size: -1, body: "hel", torn: "unexpected EOF"},
		"no last chunk":      {wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", hangup: true, size: -1, body: "hello", torn: "unexpected EOF"},
		"trailer breaks off": {wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-A", hangup: true, size: -1, body: "hello", torn: "unexpected EOF"},
		"odd chunk size":     {wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfive\r\nhello\r\n", size: -1, torn: "invalid byte"},
		"odd trailer":        {wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n", size: -1, torn: "malformed"},
		"endless trailer":    {wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("X: y\r\n", 20_000), size: -1, torn: "malformed"},

		"short":              {wire: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", hangup: true, size: 10, body: "hello", torn: "unexpected EOF"},
		"nothing":            {hangup: true, err: "unexpected EOF"},
		"breaks off":         {wire: "HTTP/1.1 200 OK\r\nContent-Le", hangup: true, err: "unexpected EOF"},
		"only interim":       {wire: strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 20), err: "interim"},
		"101":                {wire: "HTTP/1.1 101 Switching Protocols\r\n\r\n", err: "protocol"},
		"HTTP/2":             {wire: "HTTP/2.0 200 OK\r\n\r\n", err: "malformed"},
		"not HTTP":           {wire: "SSH-2.0-OpenSSH_9.6\r\n\r\n", err: "malformed"},
		"odd status":         {wire: "HTTP/1.1 20 OK\r\n\r\n", err: "malformed"},
		"no number":          {wire: "HTTP/1.1 +20 OK\r\n\r\n", err: "malformed"},
		"no colon":           {wire: "HTTP/1.1 200 OK\r\nContent-Length 5\r\n\r\n", err: "malformed"},
		"blank in a name":    {wire: "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n", err: "malformed"},
		"folded":             {wire: "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", err: "malformed"},
		"NUL":                {wire: "HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n", err: "malformed"},
		"CR in a value":      {wire: "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", err: "malformed"},
		"two lengths":        {wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", err: "lengths"},
		"list of lengths":    {wire: "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", err: "length"},
		"negative length":    {wire: "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", err: "length"},
		"empty length":       {wire: "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", err: "length"},
		"other encoding":     {wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", err: "transfer encoding"},
		"chunks in HTTP/1.0": {wire: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", err: "transfer encoding"},
		"long line":          {wire: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 70<<10) + "\r\n\r\n", err: "a line of more than"},
		"endless headers":    {wire: "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 2000), err: "headers of more than"},
		"large headers":      {wire: "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("x", 30_000)+"\r\n", 20) + "Content-Length: 0\r\n\r\n", kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said atomic.Bool
			s := serve(t, func(p *peer) {
				for p.request() != nil {
					if said.Swap(true) {
						p.say(okay)
						continue
					}
					if p.say(c.wire); c.hangup {
						return
					}
				}
			})
			tr := transport(t, http1.Config{})
			resp, body, err := fetch(tr, newRequest(t, c.method, s.url, nil, 0))
			switch {
			case c.err != "":
				wantError(t, err, c.err)
			case c.torn != "":
				wantError(t, err, c.torn)
			case err != nil:
				t.Fatal(err)
			}
			if c.code == 0 {
				c.code = 200
			}
			if resp != nil && (resp.StatusCode != c.code || resp.ContentLength != c.size || body != c.body) {
				t.Errorf("status %d, length %d, body %.20q…; want %d, %d, %.20q…", resp.StatusCode, resp.ContentLength, body, c.code, c.size, c.body)
			}
			s.conns.Store(0)
			wantOK(t, tr, s.url)
			if kept := s.conns.Load() == 0; kept != c.kept {
				t.Errorf("kept the connection: %v", kept)
			}
		})
	}
}

// TestResponse: the fields that a caller may look at.
func TestResponse(t *testing.T) {
	s := serve(t, func(p *peer) {
		for p.request() != nil {
			p.say("HTTP/1.1 206 Partial Content, so to say\r\nETag: \"x\"\r\nx-amz-META-a: \t 1 \r\nX-Amz-Meta-A: 2\r\nEmpty:\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	req := newRequest(t, http.MethodGet, s.url, nil, 0)
	resp, _, err := fetch(transport(t, http1.Config{}), req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != "206 Partial Content, so to say" || resp.Proto != "HTTP/1.1" || resp.ProtoMajor != 1 || resp.ProtoMinor != 1 || resp.Request != req || resp.Close {
		t.Errorf("%+v", resp)
	}
	want := http.Header{"Etag": {`"x"`}, "X-Amz-Meta-A": {"1", "2"}, "Empty": {""}, "Content-Length": {"2"}}
	if !reflect.DeepEqual(resp.Header, want) {
		t.Errorf("%q, want %q", resp.Header, want)
	}
}

// TestManyHeaders: more than there is room for in one allocation.
func TestManyHeaders(t *testing.T) {
	s := serve(t, func(p *peer) {
		p.request()
		p.say("HTTP/1.1 200 OK\r\n")
		for i := range 100 {
			p.say(fmt.Sprintf("X-%d: %d\r\nX-All: %d\r\n", i, i, i))
		}
		p.say("Content-Length: 0\r\n\r\n")
	})
	resp, _, err := get(t, transport(t, http1.Config{}), s.url)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if v := fmt.Sprint(i); resp.Header.Get("X-"+v) != v || resp.Header["X-All"][i] != v {
			t.Errorf("X-%d is %q", i, resp.Header.Get("X-"+v))
		}
	}
}

// TestBodyShort: not even io.Copy takes a body that breaks off for a whole one.
func TestBodyShort(t *testing.T) {
	s := serve(t, func(p *peer) {
		p.request()
		p.say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok")
	})
	_, _, err := get(t, transport(t, http1.Config{}), s.url)
	if !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		t.Error(err)
	}
}
