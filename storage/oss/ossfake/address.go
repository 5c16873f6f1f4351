package ossfake

import (
	"net"
	"net/http"
	"strings"
	"unicode/utf8"
)

// Addressing says where a request may name its bucket.
type Addressing int

// The ways of addressing.
const (
	// Auto takes the bucket from the host, bucket.oss-REGION.aliyuncs.com or
	// bucket.localhost, and where the host is an IP address from the path, as
	// SDKs do. A bucket in the path below a name is refused, as by OSS.
	Auto Addressing = iota
	// PathToo takes the bucket from the path also where the host is a name.
	PathToo
	// VirtualOnly refuses a bucket in the path always.
	VirtualOnly
)

// address finds the bucket and key that a request names.
func (s *Server) address(c *call) error {
	host := c.r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	path := strings.TrimPrefix(c.r.URL.Path, "/")
	name, found := s.bucketOf(host)
	switch {
	case found:
		c.bucket, c.key = name, path
	case path == "":
		return nil
	case s.o.Addressing == PathToo || s.o.Addressing == Auto && net.ParseIP(strings.Trim(host, "[]")) != nil:
		c.bucket, c.key, _ = strings.Cut(path, "/")
	default:
		return refuse(http.StatusForbidden, "SecondLevelDomainForbidden",
			"the bucket must be named in the host: bucket."+host)
	}
	if !validBucket(c.bucket) {
		return refuse(http.StatusBadRequest, "InvalidBucketName", "the name of the bucket is not valid").with("BucketName", c.bucket)
	}
	if c.key != "" && !validKey(c.key) {
		return refuse(http.StatusBadRequest, "InvalidObjectName", "the name of the object is not valid").with("ObjectName", c.key)
	}
	return nil
}

// bucketOf returns the bucket that a host names.
func (s *Server) bucketOf(host string) (name string, found bool) {
	for _, domain := range []string{".oss-" + s.o.Region + ".aliyuncs.com", ".localhost"} {
		if name, found = strings.CutSuffix(host, domain); found {
			return name, true
		}
	}
	return "", false
}

// validBucket: 3 to 63 lower-case letters, digits and hyphens, none of them at
// an end (help.aliyun.com/en/oss/user-guide/bucket-naming-conventions).
func validBucket(name string) bool {
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return len(name) >= 3 && len(name) <= 63 && !strings.HasPrefix(name, "-") && !strings.HasSuffix(name, "-")
}

// validKey: 1 to 1,023 bytes of UTF-8 that begin with neither "/" nor "\"
// (help.aliyun.com/en/oss/user-guide/object-naming-conventions).
func validKey(key string) bool {
	return len(key) <= 1023 && utf8.ValidString(key) && !strings.HasPrefix(key, "/") && !strings.HasPrefix(key, `\`)
}
