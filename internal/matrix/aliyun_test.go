package matrix

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	sdk "github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-sync/sluice/storage/oss"
	"github.com/sluice-sync/sluice/storage/oss/ossfake"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// ossKind is a double of OSS behind the driver oss.
func ossKind(t *testing.T) kind {
	server := ossfake.Start(t, ossfake.Options{NoV1: true})
	made := 0
	return kind{"oss", func(t *testing.T) place {
		made++
		return ossAt(t, server, fmt.Sprintf("bucket-%d", made))
	}}
}

// ossAt is a new bucket of a double.
func ossAt(t *testing.T, server *ossfake.Server, bucket string) place {
	server.CreateBucket(bucket, "")
	b, err := oss.Open(oss.Config{
		Endpoint: server.URL, Region: "cn-hangzhou", Bucket: bucket, Account: "AK",
		Keys: s3wire.StaticKeys(s3wire.Keys{Access: "AK", Secret: "SK"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	api, err := sdk.New(server.URL, "AK", "SK", sdk.AuthVersion(sdk.AuthV4), sdk.Region("cn-hangzhou"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := api.Bucket(bucket)
	if err != nil {
		t.Fatal(err)
	}
	p := aliyunPlace(own)
	p.bucket = b
	return p
}

// aliyunPlace fills and reads a bucket by plain calls of Alibaba Cloud's SDK.
func aliyunPlace(b *sdk.Bucket) place {
	return place{
		holds: holds{headers: true, tags: true, rare: "IA"},
		refuses: func(key string) bool {
			return !utf8.ValidString(key) || len(key) > 1023 || strings.HasPrefix(key, "/") || strings.HasPrefix(key, `\`)
		},
		put: func(o object) error {
			var options []sdk.Option
			for name, v := range map[string]string{
				"Content-Type": o.contentType, "Content-Encoding": o.encoding, "Content-Language": o.language,
				"Content-Disposition": o.disposition, "Cache-Control": o.cache, "Expires": o.expires,
			} {
				if v != "" {
					options = append(options, sdk.SetHeader(name, v))
				}
			}
			for k, v := range o.user {
				options = append(options, sdk.Meta(k, encodeWord(v)))
			}
			options = append(options, sdk.Meta("mtime", fmt.Sprintf("%d.%09d", o.mtime.Unix(), o.mtime.Nanosecond())))
			if len(o.tags) > 0 {
				var t sdk.Tagging
				for k, v := range o.tags {
					t.Tags = append(t.Tags, sdk.Tag{Key: k, Value: v})
				}
				options = append(options, sdk.SetTagging(t))
			}
			if o.rare {
				options = append(options, sdk.ObjectStorageClass(sdk.StorageIA))
			}
			return b.PutObject(o.key, bytes.NewReader(o.body), options...)
		},
		get: func(key string) (o object, err error) {
			out, err := b.DoGetObject(&sdk.GetObjectRequest{ObjectKey: key}, []sdk.Option{sdk.AcceptEncoding("identity")})
			if err != nil {
				return o, err
			}
			defer out.Response.Body.Close()
			h := out.Response.Headers
			o = object{
				contentType: h.Get("Content-Type"), encoding: h.Get("Content-Encoding"), language: h.Get("Content-Language"),
				disposition: h.Get("Content-Disposition"), cache: h.Get("Cache-Control"), expires: h.Get("Expires"),
				user: map[string]string{}, rare: h.Get("X-Oss-Storage-Class") == "IA",
			}
			for name, v := range h {
				if own, ok := strings.CutPrefix(http.CanonicalHeaderKey(name), "X-Oss-Meta-"); ok {
					o.user[strings.ToLower(own)] = decodeWord(v[0])
				}
			}
			o.mtime = takeTime(o.user)
			if o.body, err = io.ReadAll(out.Response.Body); err != nil {
				return o, err
			}
			tags, err := b.GetObjectTagging(key)
			if err != nil {
				return o, err
			}
			for _, t := range tags.Tags {
				if o.tags == nil {
					o.tags = map[string]string{}
				}
				o.tags[t.Key] = t.Value
			}
			return o, nil
		},
		remove: func(key string) error { return b.DeleteObject(key) },
		uploads: func() (int, error) {
			r, err := b.ListMultipartUploads()
			return len(r.Uploads), err
		},
	}
}
