package dialect

import (
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

// TestRows holds every row to what drivers and the planner of parts assume.
func TestRows(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range Names() {
		r, ok := Lookup(name)
		if !ok || r.Name != name || seen[name] {
			t.Fatalf("%q: found %v as %q, seen before: %v", name, ok, r.Name, seen[name])
		}
		seen[name] = true
		if r.MinPart < 1 || r.MinPart > 5*mib || r.MaxPart < r.MinPart || r.MaxParts < 1 || r.MaxPut < 1 || r.MaxCopy < 1 {
			t.Errorf("%s: limits %+v", name, r)
		}
		if r.Checksum == MD5 && !r.ETagIsMD5 {
			t.Errorf("%s compares MD5s with ETags that are none", name)
		}
		if r.ListV1 && r.EncodeKeys {
			t.Errorf("%s asks for encoded markers of V1, which nobody has tried", name)
		}
		if r.PathStyle && r.VirtualOnly {
			t.Errorf("%s wants the bucket in the path and refuses it there", name)
		}
	}
	for _, name := range []string{"aws", "minio", "s3", "oss-s3", "jd", "jrss", "qiniu", "cos", "obs", "ceph", "r2"} {
		if !seen[name] {
			t.Errorf("no row %s", name)
		}
	}
	if _, ok := Lookup("MinIO"); !ok {
		t.Error("the case of a name matters")
	}
	if _, ok := Lookup("nobody"); ok {
		t.Error("an unknown provider was found")
	}
}

// TestClasses: the first class is the standard one, as Features.ClassFrom takes
// it, and no name stands twice.
func TestClasses(t *testing.T) {
	for _, name := range Names() {
		r, _ := Lookup(name)
		archive := false
		seen := map[string]bool{}
		for i, c := range r.Classes {
			if seen[c.Name] || c.Name != strings.ToUpper(c.Name) || i == 0 && (c != storage.Class{Name: "STANDARD"}) {
				t.Errorf("%s: class %d is %+v", name, i, c)
			}
			seen[c.Name] = true
			archive = archive || c.Tier >= storage.TierArchive
		}
		if r.Restores() != archive {
			t.Errorf("%s: Restores is %v", name, r.Restores())
		}
	}
}

// TestClassesMeet: what a class becomes between vendors is a class of the same
// tier, or of a nearer one that is read no later.
func TestClassesMeet(t *testing.T) {
	features := func(name string) storage.Features {
		r, _ := Lookup(name)
		return storage.Features{Classes: r.Classes}
	}
	for _, c := range []struct {
		from, class, to, want string
		same                  bool
	}{
		{"aws", "STANDARD_IA", "cos", "STANDARD_IA", true},
		{"aws", "GLACIER", "cos", "ARCHIVE", true},
		{"aws", "GLACIER_IR", "qiniu", "GLACIER_IR", true},
		{"aws", "DEEP_ARCHIVE", "obs", "GLACIER", false},
		{"aws", "DEEP_ARCHIVE", "r2", "STANDARD_IA", false},
		{"qiniu", "LINE", "aws", "STANDARD_IA", true},
		{"jd", "REDUCED_REDUNDANCY", "aws", "STANDARD_IA", true},
		{"aws", "REDUCED_REDUNDANCY", "jd", "", true},
		{"aws", "GLACIER", "minio", "", false},
		{"aws", "GLACIER", "ceph", "", false},
	} {
		got, same := features(c.to).ClassFrom(features(c.from), c.class)
		if got != c.want || same != c.same {
			t.Errorf("%s of %s becomes %q at %s (same tier: %v), want %q (%v)", c.class, c.from, got, c.to, same, c.want, c.same)
		}
	}
}

func TestCheckAddress(t *testing.T) {
	for _, c := range []struct {
		row                  string
		path                 bool
		endpoint, bucket, no string
	}{
		{"oss-s3", false, "https://s3.oss-cn-hangzhou.aliyuncs.com", "photos", ""},
		{"oss-s3", true, "https://s3.oss-cn-hangzhou.aliyuncs.com", "photos", "path_style"},
		{"oss-s3", false, "http://10.0.0.1:8080", "photos", "by its name"},
		{"oss-s3", false, "http://[::1]", "photos", "by its name"},
		{"oss-s3", false, "https://s3.oss-cn-hangzhou.aliyuncs.com", "a.b", "dot"},
		{"oss-s3", false, "http://s3.oss-cn-hangzhou.aliyuncs.com", "a.b", ""},
		{"minio", true, "http://10.0.0.1:9000", "a.b", ""},
	} {
		r, _ := Lookup(c.row)
		r.PathStyle = c.path
		err := r.CheckAddress(c.endpoint, c.bucket)
		if c.no == "" && err != nil || c.no != "" && (err == nil || !strings.Contains(err.Error(), c.no)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestAbouts: every row is described, and nothing else.
func TestAbouts(t *testing.T) {
	for _, name := range Names() {
		a, ok := Describe(name)
		if !ok || a.Title == "" || a.Endpoint == "" || !strings.Contains(a.Example, "://") || a.Region == "" || a.Signatures == "" || a.PartETags == "" {
			t.Errorf("%s is described as %+v", name, a)
		}
		if r, _ := Lookup(name); r.Restores() != (a.Restore != "") {
			t.Errorf("%s: restores %v, described as %q", name, r.Restores(), a.Restore)
		}
	}
	if len(abouts()) != len(Names()) {
		t.Errorf("%d descriptions of %d rows", len(abouts()), len(Names()))
	}
	if _, ok := Describe("nobody"); ok {
		t.Error("an unknown provider is described")
	}
}
