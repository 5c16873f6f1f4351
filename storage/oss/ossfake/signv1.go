package ossfake

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// signedV1 are the parameters that are part of a V1 signature
// (help.aliyun.com/en/oss/developer-reference/include-signatures-in-the-authorization-header).
var signedV1 = []string{
	"acl", "append", "asyncFetch", "bucketInfo", "callback", "callback-var", "cloudboxes", "cname", "comp",
	"continuation-token", "cors", "delete", "encryption", "endTime", "img", "inventory", "inventoryId", "lifecycle",
	"live", "location", "logging", "metaQuery", "objectMeta", "partNumber", "policy", "position", "qos", "qosInfo",
	"referer", "regionList", "replication", "replicationLocation", "replicationProgress", "requestPayment",
	"resourceGroup", "response-cache-control", "response-content-disposition", "response-content-encoding",
	"response-content-language", "response-content-type", "response-expires", "responseHeader", "restore", "rtc",
	"security-token", "sequential", "startTime", "stat", "status", "style", "styleName", "symlink", "tagging",
	"transferAcceleration", "udf", "uploadId", "uploads", "versionId", "versioning", "versions", "vod", "website",
	"worm", "wormExtend", "wormId", "x-oss-async-process", "x-oss-enable-md5", "x-oss-enable-sha1",
	"x-oss-enable-sha256", "x-oss-hash-ctx", "x-oss-md5-ctx", "x-oss-process", "x-oss-request-payer",
	"x-oss-traffic-limit",
}

// headerV1 reads "AccessKeyId:Signature".
func (c *call) headerV1(auth string) (*claim, error) {
	id, given, ok := strings.Cut(auth, ":")
	if !ok {
		return nil, invalid("the Authorization header is not valid")
	}
	date := c.header("X-Oss-Date")
	if date == "" {
		date = c.header("Date")
	}
	at, err := http.ParseTime(date)
	if err != nil {
		return nil, refuse(http.StatusForbidden, "AccessDenied", "a valid Date is required")
	}
	cl := c.claimV1(id, date, given)
	cl.token, cl.signed = c.header("X-Oss-Security-Token"), at
	return cl, nil
}

// urlV1 reads a signed URL.
func (c *call) urlV1() (*claim, error) {
	q := c.query
	if !q.Has("Expires") || !q.Has("Signature") {
		return nil, refuse(http.StatusForbidden, "AccessDenied", "a signed URL needs OSSAccessKeyId, Expires and Signature")
	}
	until, err := strconv.ParseInt(q.Get("Expires"), 10, 64)
	if err != nil {
		return nil, refuse(http.StatusForbidden, "AccessDenied", "Expires must be seconds since 1970")
	}
	cl := c.claimV1(q.Get("OSSAccessKeyId"), q.Get("Expires"), q.Get("Signature"))
	cl.token, cl.expires = q.Get("security-token"), time.Unix(until, 0)
	return cl, nil
}

// claimV1 makes what is signed:
//
//	VERB \n Content-MD5 \n Content-Type \n Date or Expires \n x-oss-headers resource
func (c *call) claimV1(id, date, given string) *claim {
	toSign := strings.Join([]string{
		c.r.Method, c.header("Content-Md5"), c.header("Content-Type"), date, c.ossHeaders() + c.resourceV1(),
	}, "\n")
	return &claim{keyID: id, given: given, toSign: toSign, signature: func(secret string) string {
		h := hmac.New(sha1.New, []byte(secret))
		h.Write([]byte(toSign))
		return base64.StdEncoding.EncodeToString(h.Sum(nil))
	}}
}

// ossHeaders are all x-oss- headers in lower case, sorted, a line each.
func (c *call) ossHeaders() string {
	return c.canonicalHeaders(func(name string) bool { return strings.HasPrefix(name, "x-oss-") })
}

// canonicalHeaders writes the headers that are wanted, in lower case, sorted, a
// line each.
func (c *call) canonicalHeaders(want func(name string) bool) string {
	var lines []string
	for name, values := range c.r.Header {
		if name = strings.ToLower(name); want(name) {
			lines = append(lines, name+":"+trimmed(values))
		}
	}
	// Go's server takes these two out of the headers.
	if want("host") {
		lines = append(lines, "host:"+c.r.Host)
	}
	if want("content-length") && c.header("Content-Length") == "" {
		lines = append(lines, "content-length:"+strconv.FormatInt(c.r.ContentLength, 10))
	}
	slices.SortFunc(lines, func(a, b string) int {
		a, _, _ = strings.Cut(a, ":")
		b, _, _ = strings.Cut(b, ":")
		return strings.Compare(a, b)
	})
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

func trimmed(values []string) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strings.TrimSpace(v)
	}
	return strings.Join(out, ",")
}

// resourceV1 is /bucket/key?parameters, with nothing encoded.
func (c *call) resourceV1() string {
	resource := "/"
	if c.bucket != "" {
		resource += c.bucket + "/" + c.key
	}
	sep := "?"
	for _, name := range signedV1 { // sorted
		if !c.query.Has(name) {
			continue
		}
		resource += sep + name
		if v := c.query.Get(name); v != "" {
			resource += "=" + v
		}
		sep = "&"
	}
	return resource
}
