package s3wire

import "net/http"

// Protocol is a family of stores that speak alike. Their requests are the same
// but for names and signatures.
type Protocol uint8

// The protocols.
const (
	S3    Protocol = iota // Amazon's, Signature Version 4
	OSS                   // Alibaba Cloud's own, signature version 4
	OSSV1                 // the same with its older signature, which names no region
)

// words are what a protocol names in its own way. Names of headers are in
// canonical form; "" is what a protocol does not have.
type words struct {
	prefix     string // of every header that is not HTTP's
	user       string // prefix of user metadata
	mtime      string
	class      string // storage class, in requests and answers
	tagging    string // tags of an object that is written
	tagCount   string // number of tags, in answers
	restored   string // state of a restore, in answers
	encryption string // how the store encrypts, in answers
	crc64      string // CRC64-ECMA of an object or a part, a decimal number, in answers

	ifAbsent   header // goes with a write that must replace nothing
	whole      header // goes with a request for a whole object
	ranged     header // goes with a request for a stretch
	retrieval  string // element around the tier of a restore
	emptyValue string // what follows the name of a query without a value

	maxKey       int    // bytes
	badStart     string // characters with which no key begins
	slash        bool   // the path of a bucket ends in one, as its signature wants it
	encodedToken bool   // continuation tokens are URL-encoded where keys are
}

// header is one that is always the same; without a name it is none.
type header struct {
	name  string
	value []string // must not be changed
}

func (f header) set(h http.Header) {
	if f.name != "" {
		h[f.name] = f.value
	}
}

// AWS: API reference of PutObject, GetObject and RestoreObject; a key has at
// most 1,024 bytes.
var amazon = words{
	prefix: "X-Amz-", user: "X-Amz-Meta-", mtime: "X-Amz-Meta-Mtime",
	class: "X-Amz-Storage-Class", tagging: "X-Amz-Tagging", tagCount: "X-Amz-Tagging-Count",
	restored: "X-Amz-Restore", encryption: "X-Amz-Server-Side-Encryption",
	ifAbsent: header{"If-None-Match", []string{"*"}},
	whole:    header{"X-Amz-Checksum-Mode", []string{"ENABLED"}}, retrieval: "GlacierJobParameters", emptyValue: "=",
	maxKey: 1024,
}

// OSS: API reference of PutObject, GetObject (x-oss-range-behavior: without it
// a range that is out of bounds is answered with the whole object) and
// RestoreObject; "Object naming conventions" for keys. The vendor's SDKs decode
// continuation tokens.
var alibaba = words{
	prefix: "X-Oss-", user: "X-Oss-Meta-", mtime: "X-Oss-Meta-Mtime",
	class: "X-Oss-Storage-Class", tagging: "X-Oss-Tagging", tagCount: "X-Oss-Tagging-Count",
	restored: "X-Oss-Restore", encryption: "X-Oss-Server-Side-Encryption", crc64: "X-Oss-Hash-Crc64ecma",
	ifAbsent: header{"X-Oss-Forbid-Overwrite", []string{"true"}},
	ranged:   header{"X-Oss-Range-Behavior", []string{"standard"}}, retrieval: "JobParameters",
	maxKey: 1023, badStart: `/\`, slash: true, encodedToken: true,
}

func (p Protocol) words() *words {
	if p == S3 {
		return &amazon
	}
	return &alibaba
}

// signer returns what signs the requests of a bucket. atHost says that the
// bucket is named by the host, not by the path.
func (p Protocol) signer(bucket string, atHost bool) signer {
	resource := ""
	if atHost {
		resource = "/" + bucket
	}
	switch p {
	case OSS:
		return newOSSv4(resource)
	case OSSV1:
		return &ossV1{resource: resource}
	}
	return newAWSv4()
}
