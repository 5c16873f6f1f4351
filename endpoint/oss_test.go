package endpoint

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/oss/ossfake"
)

// TestBuiltInOSS goes to a store that is named by the variables of Aliyun's tools.
func TestBuiltInOSS(t *testing.T) {
	fake := ossfake.Start(t, ossfake.Options{Credentials: []ossfake.Credential{{ID: "AK", Secret: "S/K+", Token: "STS"}, {ID: "LASTING", Secret: "S"}}})
	fake.CreateBucket("bucket", ossfake.Standard)
	address := "OSS_ENDPOINT=" + fake.URL
	for what, environ := range map[string][]string{
		"temporary keys": {address, "OSS_REGION=cn-hangzhou", "OSS_ACCESS_KEY_ID=AK", "OSS_ACCESS_KEY_SECRET=S/K+", "OSS_SESSION_TOKEN=STS"},
		"lasting keys":   {address, "OSS_REGION=cn-hangzhou", "OSS_ACCESS_KEY_ID=LASTING", "OSS_ACCESS_KEY_SECRET=S"},
	} {
		b, err := mustLoad(t, Sources{Environ: environ}).Open(t.Context(), mustParse(t, "oss://bucket/in"), OpenOptions{})
		if err == nil {
			_, err = b.Put(t.Context(), "k", strings.NewReader("x"), storage.PutOptions{Size: 1})
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if o, ok := fake.Object("bucket", "in/k"); !ok || string(o.Data) != "x" {
		t.Errorf("the store holds %+v", o)
	}
	keys := []string{"OSS_ACCESS_KEY_ID=HUSHID", "OSS_ACCESS_KEY_SECRET=HUSHKEY"}
	for want, environ := range map[string][]string{
		"oss:// needs the variables OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET": {address, "OSS_REGION=r"},
		"oss:// needs the variable OSS_ENDPOINT or OSS_REGION":                   keys,
		"oss://: the variable OSS_ENDPOINT: url must be http://":                 append(keys, "OSS_ENDPOINT=HUSH/x"),
	} {
		set := mustLoad(t, Sources{Environ: environ}) // which others may use all the same
		_, err := set.Open(t.Context(), mustParse(t, "oss://bucket"), OpenOptions{})
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "HUSH") {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// TestOSSAddresses looks at the hosts that requests name and at the regions of
// their signatures, from where a proxy sees them.
func TestOSSAddresses(t *testing.T) {
	seen := &refusing{}
	proxy := httptest.NewServer(seen)
	defer proxy.Close()
	for _, c := range []struct{ address, options, host, path, auth string }{
		{"", "region=cn-x", "", "", ""}, // https: the proxy sees no more than this host
		{"oss-cn-x.aliyuncs.com", "", "bucket.oss-cn-x.aliyuncs.com", "/k", "/cn-x/oss/aliyun_v4_request"},
		{"oss-cn-x-internal.aliyuncs.com", "", "bucket.oss-cn-x-internal.aliyuncs.com", "/k", "/cn-x/oss/"},
		{"oss-accelerate.aliyuncs.com", "region=cn-x", "bucket.oss-accelerate.aliyuncs.com", "/k", "/cn-x/oss/"},
		{"img.example.com", "custom_domain=true&region=cn-x", "img.example.com", "/k", "/cn-x/oss/"},
		{"oss.example.com", "path_style=true&region=cn-x", "oss.example.com", "/bucket/k", "/cn-x/oss/"},
		{"oss-cn-x.aliyuncs.com", "signature=v1", "bucket.oss-cn-x.aliyuncs.com", "/k", "OSS AK:"},
		{"oss-cn-x.aliyuncs.com", "signature=V4", "bucket.oss-cn-x.aliyuncs.com", "/k", "OSS4-HMAC-SHA256 "},
	} {
		scheme := "http"
		if c.address == "" {
			scheme = "https"
			c.host = "bucket.oss-cn-x.aliyuncs.com:443"
		}
		set := mustLoad(t, Sources{Environ: []string{"SLUICE_ENDPOINT_ST=oss+" + scheme + "://AK:SK@" + c.address + "?proxy=" + proxy.URL + "&" + c.options}})
		b, err := set.Open(t.Context(), mustParse(t, "st://bucket"), OpenOptions{})
		if err != nil {
			t.Errorf("%s %s: %v", c.address, c.options, err)
			continue
		}
		if err := b.Delete(t.Context(), "k"); err == nil {
			t.Errorf("%s %s: the answer is a refusal and passes for a success", c.address, c.options)
		}
		seen.mu.Lock()
		host, path, auth := seen.hosts[len(seen.hosts)-1], seen.paths[len(seen.paths)-1], seen.auth[len(seen.auth)-1]
		seen.mu.Unlock()
		if host != c.host || path != c.path || !strings.Contains(auth, c.auth) {
			t.Errorf("%s %s: host %s, path %s, authorization %s", c.address, c.options, host, path, auth)
		}
	}
}

// TestOneStoreOfManyNames: the hosts of OSS are one store.
func TestOneStoreOfManyNames(t *testing.T) {
	set := mustLoad(t, Sources{Environ: []string{
		"SLUICE_ENDPOINT_IN=oss+https://A:S@oss-cn-x-internal.aliyuncs.com", "SLUICE_ENDPOINT_OUT=oss+https://A:S@?region=cn-x",
		"SLUICE_ENDPOINT_FAST=oss+https://A:S@oss-accelerate.aliyuncs.com?region=cn-x", "SLUICE_ENDPOINT_OTHER=oss+https://A:S@oss.example.com?region=cn-x",
	}})
	for other, want := range map[string]bool{"out": true, "fast": true, "other": false} {
		if got := set.Inside(mustParse(t, "in://b/x"), mustParse(t, other+"://b")); got != want {
			t.Errorf("in:// and %s:// are one store: %v", other, got)
		}
	}
}

// TestProxy: the endpoint's own proxy comes before that of the caller, and
// "none" is none.
func TestProxy(t *testing.T) {
	store, own, other := &refusing{}, &refusing{}, &refusing{}
	address := map[*refusing]string{}
	for _, r := range []*refusing{store, own, other} {
		s := httptest.NewServer(r)
		defer s.Close()
		address[r] = s.URL
	}
	config := `endpoints:
  own: {provider: minio, url: "` + address[store] + `", proxy: "` + strings.Replace(address[own], "://", "://user:PASSWORD@", 1) + `"}
  default: {provider: aws, url: "` + address[store] + `", access_key: a, secret_key: s}
  direct: {provider: cos, url: "` + address[store] + `", proxy: none}
  dead: {provider: minio, url: "` + address[store] + `", proxy: "http://user:PASSWORD@127.0.0.1:1"}
`
	set := mustLoad(t, Sources{ConfigPath: "/c", ReadFile: readFiles(map[string]string{"/c": config})})
	for _, c := range []struct {
		name string
		via  *refusing
	}{{"own", own}, {"default", other}, {"direct", store}, {"dead", nil}} {
		for _, r := range []*refusing{store, own, other} {
			r.hosts = nil
		}
		b, err := set.Open(t.Context(), mustParse(t, c.name+"://bucket"), OpenOptions{Proxy: http.ProxyURL(mustURL(t, address[other]))})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Check(t.Context()); err == nil || strings.Contains(err.Error(), "PASSWORD") {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, r := range []*refusing{store, own, other} {
			if (len(r.hosts) > 0) != (r == c.via) {
				t.Errorf("%s went to %s: %q", c.name, address[r], r.hosts)
			}
		}
	}
}

// TestUncheckedCertificatesAreSaid each time a bucket is opened.
func TestUncheckedCertificatesAreSaid(t *testing.T) {
	set := mustLoad(t, Sources{Environ: []string{"SLUICE_ENDPOINT_BAD=minio+https://h?insecure_skip_verify=true", "SLUICE_ENDPOINT_GOOD=minio+https://h"}})
	var said []string
	for _, at := range []string{"bad://b", "good://b", "bad://b/x"} {
		if _, err := set.Open(t.Context(), mustParse(t, at), OpenOptions{Warn: func(msg string) { said = append(said, msg) }}); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.EqualFunc(said, []string{"bad://b: ", "bad://b/x: "}, strings.HasPrefix) || !strings.Contains(said[0], "SLUICE_ENDPOINT_BAD") {
		t.Errorf("said %q", said)
	}
	if _, err := set.Open(t.Context(), mustParse(t, "bad://b"), OpenOptions{}); err != nil {
		t.Errorf("with nobody to tell: %v", err)
	}
}
