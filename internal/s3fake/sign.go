package s3fake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checkSignature holds the Authorization header to AWS Signature Version 4:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
func (r *request) checkSignature() error {
	auth, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return faultf(http.StatusForbidden, "AccessDenied", "not signed by version 4")
	}
	field := map[string]string{}
	for part := range strings.SplitSeq(auth, ",") {
		name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		field[name] = v
	}
	access, scope, _ := strings.Cut(field["Credential"], "/")
	key, err := r.key4(access)
	if err != nil {
		return err
	}
	in := strings.Split(scope, "/") // day, region, service, aws4_request
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	switch {
	case len(in) != 4 || in[2] != "s3" || in[3] != "aws4_request" || err != nil || at.Format("20060102") != in[0]:
		return faultf(http.StatusBadRequest, "AuthorizationHeaderMalformed", "the scope %q at %s", scope, at)
	case r.o.Region != "" && in[1] != r.o.Region:
		return faultf(http.StatusBadRequest, "AuthorizationHeaderMalformed", "the region is %s", r.o.Region)
	case time.Since(at).Abs() > 15*time.Minute:
		return faultf(http.StatusForbidden, "RequestTimeTooSkewed", "the difference is too large")
	}
	digest := sha256.Sum256([]byte(r.canonical(strings.Split(field["SignedHeaders"], ";"))))
	mac := []byte("AWS4" + key.Secret)
	for _, s := range append(in, "AWS4-HMAC-SHA256\n"+r.Header.Get("X-Amz-Date")+"\n"+scope+"\n"+hex.EncodeToString(digest[:])) {
		h := hmac.New(sha256.New, mac)
		h.Write([]byte(s))
		mac = h.Sum(nil)
	}
	if !hmac.Equal([]byte(hex.EncodeToString(mac)), []byte(field["Signature"])) {
		return faultf(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
	}
	return nil
}

// key4 finds the key that a request names.
func (r *request) key4(access string) (Key, error) {
	for _, k := range r.o.Keys {
		switch {
		case k.Access != access:
			continue
		case k.Session != r.Header.Get("X-Amz-Security-Token"):
			return k, faultf(http.StatusForbidden, "InvalidToken", "The provided token is malformed or otherwise invalid.")
		case !k.Expires.IsZero() && !r.now.Before(k.Expires):
			return k, faultf(http.StatusBadRequest, "ExpiredToken", "The provided token has expired.")
		}
		return k, nil
	}
	return Key{}, faultf(http.StatusForbidden, "InvalidAccessKeyId", "The access key id you provided does not exist in our records.")
}

// canonical is the request in the form that is signed.
func (r *request) canonical(signed []string) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + escape(r.URL.Path, "/") + "\n" + r.canonicalQuery() + "\n")
	for _, name := range signed {
		v := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			v = r.Host
		case "content-length":
			v = strconv.FormatInt(r.ContentLength, 10)
		}
		b.WriteString(name + ":" + strings.Join(strings.Fields(v), " ") + "\n")
	}
	b.WriteString("\n" + strings.Join(signed, ";") + "\n" + r.Header.Get("X-Amz-Content-Sha256"))
	return b.String()
}

func (r *request) canonicalQuery() string {
	var pairs []string
	for name, values := range r.query {
		for _, v := range values {
			pairs = append(pairs, escape(name, "")+"="+escape(v, ""))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// escape leaves unreserved characters and those of also as they are.
func escape(s, also string) string {
	s = strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	for _, c := range also {
		s = strings.ReplaceAll(s, url.QueryEscape(string(c)), string(c))
	}
	return s
}
