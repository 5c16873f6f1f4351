package endpoint

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// parseVariable reads the value of SLUICE_ENDPOINT_<NAME>:
//
//	<provider>+<http|https>://ACCESS:SECRET@host[:port][?region=…&path_style=…]
//
// The keys end at the last "@" and part at the first ":", so that a secret may
// hold "/", "+", ":", "?" and "@" as it is. %XX is decoded where it is two
// hexadecimal digits; a "%" of the secret itself is written %25 before such.
// Behind "?" an "@" must be written %40. Without "ACCESS:SECRET@" there are no
// keys; "ACCESS:SECRET@" and no host is AWS itself, or Aliyun OSS in the region
// given. No error quotes the value.
func parseVariable(value string) (Endpoint, error) {
	var e Endpoint
	head, rest, ok := strings.Cut(value, "://")
	provider, scheme, plus := strings.Cut(head, "+")
	if !ok || !plus {
		return e, errors.New("must be PROVIDER+http(s)://ACCESS:SECRET@HOST[:PORT][?OPTION=VALUE&…]")
	}
	if err := e.set("provider", provider); err != nil {
		return e, err
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		access, secret, ok := strings.Cut(rest[:at], ":")
		if !ok {
			return e, errors.New("has no ':' between access key and secret key")
		}
		e.AccessKey, e.SecretKey = NewSecret(unescape(access)), NewSecret(unescape(secret))
		rest = rest[at+1:]
	}
	host, query, _ := strings.Cut(rest, "?")
	if host != "" || e.Provider != "aws" && e.Provider != ossProvider {
		if err := e.set("url", scheme+"://"+host); err != nil {
			return e, err
		}
	}
	for option := range strings.SplitSeq(query, "&") {
		if option == "" {
			continue
		}
		key, value, _ := strings.Cut(option, "=")
		if !slices.Contains(options(), key) {
			return e, fmt.Errorf("has an unknown option behind '?'%s; known: %s", didYouMean(key, options()), list(options()))
		}
		if err := e.set(key, unescape(value)); err != nil {
			return e, err
		}
	}
	return e, e.check()
}

// unescape decodes %XX and leaves every other byte alone, "+" and a lone "%"
// too.
func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				b = append(b, c...)
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}
