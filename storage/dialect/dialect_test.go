package dialect

import "testing"

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
	}
	for _, name := range []string{"aws", "minio", "s3", "jd", "jrss", "qiniu", "cos", "obs", "ceph"} {
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
