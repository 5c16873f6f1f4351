package ossfake_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-sync/sluice/storage/oss/ossfake"
)

// TestSDK drives the double with Aliyun's SDK, with both signatures and both
// ways of addressing.
func TestSDK(t *testing.T) {
	for _, auth := range []oss.AuthVersionType{oss.AuthV1, oss.AuthV4} {
		for _, virtual := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s virtual=%v", auth, virtual), func(t *testing.T) {
				s := ossfake.Start(t, ossfake.Options{NoV1: auth == oss.AuthV4, NoV4: auth == oss.AuthV1})
				c := client(t, s.URL, oss.AuthVersion(auth))
				if virtual {
					c = client(t, "http://oss-cn-hangzhou.aliyuncs.com", oss.AuthVersion(auth), dialing(t, s))
				}
				buckets(t, c)
				b := must(c.Bucket(bkt))(t)
				objects(t, b)
				signedURLs(t, b)
				listings(t, b)
				uploads(t, b)
				copies(t, b)
				tags(t, b)
				deletes(t, c, b)
			})
		}
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks that an error is the service's, of that code.
func refused(t *testing.T, err error, code string) {
	t.Helper()
	var se oss.ServiceError
	if !errors.As(err, &se) || se.Code != code {
		t.Errorf("error %v, want code %s", err, code)
	}
}

func buckets(t *testing.T, c *oss.Client) {
	ok(t, c.CreateBucket(bkt))
	ok(t, c.CreateBucket("bucket-ia", oss.StorageClass(oss.StorageIA)))
	refused(t, c.CreateBucket(bkt), "BucketAlreadyExists")
	list := must(c.ListBuckets(oss.MaxKeys(1)))(t)
	if len(list.Buckets) != 1 || list.Buckets[0].Name != "bucket-ia" || !list.IsTruncated {
		t.Errorf("listed %+v", list)
	}
	list = must(c.ListBuckets(oss.Marker(list.NextMarker)))(t)
	if len(list.Buckets) != 1 || list.Buckets[0].Name != bkt || list.IsTruncated {
		t.Errorf("listed %+v", list)
	}
	equal(t, "existence", must(c.IsBucketExist("nobucket"))(t), false)
	equal(t, "class", must(c.GetBucketInfo("bucket-ia"))(t).BucketInfo.StorageClass, "IA")
	equal(t, "location", must(c.GetBucketLocation(bkt))(t), "oss-cn-hangzhou")
	_, err := c.GetBucketLocation("nobucket")
	refused(t, err, "NoSuchBucket")
}

func read(t *testing.T, r io.ReadCloser) string {
	t.Helper()
	defer r.Close()
	return string(must(io.ReadAll(r))(t))
}

func objects(t *testing.T, b *oss.Bucket) {
	const key = "中文/a b+c%20&=?#.txt"
	ok(t, b.PutObject(key, strings.NewReader("0123456789"), oss.Meta("Owner", "li"), oss.ContentType("text/x"),
		oss.CacheControl("no-cache"), oss.ContentEncoding("br"), oss.ContentDisposition("attachment"),
		oss.ContentLanguage("zh"), oss.Expires(time.Unix(2e9, 0)), oss.ObjectStorageClass(oss.StorageIA)))
	equal(t, "bytes", read(t, must(b.GetObject(key))(t)), "0123456789")
	equal(t, "range", read(t, must(b.GetObject(key, oss.Range(2, 4)))(t)), "234")
	h := must(b.GetObjectDetailedMeta(key))(t)
	for name, value := range map[string]string{
		"X-Oss-Meta-Owner": "li", "Content-Type": "text/x", "Cache-Control": "no-cache", "Content-Encoding": "br",
		"Content-Disposition": "attachment", "Content-Language": "zh", "Expires": "Wed, 18 May 2033 03:33:20 GMT",
		"X-Oss-Storage-Class": "IA", "X-Oss-Object-Type": "Normal", "Etag": `"781E5E245D69B566979B86E28D23F2C7"`,
		"Content-Md5": "eB5eJF1ptWaXm4bijSPyxw==", "Content-Length": "10",
		"X-Oss-Hash-Crc64ecma": fmt.Sprint(crc64.Checksum([]byte("0123456789"), crc64.MakeTable(crc64.ECMA))),
	} {
		equal(t, name, h.Get(name), value)
	}
	meta := must(b.GetObjectMeta(key))(t)
	equal(t, "ETag", meta.Get("Etag"), h.Get("Etag"))
	equal(t, "class in ?objectMeta", meta.Get("X-Oss-Storage-Class"), "")
	equal(t, "existence", must(b.IsObjectExist("none"))(t), false)
	refused(t, b.PutObject(key, strings.NewReader("x"), oss.ForbidOverWrite(true)), "FileAlreadyExists")
	_, err := b.GetObjectDetailedMeta("none")
	refused(t, err, "NoSuchKey")

	p := must(b.AppendObject("app", strings.NewReader("one"), 0))(t)
	equal(t, "position", must(b.AppendObject("app", strings.NewReader("two"), p))(t), 6)
	_, err = b.AppendObject("app", strings.NewReader("two"), 3)
	refused(t, err, "PositionNotEqualToLength")
	_, err = b.AppendObject(key, strings.NewReader("two"), 10)
	refused(t, err, "ObjectNotAppendable")
	equal(t, "appended", read(t, must(b.GetObject("app"))(t)), "onetwo")
	ok(t, b.SetObjectACL("app", oss.ACLPublicRead))
	equal(t, "ACL", must(b.GetObjectACL("app"))(t).ACL, "public-read")
}

func signedURLs(t *testing.T, b *oss.Bucket) {
	ok(t, b.PutObjectWithURL(must(b.SignURL("s/k", oss.HTTPPut, 60, oss.ContentType("text/x")))(t), strings.NewReader("signed"),
		oss.ContentType("text/x")))
	url := must(b.SignURL("s/k", oss.HTTPGet, 60))(t)
	equal(t, "bytes", read(t, must(b.GetObjectWithURL(url))(t)), "signed")
	_, err := b.GetObjectWithURL(strings.Replace(url, "s%2Fk", "app", 1))
	refused(t, err, "SignatureDoesNotMatch")
	url = must(b.SignURL("s/k", oss.HTTPHead, 60))(t)
	_, err = b.GetObjectWithURL(url)
	refused(t, err, "SignatureDoesNotMatch")
}

func listings(t *testing.T, b *oss.Bucket) {
	for _, k := range []string{"l/a", "l/a-b", "l/a/b", "l/a/c", "l/a0", "l/中"} {
		ok(t, b.PutObject(k, strings.NewReader(k)))
	}
	all := "l/a l/a-b l/a/b l/a/c l/a0 l/中"
	var v1, v2 []string
	for marker, more := "", true; more; {
		r := must(b.ListObjects(oss.Prefix("l/"), oss.MaxKeys(2), oss.Marker(marker)))(t)
		for _, o := range r.Objects {
			v1 = append(v1, o.Key)
		}
		marker, more = r.NextMarker, r.IsTruncated
	}
	for token, more := "", true; more; {
		r := must(b.ListObjectsV2(oss.Prefix("l/"), oss.MaxKeys(2), oss.ContinuationToken(token)))(t)
		for _, o := range r.Objects {
			v2 = append(v2, o.Key)
		}
		token, more = r.NextContinuationToken, r.IsTruncated
	}
	equal(t, "V1", strings.Join(v1, " "), all)
	equal(t, "V2", strings.Join(v2, " "), all)
	r := must(b.ListObjects(oss.Prefix("l/"), oss.Delimiter("/")))(t)
	equal(t, "common prefixes", strings.Join(r.CommonPrefixes, " "), "l/a/")
	equal(t, "keys beside them", len(r.Objects), 4)
}

func uploads(t *testing.T, b *oss.Bucket) {
	im := must(b.InitiateMultipartUpload("mp/中", oss.Meta("k", "v"), oss.ObjectStorageClass(oss.StorageIA)))(t)
	one, two := bytes.Repeat([]byte("a"), 100<<10), []byte("tail")
	parts := []oss.UploadPart{
		must(b.UploadPart(im, bytes.NewReader(one), int64(len(one)), 1))(t),
		must(b.UploadPart(im, bytes.NewReader(two), int64(len(two)), 7))(t),
	}
	equal(t, "parts", len(must(b.ListUploadedParts(im))(t).UploadedParts), 2)
	list := must(b.ListMultipartUploads(oss.Prefix("mp/")))(t)
	if len(list.Uploads) != 1 || list.Uploads[0].Key != "mp/中" || list.Uploads[0].UploadID != im.UploadID {
		t.Errorf("uploads %+v", list.Uploads)
	}
	done := must(b.CompleteMultipartUpload(im, parts))(t)
	equal(t, "bytes", read(t, must(b.GetObject("mp/中"))(t)), string(one)+"tail")
	h := must(b.GetObjectDetailedMeta("mp/中"))(t)
	equal(t, "ETag", h.Get("Etag"), done.ETag)
	equal(t, "form of the ETag", strings.HasSuffix(done.ETag, `-2"`) && strings.ToUpper(done.ETag) == done.ETag, true)
	equal(t, "type", h.Get("X-Oss-Object-Type"), "Multipart")
	equal(t, "class", h.Get("X-Oss-Storage-Class"), "IA")
	equal(t, "metadata", h.Get("X-Oss-Meta-K"), "v")
	equal(t, "CRC", h.Get("X-Oss-Hash-Crc64ecma"),
		fmt.Sprint(crc64.Checksum(append(one, two...), crc64.MakeTable(crc64.ECMA))))

	im = must(b.InitiateMultipartUpload("mp/copy"))(t)
	p := must(b.UploadPartCopy(im, bkt, "mp/中", 100<<10-2, 4, 1))(t)
	must(b.CompleteMultipartUpload(im, []oss.UploadPart{p}))(t)
	equal(t, "copied range", read(t, must(b.GetObject("mp/copy"))(t)), "aata")
	im = must(b.InitiateMultipartUpload("mp/gone"))(t)
	ok(t, b.AbortMultipartUpload(im))
	refused(t, b.AbortMultipartUpload(im), "NoSuchUpload")
}

func copies(t *testing.T, b *oss.Bucket) {
	ok(t, b.PutObject("c/src +", strings.NewReader("source"), oss.Meta("k", "v")))
	must(b.CopyObject("c/src +", "c/dst"))(t)
	equal(t, "bytes", read(t, must(b.GetObject("c/dst"))(t)), "source")
	equal(t, "metadata", must(b.GetObjectDetailedMeta("c/dst"))(t).Get("X-Oss-Meta-K"), "v")
	must(b.CopyObject("c/src +", "c/dst", oss.MetadataDirective(oss.MetaReplace), oss.Meta("n", "w")))(t)
	h := must(b.GetObjectDetailedMeta("c/dst"))(t)
	equal(t, "metadata", h.Get("X-Oss-Meta-K")+h.Get("X-Oss-Meta-N"), "w")
	_, err := b.CopyObject("c/src +", "c/dst", oss.CopySourceIfMatch("other"))
	refused(t, err, "PreconditionFailed")
	must(b.CopyObjectTo("bucket-ia", "k", "c/dst"))(t)
	must(b.CopyObject("c/dst", "c/arch", oss.ObjectStorageClass(oss.StorageArchive)))(t)
	_, err = b.GetObject("c/arch")
	refused(t, err, "InvalidObjectState")
	ok(t, b.RestoreObject("c/arch"))
	refused(t, b.RestoreObject("c/arch"), "RestoreAlreadyInProgress")
	equal(t, "restore", must(b.GetObjectDetailedMeta("c/arch"))(t).Get("X-Oss-Restore"), `ongoing-request="true"`)
}

func tags(t *testing.T, b *oss.Bucket) {
	two := oss.Tagging{Tags: []oss.Tag{{Key: "a&b", Value: "1 2"}, {Key: "中", Value: ""}}}
	ok(t, b.PutObject("t/k", strings.NewReader("x"), oss.SetTagging(two)))
	equal(t, "count", must(b.GetObjectDetailedMeta("t/k"))(t).Get("X-Oss-Tagging-Count"), "2")
	got := must(b.GetObjectTagging("t/k"))(t).Tags
	if len(got) != 2 || got[0].Key != "a&b" || got[0].Value != "1 2" || got[1].Key != "中" {
		t.Errorf("tags %+v", got)
	}
	must(b.CopyObject("t/k", "t/copy"))(t)
	equal(t, "tags of a copy", len(must(b.GetObjectTagging("t/copy"))(t).Tags), 2)
	ok(t, b.PutObjectTagging("t/k", oss.Tagging{Tags: two.Tags[:1]}))
	equal(t, "tags", len(must(b.GetObjectTagging("t/k"))(t).Tags), 1)
	ok(t, b.DeleteObjectTagging("t/k"))
	equal(t, "tags", len(must(b.GetObjectTagging("t/k"))(t).Tags), 0)
	refused(t, b.DeleteObjectTagging("none"), "NoSuchKey")
}

func deletes(t *testing.T, c *oss.Client, b *oss.Bucket) {
	refused(t, c.DeleteBucket(bkt), "BucketNotEmpty")
	ok(t, b.DeleteObject("never there"))
	gone := must(b.DeleteObjects([]string{"l/a", "l/中", "never there"}))(t).DeletedObjects
	equal(t, "deleted", strings.Join(gone, ","), "l/a,l/中,never there")
	equal(t, "deleted quietly", len(must(b.DeleteObjects([]string{"l/a0"}, oss.DeleteObjectsQuiet(true)))(t).DeletedObjects), 0)
	equal(t, "existence", must(b.IsObjectExist("l/a0"))(t), false)
	var keys []string
	for _, o := range must(b.ListObjects())(t).Objects {
		keys = append(keys, o.Key)
	}
	must(b.DeleteObjects(keys))(t)
	ok(t, c.DeleteBucket(bkt))
	refused(t, c.DeleteBucket(bkt), "NoSuchBucket")
}

// TestConcurrentReaders: a reader sees one version to its end while the object
// is overwritten.
func TestConcurrentReaders(t *testing.T) {
	s, _ := start(t, ossfake.Options{})
	b := must(client(t, s.URL).Bucket(bkt))(t)
	body := func(i int) string { return strings.Repeat(string(rune('a'+i%8)), 256<<10) }
	ok(t, b.PutObject("k", strings.NewReader(body(0))))
	done := make(chan error, 4)
	for w := range 4 {
		go func() {
			for i := range 8 {
				if w == 0 {
					if err := b.PutObject("k", strings.NewReader(body(i))); err != nil {
						done <- err
						return
					}
					continue
				}
				r, err := b.DoGetObject(&oss.GetObjectRequest{ObjectKey: "k"}, nil)
				if err != nil {
					done <- err
					return
				}
				data, err := io.ReadAll(r.Response)
				r.Response.Close()
				if err == nil && fmt.Sprint(crc64.Checksum(data, crc64.MakeTable(crc64.ECMA))) != r.Response.Headers.Get("X-Oss-Hash-Crc64ecma") {
					err = errors.New("bytes of two versions")
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 4 {
		ok(t, <-done)
	}
	equal(t, "puts", s.Counts()[ossfake.PutObject], 9)
}
