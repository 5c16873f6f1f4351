package oss_test

import (
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/oss"
)

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]oss.Config{
		"no scheme":        {Endpoint: "oss-cn-hangzhou.aliyuncs.com", Bucket: "bucket"},
		"another scheme":   {Endpoint: "ftp://oss-cn-hangzhou.aliyuncs.com", Bucket: "bucket"},
		"a path":           {Endpoint: "http://oss-cn-hangzhou.aliyuncs.com/bucket", Bucket: "bucket"},
		"a query":          {Endpoint: "http://oss-cn-hangzhou.aliyuncs.com?x", Bucket: "bucket"},
		"no bucket":        {Endpoint: "http://oss-cn-hangzhou.aliyuncs.com"},
		"no bucket's name": {Endpoint: "http://oss-cn-hangzhou.aliyuncs.com", Bucket: "Bucket.x"},
		"no region":        {Endpoint: "http://oss-accelerate.aliyuncs.com", Bucket: "bucket"},
	} {
		if _, err := oss.Open(c); err == nil {
			t.Errorf("%s was taken", name)
		} else if name == "no region" && !strings.Contains(err.Error(), "set the region") {
			t.Errorf("does not say what to do: %v", err)
		}
	}
}

// TestRegion: the region of signatures is the one configured or the endpoint's.
func TestRegion(t *testing.T) {
	for _, c := range []struct {
		endpoint, region string
		v1               bool
		want             string
	}{
		{"https://oss-cn-hangzhou.aliyuncs.com", "", false, "cn-hangzhou"},
		{"https://OSS-cn-hangzhou-internal.aliyuncs.com:443", "", false, "cn-hangzhou"},
		{"https://oss-us-west-1.aliyuncs.com", "", false, "us-west-1"},
		{"https://cn-shanghai.oss.aliyuncs.com", "", false, "cn-shanghai"},
		{"https://oss-accelerate-overseas.aliyuncs.com", "oss-cn-beijing", false, "cn-beijing"},
		{"https://files.example.com", "cn-beijing", false, "cn-beijing"},
		{"http://127.0.0.1:80", "cn-beijing", false, "cn-beijing"},
		{"https://oss-cn-hangzhou.aliyuncs.com", "eu-central-1", false, "eu-central-1"},
		{"https://files.example.com", "", true, ""},
	} {
		b, err := oss.Open(oss.Config{Endpoint: c.endpoint, Region: c.region, SignV1: c.v1, Bucket: "bucket", Prefix: "d"})
		if err != nil || b.Region != c.want || b.String() != "oss://bucket/d" {
			t.Errorf("%+v: %v, %v", c, b, err)
		}
	}
}

// TestClasses: what OSS's classes mean.
func TestClasses(t *testing.T) {
	b := open(t, oss.Config{Endpoint: "http://oss-cn-hangzhou.aliyuncs.com", Bucket: "bucket"})
	f := b.Features()
	for class, archived := range map[string]bool{"": false, "Standard": false, "IA": false, "Archive": true, "ColdArchive": true, "DeepColdArchive": true} {
		if f.Archived(class) != archived {
			t.Errorf("class %q is archived: %v", class, !archived)
		}
	}
	aws := storage.Features{Classes: []storage.Class{{Name: "STANDARD"}, {Name: "DEEP_ARCHIVE", Tier: storage.TierDeep}}}
	if got, same := f.ClassFrom(aws, "DEEP_ARCHIVE"); got != "DeepColdArchive" || !same {
		t.Errorf("DEEP_ARCHIVE becomes %q", got)
	}
	if !f.Tags || !f.PutIfAbsent || f.PutIfVersion || !f.ETagIsMD5 || f.MinPart != 100<<10 {
		t.Errorf("%+v", f)
	}
}
