// Package dialect is the table of what S3-compatible stores do differently.
// Drivers read it; nothing branches on a provider's name.
//
// It is data and lookups: a Row is what drivers act on, an About what people
// want to know besides. It must not know drivers, requests or SDKs.
package dialect

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/sluice-sync/sluice/storage"
)

// Checksum is how a driver proves what a store received.
type Checksum uint8

// The forms of proof.
const (
	// None: the store offers nothing; only lengths are compared.
	None Checksum = iota
	// MD5 is sent as Content-MD5 with small bodies, and compared with the
	// ETag of the answer after large ones.
	MD5
	// CRC32C is sent as x-amz-checksum-crc32c, as a header with small bodies
	// and as a trailer after large ones.
	CRC32C
)

// Row is what drivers do differently for one provider.
type Row struct {
	Name            string
	PathStyle       bool            // bucket in the path, not in the host name
	VirtualOnly     bool            // refuses requests with the bucket in the path
	ListV1          bool            // ListObjects with markers, not ListObjectsV2
	EncodeKeys      bool            // ask listings for encoding-type=url, which control characters need
	ListsAllUploads bool            // ListMultipartUploads takes whole keys only as prefix: ask for all and sort out
	SlowTokens      bool            // the first continuation tokens of a listing wait for something: go on by key while that is quick
	EndsEarly       bool            // a listing that starts below a directory may be called complete too early: go on above it
	PathKeys        bool            // keeps keys as paths of files: refuses or confuses keys that are no clean path
	Checksum        Checksum        // on writes
	DeclareChecksum bool            // a multipart upload must name the checksum of its parts when it begins
	ETagIsMD5       bool            // ETags of 32 hexadecimal digits are the MD5 of the bytes
	PutIfAbsent     bool            // honours If-None-Match: *, or what the protocol has for it, on PUT
	PutIfVersion    bool            // honours If-Match on PUT
	Tags            bool            // keeps x-amz-tagging and answers GET ?tagging
	Classes         []storage.Class // storage classes, the standard one first; nil: only one. They must not be changed
	MinPart         int64           // smallest part but the last, bytes
	MaxPart         int64           // also of UploadPartCopy
	MaxParts        int
	MaxPut          int64 // largest size of one PUT, bytes
	MaxCopy         int64 // largest size of one CopyObject, bytes
}

// Lookup returns the row of a provider, whatever the case of its name.
func Lookup(name string) (Row, bool) {
	all := rows()
	i := slices.IndexFunc(all, func(r Row) bool { return strings.EqualFold(r.Name, name) })
	if i < 0 {
		return Row{}, false
	}
	return s3Limits(all[i]), true
}

// Names returns the providers in the order of the table.
func Names() []string {
	var names []string
	for _, r := range rows() {
		names = append(names, r.Name)
	}
	return names
}

// Restores tells whether the provider has classes that must be restored before
// they can be read.
func (r Row) Restores() bool {
	return slices.ContainsFunc(r.Classes, func(c storage.Class) bool { return c.Tier >= storage.TierArchive })
}

// CheckAddress says why a bucket cannot be reached at an endpoint's URL, if that
// is known beforehand: a store that wants the bucket in the host name has to
// have a name, and a bucket with a dot in its name fits no certificate.
func (r Row) CheckAddress(endpoint, bucket string) error {
	u, err := url.Parse(endpoint)
	switch {
	case !r.VirtualOnly || err != nil: // what is no URL is refused by who uses it
		return nil
	case r.PathStyle || net.ParseIP(u.Hostname()) != nil:
		return fmt.Errorf("%s takes the bucket in the host name only: give the host by its name, and no path_style", r.Name)
	case u.Scheme == "https" && strings.Contains(bucket, "."):
		return fmt.Errorf("%s takes the bucket in the host name only, where no certificate holds for a name with a dot (%q)", r.Name, bucket)
	}
	return nil
}
