package ossfake

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// vector reads a request as a server would.
func vector(t *testing.T, method, url string, header map[string]string, body string) *claim {
	t.Helper()
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	for name, value := range header {
		r.Header.Set(name, value)
	}
	s := New(Options{})
	c := &call{r: r, query: r.URL.Query()}
	if err := s.address(c); err != nil {
		t.Fatal(err)
	}
	cl, err := s.claim(c)
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// TestV1Vector is the example of the page that documents V1 signatures in
// headers.
func TestV1Vector(t *testing.T) {
	cl := vector(t, "PUT", "http://oss-example.oss-cn-hangzhou.aliyuncs.com/nelson", map[string]string{
		"Content-Md5": "ODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM=", "Content-Type": "text/html",
		"Date": "Thu, 17 Nov 2005 18:49:58 GMT", "X-OSS-Meta-Author": "foo@bar.com", "X-OSS-Magic": "abracadabra",
		"Authorization": "OSS 44CF9590006BF252F707:26NBxoKdsyly4EDv6inkoDft/yA=",
	}, "")
	if got := cl.signature("OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV"); got != cl.given || cl.keyID != "44CF9590006BF252F707" {
		t.Errorf("%s signs %q", got, cl.toSign)
	}
}

// TestV4Page is the example of the page that documents V4 signatures in
// headers. Its signature is not made with the secret that it shows but with
// the signing key that it shows.
func TestV4Page(t *testing.T) {
	cl := vector(t, "PUT", "http://examplebucket.oss-cn-hangzhou.aliyuncs.com/exampleobject", map[string]string{
		"Content-Disposition": "attachment", "Content-Length": "3", "Content-Md5": "ICy5YqxZB1uWSwcVLSNLcA==",
		"Content-Type": "text/plain", "X-Oss-Content-Sha256": unsignedPayload, "X-Oss-Date": "20250411T064124Z",
		"Authorization": "OSS4-HMAC-SHA256 Credential=LTAI/20250411/cn-hangzhou/oss/aliyun_v4_request, " +
			"AdditionalHeaders=content-disposition;content-length, Signature=0",
	}, "123")
	want := "OSS4-HMAC-SHA256\n20250411T064124Z\n20250411/cn-hangzhou/oss/aliyun_v4_request\n" +
		"c46d96390bdbc2d739ac9363293ae9d710b14e48081fcb22cd8ad54b63136eca"
	if cl.toSign != want {
		t.Fatalf("signed is %q, canonical\n%s", cl.toSign, cl.canonical)
	}
	key, _ := hex.DecodeString("3543b7686e65eda71e5e5ca19d548d78423c37e8ddba4dc9d83f90228b457c76")
	if got := hex.EncodeToString(hmacSHA256(key, cl.toSign)); got != "053edbf550ebd239b32a9cdfd93b0b2b3f2d223083aa61f75e9ac16856d61f23" {
		t.Errorf("signature %s", got)
	}
}

// TestV4Vectors are those that Aliyun's SDKs are tested with.
func TestV4Vectors(t *testing.T) {
	const url = "http://bucket.oss-cn-hangzhou.aliyuncs.com/1234%2B-/123/1.txt" +
		"?%2Bparam1=value3&%2Bparam2=&%7Cparam1=value4&%7Cparam2=&param1=value1&param2="
	for name, c := range map[string]struct {
		at                           int64
		additional, token, signature string
	}{
		"plain":      {1702743657, "", "", "e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe"},
		"token":      {1702784856, "", "token", "b94a3f999cf85bcdc00d332fbd3734ba03e48382c36fa4d5af5df817395bd9ea"},
		"additional": {1702747512, "abc;zabc", "", "4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f"},
	} {
		t.Run(name, func(t *testing.T) {
			at := time.Unix(c.at, 0).UTC()
			auth := "OSS4-HMAC-SHA256 Credential=ak/" + at.Format("20060102") + "/cn-hangzhou/oss/aliyun_v4_request,"
			if c.additional != "" {
				auth += "AdditionalHeaders=" + c.additional + ","
			}
			header := map[string]string{
				"x-oss-head1": "value", "abc": "value", "ZAbc": "value", "XYZ": "value", "Content-Type": "text/plain",
				"X-Oss-Content-Sha256": unsignedPayload, "X-Oss-Date": at.Format(timeV4), "Authorization": auth + "Signature=" + c.signature,
			}
			if c.token != "" {
				header["X-Oss-Security-Token"] = c.token
			}
			cl := vector(t, http.MethodPut, url, header, "")
			if got := cl.signature("sk"); got != cl.given || cl.token != c.token {
				t.Errorf("signature %s of\n%s", got, cl.canonical)
			}
		})
	}
}

// TestV4URLVector is the signed URL that Aliyun's SDKs are tested with.
func TestV4URLVector(t *testing.T) {
	const url = "http://bucket.oss-cn-hangzhou.aliyuncs.com/1234%2B-/123/1.txt" +
		"?%2Bparam1=value3&%2Bparam2=&%7Cparam1=value4&%7Cparam2=&param1=value1&param2=" +
		"&x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-date=20231217T025437Z&x-oss-expires=599" +
		"&x-oss-credential=ak%2F20231217%2Fcn-hangzhou%2Foss%2Faliyun_v4_request" +
		"&x-oss-signature=a39966c61718be0d5b14e668088b3fa07601033f6518ac7b523100014269c0fe"
	cl := vector(t, http.MethodPut, url, map[string]string{
		"x-oss-head1": "value", "abc": "value", "ZAbc": "value", "XYZ": "value", "Content-Type": "application/octet-stream",
	}, "")
	if got := cl.signature("sk"); got != cl.given {
		t.Errorf("signature %s of\n%s", got, cl.canonical)
	}
	if want := time.Unix(1702782276, 0); !cl.expires.Equal(want) {
		t.Errorf("expires %v, want %v", cl.expires, want)
	}
}

// TestSignedV1Sorted: the resource of a V1 signature names parameters in order.
func TestSignedV1Sorted(t *testing.T) {
	if !slices.IsSorted(signedV1) {
		t.Error("signedV1 is not sorted")
	}
}
