package s3wire

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsv4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// TestSignature compares with the SDK's signer on random requests.
func TestSignature(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	theirs := awsv4.NewSigner(func(o *awsv4.SignerOptions) { o.DisableURIPathEscaping = true })
	ours := newAWSv4()
	for i := range 2000 {
		// The SDK keeps signing keys by access key, region and day: a secret
		// must not change under one access key.
		k := Keys{Access: "AK" + strconv.Itoa(i), Secret: text(r, 1), Session: []string{"", "token/+="}[r.IntN(2)]}
		at := time.Unix(r.Int64N(4e9), 0)
		region := []string{"us-east-1", "eu-1"}[r.IntN(2)]
		path := EscapePath("/bucket/" + text(r, r.IntN(6)))
		query := "max-keys=7&prefix=" + escapeQuery(text(r, r.IntN(3)))
		h := http.Header{}
		for range r.IntN(6) {
			h.Set("X-Amz-Meta-"+[]string{"A", "A-b", "Ab", "A_b", "Z", "A1"}[r.IntN(6)], strings.TrimSpace("v "+strings.ReplaceAll(text(r, 2), "\x01", "")))
		}
		if r.IntN(2) == 0 {
			h.Set("Content-Type", "text/plain;  charset=utf-8")
			h.Set("Range", "bytes=0-1")
		}
		mine := request4(t, path, query, h)
		ours.sign(mine, path, unsigned, k, region, at)
		other := request4(t, path, query, h)
		other.Header.Set("X-Amz-Content-Sha256", unsigned)
		err := theirs.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: k.Access, SecretAccessKey: k.Secret, SessionToken: k.Session}, other, unsigned, "s3", region, at)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := mine.Header.Get("Authorization"), other.Header.Get("Authorization"); a != b {
			t.Fatalf("%s?%s %v\nours:   %s\ntheirs: %s", path, query, h, a, b)
		}
	}
}

func request4(t *testing.T, path, query string, h http.Header) *http.Request {
	t.Helper()
	plain, err := url.PathUnescape(path)
	if err != nil {
		t.Fatal(err)
	}
	u := &url.URL{Scheme: "https", Host: "store:9000", Path: plain, RawPath: path, RawQuery: query}
	if u.RequestURI() != path+"?"+query {
		t.Fatalf("asks for %s, signs %s?%s", u.RequestURI(), path, query)
	}
	return &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: h.Clone()}
}

func text(r *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteString([]string{"a", "Z9", "/", "+", " ", "%", "~", "é", "&=", "?#", "$@:,;", "'()*!", "\x01", "[]{}"}[r.IntN(14)])
	}
	return b.String()
}

func BenchmarkSign(b *testing.B) {
	h := http.Header{"Range": {"bytes=0-1"}, "X-Amz-Checksum-Mode": {"ENABLED"}, "If-Match": {`"x"`}}
	u := &url.URL{Scheme: "http", Host: "store:9000", Path: "/bucket/some/key.jpg"}
	at := time.Unix(1e9, 0)
	b.Run("own", func(b *testing.B) {
		s := newAWSv4()
		for b.Loop() {
			s.sign(&http.Request{Method: "GET", URL: u, Host: u.Host, Header: h}, u.Path, unsigned, Keys{Access: "a", Secret: "b"}, "us-east-1", at)
		}
	})
	b.Run("aws", func(b *testing.B) {
		s := awsv4.NewSigner(func(o *awsv4.SignerOptions) { o.DisableURIPathEscaping = true })
		for b.Loop() {
			err := s.SignHTTP(b.Context(), aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, &http.Request{Method: "GET", URL: u, Host: u.Host, Header: h}, unsigned, "s3", "us-east-1", at)
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
