// Package dialect is the table of what S3-compatible stores do differently.
// Drivers read it; nothing branches on a provider's name.
//
// It is data and one lookup. It must not know drivers, requests or SDKs.
package dialect

import (
	"slices"
	"strings"
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

// Row is one provider.
type Row struct {
	Name            string
	PathStyle       bool     // bucket in the path, not in the host name
	ListV1          bool     // ListObjects with markers, not ListObjectsV2
	EncodeKeys      bool     // ask listings for encoding-type=url, which control characters need
	ListsAllUploads bool     // ListMultipartUploads takes whole keys only as prefix: ask for all and sort out
	SlowTokens      bool     // the first continuation tokens of a listing wait for something: go on by key while that is quick
	EndsEarly       bool     // a listing that starts below a directory may be called complete too early: go on above it
	PathKeys        bool     // keeps keys as paths of files: refuses or confuses keys that are no clean path
	Checksum        Checksum // on writes
	DeclareChecksum bool     // a multipart upload must name the checksum of its parts when it begins
	ETagIsMD5       bool     // ETags of 32 hexadecimal digits are the MD5 of the bytes
	ConditionalPut  bool     // honours If-None-Match: * and If-Match on PUT
	MinPart         int64    // smallest part but the last, bytes
	MaxPart         int64    // also of UploadPartCopy
	MaxParts        int
	MaxPut          int64 // largest size of one PUT, bytes
	MaxCopy         int64 // largest size of one CopyObject, bytes
}

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

// limits of Amazon S3, https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html;
// the others copied them where their row does not say otherwise.
func s3Limits(r Row) Row {
	if r.MinPart == 0 {
		r.MinPart = 5 * mib
	}
	r.MaxPart, r.MaxPut, r.MaxCopy, r.MaxParts = 5*gib, 5*gib, 5*gib, 10_000
	return r
}

// rows returns the table. "Vendor" is the vendor's own S3 compatibility page;
// "rclone" and "juicefs" are the provider tables of those programs.
func rows() []Row {
	return []Row{
		{
			Name:       "aws",
			EncodeKeys: true,   // aws: API reference of ListObjectsV2, EncodingType
			Checksum:   CRC32C, // aws: user guide, checking object integrity
			// Parts with a checksum that was not declared are refused: aws, same page.
			DeclareChecksum: true,
			ETagIsMD5:       true, // aws: API reference of Object; not under SSE-KMS and SSE-C, which answers say
			ConditionalPut:  true, // aws: user guide, conditional writes
		},
		{
			Name:            "minio",
			PathStyle:       true, // works without a wildcard DNS name
			EncodeKeys:      true, // tried: a key with U+0001 round-trips
			ListsAllUploads: true, // tried: a prefix that is not a whole key finds nothing
			SlowTokens:      true, // tried, and cmd/metacache-set.go: a token polls for a cache of 5,000 keys at 50 and 300 ms
			// Tried, and cmd/metacache-walk.go: start-after=d/x&max-keys=1000 counts
			// the keys d!… to d.… that come before it, and ends with them.
			EndsEarly: true,
			PathKeys:  true,   // tried: "/a" is taken for "a", "a//b" is refused
			Checksum:  CRC32C, // tried: a wrong one is refused, header and trailer
			// DeclareChecksum is off: with it UploadPartCopy is refused, and parts
			// are checked without it. Tried.
			ETagIsMD5:      true, // tried
			ConditionalPut: true, // tried
		},
		{
			// Any other store: only what all known ones can do.
			Name:      "s3",
			PathStyle: true,
			Checksum:  MD5, // Content-MD5 is as old as S3 itself
			ETagIsMD5: true,
		},
		{
			Name:       "jd", // virtual hosts, V2: vendor
			EncodeKeys: true,
			Checksum:   MD5,
			ETagIsMD5:  true,
		},
		{
			Name:       "jrss", // path style, S3 dialect: vendor
			PathStyle:  true,
			EncodeKeys: true,
			Checksum:   MD5,
			ETagIsMD5:  true,
		},
		{
			Name:      "qiniu",
			PathStyle: true, // rclone
			Checksum:  MD5,
			ETagIsMD5: true, // of whole objects; multipart ETags have a form of their own
			// EncodeKeys is off: listings are not URL-encoded, rclone
		},
		{
			Name:      "cos", // virtual hosts only for buckets since 2024: vendor
			ListV1:    true,  // rclone
			Checksum:  MD5,
			ETagIsMD5: true,
			MinPart:   mib, // vendor
		},
		{
			Name:      "obs",
			ListV1:    true, // rclone, juicefs
			Checksum:  MD5,  // checksum trailers give XAmzContentSHA256Mismatch
			ETagIsMD5: true,
			MinPart:   100 * kib, // vendor
			// EncodeKeys is off: the marker of parallel file systems loops with it
		},
		{
			Name:       "ceph",
			PathStyle:  true, // rclone
			EncodeKeys: true,
			Checksum:   MD5, // releases before Reef reject checksum trailers
			ETagIsMD5:  true,
		},
	}
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
