package precheck_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/internal/s3fake"
	"github.com/sluice-sync/sluice/precheck"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/minio"
	"github.com/sluice-sync/sluice/storage/oss"
	"github.com/sluice-sync/sluice/storage/oss/ossfake"
	"github.com/sluice-sync/sluice/storage/retry"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// dated answers with another date.
func dated(h http.Handler, ahead time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
		h.ServeHTTP(w, r)
	})
}

// serve starts a handler of its own, with or without TLS.
func serve(t *testing.T, h http.Handler, start func(http.Handler) *httptest.Server) string {
	s := start(h)
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s.URL
}

// atS3 makes the target a bucket at the address of an S3 store.
func (l *lab) atS3(row, url string, keys s3wire.Keys) {
	l.t.Helper()
	d, ok := dialect.Lookup(row)
	if !ok {
		l.t.Fatal(row)
	}
	d.PathStyle = true
	b, err := minio.Open(minio.Config{
		Endpoint: url, Bucket: "bucket", Place: "store://bucket", Dialect: d, Keys: s3wire.StaticKeys(keys), AccessKey: keys.Access,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.dst = retry.New(b, retry.Config{})
}

var fakeKeys = s3wire.Keys{Access: s3fake.AccessKey, Secret: s3fake.SecretKey}

// fakeS3 makes the target a store with habits.
func fakeS3(l *lab, o s3fake.Options) *s3fake.Server {
	s := s3fake.New(l.t, o)
	s.Bucket("bucket")
	l.atS3("minio", s.URL(), fakeKeys)
	return s
}

// atOSS makes the target a bucket at the address of an OSS store.
func (l *lab) atOSS(url string) {
	l.t.Helper()
	b, err := oss.Open(oss.Config{
		Endpoint: url, Region: "cn-hangzhou", Bucket: "bucket", Keys: s3wire.StaticKeys(s3wire.Keys{Access: "AK", Secret: "SK"}),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.dst = retry.New(b, retry.Config{})
}

func fakeOSS(l *lab, rules ...ossfake.Rule) {
	s := ossfake.Start(l.t, ossfake.Options{})
	l.atOSS(s.URL)
	if err := l.dst.Create(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	s.Inject(rules...)
}

func denies(ops ...ossfake.Op) ossfake.Rule {
	return ossfake.Rule{Ops: ops, Effect: ossfake.Fail, Status: http.StatusForbidden, Code: "AccessDenied"}
}

// storeLooks are what stores say, through their drivers.
var storeLooks = map[string][]look{
	"target.reachable": {
		{"S3", func(l *lab) { fakeS3(l, s3fake.Options{}) }, precheck.Pass, "within"},
		{"OSS", func(l *lab) { fakeOSS(l) }, precheck.Pass, "within"},
		{"S3, host names only", func(l *lab) { fakeS3(l, s3fake.Options{VirtualOnly: true}) }, precheck.Fail, "specified endpoint"},
		{"S3, nobody listens", func(l *lab) { l.atS3("minio", "http://127.0.0.1:1", fakeKeys) }, precheck.Fail, "network"},
		{"S3, a certificate of nobody", func(l *lab) {
			l.atS3("minio", serve(l.t, s3fake.New(l.t, s3fake.Options{}), httptest.NewTLSServer), fakeKeys)
		}, precheck.Fail, "ca_file"},
		{"S3, no TLS", func(l *lab) {
			url := s3fake.New(l.t, s3fake.Options{}).URL()
			l.atS3("minio", "https"+url[len("http"):], fakeKeys)
		}, precheck.Fail, "ca_file"},
	},
	"target.credentials": {
		{"S3", func(l *lab) { fakeS3(l, s3fake.Options{}) }, precheck.Pass, "accepted"},
		{"S3, expired", func(l *lab) {
			s := fakeS3(l, s3fake.Options{Keys: []s3fake.Key{{Access: "A", Secret: "S", Session: "T", Expires: time.Now().Add(-time.Minute)}}})
			l.atS3("minio", s.URL(), s3wire.Keys{Access: "A", Secret: "S", Session: "T"})
		}, precheck.Fail, "expired"},
		{"S3, wrong", func(l *lab) {
			l.atS3("minio", fakeS3(l, s3fake.Options{}).URL(), s3wire.Keys{Access: s3fake.AccessKey, Secret: "other"})
		}, precheck.Fail, "secret key"},
		{"OSS, clock", func(l *lab) { late(l) }, precheck.Fail, "clock of this machine"},
	},
	"target.clock": {
		{"S3", func(l *lab) { fakeS3(l, s3fake.Options{}) }, precheck.Pass, "clock is"},
		{"S3, six minutes", func(l *lab) {
			s := fakeS3(l, s3fake.Options{})
			l.atS3("minio", serve(l.t, dated(s, 6*time.Minute), httptest.NewServer), fakeKeys)
		}, precheck.Warn, "ahead"},
		{"OSS, refused for it", func(l *lab) { late(l) }, precheck.Fail, "behind"},
	},
	"target.write": {
		{"S3", func(l *lab) { fakeS3(l, s3fake.Options{}) }, precheck.Pass, "written"},
		{"OSS", func(l *lab) { fakeOSS(l) }, precheck.Pass, "written"},
		{"S3, denied", func(l *lab) { fakeS3(l, s3fake.Options{Denied: ".sluice-precheck"}) }, precheck.Fail, "s3:PutObject"},
		{"OSS, denied", func(l *lab) { fakeOSS(l, denies(ossfake.PutObject)) }, precheck.Fail, "oss:PutObject"},
	},
	"target.multipart": {
		{"S3", func(l *lab) { fakeS3(l, s3fake.Options{MinPart: 5 << 20}) }, precheck.Pass, "aborted"},
		{"OSS", func(l *lab) { fakeOSS(l) }, precheck.Pass, "aborted"},
		{"OSS, denied", func(l *lab) { fakeOSS(l, denies(ossfake.InitiateMultipartUpload)) }, precheck.Fail, "oss:AbortMultipartUpload"},
	},
	"target.tags": {
		{"S3", func(l *lab) { fakeS3(l, s3fake.Options{}) }, precheck.Pass, "kept"},
		{"OSS", func(l *lab) { fakeOSS(l) }, precheck.Pass, "kept"},
		{"S3, none", func(l *lab) { fakeS3(l, s3fake.Options{NoTags: true}) }, precheck.Fail, "--tags drop"},
		{"OSS, denied", func(l *lab) { fakeOSS(l, denies(ossfake.GetObjectTagging)) }, precheck.Fail, "oss:GetObjectTagging"},
	},
	"target.delete": {
		{"OSS", func(l *lab) { fakeOSS(l) }, precheck.Pass, "deleted"},
		{"OSS, denied", func(l *lab) { fakeOSS(l, denies(ossfake.DeleteObject)) }, precheck.Warn, "oss:DeleteObject"},
	},
	"keys": {
		{"S3 of clean paths", func(l *lab) { fakeS3(l, s3fake.Options{}); l.put("x//y", 1) }, precheck.Warn, `"x//y"`},
		{"OSS", func(l *lab) { fakeOSS(l); l.put("x//y", 1) }, precheck.Pass, "can"},
		{"OSS, a slash in front", func(l *lab) { fakeOSS(l); l.put("/y", 1) }, precheck.Warn, `"/y"`},
	},
	"class": {
		{"OSS", func(l *lab) { fakeOSS(l); l.put("a", 1, inClass("GLACIER")) }, precheck.Pass, "do"},
		{"OSS by another name", func(l *lab) { fakeOSS(l); l.Spec.Metadata.StorageClass = "GLACIER" }, precheck.Fail, "no class GLACIER"},
	},
}

// late makes the target an OSS store that is 20 minutes behind and says so.
func late(l *lab) {
	const behind = 20 * time.Minute
	s := ossfake.New(ossfake.Options{AuthNow: func() time.Time { return time.Now().Add(-behind) }})
	l.atOSS(serve(l.t, dated(s, -behind), httptest.NewServer))
}

func TestStores(t *testing.T) {
	for id, all := range storeLooks {
		for _, c := range all {
			t.Run(id+"/"+c.what, func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				c.change(l)
				l.is(id, c.want, c.says)
			})
		}
	}
}

// TestStoresKeepNothing: neither store keeps anything of a check that passes.
func TestStoresKeepNothing(t *testing.T) {
	for name, open := range map[string]func(*lab){
		"S3":  func(l *lab) { fakeS3(l, s3fake.Options{}) },
		"OSS": func(l *lab) { fakeOSS(l) },
	} {
		l := newLab(t)
		open(l)
		if r := l.run(); r.Status() != precheck.Pass {
			t.Errorf("%s: %+v %+v", name, r.Of(precheck.Fail), r.Of(precheck.Warn))
		}
		wantKeys(t, l.dst)
		up, _ := storage.As[storage.Multipart](l.dst)
		if left, err := up.ListUploads(t.Context(), ""); err != nil || len(left) > 0 {
			t.Errorf("%s: uploads %v, %v", name, left, err)
		}
	}
}
