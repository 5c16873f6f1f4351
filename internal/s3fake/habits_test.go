package s3fake_test

import (
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/internal/s3fake"
	"github.com/sluice-sync/sluice/storage"
)

// TestAddressing: a bucket that is asked for in the wrong way is said to be
// unreachable, by the store or beforehand.
func TestAddressing(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		for name, c := range map[string]struct {
			habits    s3fake.Options
			pathStyle bool
			kind      error
		}{
			"in the path, path only":      {s3fake.Options{PathOnly: true}, true, nil},
			"in the path, host name only": {s3fake.Options{VirtualOnly: true}, true, storage.ErrNoBucket},
			"in the host name, path only": {s3fake.Options{PathOnly: true}, false, storage.ErrNoBucket},
			"in the host name":            {s3fake.Options{VirtualOnly: true}, false, nil},
		} {
			server := s3fake.New(t, c.habits)
			server.Bucket("bucket")
			r := row(t, "jd")
			r.PathStyle = c.pathStyle
			b, err := d.open(place{server: server, row: r, bucket: "bucket"})
			if err != nil {
				t.Fatal(err)
			}
			if err = b.Check(t.Context()); c.kind != nil || err != nil {
				wantKind(t, name, err, c.kind)
			}
		}
		r := row(t, "oss-s3")
		r.PathStyle = true
		if _, err := d.open(place{server: s3fake.New(t, s3fake.Options{}), row: r, bucket: "bucket"}); err == nil || !strings.Contains(err.Error(), "path_style") {
			t.Errorf("a store of host names is asked by path: %v", err)
		}
	})
}

// TestRegion: keys of another region are refused as keys.
func TestRegion(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		server := s3fake.New(t, s3fake.Options{Region: "cn-north-1"})
		server.Bucket("bucket")
		for region, kind := range map[string]error{"cn-north-1": nil, "us-east-1": storage.ErrCredentials} {
			b, err := d.open(place{server: server, row: row(t, "minio"), bucket: "bucket", region: region})
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Check(t.Context()); kind != nil || err != nil {
				wantKind(t, region, err, kind)
			}
			if err := b.Create(t.Context()); kind != nil || err != nil {
				wantKind(t, "create in "+region, err, kind)
			}
		}
	})
}

// TestRowsThatPromiseTooMuch: where a row says more than its store can do, the
// store's refusal comes out, and nothing is silently left away.
func TestRowsThatPromiseTooMuch(t *testing.T) {
	tagged := storage.Metadata{Tags: map[string]string{"k": "v"}}
	cold := storage.Metadata{StorageClass: "GLACIER"}
	large := strings.Repeat("x", 300<<10) // with a trailer
	for name, c := range map[string]struct {
		habits s3fake.Options
		data   string
		meta   storage.Metadata
		kind   error
	}{
		"checksum header":  {s3fake.Options{NoTrailers: true}, "x", storage.Metadata{}, storage.ErrInvalid},
		"checksum trailer": {s3fake.Options{NoTrailers: true}, large, storage.Metadata{}, storage.ErrCorrupt},
		"tags":             {s3fake.Options{NoTags: true}, "x", tagged, storage.ErrUnsupported},
		"class":            {s3fake.Options{}, "x", cold, storage.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, d driver) {
				b, _ := d.bucket(t, "minio", c.habits)
				_, err := b.Put(t.Context(), "k", strings.NewReader(c.data), storage.PutOptions{Size: int64(len(c.data)), Meta: c.meta})
				wantKind(t, "put", err, c.kind)
				wantAbsent(t, b, "k")
				if c.meta.Tags == nil && c.meta.StorageClass == "" {
					return
				}
				m, _ := storage.As[storage.Multipart](b)
				_, err = m.CreateUpload(t.Context(), "k", storage.UploadOptions{Meta: c.meta})
				wantKind(t, "create upload", err, c.kind)
				from := put(t, b, "from", "x", storage.Metadata{})
				cp, _ := storage.As[storage.Copier](b)
				_, err = cp.CopyFrom(t.Context(), b, from, "k", storage.CopyOptions{Meta: c.meta})
				wantKind(t, "copy", err, c.kind)
				wantAbsent(t, b, "k")
			})
		})
	}
}

// TestParts: what a store does not take about parts is said as it is.
func TestParts(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		b, server := d.bucket(t, "minio", s3fake.Options{MinPart: 5 << 20, NoListUploads: true})
		m, _ := storage.As[storage.Multipart](b)
		_, err := m.ListUploads(t.Context(), "k")
		wantKind(t, "list uploads", err, storage.ErrUnsupported)
		id, err := m.CreateUpload(t.Context(), "k", storage.UploadOptions{Size: 2, PartSize: 1})
		if err != nil {
			t.Fatal(err)
		}
		send := func(n int) (storage.Part, error) {
			return m.UploadPart(t.Context(), "k", id, n, strings.NewReader("x"), storage.PartOptions{Size: 1})
		}
		var parts []storage.Part
		for n := range 2 {
			p, err := send(n + 1)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, p)
		}
		_, err = m.CompleteUpload(t.Context(), "k", id, parts)
		wantKind(t, "complete of small parts", err, storage.ErrInvalid)
		wantAbsent(t, b, "k")
		server.Change(func(o *s3fake.Options) { o.MustDeclare = true })
		_, err = send(1)
		wantKind(t, "a part with a checksum that was not declared", err, storage.ErrInvalid)
	})
}

// TestTagsThatCannotTravel: minio-go knows fewer characters in tags than the
// protocol; none of them gets lost.
func TestTagsThatCannotTravel(t *testing.T) {
	m := storage.Metadata{Tags: map[string]string{"größe": "ü"}}
	each(t, func(t *testing.T, d driver) {
		b, _ := d.bucket(t, "ceph", s3fake.Options{})
		mp, _ := storage.As[storage.Multipart](b)
		id, err := mp.CreateUpload(t.Context(), "k", storage.UploadOptions{Size: 1, PartSize: 1, Meta: m})
		if d.name == "minio" {
			wantKind(t, "create upload", err, storage.ErrInvalid)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		p, err := mp.UploadPart(t.Context(), "k", id, 1, strings.NewReader("x"), storage.PartOptions{Size: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mp.CompleteUpload(t.Context(), "k", id, []storage.Part{p}); err != nil {
			t.Fatal(err)
		}
		g, _ := storage.As[storage.Tagger](b)
		if got, err := g.Tags(t.Context(), "k"); err != nil || got["größe"] != "ü" {
			t.Errorf("tags %v, %v", got, err)
		}
	})
}

// TestCopyOfAnArchive: what cannot be read cannot be copied inside the store.
func TestCopyOfAnArchive(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		b, _ := d.bucket(t, "obs", s3fake.Options{Classes: glacier()})
		o := put(t, b, "k", "frozen", storage.Metadata{StorageClass: "GLACIER"})
		c, _ := storage.As[storage.Copier](b)
		_, err := c.CopyFrom(t.Context(), b, o, "new", storage.CopyOptions{})
		wantKind(t, "copy", err, storage.ErrArchived)
		wantAbsent(t, b, "new")
	})
}
