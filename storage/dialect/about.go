package dialect

// About is what people want to know of a provider besides its Row. Drivers do
// not read it. "" is not known, and said so nowhere by the vendor.
type About struct {
	Title       string   `json:"title"`                 // the vendor's name of it
	Endpoint    string   `json:"endpoint"`              // form of the host
	Example     string   `json:"example"`               // a URL
	Region      string   `json:"region"`                // its form, and what for
	Signatures  string   `json:"signatures"`            // that the store takes; drivers send AWS Signature Version 4
	PartETags   string   `json:"part_etags"`            // ETags of objects in parts
	Restore     string   `json:"restore"`               // of archived objects
	Rates       string   `json:"rates"`                 // requests that the vendor allows, and what it answers to more
	Environment []string `json:"environment,omitempty"` // variables of the vendor's own tools that are understood
	Notes       []string `json:"notes,omitempty"`       // traps
	Sources     []string `json:"sources,omitempty"`     // pages that say so
}

const (
	amazonForm  = "of Amazon's form: digest of digests, -PARTS"
	foreignForm = "not of Amazon's form; compared with nothing but themselves"
	v4Only      = "AWS Signature Version 4"
	v2AndV4     = "AWS Signature Version 2 and 4"
	noTrailers  = "refuses checksum trailers (aws-chunked): large objects are proven by the MD5 that the answer names"
	deleteMD5   = "DeleteObjects needs Content-MD5 there; deletes of sluice are single"
	dropsTags   = "tags are not kept"
)

// Describe returns what is known about a provider of the table.
func Describe(name string) (About, bool) {
	r, ok := Lookup(name)
	if !ok {
		return About{}, false
	}
	return abouts()[r.Name], true
}

func abouts() map[string]About {
	return map[string]About{
		"aws": {
			Title: "Amazon S3", Endpoint: "s3.REGION.amazonaws.com", Example: "https://s3.eu-west-1.amazonaws.com",
			Region: "the bucket's, such as eu-west-1", Signatures: v4Only, PartETags: amazonForm,
			Restore: "GLACIER minutes (Expedited) to 12 hours (Bulk), DEEP_ARCHIVE 12 to 48 hours",
			Rates:   "3,500 writes and 5,500 reads per second and prefix, then 503",
			Environment: []string{
				"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_CONFIG_FILE",
				"AWS_SHARED_CREDENTIALS_FILE", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE",
			},
			Notes: []string{
				"without keys of its own an endpoint uses the credential chain of the AWS tools",
				"Last-Modified of an object in parts is when its upload began",
			},
			Sources: []string{
				"https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html",
				"https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html",
				"https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects-retrieval-options.html",
			},
		},
		"minio": {
			Title: "MinIO", Endpoint: "HOST:PORT", Example: "https://minio.example.com:9000",
			Region: "any, unless the server was given one", Signatures: v2AndV4, PartETags: amazonForm,
			Notes: []string{
				"refuses keys that are no clean path (//, ., .., a leading /), and names of more than 255 bytes between slashes",
				"drops an Expires header that is no date",
				"tags are of ASCII letters, digits, blanks and + - . _ : / @ =",
			},
			Sources: []string{"https://docs.min.io/enterprise/aistor-object-store/developers/s3-api-compatibility"},
		},
		"s3": {
			Title: "any other S3-compatible store", Endpoint: "HOST[:PORT]", Example: "https://s3.example.com",
			Region: "us-east-1 unless the store says otherwise", Signatures: v4Only, PartETags: foreignForm,
			Notes: []string{
				"only what all known stores can do is used: no checksum trailers, no conditional writes, no tags, no storage classes",
				"keys with control characters may break a listing, which then fails: encoding-type is not asked for",
			},
		},
		"oss-s3": {
			Title: "Aliyun OSS, its S3-compatible side", Endpoint: "s3.oss-REGION.aliyuncs.com", Example: "https://s3.oss-cn-hangzhou.aliyuncs.com",
			Region: "such as cn-hangzhou", Signatures: v4Only, PartETags: foreignForm,
			Restore: "not among the operations of the S3 side: use the provider oss",
			Rates:   "10,000 requests per second and account (2,000 of sequential keys), then 503",
			Notes: []string{
				"the provider oss (native) keeps more: tags, CRC64 of every object, restores",
				"requests with the bucket in the path are refused (403 SecondLevelDomainForbidden)",
				"ListMultipartUploads is not among its operations: unfinished uploads of a killed task may stay behind",
				noTrailers, deleteMD5, dropsTags,
			},
			Sources: []string{
				"https://www.alibabacloud.com/help/en/oss/developer-reference/compatibility-with-amazon-s3",
				"https://www.alibabacloud.com/help/en/oss/support/0004-00000302",
			},
		},
		"jd": {
			Title: "JD Cloud object storage", Endpoint: "s3.REGION.jdcloud-oss.com", Example: "https://s3.cn-north-1.jdcloud-oss.com",
			Region: "such as cn-north-1", Signatures: v4Only, PartETags: amazonForm,
			Rates: "1,500 writes and 3,000 reads per second and bucket, then 503",
			Notes: []string{"REDUCED_REDUNDANCY is its class for infrequent access, in some regions", dropsTags},
			Sources: []string{
				"https://docs.jdcloud.com/en/object-storage-service/restrictions",
				"https://docs.jdcloud.com/en/object-storage-service/put-object-2",
			},
		},
		"jrss": {
			Title: "JRSS, a private store of JD", Endpoint: "HOST[:PORT]", Example: "http://jrss.example.com",
			Region: "us-east-1 unless the store says otherwise", Signatures: v4Only, PartETags: foreignForm,
			Notes: []string{dropsTags},
		},
		"qiniu": {
			Title: "Qiniu Kodo", Endpoint: "s3.REGION.qiniucs.com", Example: "https://s3.cn-east-1.qiniucs.com",
			Region: "such as cn-east-1", Signatures: v4Only, PartETags: foreignForm,
			Restore: "GLACIER minutes to hours, DEEP_ARCHIVE hours to half a day",
			Notes: []string{
				"the name of a bucket in S3 requests can differ from its Kodo name: see the bucket's page",
				"listings are not URL-encoded: keys with control characters may break one, which then fails", dropsTags,
			},
			Sources: []string{"https://developer.qiniu.com/kodo/4088/s3-access-domainname"},
		},
		"cos": {
			Title: "Tencent COS", Endpoint: "cos.REGION.myqcloud.com", Example: "https://cos.ap-guangzhou.myqcloud.com",
			Region: "such as ap-guangzhou", Signatures: v4Only, PartETags: foreignForm,
			Restore: "ARCHIVE minutes to hours, DEEP_ARCHIVE 12 to 48 hours",
			Rates:   "30,000 requests per second and bucket, then 503",
			Notes: []string{
				"a bucket is called NAME-APPID, such as photos-1250000000",
				"buckets made since 2024 are reached with the bucket in the host name only", deleteMD5, dropsTags,
			},
			Sources: []string{"https://www.tencentcloud.com/document/product/436/13653"},
		},
		"obs": {
			Title: "Huawei Cloud OBS", Endpoint: "obs.REGION.myhuaweicloud.com", Example: "https://obs.cn-north-4.myhuaweicloud.com",
			Region: "such as cn-north-4", Signatures: v2AndV4, PartETags: amazonForm,
			Restore: "GLACIER minutes (Expedited) to hours",
			Rates:   "6,000 writes per second and account, then 503",
			Notes: []string{
				"STANDARD_IA and GLACIER are what the vendor's console calls Infrequent Access (WARM) and Archive (COLD)",
				"parallel file systems list one page for ever if keys are to be encoded: they are not",
				noTrailers, deleteMD5, dropsTags,
			},
			Sources: []string{
				"https://support.huaweicloud.com/en-us/devg-obs/obs_06_0063.html",
				"https://support.huaweicloud.com/productdesc-obs/",
				"https://github.com/huaweicloud/huaweicloud-sdk-go-obs",
			},
		},
		"ceph": {
			Title: "Ceph Object Gateway", Endpoint: "HOST[:PORT]", Example: "https://rgw.example.com:8443",
			Region: "of the zone group; us-east-1 if it has none", Signatures: v2AndV4, PartETags: amazonForm,
			Notes: []string{"storage classes are named by who runs it: name one with --storage-class", noTrailers + " before release Reef"},
			Sources: []string{
				"https://docs.ceph.com/en/latest/radosgw/s3/",
				"https://docs.ceph.com/en/latest/radosgw/s3/objectops/",
			},
		},
		"r2": {
			Title: "Cloudflare R2", Endpoint: "ACCOUNT.r2.cloudflarestorage.com", Example: "https://0123456789abcdef.r2.cloudflarestorage.com",
			Region: "auto", Signatures: v4Only, PartETags: foreignForm,
			Rates: "one write per second and key, then 429",
			Notes: []string{
				"all parts but the last must be of one size, which those of sluice are",
				"an object in parts has a digest of digests only: no CRC of its bytes", dropsTags,
			},
			Sources: []string{
				"https://developers.cloudflare.com/r2/api/s3/api/",
				"https://developers.cloudflare.com/r2/api/s3/extensions/",
				"https://developers.cloudflare.com/r2/platform/limits/",
			},
		},
	}
}
