package s3wire_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// fake answers every request with a handler that misbehaves.
func fake(t testing.TB, row string, h http.HandlerFunc) *s3wire.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return client(t, s.URL, row, s3wire.Limits{Stall: 300 * time.Millisecond}, nil)
}

func client(t testing.TB, url, row string, l s3wire.Limits, wrap func(http.RoundTripper) http.RoundTripper) *s3wire.Client {
	t.Helper()
	tr, err := s3wire.RoundTripper(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.CloseIdleConnections)
	d, ok := dialect.Lookup(row)
	if !ok {
		t.Fatal(row)
	}
	d.PathStyle = true
	conf := s3wire.Config{Endpoint: url, Region: "us-east-1", Bucket: "b", Place: "here", Dialect: d, Transport: tr}
	conf.Keys = s3wire.StaticKeys(s3wire.Keys{Access: "AKSECRET", Secret: "SKSECRET", Session: "STSECRET"})
	if wrap != nil {
		conf.Transport = wrap(tr)
	}
	c, err := s3wire.New(conf)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantKind(t *testing.T, err, kind error) {
	t.Helper()
	if got, _ := storage.KindOf(err); !errors.Is(got, kind) || err == nil {
		t.Errorf("error %v, want kind %v", err, kind)
	}
	if err != nil && strings.Contains(err.Error(), "SECRET") {
		t.Errorf("the error tells a secret: %v", err)
	}
}

func read(c *s3wire.Client, o storage.ReadOptions) ([]byte, error) {
	r, err := c.Open(context.Background(), "k", o)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	return io.ReadAll(r.Body)
}

func hang(w http.ResponseWriter, r *http.Request) {
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// TestOpen: reads from a server that misbehaves fail, and never yield other
// bytes or fewer than asked for.
func TestOpen(t *testing.T) {
	want := &storage.Object{Key: "k", Size: 10, ETag: "v1"}
	ranged := storage.ReadOptions{Offset: 2, Length: 3, Want: want}
	whole := storage.ReadOptions{Length: -1, Want: want}
	say := func(status int, headers map[string]string, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", `"v1"`)
			for k, v := range headers {
				w.Header().Set(k, v)
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	doc := func(code string) string { return "<Error><Code>" + code + "</Code><Message>m</Message></Error>" }
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		o    storage.ReadOptions
		kind error
	}{
		"short body":           {say(200, map[string]string{"Content-Length": "10"}, "01234"), whole, storage.ErrUnavailable},
		"short range":          {say(206, map[string]string{"Content-Length": "3", "Content-Range": "bytes 2-4/10"}, "2"), ranged, storage.ErrUnavailable},
		"Range ignored":        {say(200, nil, "0123456789"), ranged, storage.ErrUnsupported},
		"another range":        {say(206, map[string]string{"Content-Range": "bytes 3-5/10"}, "345"), ranged, storage.ErrBusy},
		"fewer than asked":     {say(206, map[string]string{"Content-Range": "bytes 2-3/10"}, "23"), ranged, storage.ErrInvalid},
		"no Content-Range":     {say(206, nil, "234"), ranged, storage.ErrBusy},
		"odd Content-Range":    {say(206, map[string]string{"Content-Range": "bytes 2-4/*"}, "234"), ranged, storage.ErrBusy},
		"If-Match ignored":     {say(200, map[string]string{"Etag": `"v2"`}, "0123456789"), whole, storage.ErrChanged},
		"other size":           {say(200, nil, "012345678"), whole, storage.ErrChanged},
		"other size of a part": {say(206, map[string]string{"Content-Range": "bytes 2-4/11"}, "234"), ranged, storage.ErrChanged},
		"412":                  {say(412, nil, doc("PreconditionFailed")), whole, storage.ErrChanged},
		"404":                  {say(404, nil, doc("NoSuchKey")), whole, storage.ErrNotFound},
		"404 of the bucket":    {say(404, nil, doc("NoSuchBucket")), whole, storage.ErrNoBucket},
		"403":                  {say(403, nil, doc("AccessDenied")), whole, storage.ErrDenied},
		"archived":             {say(403, nil, doc("InvalidObjectState")), whole, storage.ErrArchived},
		"keys":                 {say(403, nil, doc("SignatureDoesNotMatch")), whole, storage.ErrCredentials},
		"clock":                {say(403, nil, doc("RequestTimeTooSkewed")), whole, storage.ErrCredentials},
		"500":                  {say(500, nil, "<html>"), whole, storage.ErrBusy},
		"502":                  {say(502, nil, ""), whole, storage.ErrBusy},
		"429":                  {say(429, nil, ""), whole, storage.ErrThrottled},
		"no length": {func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			io.WriteString(w, "0123456789")
		}, whole, storage.ErrUnsupported},
		"stalls": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", "v1")
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "01")
			hang(w, r)
		}, whole, storage.ErrUnavailable},
		"never answers": {func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, whole, storage.ErrUnavailable},
		"hangs up":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, whole, storage.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := read(fake(t, "minio", c.h), c.o)
			wantKind(t, err, c.kind)
			if !strings.HasPrefix("0123456789", string(got)) && string(got) != "2" {
				t.Errorf("yielded %q", got)
			}
		})
	}
}

func TestBodiesArriveAsStored(t *testing.T) {
	c := fake(t, "minio", func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("asks for encoding %q", got)
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Etag", `"v1"`)
		io.WriteString(w, "\x1f\x8b not gzip at all")
	})
	got, err := read(c, storage.ReadOptions{Length: -1})
	if err != nil || string(got) != "\x1f\x8b not gzip at all" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestRetryAfterAndRegion(t *testing.T) {
	var e *storage.Error
	c := fake(t, "minio", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(503)
		io.WriteString(w, "<Error><Code>SlowDown</Code></Error>")
	})
	_, err := c.Stat(t.Context(), "k")
	wantKind(t, err, storage.ErrThrottled)
	if !errors.As(err, &e) || e.RetryAfter != 7*time.Second {
		t.Errorf("RetryAfter of %v", err)
	}
	c = fake(t, "aws", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
		w.Header().Set("Location", "http://127.0.0.1:1/")
		w.WriteHeader(301)
		io.WriteString(w, "<Error><Code>PermanentRedirect</Code><Message>m</Message></Error>")
	})
	err = c.Check(t.Context())
	wantKind(t, err, storage.ErrNoBucket)
	if err == nil || !strings.Contains(err.Error(), `"eu-west-1"`) {
		t.Errorf("does not name the region: %v", err)
	}
}

// TestHead: an answer without a document says what its status says.
func TestHead(t *testing.T) {
	for status, kind := range map[int]error{404: storage.ErrNotFound, 403: storage.ErrDenied, 401: storage.ErrCredentials, 503: storage.ErrThrottled, 500: storage.ErrBusy, 412: storage.ErrChanged} {
		c := fake(t, "s3", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) })
		_, err := c.Stat(t.Context(), "k")
		wantKind(t, err, kind)
	}
}

// TestList: a listing that cannot be trusted is an error, not an end and not a loop.
func TestList(t *testing.T) {
	doc := func(truncated bool, next string, keys ...string) string {
		s := fmt.Sprintf("<ListBucketResult><IsTruncated>%v</IsTruncated>%s", truncated, next)
		for _, k := range keys {
			s += "<Contents><Key>" + k + "</Key><Size>1</Size></Contents>"
		}
		return s + "</ListBucketResult>"
	}
	token := "<NextContinuationToken>t</NextContinuationToken>"
	for name, c := range map[string]struct {
		row, doc string
		kind     error
	}{
		"same page again":    {"minio", doc(true, token, "a", "b"), storage.ErrUnsupported},
		"same token, empty":  {"minio", doc(true, token), storage.ErrUnsupported},
		"no token":           {"minio", doc(true, "", "a"), storage.ErrUnsupported},
		"V1, same page":      {"obs", doc(true, "", "a", "b"), storage.ErrUnsupported},
		"V1, same marker":    {"obs", doc(true, "<NextMarker>b</NextMarker>"), storage.ErrUnsupported},
		"V1, no marker":      {"obs", doc(true, ""), storage.ErrUnsupported},
		"twice":              {"minio", doc(false, "", "a", "a"), storage.ErrUnsupported},
		"out of order":       {"minio", doc(false, "", "b", "a"), storage.ErrUnsupported},
		"error behind a 200": {"minio", "<Error><Code>InternalError</Code></Error>", storage.ErrBusy},
		"slow behind a 200":  {"minio", "<Error><Code>SlowDown</Code></Error>", storage.ErrThrottled},
		"broken off":         {"minio", doc(false, "", "a")[:60], storage.ErrBusy},
		"a proxy's page":     {"minio", "<html></html>", storage.ErrBusy},
	} {
		b := fake(t, c.row, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, c.doc) })
		p := b.List(storage.Range{})
		var err error
		for n := 0; err == nil; n++ {
			if _, err = p.Next(t.Context()); n > 3 {
				t.Fatalf("%s: goes on for ever", name)
			}
		}
		if errors.Is(err, io.EOF) {
			t.Errorf("%s: taken for the end", name)
			continue
		}
		wantKind(t, err, c.kind)
		if _, again := p.Next(t.Context()); !errors.Is(again, err) {
			t.Errorf("%s: the dead listing says %v", name, again)
		}
	}
}

// TestFullPage: a full page that calls itself the last one is asked again from
// its last key, as MinIO may be wrong about it.
func TestFullPage(t *testing.T) {
	c := fake(t, "minio", func(w http.ResponseWriter, r *http.Request) {
		key := "a"
		switch r.URL.Query().Get("start-after") {
		case "a":
			key = "b"
		case "b":
			io.WriteString(w, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
			return
		}
		io.WriteString(w, "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>"+key+"</Key><Size>1</Size></Contents></ListBucketResult>")
	})
	conf := c.Config
	conf.PageSize = 1
	c, err := s3wire.New(conf)
	if err != nil {
		t.Fatal(err)
	}
	p := c.List(storage.Range{})
	var keys []string
	for {
		page, err := p.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, page[0].Key)
	}
	if strings.Join(keys, " ") != "a b" {
		t.Errorf("listed %q", keys)
	}
}

// TestPutProof: what the store says it holds is compared with what was sent.
func TestPutProof(t *testing.T) {
	small, large := []byte("abc"), bytes.Repeat([]byte("x"), 300<<10)
	sum := func(b []byte) func() []byte { return func() []byte { s := md5.Sum(b); return s[:] } }
	other := fmt.Sprintf("%x", md5.Sum([]byte("other")))
	for name, c := range map[string]struct {
		row, etag, sse string
		data           []byte
		md5            func() []byte
		kind           error
	}{
		"MD5 given, small":       {"minio", other, "", small, sum(small), storage.ErrCorrupt},
		"MD5 given, large":       {"minio", other, "", large, sum(large), storage.ErrCorrupt},
		"MD5 computed, small":    {"s3", other, "", small, nil, storage.ErrCorrupt},
		"MD5 computed, large":    {"s3", other, "", large, nil, storage.ErrCorrupt},
		"no ETag":                {"minio", "", "", small, nil, storage.ErrBusy},
		"CRC32C was enough":      {"minio", other, "", large, nil, nil},
		"an ETag that is no MD5": {"s3", "abc-1", "", large, nil, nil},
		"KMS":                    {"aws", other, "aws:kms", small, sum(small), nil},
	} {
		b := fake(t, c.row, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Etag", `"`+c.etag+`"`)
			if c.sse != "" {
				w.Header().Set("X-Amz-Server-Side-Encryption", c.sse)
			}
		})
		_, err := b.Put(t.Context(), "k", bytes.NewReader(c.data), storage.PutOptions{Size: int64(len(c.data)), MD5: c.md5})
		if c.kind == nil {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		t.Log(name)
		wantKind(t, err, c.kind)
	}
}

// TestEarlySuccess: a success that came before all was sent is none.
func TestEarlySuccess(t *testing.T) {
	over := make(chan struct{}) // the server does not see who leaves before the body is read
	c := fake(t, "minio", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"x"`)
		w.(http.Flusher).Flush()
		<-over
	})
	t.Cleanup(func() { close(over) })
	pr, pw := io.Pipe()
	t.Cleanup(func() { pw.Close() })
	go func() { _, _ = pw.Write(make([]byte, 200<<10)); pw.CloseWithError(errors.New("never more")) }()
	if _, err := c.Put(t.Context(), "k", pr, storage.PutOptions{Size: 1 << 20}); err == nil {
		t.Error("no error")
	}
}

func TestUnreachable(t *testing.T) {
	c := client(t, "http://127.0.0.1:1", "minio", s3wire.Limits{}, nil)
	wantKind(t, c.Check(t.Context()), storage.ErrUnavailable)
	_, err := c.Put(t.Context(), "k", strings.NewReader("x"), storage.PutOptions{Size: 1})
	wantKind(t, err, storage.ErrUnavailable)
	for _, url := range []string{"", "localhost:9000", "ftp://x", "http://user:pw@x", "http://x?y"} {
		if _, err := s3wire.New(s3wire.Config{Endpoint: url, Bucket: "b"}); err == nil {
			t.Errorf("endpoint %q was taken", url)
		}
	}
}
