package matrix

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/sluice-sync/sluice/internal/s3fake"
	"github.com/sluice-sync/sluice/internal/servertest"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/minio"
	"github.com/sluice-sync/sluice/storage/s3"
)

// minioKind is a real MinIO behind the driver minio.
func minioKind(t *testing.T) kind {
	server := servertest.MinIO(t)
	row, _ := dialect.Lookup("minio")
	return kind{"minio", func(t *testing.T) place {
		bucket := server.Bucket(t)
		b, err := minio.Open(minio.Config{
			Endpoint: server.URL, AccessKey: server.AccessKey, SecretKey: server.SecretKey, Bucket: bucket, Dialect: row,
		})
		if err != nil {
			t.Fatal(err)
		}
		p := amazonPlace(server.URL, server.AccessKey, server.SecretKey, bucket, "")
		p.bucket, p.refuses = b, pathRefuses
		return p
	}}
}

// s3Kind is a double of Amazon's store behind the driver s3.
func s3Kind(t *testing.T) kind {
	like, _ := s3fake.Like("aws")
	server := s3fake.New(t, like)
	row, _ := dialect.Lookup("aws")
	row.PathStyle = true // the double has one address
	made := 0
	return kind{"s3", func(t *testing.T) place {
		made++
		bucket := fmt.Sprintf("bucket-%d", made)
		server.Bucket(bucket)
		b, err := s3.Open(s3.Config{
			AWS: s3.Static(server.URL(), "us-east-1", s3fake.AccessKey, s3fake.SecretKey, ""), Bucket: bucket, Dialect: row, Account: server.URL(),
		})
		if err != nil {
			t.Fatal(err)
		}
		p := amazonPlace(server.URL(), s3fake.AccessKey, s3fake.SecretKey, bucket, "STANDARD_IA")
		p.bucket, p.refuses = b, func(key string) bool {
			return !utf8.ValidString(key) || len(key) > 1024
		}
		return p
	}}
}

// pathRefuses tells which keys a MinIO cannot hold.
func pathRefuses(key string) bool {
	for name := range strings.SplitSeq(key, "/") {
		if name == "" || name == "." || name == ".." || len(name) > 255 {
			return true
		}
	}
	return !utf8.ValidString(key) || strings.Contains(key, "\x00") || len(key) > 1024
}

// amazonPlace fills and reads a bucket by plain calls of Amazon's SDK.
func amazonPlace(endpoint, access, secret, bucket, rare string) place {
	api := awss3.NewFromConfig(s3.Static(endpoint, "us-east-1", access, secret, ""), func(o *awss3.Options) {
		o.UsePathStyle = true
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	ctx := context.Background()
	return place{
		holds: holds{headers: true, tags: true, rare: rare},
		put: func(o object) error {
			in := &awss3.PutObjectInput{Bucket: &bucket, Key: &o.key, Body: bytes.NewReader(o.body), Metadata: map[string]string{}}
			for to, v := range map[**string]string{
				&in.ContentType: o.contentType, &in.ContentEncoding: o.encoding, &in.ContentLanguage: o.language,
				&in.ContentDisposition: o.disposition, &in.CacheControl: o.cache,
			} {
				if v != "" {
					*to = aws.String(v)
				}
			}
			if t, err := time.Parse(time.RFC1123, o.expires); err == nil {
				in.Expires = &t
			}
			for k, v := range o.user {
				in.Metadata[k] = encodeWord(v)
			}
			in.Metadata["mtime"] = fmt.Sprintf("%d.%09d", o.mtime.Unix(), o.mtime.Nanosecond())
			if tags := tagQuery(o.tags); tags != "" {
				in.Tagging = &tags
			}
			if o.rare && rare != "" {
				in.StorageClass = types.StorageClass(rare)
			}
			_, err := api.PutObject(ctx, in)
			return err
		},
		get: func(key string) (o object, err error) {
			out, err := api.GetObject(ctx, &awss3.GetObjectInput{Bucket: &bucket, Key: &key})
			if err != nil {
				return o, err
			}
			o = object{
				contentType: aws.ToString(out.ContentType), encoding: aws.ToString(out.ContentEncoding), language: aws.ToString(out.ContentLanguage),
				disposition: aws.ToString(out.ContentDisposition), cache: aws.ToString(out.CacheControl), expires: aws.ToString(out.ExpiresString),
				user: map[string]string{}, rare: rare != "" && string(out.StorageClass) == rare,
			}
			for k, v := range out.Metadata {
				o.user[strings.ToLower(k)] = decodeWord(v)
			}
			o.mtime = takeTime(o.user)
			if o.body, err = io.ReadAll(out.Body); err != nil {
				return o, err
			}
			tags, err := api.GetObjectTagging(ctx, &awss3.GetObjectTaggingInput{Bucket: &bucket, Key: &key})
			if err != nil {
				return o, err
			}
			for _, tag := range tags.TagSet {
				if o.tags == nil {
					o.tags = map[string]string{}
				}
				o.tags[*tag.Key] = *tag.Value
			}
			return o, nil
		},
		remove: func(key string) error {
			_, err := api.DeleteObject(ctx, &awss3.DeleteObjectInput{Bucket: &bucket, Key: &key})
			return err
		},
	}
}

func tagQuery(tags map[string]string) string {
	q := url.Values{}
	for k, v := range tags {
		q.Set(k, v)
	}
	return q.Encode()
}

// takeTime reads the time of the original in rclone's form, and takes it off
// the rest.
func takeTime(user map[string]string) time.Time {
	v := user["mtime"]
	delete(user, "mtime")
	whole, frac, _ := strings.Cut(v, ".")
	s, err := strconv.ParseInt(whole, 10, 64)
	ns, err2 := strconv.ParseInt((frac + "000000000")[:9], 10, 64)
	if err != nil || err2 != nil {
		return time.Time{}
	}
	return time.Unix(s, ns)
}

// encodeWord and decodeWord are the form in which S3 stores return what is not ASCII.
func encodeWord(v string) string { return mime.BEncoding.Encode("utf-8", v) }

func decodeWord(v string) string {
	if !strings.Contains(v, "=?") {
		return v
	}
	d, err := new(mime.WordDecoder).DecodeHeader(v)
	if err != nil {
		return v
	}
	return d
}
