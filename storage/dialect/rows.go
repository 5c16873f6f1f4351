package dialect

import "github.com/sluice-sync/sluice/storage"

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

// s3Limits fills in those of Amazon S3, which the others copied where their row
// does not say otherwise: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html.
func s3Limits(r Row) Row {
	for limit, v := range map[*int64]int64{&r.MinPart: 5 * mib, &r.MaxPart: 5 * gib, &r.MaxPut: 5 * gib, &r.MaxCopy: 5 * gib} {
		if *limit == 0 {
			*limit = v
		}
	}
	r.MaxParts = 10_000
	return r
}

// rows returns the table. "Vendor" is the vendor's own page, which the About of
// the row names; "rclone" is backend/s3/provider/*.yaml of rclone 1.76, "juicefs"
// pkg/object of juicefs; "tried" is what a test of this project sees on MinIO.
// What nobody vouches for is off: a driver then does without.
func rows() []Row {
	return []Row{
		aws(), minio(),
		{
			// Any other store: only what all known ones can do.
			Name:      "s3",
			PathStyle: true, // rclone (Other)
			Checksum:  MD5,  // Content-MD5 is as old as S3 itself
			ETagIsMD5: true,
		},
		{
			// The S3-compatible side of Aliyun OSS; its native one has a driver of its own.
			Name:        "oss-s3",
			VirtualOnly: true, // vendor: requests in path style are denied (403 SecondLevelDomainForbidden)
			EncodeKeys:  true,
			Checksum:    MD5,       // aws-chunked bodies, and so trailers, are refused: juicefs (oss), rclone (Alibaba)
			ETagIsMD5:   true,      // of whole objects, in capitals: vendor
			MinPart:     100 * kib, // vendor: limits of multipart upload
			// Tags are off: no tagging among the operations of the vendor's page.
			// So is ListMultipartUploads, for which there is no way around.
			Classes: []storage.Class{ // vendor: storage classes, as S3 requests name them; rclone (Alibaba)
				{Name: "STANDARD", Tier: storage.TierStandard},
				{Name: "STANDARD_IA", Tier: storage.TierInfrequent},
				{Name: "GLACIER", Tier: storage.TierArchive},
			},
		},
		{
			Name:       "jd", // virtual hosts, V2: vendor
			EncodeKeys: true,
			Checksum:   MD5, // vendor: PutObject
			ETagIsMD5:  true,
			Classes: []storage.Class{ // vendor: PutObject; the second is "low frequency access", in some regions
				{Name: "STANDARD", Tier: storage.TierStandard},
				{Name: "REDUCED_REDUNDANCY", Tier: storage.TierInfrequent},
			},
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
			Classes: []storage.Class{ // vendor; rclone lists all but GLACIER_IR
				{Name: "STANDARD", Tier: storage.TierStandard},
				{Name: "LINE", Tier: storage.TierInfrequent},
				{Name: "GLACIER_IR", Tier: storage.TierInstant},
				{Name: "GLACIER", Tier: storage.TierArchive},
				{Name: "DEEP_ARCHIVE", Tier: storage.TierDeep},
			},
		},
		{
			Name:      "cos", // virtual hosts only for buckets since 2024: vendor
			ListV1:    true,  // rclone
			Checksum:  MD5,
			ETagIsMD5: true, // of whole objects: rclone (use_multipart_etag: false)
			MinPart:   mib,  // vendor
			Classes: []storage.Class{ // rclone; vendor: storage classes
				{Name: "STANDARD", Tier: storage.TierStandard},
				{Name: "INTELLIGENT_TIERING", Tier: storage.TierStandard},
				{Name: "STANDARD_IA", Tier: storage.TierInfrequent},
				{Name: "ARCHIVE", Tier: storage.TierArchive},
				{Name: "DEEP_ARCHIVE", Tier: storage.TierDeep},
			},
		},
		{
			Name:      "obs",
			ListV1:    true, // rclone, juicefs
			Checksum:  MD5,  // checksum trailers give XAmzContentSHA256Mismatch
			ETagIsMD5: true,
			MinPart:   100 * kib, // vendor
			// EncodeKeys is off: the marker of parallel file systems loops with it, rclone
			Classes: []storage.Class{ // the vendor's SDK for Go: what it calls WARM and COLD in requests of the form of S3
				{Name: "STANDARD", Tier: storage.TierStandard},
				{Name: "STANDARD_IA", Tier: storage.TierInfrequent},
				{Name: "GLACIER", Tier: storage.TierArchive},
			},
		},
		{
			Name:       "ceph",
			PathStyle:  true, // rclone
			EncodeKeys: true, // and V2: since Nautilus (2019)
			Checksum:   MD5,  // releases before Reef reject checksum trailers
			ETagIsMD5:  true,
			Tags:       true, // vendor: S3 object operations, Get and Put Object Tagging
			// Classes are named by who runs it (placement targets).
		},
		{
			Name:         "r2",
			PathStyle:    true, // rclone
			EncodeKeys:   true,
			Checksum:     MD5,  // CRC32C is kept, but of objects in parts only as a digest of digests: vendor
			ETagIsMD5:    true, // of whole objects; those of objects in parts are random: rclone
			PutIfAbsent:  true, // vendor: extensions, conditional operations in PutObject
			PutIfVersion: true, // likewise
			// Tags are off: x-amz-tagging is not implemented, vendor.
			MaxPut:  5*gib - 5*mib, // vendor: limits
			MaxPart: 5*gib - 5*mib,
			MaxCopy: 5*gib - 5*mib,
			Classes: []storage.Class{ // vendor: storage classes
				{Name: "STANDARD", Tier: storage.TierStandard},
				{Name: "STANDARD_IA", Tier: storage.TierInfrequent},
			},
		},
	}
}

func aws() Row {
	return Row{
		Name:       "aws",
		EncodeKeys: true,   // API reference of ListObjectsV2, EncodingType
		Checksum:   CRC32C, // user guide, checking object integrity
		// Parts with a checksum that was not declared are refused: same page.
		DeclareChecksum: true,
		ETagIsMD5:       true, // API reference of Object; not under SSE-KMS and SSE-C, which answers say
		PutIfAbsent:     true, // user guide, conditional writes
		PutIfVersion:    true, // likewise
		Tags:            true, // API reference of PutObject, x-amz-tagging
		Classes: []storage.Class{ // user guide, storage classes
			{Name: "STANDARD", Tier: storage.TierStandard},
			{Name: "REDUCED_REDUNDANCY", Tier: storage.TierStandard},
			{Name: "INTELLIGENT_TIERING", Tier: storage.TierStandard},
			{Name: "STANDARD_IA", Tier: storage.TierInfrequent},
			{Name: "ONEZONE_IA", Tier: storage.TierInfrequent},
			{Name: "GLACIER_IR", Tier: storage.TierInstant},
			{Name: "GLACIER", Tier: storage.TierArchive},
			{Name: "DEEP_ARCHIVE", Tier: storage.TierDeep},
		},
	}
}

func minio() Row {
	return Row{
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
		ETagIsMD5:    true, // tried
		PutIfAbsent:  true, // tried
		PutIfVersion: true, // likewise
		Tags:         true, // tried: of letters, digits, blanks and + - . _ : / @ = only
		Classes: []storage.Class{ // tried: any other is refused with InvalidStorageClass
			{Name: "STANDARD", Tier: storage.TierStandard},
			{Name: "REDUCED_REDUNDANCY", Tier: storage.TierStandard},
		},
	}
}
