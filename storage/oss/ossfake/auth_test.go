package ossfake_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-sync/sluice/storage/oss/ossfake"
)

// TestCredentials: every way in which a key, a token or a clock is wrong has its
// own answer, with both signatures, and a key can be changed while the double
// runs.
func TestCredentials(t *testing.T) {
	keys := []ossfake.Credential{
		{ID: "AK", Secret: "SK"},
		{ID: "STS", Secret: "SK", Token: "token+/=", Expires: time.Now().Add(time.Hour)},
		{ID: "OLD", Secret: "SK", Token: "token", Expires: time.Now().Add(-time.Second)},
	}
	for name, c := range map[string]struct {
		id, secret, token string
		skew              time.Duration
		status            int
		code              string
	}{
		"right":          {"AK", "SK", "", 0, 404, "NoSuchKey"},
		"unknown key":    {"KA", "SK", "", 0, 403, "InvalidAccessKeyId"},
		"wrong secret":   {"AK", "KS", "", 0, 403, "SignatureDoesNotMatch"},
		"token":          {"STS", "SK", "token+/=", 0, 404, "NoSuchKey"},
		"no token":       {"STS", "SK", "", 0, 403, "InvalidAccessKeyId"},
		"wrong token":    {"STS", "SK", "other", 0, 403, "InvalidSecurityToken"},
		"needless token": {"AK", "SK", "token", 0, 403, "InvalidSecurityToken"},
		"expired token":  {"OLD", "SK", "token", 0, 403, "SecurityTokenExpired"},
		"late":           {"AK", "SK", "", 16 * time.Minute, 403, "RequestTimeTooSkewed"},
		"early":          {"AK", "SK", "", -16 * time.Minute, 403, "RequestTimeTooSkewed"},
		"a little late":  {"AK", "SK", "", 14 * time.Minute, 404, "NoSuchKey"},
	} {
		for _, auth := range []oss.AuthVersionType{oss.AuthV1, oss.AuthV4} {
			t.Run(name+" "+string(auth), func(t *testing.T) {
				s, _ := start(t, ossfake.Options{Credentials: keys, AuthNow: func() time.Time { return time.Now().Add(c.skew) }})
				cl := clientOf(t, s.URL, c.id, c.secret, oss.AuthVersion(auth), oss.SecurityToken(c.token))
				want(t, send(cl, "GET", "none", nil, nil, ""), c.status, c.code)
			})
		}
	}
}

// TestRotation: a key that is replaced, added or removed while the double runs.
func TestRotation(t *testing.T) {
	s, c := start(t, ossfake.Options{})
	want(t, send(c, "GET", "", nil, nil, ""), 200, "")
	s.SetCredential(ossfake.Credential{ID: "AK", Secret: "rotated"})
	want(t, send(c, "GET", "", nil, nil, ""), 403, "SignatureDoesNotMatch")
	s.SetCredential(ossfake.Credential{ID: "AK", Secret: "SK"})
	want(t, send(c, "GET", "", nil, nil, ""), 200, "")
	s.RemoveCredential("AK")
	want(t, send(c, "GET", "", nil, nil, ""), 403, "InvalidAccessKeyId")
}

// TestSignatureVersions: what is not accepted is refused in its own way.
func TestSignatureVersions(t *testing.T) {
	s, v4 := start(t, ossfake.Options{NoV1: true})
	r := send(client(t, s.URL), "GET", "", nil, nil, "")
	want(t, r, 403, "AccessDenied")
	equal(t, "number of the case", r.header.Get("X-Oss-Ec"), "0002-00000080")
	want(t, send(v4, "GET", "", nil, nil, ""), 200, "")

	s, v4 = start(t, ossfake.Options{NoV4: true})
	want(t, send(v4, "GET", "", nil, nil, ""), 400, "InvalidArgument")
	want(t, send(client(t, s.URL), "GET", "", nil, nil, ""), 200, "")

	s, _ = start(t, ossfake.Options{Region: "cn-beijing"})
	want(t, send(client(t, s.URL, oss.AuthVersion(oss.AuthV4)), "GET", "", nil, nil, ""), 400, "InvalidArgument")
	want(t, send(client(t, s.URL, oss.AuthVersion(oss.AuthV4), oss.Region("cn-beijing")), "GET", "", nil, nil, ""), 200, "")
}

// TestAdditionalHeaders: further headers can be signed, also the host.
func TestAdditionalHeaders(t *testing.T) {
	s, _ := start(t, ossfake.Options{})
	c := client(t, s.URL, oss.AuthVersion(oss.AuthV4), oss.AdditionalHeaders([]string{"range", "host", "cache-control"}))
	put(t, c, "k", "0123", headers{"Cache-Control": "no-cache"})
	want(t, send(c, "GET", "k", nil, headers{"Range": "bytes=0-1"}, ""), 206, "")
}

// raw sends a request without the SDK.
func raw(t *testing.T, method, url, host string, h headers) (status int, code string) {
	t.Helper()
	req := must(http.NewRequest(method, url, nil))(t)
	req.Host = host
	for k, v := range h {
		req.Header.Set(k, v)
	}
	resp := must(http.DefaultTransport.RoundTrip(req))(t)
	body := read(t, resp.Body)
	_, after, _ := strings.Cut(body, "<Code>")
	code, _, _ = strings.Cut(after, "</Code>")
	return resp.StatusCode, code
}

// TestMalformedSignatures: requests that no SDK makes.
func TestMalformedSignatures(t *testing.T) {
	now := time.Now().UTC()
	date, day := now.Format(http.TimeFormat), now.Format("20060102")
	stampV4 := now.Format("20060102T150405Z")
	v4 := func(scope, rest string) headers {
		return headers{
			"Date": date, "X-Oss-Content-Sha256": "UNSIGNED-PAYLOAD",
			"Authorization": "OSS4-HMAC-SHA256 Credential=AK/" + scope + ", " + rest + "Signature=00",
		}
	}
	scope := day + "/cn-hangzhou/oss/aliyun_v4_request"
	digest := v4(scope, "")
	digest["X-Oss-Content-Sha256"] = strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		query  string
		header headers
		status int
		code   string
	}{
		"anonymous":                {"", nil, 403, "AccessDenied"},
		"another scheme":           {"", headers{"Authorization": "AWS4-HMAC-SHA256 Credential=x"}, 400, "InvalidArgument"},
		"V1 without a colon":       {"", headers{"Authorization": "OSS AK", "Date": date}, 400, "InvalidArgument"},
		"V1 without a date":        {"", headers{"Authorization": "OSS AK:x"}, 403, "AccessDenied"},
		"V1 wrong":                 {"", headers{"Authorization": "OSS AK:x", "Date": date}, 403, "SignatureDoesNotMatch"},
		"V1 URL without Expires":   {"?OSSAccessKeyId=AK&Signature=x", nil, 403, "AccessDenied"},
		"V1 URL expired":           {"?OSSAccessKeyId=AK&Signature=x&Expires=1", nil, 403, "AccessDenied"},
		"V4 wrong":                 {"", v4(scope, ""), 403, "SignatureDoesNotMatch"},
		"V4 another product":       {"", v4(day+"/cn-hangzhou/s3/aliyun_v4_request", ""), 400, "InvalidArgument"},
		"V4 another day":           {"", v4("20200101/cn-hangzhou/oss/aliyun_v4_request", ""), 400, "InvalidArgument"},
		"V4 no AdditionalHeaders":  {"", v4(scope, "AdditionalHeaders=,"), 400, "InvalidArgument"},
		"V4 AdditionalHeaders":     {"", v4(scope, "AdditionalHeaders=range;host,"), 400, "InvalidArgument"},
		"V4 digest of the body":    {"", digest, 400, "InvalidArgument"},
		"V4 URL, another version":  {"?x-oss-signature-version=OSS3", nil, 400, "InvalidArgument"},
		"V4 URL for too long":      {"?x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-expires=604801&x-oss-date=" + stampV4, nil, 400, "InvalidArgument"},
		"V4 URL without an expiry": {"?x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-date=" + stampV4, nil, 400, "InvalidArgument"},
		"V4 URL expired": {"?x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-expires=1&x-oss-date=20200101T000000Z" +
			"&x-oss-credential=AK/20200101/cn-hangzhou/oss/aliyun_v4_request", nil, 403, "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := start(t, ossfake.Options{})
			status, code := raw(t, "GET", s.URL+"/"+bkt+"/k"+c.query, "", c.header)
			if status != c.status || code != c.code {
				t.Errorf("answer %d %s, want %d %s", status, code, c.status, c.code)
			}
		})
	}
}

// TestAddressing: where a bucket may be named, and which names are valid.
func TestAddressing(t *testing.T) {
	const domain = "oss-cn-hangzhou.aliyuncs.com"
	for name, c := range map[string]struct {
		mode       ossfake.Addressing
		host, path string
		status     int
		code       string // AccessDenied: found, and then not signed
	}{
		"virtual":              {ossfake.Auto, bkt + "." + domain, "/k", 403, "AccessDenied"},
		"virtual at localhost": {ossfake.Auto, bkt + ".localhost:1", "/k", 403, "AccessDenied"},
		"path at an IP":        {ossfake.Auto, "127.0.0.1:1", "/" + bkt + "/k", 403, "AccessDenied"},
		"path at an IPv6":      {ossfake.Auto, "[::1]:1", "/" + bkt + "/k", 403, "AccessDenied"},
		"path at a name":       {ossfake.Auto, domain, "/" + bkt + "/k", 403, "SecondLevelDomainForbidden"},
		"service at a name":    {ossfake.Auto, domain, "/", 403, "AccessDenied"},
		"path when asked":      {ossfake.PathToo, domain, "/" + bkt + "/k", 403, "AccessDenied"},
		"virtual only":         {ossfake.VirtualOnly, "127.0.0.1:1", "/" + bkt + "/k", 403, "SecondLevelDomainForbidden"},
		"short bucket":         {ossfake.Auto, "127.0.0.1", "/ab/k", 400, "InvalidBucketName"},
		"upper-case bucket":    {ossfake.Auto, "127.0.0.1", "/Bucket/k", 400, "InvalidBucketName"},
		"hyphen at an end":     {ossfake.Auto, "127.0.0.1", "/bucket-/k", 400, "InvalidBucketName"},
		"leading slash":        {ossfake.Auto, bkt + "." + domain, "/%2Fk", 400, "InvalidObjectName"},
		"leading backslash":    {ossfake.Auto, bkt + "." + domain, "/%5Ck", 400, "InvalidObjectName"},
		"not UTF-8":            {ossfake.Auto, bkt + "." + domain, "/%FF", 400, "InvalidObjectName"},
		"1023 bytes":           {ossfake.Auto, bkt + "." + domain, "/" + strings.Repeat("k", 1023), 403, "AccessDenied"},
		"1024 bytes":           {ossfake.Auto, bkt + "." + domain, "/" + strings.Repeat("k", 1024), 400, "InvalidObjectName"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := start(t, ossfake.Options{Addressing: c.mode})
			status, code := raw(t, "GET", s.URL+c.path, c.host, nil)
			if status != c.status || code != c.code {
				t.Errorf("answer %d %s, want %d %s", status, code, c.status, c.code)
			}
		})
	}
}
