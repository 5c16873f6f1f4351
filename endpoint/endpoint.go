// Package endpoint turns what people write into opened buckets: locations such
// as /data and minio://bucket/prefix, and endpoints, which are named stores with
// their credentials, from a config file and from environment variables.
//
// It reads no environment, flag or global of its own: files and variables are
// handed in. It must not know tasks, nor what is done with the
// buckets. Errors say what is wrong, where, and what to do; none of them
// repeats a value of an endpoint, because it may be a secret in the wrong place.
package endpoint

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Endpoint is one named store.
type Endpoint struct {
	Name     string // as CanonicalName makes it
	Provider string // one of Providers
	URL      string // http or https, host and port, nothing else; "": the provider's own, for aws and oss only
	Region   string // "": the driver's default

	// Both keys or none. None means the default credential chain for aws,
	// requests without a signature for all others. A key that is ${file:…} is
	// the file's of the moment.
	AccessKey    Secret
	SecretKey    Secret
	SessionToken Secret
	Profile      string // of the AWS files; aws only, and not beside keys

	PathStyle          *bool  // bucket in the path, not in the host name; nil: as the provider needs it
	Signature          string // of requests, "v1" or "v4"; oss only, "" is v4
	CustomDomain       bool   // the host of URL is a name of the bucket itself; oss only
	Proxy              Secret // its URL, which may hold a password; "none": none; "": as the environment says
	CAFile             string // absolute path of certificates in PEM to trust instead of the system's
	InsecureSkipVerify bool   // accept any certificate
}

// keys of an endpoint in the config file, in the order of the documentation.
func keys() []string {
	return append([]string{"provider", "url", "access_key", "secret_key"}, options()...)
}

// options are the keys that may stand behind "?" in an environment variable.
func options() []string {
	return []string{
		"region", "session_token", "profile", "path_style", "signature", "custom_domain", "proxy", "ca_file", "insecure_skip_verify",
	}
}

// set reads one value.
func (e *Endpoint) set(key, value string) (err error) {
	switch key {
	case "provider":
		e.Provider, err = parseProvider(value)
	case "url":
		e.URL, err = parseURL(value)
	case "region":
		e.Region = value
	case "access_key", "secret_key", "session_token":
		*e.key(key) = NewSecret(value)
	case "profile":
		e.Profile = value
	case "path_style":
		var b bool
		b, err = parseBool(value)
		e.PathStyle = &b
	case "signature":
		if e.Signature = strings.ToLower(value); e.Signature != "v1" && e.Signature != "v4" {
			err = errors.New("must be v1 or v4")
		}
	case "custom_domain":
		e.CustomDomain, err = parseBool(value)
	case "proxy":
		e.Proxy = NewSecret(value)
		err = checkProxy(value)
	case "ca_file":
		if e.CAFile = value; !filepath.IsAbs(value) {
			err = errors.New("must be an absolute path")
		}
	case "insecure_skip_verify":
		e.InsecureSkipVerify, err = parseBool(value)
	}
	if err != nil {
		return fmt.Errorf("%s %w", key, err)
	}
	return nil
}

// key returns the field of one of the keys; nil if it is none of them.
func (e *Endpoint) key(name string) *Secret {
	switch name {
	case "access_key":
		return &e.AccessKey
	case "secret_key":
		return &e.SecretKey
	case "session_token":
		return &e.SessionToken
	}
	return nil
}

// check looks at what the values say together.
func (e *Endpoint) check() error {
	hasAccess, hasSecret := e.AccessKey.Reveal() != "", e.SecretKey.Reveal() != ""
	switch {
	case e.Provider == "":
		return errors.New("provider is missing: one of " + list(Providers()))
	case hasAccess && !hasSecret:
		return errors.New("access_key is there and secret_key is missing")
	case hasSecret && !hasAccess:
		return errors.New("secret_key is there and access_key is missing")
	case e.SessionToken.Reveal() != "" && !hasAccess:
		return errors.New("session_token is there and access_key is missing")
	case e.Profile != "" && e.Provider != "aws":
		return errors.New("profile is for the provider aws only: give access_key and secret_key")
	case e.Profile != "" && hasAccess:
		return errors.New("profile and access_key are both there: give one of them")
	case e.Provider != ossProvider && (e.Signature != "" || e.CustomDomain):
		return errors.New("signature and custom_domain are for the provider oss only")
	case e.CustomDomain && e.URL == "":
		return errors.New("custom_domain is there and url, which names that domain, is missing")
	case e.CustomDomain && e.PathStyle != nil && *e.PathStyle:
		return errors.New("custom_domain and path_style contradict each other: give one of them")
	case e.Provider == ossProvider && e.URL == "" && e.Region == "":
		return errors.New("url and region are both missing: give one of them")
	case e.URL == "" && e.Provider != "aws" && e.Provider != ossProvider:
		return errors.New("url is missing: the provider " + e.Provider + " has none of its own")
	}
	return nil
}

func parseProvider(s string) (string, error) {
	s = strings.ToLower(s)
	if s == "file" {
		return "", errors.New("file needs no endpoint: write the path itself as the location")
	}
	if !slices.Contains(Providers(), s) {
		return "", fmt.Errorf("is unknown%s; one of %s", didYouMean(s, Providers()), list(Providers()))
	}
	return s, nil
}

// parseURL takes http or https, a host and a port. What net/url says about a
// bad one quotes it, so it is not passed on.
func parseURL(s string) (string, error) {
	bad := errors.New("must be http:// or https://, a host, and if need be a port, and nothing behind")
	scheme, rest, ok := strings.Cut(s, "://")
	if scheme = strings.ToLower(scheme); !ok || scheme != "http" && scheme != "https" {
		return "", bad
	}
	if strings.Contains(rest, "@") {
		return "", errors.New("must not hold credentials: give access_key and secret_key")
	}
	u, err := url.Parse(scheme + "://" + strings.TrimSuffix(rest, "/"))
	if err != nil || u.Hostname() == "" || u.Path != "" || strings.ContainsAny(rest, `?# \`) {
		return "", bad
	}
	return scheme + "://" + strings.ToLower(u.Host), nil
}

// checkProxy takes what net/http can go through. As in parseURL, no error quotes it.
func checkProxy(s string) error {
	if s == noProxy {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) {
		return errors.New("must be http://, https:// or socks5://, if need be USER:PASSWORD@, a host and a port; or none")
	}
	return nil
}

const noProxy = "none"

func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "false":
		return strconv.ParseBool(strings.ToLower(s))
	}
	return false, errors.New("must be true or false")
}
