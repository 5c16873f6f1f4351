package http1

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"reflect"
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	for raw, name := range spelled {
		if want := textproto.CanonicalMIMEHeaderKey(raw); name != want {
			t.Errorf("the table says %q, textproto %q", name, want)
		}
	}
	for _, raw := range []string{"Content-Length", "content-LENGTH", "etag", "ETag", "x--y", "-a-", "x_Y", "3D", "x-amz-meta-ä", "", "a b", "a:", "X-Amz-Id-2", "x-amz-id-2", "A", "!"} {
		got, ok := canonical(raw)
		if want := isToken(raw); ok != want {
			t.Errorf("%q: taken for a name: %v", raw, ok)
		}
		if want := textproto.CanonicalMIMEHeaderKey(raw); ok && got != want {
			t.Errorf("%q becomes %q, want %q", raw, got, want)
		}
	}
}

// FuzzAnswer: an answer that is taken here is one for net/http, too, with the
// same meaning. Here less is taken.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.0 200\nConnection: keep-alive\n\nhello",
		"HTTP/1.1 206 x\r\nETag: \"a\"\r\nx-amz-meta-A:  b \r\nX-Amz-Meta-a: c\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 304 \r\nContent-Length: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: a, close\r\nPragma: no-cache\r\n\r\nhello",
	} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, wire []byte, head bool) {
		method := http.MethodGet
		if head {
			method = http.MethodHead
		}
		req := httptest.NewRequest(method, "http://host/", nil)
		req.Body = nil
		theirs, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(wire)), req)
		if err == nil && (theirs.StatusCode < 200 || theirs.Header["Trailer"] != nil) {
			return // net/http leaves 1xx to its caller, and checks the announcement of trailers
		}
		ours, body, bodyErr := play(req, &tape{Reader: bytes.NewReader(wire)})
		if ours == nil || theirs == nil {
			if ours != nil && !aboutTrailer(err) {
				t.Fatalf("taken, but net/http says %v", err)
			}
			return
		}
		same(t, ours, theirs)
		want, wantErr := io.ReadAll(theirs.Body)
		if aboutTrailer(wantErr) {
			return
		}
		if !bytes.Equal(body, want) || bodyErr == nil && wantErr != nil {
			t.Fatalf("body %q, %v; net/http: %q, %v", body, bodyErr, want, wantErr)
		}
		if bodyErr != nil && wantErr == nil && ours.TransferEncoding == nil { // trailers are read more strictly
			t.Fatalf("body fails: %v", bodyErr)
		}
	})
}

// aboutTrailer knows the errors of net/http about trailers, whose bounds and
// line ends are others.
func aboutTrailer(err error) bool {
	return err != nil && strings.Contains(strings.ToLower(err.Error()), "trailer")
}

func same(t *testing.T, ours, theirs *http.Response) {
	t.Helper()
	if ours.Status != theirs.Status || ours.StatusCode != theirs.StatusCode || ours.Proto != theirs.Proto ||
		ours.ContentLength != theirs.ContentLength || !reflect.DeepEqual(ours.TransferEncoding, theirs.TransferEncoding) {
		t.Fatalf("%+v; net/http: %+v", ours, theirs)
	}
	a, b := maps.Clone(ours.Header), maps.Clone(theirs.Header)
	for _, name := range []string{"Connection", "Cache-Control", "Content-Length"} { // net/http edits them
		delete(a, name)
		delete(b, name)
	}
	if !reflect.DeepEqual(a, b) {
		t.Fatalf("headers %q; net/http: %q", a, b)
	}
}
