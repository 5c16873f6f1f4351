package endpoint

import (
	"strings"
	"testing"
)

func TestVariables(t *testing.T) {
	yes, no := true, false
	for value, want := range map[string]struct {
		provider, url, access, secret, region, token, profile, ca, signature, proxy string

		path             *bool
		insecure, domain bool
	}{
		"minio+http://AK:SK@127.0.0.1:9000":                                     {provider: "minio", url: "http://127.0.0.1:9000", access: "AK", secret: "SK"},
		"MinIO+HTTPS://AK:SK@Store.Example.com/":                                {provider: "minio", url: "https://store.example.com", access: "AK", secret: "SK"},
		"minio+http://AK:a/b+c:d@h":                                             {provider: "minio", url: "http://h", access: "AK", secret: "a/b+c:d"},
		"minio+http://AK:a@b?c=d&e://f@h":                                       {provider: "minio", url: "http://h", access: "AK", secret: "a@b?c=d&e://f"},
		"minio+http://A%3AK:%2f%2B%40%25%20%zz%4@h":                             {provider: "minio", url: "http://h", access: "A:K", secret: "/+@% %zz%4"},
		"minio+http://AK:%2541%é#[]@[::1]:9000":                                 {provider: "minio", url: "http://[::1]:9000", access: "AK", secret: "%41%é#[]"},
		"minio+http://127.0.0.1:9000":                                           {provider: "minio", url: "http://127.0.0.1:9000"},
		"s3+http://h?region=cn-1&path_style=false":                              {provider: "s3", url: "http://h", region: "cn-1", path: &no},
		"cos+https://AK:SK@h?path_style=TRUE&&":                                 {provider: "cos", url: "https://h", access: "AK", secret: "SK", path: &yes},
		"ceph+https://AK:SK@h/?insecure_skip_verify=true&ca_file=/a%40b%26.pem": {provider: "ceph", url: "https://h", access: "AK", secret: "SK", ca: "/a@b&.pem", insecure: true},
		"aws+https://AK:SK@?region=eu-1&session_token=a+b%2F=":                  {provider: "aws", access: "AK", secret: "SK", region: "eu-1", token: "a+b/="},
		"oss+https://AK:SK@?region=cn-x&session_token=t":                        {provider: "oss", access: "AK", secret: "SK", region: "cn-x", token: "t"},
		"OSS+https://AK:SK@img.example.com?custom_domain=true&signature=V1":     {provider: "oss", url: "https://img.example.com", access: "AK", secret: "SK", domain: true, signature: "v1"},
		"minio+http://AK:SK@h?proxy=http://u:pw%40proxy:3128":                   {provider: "minio", url: "http://h", access: "AK", secret: "SK", proxy: "http://u:pw@proxy:3128"},
		"aws+https://?profile=work":                                             {provider: "aws", profile: "work"},
		"aws+https://":                                                          {provider: "aws"},
	} {
		e, err := parseVariable(value)
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if e.Provider != want.provider || e.URL != want.url || e.AccessKey.Reveal() != want.access || e.SecretKey.Reveal() != want.secret ||
			e.Region != want.region || e.SessionToken.Reveal() != want.token || e.Profile != want.profile || e.CAFile != want.ca ||
			e.InsecureSkipVerify != want.insecure || e.Signature != want.signature || e.CustomDomain != want.domain || e.Proxy.Reveal() != want.proxy || (e.PathStyle == nil) != (want.path == nil) || want.path != nil && *e.PathStyle != *want.path {
			t.Errorf("%s gives %+v with %q and %q", value, e, e.AccessKey.Reveal(), e.SecretKey.Reveal())
		}
	}
}

func TestVariableErrors(t *testing.T) {
	const form = `must be PROVIDER+http(s)://ACCESS:SECRET@HOST[:PORT][?OPTION=VALUE&…]`
	const badURL = `url must be http:// or https://, a host, and if need be a port, and nothing behind`
	for value, want := range map[string]string{
		"":                                   form,
		"AK:SK@h":                            form,
		"http://AK:SK@h":                     form,
		"minio+ftp://AK:SK@h":                badURL,
		"minio+http://AK:SK@":                badURL,
		"minio+http://AK:SK":                 badURL, // the "@" was forgotten: what looks like a port is the secret
		"minio+http://AK:SK@h/bucket":        badURL,
		"minio+http://AK:SK@a b":             badURL,
		"minio+http://AK:SK@h#f":             badURL,
		"minio+http://AK@h":                  `has no ':' between access key and secret key`,
		"minio+http://:SK@h":                 `secret_key is there and access_key is missing`,
		"minio+http://AK:@h":                 `access_key is there and secret_key is missing`,
		"mino+http://AK:SK@h":                `provider is unknown; did you mean minio?; one of ` + list(Providers()),
		"SECRET+http://h":                    `provider is unknown; one of ` + list(Providers()),
		"oss+https://AK:SK@":                 `url and region are both missing: give one of them`,
		"oss+http://AK:SK@h?signature=v2":    `signature must be v1 or v4`,
		"file+http://h":                      `provider file needs no endpoint: write the path itself as the location`,
		"minio+http://AK:SK@h?regoin=x":      `has an unknown option behind '?'; did you mean region?; known: ` + list(options()),
		"minio+http://AK:SK@h?SECRET=x":      `has an unknown option behind '?'; known: ` + list(options()),
		"minio+http://AK:SK@h?path_style=1":  `path_style must be true or false`,
		"minio+http://AK:SK@h?ca_file=a.pem": `ca_file must be an absolute path`,
		"minio+http://h?session_token=x":     `session_token is there and access_key is missing`,
		"minio+http://h?profile=x":           `profile is for the provider aws only: give access_key and secret_key`,
		"aws+https://AK:SK@?profile=x":       `profile and access_key are both there: give one of them`,
	} {
		if _, err := parseVariable(value); err == nil || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", value, err, want)
		}
	}
}

// FuzzVariable: whatever stands in a variable, no error repeats the secret, and
// a secret without a "%" comes out as it went in.
func FuzzVariable(f *testing.F) {
	for _, seed := range [][3]string{
		{"minio", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "127.0.0.1:9000?region=x"},
		{"mino", "secret:with@all://of?it&=%41", "h"}, {"aws", "0123456789", "h/b?path_style=2"}, {"s3", "99999999", "a b?x=y#z"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, provider, secret, tail string) {
		for _, value := range []string{
			provider + "+http://AKIA:" + secret + "@" + tail, // right
			provider + "+http://AKIA:" + secret + tail,       // the "@" forgotten
			provider + "://AKIA:" + secret + "@" + tail,      // the scheme forgotten
			"AKIA:" + secret + "@" + tail,
			"minio+https://h?" + secret + "=" + tail,
			secret,
		} {
			e, err := parseVariable(value)
			if err != nil && len(secret) >= 8 && strings.Contains(err.Error(), secret) && !strings.Contains(knownWords, secret) {
				t.Fatalf("the error for %q repeats the secret: %v", value, err)
			}
			if err == nil && (e.Provider == "" || e.URL == "" && e.Provider != "aws" && e.Provider != "oss") {
				t.Fatalf("%q gives %+v", value, e)
			}
		}
		if e, err := parseVariable("minio+http://AKIA:" + secret + "@h"); secret != "" && !strings.Contains(secret, "%") {
			if err != nil || e.SecretKey.Reveal() != secret || e.AccessKey.Reveal() != "AKIA" || e.URL != "http://h" {
				t.Fatalf("secret %q comes out as %q, %v", secret, e.SecretKey.Reveal(), err)
			}
		}
	})
}

// knownWords are the fixed texts of errors, which a fuzzer may find as a secret.
var knownWords = "must be PROVIDER+http(s)://ACCESS:SECRET@HOST[:PORT][?OPTION=VALUE&…] " +
	"provider is unknown; did you mean minio?; one of " + list(Providers()) +
	" has an unknown option behind '?'; did you mean region?; known: " + list(options()) + " " +
	"url must be http:// or https://, a host, and if need be a port, and nothing behind"
