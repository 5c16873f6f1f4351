package s3fake_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/sluice-sync/sluice/internal/s3fake"
	"github.com/sluice-sync/sluice/storage"
)

// TestSignatures: who does not know the secret, or changes what was signed, is
// refused.
func TestSignatures(t *testing.T) {
	server := s3fake.New(t, s3fake.Options{})
	server.Bucket("bucket")
	for name, c := range map[string]struct {
		access, secret, session string
		change                  func(*http.Request)
		says                    string
	}{
		"good":           {s3fake.AccessKey, s3fake.SecretKey, "", nil, ""},
		"unknown key":    {"nobody", s3fake.SecretKey, "", nil, "InvalidAccessKeyId"},
		"wrong secret":   {s3fake.AccessKey, "wrong", "", nil, "SignatureDoesNotMatch"},
		"a token":        {s3fake.AccessKey, s3fake.SecretKey, "token", nil, "InvalidToken"},
		"another path":   {s3fake.AccessKey, s3fake.SecretKey, "", func(r *http.Request) { r.URL.Path = "/bucket/other" }, "SignatureDoesNotMatch"},
		"another query":  {s3fake.AccessKey, s3fake.SecretKey, "", func(r *http.Request) { r.URL.RawQuery = "x=y" }, "SignatureDoesNotMatch"},
		"another method": {s3fake.AccessKey, s3fake.SecretKey, "", func(r *http.Request) { r.Method = http.MethodDelete }, "SignatureDoesNotMatch"},
		"another header": {s3fake.AccessKey, s3fake.SecretKey, "", func(r *http.Request) { r.Header.Set("X-Amz-Meta-A", "2") }, "SignatureDoesNotMatch"},
		"another time": {s3fake.AccessKey, s3fake.SecretKey, "", func(r *http.Request) {
			at := time.Now().UTC().Add(-20 * time.Minute)
			if at.Day() != time.Now().UTC().Day() { // the scope names the day
				at = at.Add(40 * time.Minute)
			}
			r.Header.Set("X-Amz-Date", at.Format("20060102T150405Z"))
		}, "RequestTimeTooSkewed"},
		"another body": {s3fake.AccessKey, s3fake.SecretKey, "", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("yz")) }, "XAmzContentSHA256Mismatch"},
		"not signed":   {s3fake.AccessKey, s3fake.SecretKey, "", func(r *http.Request) { r.Header.Del("Authorization") }, "AccessDenied"},
	} {
		req, err := http.NewRequest(http.MethodPut, server.URL()+"/bucket/k?a=b", strings.NewReader("xy"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Meta-A", "1")
		req.Header.Set("X-Amz-Content-Sha256", fmt.Sprintf("%x", sha256.Sum256([]byte("xy"))))
		req = signer.SignV4(*req, c.access, c.secret, c.session, "us-east-1")
		if c.change != nil {
			c.change(req)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		doc, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if good := resp.StatusCode == http.StatusOK; good != (c.says == "") || !strings.Contains(string(doc), c.says) {
			t.Errorf("%s: %s %s, want %q", name, resp.Status, doc, c.says)
		}
	}
}

// TestDeleteMany: an SDK that proves the list of keys by MD5 is served, also
// where that is demanded; a request without it is not.
func TestDeleteMany(t *testing.T) {
	server := s3fake.New(t, s3fake.Options{DeleteNeedsMD5: true})
	server.Bucket("bucket")
	c, err := miniogo.New(strings.TrimPrefix(server.URL(), "http://"), &miniogo.Options{
		Creds: credentials.NewStaticV4(s3fake.AccessKey, s3fake.SecretKey, ""), Region: "us-east-1", MaxRetries: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := drivers()[0].open(place{server: server, row: row(t, "minio"), bucket: "bucket"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	gone := make(chan miniogo.ObjectInfo, 2)
	for _, key := range []string{"a<b", "c"} {
		put(t, b, key, "x", storage.Metadata{})
		gone <- miniogo.ObjectInfo{Key: key}
	}
	close(gone)
	for e := range c.RemoveObjects(ctx, "bucket", gone, miniogo.RemoveObjectsOptions{}) {
		t.Error(e.Err)
	}
	for o := range c.ListObjects(ctx, "bucket", miniogo.ListObjectsOptions{}) {
		t.Errorf("still there: %q, %v", o.Key, o.Err)
	}
	req, _ := http.NewRequest(http.MethodPost, server.URL()+"/bucket?delete=", strings.NewReader("<Delete></Delete>"))
	req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	resp, err := http.DefaultClient.Do(signer.SignV4(*req, s3fake.AccessKey, s3fake.SecretKey, "", "us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("without Content-MD5: %s", resp.Status)
	}
}
