package s3wire_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"hash/crc64"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// speak answers a client of a protocol with a handler. The dialect has tags and
// an archive.
func speak(t testing.TB, p s3wire.Protocol, h http.HandlerFunc) *s3wire.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	tr, err := s3wire.RoundTripper(s3wire.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.CloseIdleConnections)
	c, err := s3wire.New(s3wire.Config{
		Protocol: p, Endpoint: s.URL, Region: "r-1", Bucket: "b", Place: "here", Transport: tr,
		Keys: s3wire.StaticKeys(s3wire.Keys{Access: "AK", Secret: "SKSECRET"}),
		Dialect: dialect.Row{
			PathStyle: true, EncodeKeys: true, Tags: true, ETagIsMD5: true, MaxPart: 1 << 30,
			Classes: []storage.Class{{Name: "Standard"}, {Name: "Archive", Tier: storage.TierArchive}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func protocols() map[string]s3wire.Protocol {
	return map[string]s3wire.Protocol{"S3": s3wire.S3, "OSS": s3wire.OSS, "OSS V1": s3wire.OSSV1}
}

func TestTags(t *testing.T) {
	const doc = `<?xml version="1.0" encoding="UTF-8"?><Tagging xmlns="x"><TagSet><Tag><Key>a&amp;b</Key><Value>1 2</Value></Tag><Tag><Key>c</Key><Value/></Tag></TagSet></Tagging>`
	for name, p := range protocols() {
		for want, answer := range map[string]struct {
			status int
			doc    string
			tags   map[string]string
			kind   error
		}{
			"some":       {200, doc, map[string]string{"a&b": "1 2", "c": ""}, nil},
			"none":       {200, "<Tagging><TagSet/></Tagging>", map[string]string{}, nil},
			"no set":     {404, "<Error><Code>NoSuchTagSet</Code></Error>", map[string]string{}, nil},
			"no object":  {404, "<Error><Code>NoSuchKey</Code></Error>", nil, storage.ErrNotFound},
			"denied":     {403, "<Error><Code>AccessDenied</Code></Error>", nil, storage.ErrDenied},
			"broken off": {200, doc[:100], nil, storage.ErrBusy},
			"an error":   {200, "<Error><Code>InternalError</Code></Error>", nil, storage.ErrBusy},
		} {
			c := speak(t, p, func(w http.ResponseWriter, r *http.Request) {
				if _, ok := r.URL.Query()["tagging"]; !ok || r.Method != http.MethodGet || r.URL.Path != "/b/k" {
					t.Errorf("asks for %s %s", r.Method, r.RequestURI)
				}
				w.WriteHeader(answer.status)
				_, _ = io.WriteString(w, answer.doc)
			})
			got, err := c.Tags(t.Context(), "k")
			if answer.kind != nil {
				wantKind(t, err, answer.kind)
			} else if err != nil || got == nil || !maps.Equal(got, answer.tags) {
				t.Errorf("%s, %s: %v, %v", name, want, got, err)
			}
		}
	}
}

func TestRestore(t *testing.T) {
	for name, p := range protocols() {
		element := "JobParameters"
		if p == s3wire.S3 {
			element = "GlacierJobParameters"
		}
		for _, c := range []struct {
			tier   string
			status int
			code   string
			kind   error
		}{
			{"", 202, "", nil},
			{"Bulk", 200, "", nil},
			{"<&", 409, "RestoreAlreadyInProgress", nil},
			{"", 404, "NoSuchKey", storage.ErrNotFound},
			{"", 403, "InvalidObjectState", storage.ErrInvalid},
			{"", 400, "OperationNotSupported", storage.ErrInvalid},
		} {
			want := "<RestoreRequest><Days>3</Days></RestoreRequest>"
			if c.tier != "" {
				escaped := strings.NewReplacer("<", "&lt;", "&", "&amp;").Replace(c.tier)
				want = "<RestoreRequest><Days>3</Days><" + element + "><Tier>" + escaped + "</Tier></" + element + "></RestoreRequest>"
			}
			b := speak(t, p, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if _, ok := r.URL.Query()["restore"]; !ok || r.Method != http.MethodPost || string(body) != want {
					t.Errorf("%s: asks for %s %s %s", name, r.Method, r.RequestURI, body)
				}
				w.WriteHeader(c.status)
				if c.code != "" {
					_, _ = io.WriteString(w, "<Error><Code>"+c.code+"</Code></Error>")
				}
			})
			if err := b.Restore(t.Context(), "k", 3, c.tier); c.kind != nil {
				wantKind(t, err, c.kind)
			} else if err != nil {
				t.Errorf("%s, %s: %v", name, c.code, err)
			}
		}
	}
	b := speak(t, s3wire.OSS, func(http.ResponseWriter, *http.Request) { t.Error("asked for no days") })
	wantKind(t, b.Restore(t.Context(), "k", 0, ""), storage.ErrInvalid)
}

// TestWithout: a dialect without tags and archive has neither.
func TestWithout(t *testing.T) {
	c := fake(t, "cos", func(http.ResponseWriter, *http.Request) { t.Error("asked all the same") })
	conf := c.Config
	conf.Dialect.Tags, conf.Dialect.Classes = false, nil
	c, err := s3wire.New(conf)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Tags(t.Context(), "k")
	wantKind(t, err, storage.ErrUnsupported)
	wantKind(t, c.Restore(t.Context(), "k", 1, ""), storage.ErrUnsupported)
	if f := c.Features(); f.Tags || f.Classes != nil {
		t.Errorf("declares %+v", f)
	}
}

// TestOSSProof: OSS's CRC64 of what it received is compared with what was sent.
func TestOSSProof(t *testing.T) {
	small, large := []byte("abc"), bytes.Repeat([]byte("x"), 300<<10)
	for name, c := range map[string]struct {
		data  []byte
		given bool // the MD5
		crc   func([]byte) string
		kind  error
	}{
		"small":             {small, false, sumOf, nil},
		"large":             {large, false, sumOf, nil},
		"small, MD5 given":  {small, true, sumOf, nil},
		"large, MD5 given":  {large, true, sumOf, nil},
		"wrong, small":      {small, true, func([]byte) string { return "1" }, storage.ErrCorrupt},
		"wrong, large":      {large, false, func([]byte) string { return "1" }, storage.ErrCorrupt},
		"none":              {small, false, func([]byte) string { return "" }, storage.ErrBusy},
		"none that is read": {large, false, func([]byte) string { return "-1" }, storage.ErrBusy},
	} {
		sum := md5.Sum(c.data)
		b := speak(t, s3wire.OSS, func(w http.ResponseWriter, r *http.Request) {
			data, _ := io.ReadAll(r.Body)
			if !bytes.Equal(data, c.data) || len(r.TransferEncoding) > 0 || r.Header.Get("X-Amz-Date") != "" {
				t.Errorf("%s: received %d bytes with %v", name, len(data), r.Header)
			}
			md5Sent := r.Header.Get("Content-Md5")
			if want := c.given && len(c.data) == len(small); want != (md5Sent == base64.StdEncoding.EncodeToString(sum[:])) {
				t.Errorf("%s: Content-MD5 %q", name, md5Sent)
			}
			w.Header().Set("Etag", `"AB"`)
			w.Header().Set("X-Oss-Hash-Crc64ecma", c.crc(data))
		})
		o := storage.PutOptions{Size: int64(len(c.data))}
		if c.given {
			o.MD5 = func() []byte { return sum[:] }
		}
		_, err := b.Put(t.Context(), "k", bytes.NewReader(c.data), o)
		_, partErr := b.UploadPart(t.Context(), "k", "id", 1, bytes.NewReader(c.data), storage.PartOptions{Size: o.Size, MD5: o.MD5})
		for _, err := range []error{err, partErr} {
			if c.kind != nil {
				wantKind(t, err, c.kind)
			} else if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func sumOf(data []byte) string {
	return strconv.FormatUint(crc64.Checksum(data, crc64.MakeTable(crc64.ECMA)), 10)
}

// TestOSSFaults: what OSS's codes, and its answers to HEAD, mean.
func TestOSSFaults(t *testing.T) {
	for code, c := range map[string]struct {
		status  int
		message string
		number  string
		kind    error
	}{
		"NoSuchBucket":                     {404, "", "", storage.ErrNoBucket},
		"NoSuchKey":                        {404, "", "", storage.ErrNotFound},
		"InvalidAccessKeyId":               {403, "", "", storage.ErrCredentials},
		"SignatureDoesNotMatch":            {403, "", "", storage.ErrCredentials},
		"SecurityTokenExpired":             {403, "", "", storage.ErrCredentials},
		"InvalidSecurityToken":             {403, "", "", storage.ErrCredentials},
		"RequestTimeTooSkewed":             {403, "", "", storage.ErrCredentials},
		"UserDisable":                      {403, "", "", storage.ErrCredentials},
		"AccessDenied":                     {403, "no", "0003-00000001", storage.ErrDenied},
		"AccessDenied ":                    {403, "V1 signatures are refused", "0002-00000080", storage.ErrCredentials},
		"AccessDenied  ":                   {403, "must be addressed using the specified endpoint", "", storage.ErrNoBucket},
		"SecondLevelDomainForbidden":       {403, "", "", storage.ErrNoBucket},
		"InvalidObjectState":               {403, "", "", storage.ErrArchived},
		"InvalidObjectName":                {400, "", "", storage.ErrInvalidKey},
		"QpsLimitExceeded":                 {503, "", "", storage.ErrThrottled},
		"DownloadTrafficRateLimitExceeded": {503, "", "", storage.ErrThrottled},
		"InternalError":                    {500, "", "", storage.ErrBusy},
	} {
		t.Run(code, func(t *testing.T) {
			doc := "<Error><Code>" + strings.TrimSpace(code) + "</Code><Message>" + c.message + "</Message></Error>"
			b := speak(t, s3wire.OSS, func(w http.ResponseWriter, r *http.Request) {
				if c.number != "" {
					w.Header().Set("X-Oss-Ec", c.number)
				}
				if r.Method == http.MethodHead {
					w.Header().Set("X-Oss-Err", base64.StdEncoding.EncodeToString([]byte(doc)))
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, doc)
			})
			_, err := b.Stat(t.Context(), "k")
			wantKind(t, err, c.kind)
			if err != nil && !strings.Contains(err.Error(), c.number) {
				t.Errorf("does not say %s: %v", c.number, err)
			}
			_, err = read(b, storage.ReadOptions{Length: -1})
			wantKind(t, err, c.kind)
		})
	}
}

// TestOSSKeys: what OSS cannot hold is refused before anything is sent.
func TestOSSKeys(t *testing.T) {
	b := speak(t, s3wire.OSS, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asks for %s", r.RequestURI) })
	for _, key := range []string{"", "/a", `\a`, "a\xff", strings.Repeat("n", 1024)} {
		wantKind(t, b.Delete(t.Context(), key), storage.ErrInvalidKey)
	}
}

// TestOSSListing: tokens come URL-encoded, the standard class has no name.
func TestOSSListing(t *testing.T) {
	entry := func(key, class string) string {
		return "<Contents><Key>" + key + "</Key><Size>1</Size><StorageClass>" + class + "</StorageClass></Contents>"
	}
	b := speak(t, s3wire.OSS, func(w http.ResponseWriter, r *http.Request) {
		head := "<ListBucketResult><EncodingType>url</EncodingType>"
		switch token := r.URL.Query().Get("continuation-token"); token {
		case "":
			_, _ = io.WriteString(w, head+"<IsTruncated>true</IsTruncated><NextContinuationToken>a%2Fb%3D</NextContinuationToken>"+entry("k%2B1", "Standard")+"</ListBucketResult>")
		case "a/b=":
			_, _ = io.WriteString(w, head+"<IsTruncated>false</IsTruncated>"+entry("k2", "Archive")+"</ListBucketResult>")
		default:
			t.Errorf("token %q", token)
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	p := b.List(storage.Range{})
	for _, want := range []storage.Object{{Key: "k+1", Size: 1}, {Key: "k2", Size: 1, Class: "Archive"}} {
		page, err := p.Next(t.Context())
		if err != nil || len(page) != 1 || page[0] != want {
			t.Fatalf("%+v, %v; want %+v", page, err, want)
		}
	}
}

// TestReadHeaders: what goes with a read of all and of a stretch. Without
// x-oss-range-behavior OSS would send all of an object for a bad stretch.
func TestReadHeaders(t *testing.T) {
	for name, p := range protocols() {
		var got http.Header
		b := speak(t, p, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
		for _, c := range []struct {
			o             storage.ReadOptions
			whole, ranged string
		}{
			{storage.ReadOptions{Length: -1}, "ENABLED", ""},
			{storage.ReadOptions{Offset: 1, Length: 2}, "", "standard"},
		} {
			_, _ = read(b, c.o) // the answer does not matter
			if p == s3wire.S3 {
				c.ranged = ""
			} else {
				c.whole = ""
			}
			if w, r := got.Get("X-Amz-Checksum-Mode"), got.Get("X-Oss-Range-Behavior"); w != c.whole || r != c.ranged {
				t.Errorf("%s %+v: checksum mode %q, range behaviour %q", name, c.o, w, r)
			}
		}
	}
}

// TestBound: an endpoint that is the bucket's own is asked without its name.
func TestBound(t *testing.T) {
	c := speak(t, s3wire.OSS, func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != "/d/k" {
			t.Errorf("asks for %s", r.RequestURI)
		}
		w.Header().Set("Content-Length", "1")
	})
	conf := c.Config
	conf.Bound, conf.Prefix = true, "d"
	c, err := s3wire.New(conf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Stat(t.Context(), "k"); err != nil {
		t.Error(err)
	}
}
