package ossfake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// V4 signatures, as in
// help.aliyun.com/en/oss/developer-reference/recommend-to-use-signature-version-4
// (in the header) and .../add-signatures-to-urls (in the URL).
const (
	algorithmV4     = "OSS4-HMAC-SHA256"
	unsignedPayload = "UNSIGNED-PAYLOAD"
	timeV4          = "20060102T150405Z"
)

// headerV4 reads "Credential=…, AdditionalHeaders=…, Signature=…".
func (c *call) headerV4(auth, region string) (*claim, error) {
	fields := map[string]string{}
	for field := range strings.SplitSeq(auth, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(field), "=")
		if !ok {
			return nil, invalid("the Authorization header is not valid")
		}
		fields[name] = value
	}
	additional, has := fields["AdditionalHeaders"]
	if has && additional == "" {
		return nil, invalid("AdditionalHeaders is empty").numbered("0002-00000209")
	}
	// Other values, digests of the body, are not accepted by OSS.
	if c.header("X-Oss-Content-Sha256") != unsignedPayload {
		return nil, invalid("x-oss-content-sha256 must be " + unsignedPayload)
	}
	date, at, err := c.dateV4()
	if err != nil {
		return nil, err
	}
	cl, err := c.claimV4(fields["Credential"], additional, date, at, region)
	if err != nil {
		return nil, err
	}
	cl.given, cl.token, cl.signed = fields["Signature"], c.header("X-Oss-Security-Token"), at
	return cl, nil
}

// dateV4 is the date as it is signed: x-oss-date, or without it Date.
func (c *call) dateV4() (text string, at time.Time, err error) {
	if text = c.header("X-Oss-Date"); text != "" {
		at, err = time.Parse(timeV4, text)
	} else {
		text = c.header("Date")
		at, err = http.ParseTime(text)
	}
	if err != nil {
		return "", at, refuse(http.StatusForbidden, "AccessDenied", "a valid x-oss-date or Date is required")
	}
	return text, at, nil
}

// maxExpiresV4 is how long a URL may hold, seconds: seven days.
const maxExpiresV4 = 7 * 24 * 3600

// urlV4 reads a signed URL.
func (c *call) urlV4(region string) (*claim, error) {
	q := c.query
	if q.Get("x-oss-signature-version") != algorithmV4 {
		return nil, invalid("the signature version is not valid").numbered("0002-00000066")
	}
	at, err := time.Parse(timeV4, q.Get("x-oss-date"))
	if err != nil {
		return nil, invalid("a valid x-oss-date is required")
	}
	seconds, err := c.number("x-oss-expires", 0, 1, maxExpiresV4)
	if err != nil || seconds == 0 {
		return nil, invalid("x-oss-expires must be between 1 and " + strconv.Itoa(maxExpiresV4))
	}
	cl, err := c.claimV4(q.Get("x-oss-credential"), q.Get("x-oss-additional-headers"), q.Get("x-oss-date"), at, region)
	if err != nil {
		return nil, err
	}
	cl.given, cl.token = q.Get("x-oss-signature"), q.Get("x-oss-security-token")
	cl.signed, cl.expires = at, at.Add(time.Duration(seconds)*time.Second)
	return cl, nil
}

// claimV4 makes what is signed. credential is ID/DATE/REGION/oss/aliyun_v4_request.
func (c *call) claimV4(credential, additional, date string, at time.Time, region string) (*claim, error) {
	id, scope, _ := strings.Cut(credential, "/")
	parts := strings.Split(scope, "/")
	switch {
	case len(parts) != 4 || parts[2] != "oss" || parts[3] != "aliyun_v4_request":
		return nil, invalid("the credential's scope is not valid")
	case parts[0] != at.UTC().Format("20060102"):
		return nil, invalid("the credential's date is not that of the request")
	case parts[1] != region:
		return nil, invalid("the credential's region is not " + region)
	}
	names, err := additionalHeaders(additional)
	if err != nil {
		return nil, err
	}
	canonical := strings.Join([]string{
		c.r.Method, c.resourceV4(), c.queryV4(), c.canonicalHeaders(func(name string) bool {
			return strings.HasPrefix(name, "x-oss-") || name == "content-type" || name == "content-md5" ||
				slices.Contains(names, name)
		}), additional, unsignedPayload,
	}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	toSign := strings.Join([]string{algorithmV4, date, scope, hex.EncodeToString(sum[:])}, "\n")
	return &claim{keyID: id, toSign: toSign, canonical: canonical, signature: func(secret string) string {
		key := []byte("aliyun_v4" + secret)
		for _, p := range parts {
			key = hmacSHA256(key, p)
		}
		return hex.EncodeToString(hmacSHA256(key, toSign))
	}}, nil
}

// additionalHeaders reads the names of further signed headers, which must be in
// lower case and sorted.
func additionalHeaders(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	names := strings.Split(list, ";")
	if slices.Contains(names, "") || list != strings.ToLower(list) || !slices.IsSorted(names) {
		return nil, invalid("AdditionalHeaders must be lower case, sorted and not empty").numbered("0002-00000210")
	}
	return names, nil
}

// resourceV4 is /bucket/key, percent-encoded except for slashes.
func (c *call) resourceV4() string {
	resource := "/"
	if c.bucket != "" {
		resource += c.bucket + "/" + c.key
	}
	return strings.ReplaceAll(escape(resource), "%2F", "/")
}

// queryV4 is all parameters but the signature, encoded and sorted; one without
// a value has no "=".
func (c *call) queryV4() string {
	var params []string
	for name, values := range c.query {
		if name == "x-oss-signature" {
			continue
		}
		for _, v := range values {
			p := escape(name)
			if v != "" {
				p += "=" + escape(v)
			}
			params = append(params, p)
		}
	}
	slices.SortFunc(params, func(a, b string) int {
		an, av, _ := strings.Cut(a, "=")
		bn, bv, _ := strings.Cut(b, "=")
		return strings.Compare(an+"\x00"+av, bn+"\x00"+bv)
	})
	return strings.Join(params, "&")
}

func hmacSHA256(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}
