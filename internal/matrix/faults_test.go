package matrix

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/sluice-sync/sluice/internal/s3fake"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/oss/ossfake"
	"github.com/sluice-sync/sluice/storage/s3"
	"github.com/sluice-sync/sluice/task"
)

const mib = 1 << 20

// fakeS3 is a place at a double of Amazon's store with other habits.
func fakeS3(t *testing.T, habits s3fake.Options) (*s3fake.Server, place) {
	server := s3fake.New(t, habits)
	server.Bucket("bucket")
	row, _ := dialect.Lookup("s3")
	b, err := s3.Open(s3.Config{
		AWS: s3.Static(server.URL(), "us-east-1", s3fake.AccessKey, s3fake.SecretKey, ""), Bucket: "bucket", Dialect: row, Account: server.URL(),
	})
	if err != nil {
		t.Fatal(err)
	}
	p := amazonPlace(server.URL(), s3fake.AccessKey, s3fake.SecretKey, "bucket", "")
	p.bucket = b
	return server, p
}

// sample are small objects, some of them below "secret/", and two large ones.
func sample(t *testing.T, at place) []object {
	t.Helper()
	var all []object
	add := func(key string, n int) {
		o := object{key: key, body: bytes.Repeat([]byte(key), n/len(key)+1)[:n]}
		if err := at.put(o); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	for i := range 20 {
		add(fmt.Sprintf("small/%02d", i), 1000+i)
	}
	add("secret/a", 100)
	add("secret/b", 100)
	add("large/1", 17*mib+1)
	add("large/2", 11*mib+1)
	return all
}

// inParts sends objects of 6 MiB and more in parts, and tries once.
func inParts() task.Spec {
	return task.Spec{MaxDelete: task.DefaultCap(), Tries: 1, Threshold: 6 * mib, PartSize: 5 * mib}
}

// bytesOnly compares the bytes of what the target must hold.
func bytesOnly(t *testing.T, at place, all []object) {
	t.Helper()
	for _, o := range all {
		got, err := at.get(o.key)
		if err != nil || !bytes.Equal(got.body, o.body) {
			t.Errorf("%s: %d bytes, %v; want %d", o.key, len(got.body), err, len(o.body))
		}
	}
}

// A source breaks its promises: nothing wrong is copied, what can be copied is,
// and all of it once the source behaves.
func TestFaultySource(t *testing.T) {
	for name, tc := range map[string]struct {
		habit  func(*s3fake.Options)
		failed int64
	}{
		"denies a prefix":   {func(o *s3fake.Options) { o.Denied = "secret/" }, 2},
		"ignores If-Match":  {func(o *s3fake.Options) { o.IgnoresIfMatch = true }, 0},
		"ignores Range":     {func(o *s3fake.Options) { o.IgnoresRange = true }, 0},
		"ignores both":      {func(o *s3fake.Options) { o.IgnoresRange, o.IgnoresIfMatch = true, true }, 0},
		"breaks off bodies": {func(o *s3fake.Options) { o.Truncate = 500 }, 22},
		"takes 10 a second": {func(o *s3fake.Options) { o.Rate = 10 }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			server, src := fakeS3(t, s3fake.Options{NoTags: true, NoTrailers: true})
			dst := ossKind(t).open(t)
			all := sample(t, src)
			run := runner(t, src.bucket, dst.bucket)
			server.Change(tc.habit)
			got := run(inParts())
			if got.Failed != tc.failed || got.Copied != int64(len(all))-tc.failed {
				t.Errorf("with the fault: %+v", got)
			}
			for _, o := range all { // nothing else than the object, or nothing
				if at, err := dst.get(o.key); err == nil && !bytes.Equal(at.body, o.body) {
					t.Errorf("%s holds other bytes", o.key)
				}
			}
			server.Change(func(o *s3fake.Options) { *o = s3fake.Options{NoTags: true, NoTrailers: true} })
			if got := run(inParts()); got.Failed != 0 || got.Copied != tc.failed {
				t.Errorf("without the fault: %+v", got)
			}
			bytesOnly(t, dst, all)
		})
	}
}

// A target breaks its promises.
func TestFaultyTarget(t *testing.T) {
	for name, tc := range map[string]struct {
		inject func(*ossfake.Server)
		failed int64
	}{
		"an error behind 200 of Complete": {func(s *ossfake.Server) {
			s.Inject(ossfake.Rule{Ops: []ossfake.Op{ossfake.CompleteMultipartUpload}, Effect: ossfake.FailInOK, Code: "InternalError"})
		}, 2},
		"lost answers": {func(s *ossfake.Server) {
			s.Inject(ossfake.Rule{Ops: []ossfake.Op{ossfake.CompleteMultipartUpload, ossfake.PutObject, ossfake.UploadPart}, Times: 8, Effect: ossfake.Lose, Status: 500, Code: "InternalError"})
		}, 0},
		"flipped bits": {func(s *ossfake.Server) {
			s.Inject(ossfake.Rule{Ops: []ossfake.Op{ossfake.PutObject, ossfake.UploadPart}, Times: 5, Effect: ossfake.Flip, Bytes: 50})
		}, 0},
		"takes 10 a second": {func(s *ossfake.Server) { s.Throttle(10, 10) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := ossfake.Start(t, ossfake.Options{})
			dst := ossAt(t, server, "bucket")
			_, src := fakeS3(t, s3fake.Options{NoTags: true, NoTrailers: true})
			all := sample(t, src)
			run := runner(t, src.bucket, dst.bucket)
			tc.inject(server)
			spec := inParts()
			if tc.failed == 0 {
				spec.Tries = 3
			}
			got := run(spec)
			if got.Failed != tc.failed || got.Copied != int64(len(all))-tc.failed {
				t.Errorf("with the fault: %+v", got)
			}
			server.Inject()
			server.Throttle(0, 0)
			if got := run(spec); got.Failed != 0 || got.Copied != tc.failed {
				t.Errorf("without the fault: %+v", got)
			}
			bytesOnly(t, dst, all)
			if open, err := dst.uploads(); err != nil || open != 0 {
				t.Errorf("%d uploads left open, %v", open, err)
			}
		})
	}
}
