package ossfake

import (
	"net/http"
	"slices"
)

// Op is an operation of OSS's API, by the name that the reference gives it.
type Op string

// The operations that are served.
const (
	ListBuckets             Op = "ListBuckets"
	PutBucket               Op = "PutBucket"
	DeleteBucket            Op = "DeleteBucket"
	GetBucketInfo           Op = "GetBucketInfo"
	GetBucketLocation       Op = "GetBucketLocation"
	ListObjects             Op = "ListObjects"
	ListObjectsV2           Op = "ListObjectsV2"
	DeleteMultipleObjects   Op = "DeleteMultipleObjects"
	ListMultipartUploads    Op = "ListMultipartUploads"
	PutObject               Op = "PutObject"
	CopyObject              Op = "CopyObject"
	AppendObject            Op = "AppendObject"
	GetObject               Op = "GetObject"
	HeadObject              Op = "HeadObject"
	GetObjectMeta           Op = "GetObjectMeta"
	DeleteObject            Op = "DeleteObject"
	RestoreObject           Op = "RestoreObject"
	PutObjectACL            Op = "PutObjectACL"
	GetObjectACL            Op = "GetObjectACL"
	PutObjectTagging        Op = "PutObjectTagging"
	GetObjectTagging        Op = "GetObjectTagging"
	DeleteObjectTagging     Op = "DeleteObjectTagging"
	InitiateMultipartUpload Op = "InitiateMultipartUpload"
	UploadPart              Op = "UploadPart"
	UploadPartCopy          Op = "UploadPartCopy"
	ListParts               Op = "ListParts"
	CompleteMultipartUpload Op = "CompleteMultipartUpload"
	AbortMultipartUpload    Op = "AbortMultipartUpload"
)

// level is what a request names.
type level int

const (
	service level = iota
	ofBucket
	ofObject
)

// route leads requests to an operation.
type route struct {
	method string
	level  level
	sub    string // the parameter that selects it; "": none
	header string // the header that selects it; "": none
	op     Op
	serve  func(*Server, *call) error
}

const copySource = "X-Oss-Copy-Source"

// routes are tried in this order.
var routes = []route{
	{"GET", service, "", "", ListBuckets, (*Server).listBuckets},

	{"PUT", ofBucket, "", "", PutBucket, (*Server).putBucket},
	{"DELETE", ofBucket, "", "", DeleteBucket, (*Server).deleteBucket},
	{"POST", ofBucket, "delete", "", DeleteMultipleObjects, (*Server).deleteObjects},
	{"GET", ofBucket, "bucketInfo", "", GetBucketInfo, (*Server).bucketInfo},
	{"GET", ofBucket, "location", "", GetBucketLocation, (*Server).bucketLocation},
	{"GET", ofBucket, "uploads", "", ListMultipartUploads, (*Server).listUploads},
	{"GET", ofBucket, "list-type", "", ListObjectsV2, (*Server).listV2},
	{"GET", ofBucket, "", "", ListObjects, (*Server).listV1},

	{"PUT", ofObject, "acl", "", PutObjectACL, (*Server).putACL},
	{"PUT", ofObject, "tagging", "", PutObjectTagging, (*Server).putTagging},
	{"PUT", ofObject, "uploadId", copySource, UploadPartCopy, (*Server).copyPart},
	{"PUT", ofObject, "uploadId", "", UploadPart, (*Server).uploadPart},
	{"PUT", ofObject, "", copySource, CopyObject, (*Server).copyObject},
	{"PUT", ofObject, "", "", PutObject, (*Server).putObject},
	{"POST", ofObject, "append", "", AppendObject, (*Server).appendObject},
	{"POST", ofObject, "restore", "", RestoreObject, (*Server).restoreObject},
	{"POST", ofObject, "uploads", "", InitiateMultipartUpload, (*Server).initiate},
	{"POST", ofObject, "uploadId", "", CompleteMultipartUpload, (*Server).complete},
	{"GET", ofObject, "acl", "", GetObjectACL, (*Server).getACL},
	{"GET", ofObject, "tagging", "", GetObjectTagging, (*Server).getTagging},
	{"GET", ofObject, "uploadId", "", ListParts, (*Server).listParts},
	{"GET", ofObject, "", "", GetObject, (*Server).getObject},
	{"HEAD", ofObject, "objectMeta", "", GetObjectMeta, (*Server).objectMeta},
	{"HEAD", ofObject, "", "", HeadObject, (*Server).headObject},
	{"DELETE", ofObject, "tagging", "", DeleteObjectTagging, (*Server).deleteTagging},
	{"DELETE", ofObject, "uploadId", "", AbortMultipartUpload, (*Server).abort},
	{"DELETE", ofObject, "", "", DeleteObject, (*Server).deleteObject},
}

// selectors are the parameters that select an operation, those of routes and
// those that are not served: no request with one of them is taken for a plain one.
var selectors = []string{
	"acl", "append", "asyncFetch", "bucketInfo", "callback", "cname", "comp", "cors", "delete", "encryption",
	"inventory", "lifecycle", "live", "location", "logging", "metaQuery", "objectMeta", "policy", "qos", "referer",
	"replication", "requestPayment", "resourceGroup", "restore", "stat", "symlink", "tagging", "transferAcceleration",
	"uploadId", "uploads", "versionId", "versioning", "versions", "vod", "website", "worm", "x-oss-process",
}

func (c *call) route() (route, error) {
	at := service
	switch {
	case c.key != "":
		at = ofObject
	case c.bucket != "":
		at = ofBucket
	}
	plain := !slices.ContainsFunc(selectors, c.query.Has)
	for _, rt := range routes {
		if rt.method != c.r.Method || rt.level != at || rt.header != "" && c.header(rt.header) == "" {
			continue
		}
		if rt.sub != "" && c.query.Has(rt.sub) || rt.sub == "" && plain {
			return rt, nil
		}
	}
	return route{}, refuse(http.StatusNotImplemented, "NotImplemented", "the double does not serve this request")
}
