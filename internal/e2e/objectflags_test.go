package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
	"github.com/minio/minio-go/v7"

	"github.com/sluice-sync/sluice/storage/oss/ossfake"
)

// The effects of the flags about what of an object travels.

// look is what an independent reader sees of an object of the bucket.
func (l *flagLab) look(bucket, key string) minio.ObjectInfo {
	l.t.Helper()
	o, err := l.store.StatObject(context.Background(), bucket, key, minio.StatObjectOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	return o
}

// putRich stores an object with all properties in a bucket of its own.
func (l *flagLab) putRich() (src, dst string) {
	l.t.Helper()
	src, dst = l.server.Bucket(l.t), l.server.Bucket(l.t)
	_, err := l.store.PutObject(context.Background(), src, "k", strings.NewReader("rich"), 4, minio.PutObjectOptions{
		Expires: time.Date(2033, 12, 1, 16, 0, 0, 0, time.UTC), UserTags: map[string]string{"a": "b"}, StorageClass: "REDUCED_REDUNDANCY",
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return src, dst
}

func (l *flagLab) between(src, dst string, flags ...string) line {
	l.t.Helper()
	return l.u.sync(append(flags, "store://"+src, "store://"+dst)...)
}

func expires(l *flagLab) {
	src, dst := l.putRich()
	for value, want := range map[string]string{"keep": "2033-12-01", "drop": "0001-01-01", "2031-05-06": "2031-05-06"} {
		l.between(src, dst, "--force", "--expires", value)
		if got := l.look(dst, "k").Expires.UTC().Format(time.DateOnly); got != want {
			l.t.Errorf("--expires %s: %s", value, got)
		}
	}
	l.between(src, dst, "--force", "--expires", "+30d")
	if left := time.Until(l.look(dst, "k").Expires); left < 29*24*time.Hour || left > 31*24*time.Hour {
		l.t.Errorf("--expires +30d: in %s", left)
	}
	refusesValue("--expires", "30d")(l)
}

func storageClass(l *flagLab) {
	src, dst := l.putRich()
	for value, want := range map[string]string{"keep": "REDUCED_REDUNDANCY", "default": "STANDARD", "reduced_redundancy": "REDUCED_REDUNDANCY"} {
		l.between(src, dst, "--force", "--storage-class", value)
		if got := l.store.list(dst)["k"].StorageClass; got != want {
			l.t.Errorf("--storage-class %s: %s", value, got)
		}
	}
	if r := l.u.run("sync", "--storage-class", "GLACIER", "store://"+src, "store://"+dst); r.code != 2 || !strings.Contains(r.errOut, "STANDARD") {
		l.t.Errorf("a class that the target has not: exit %d: %s", r.code, r.errOut)
	}
}

func keepTags(l *flagLab) {
	src, dst := l.putRich()
	for value, want := range map[string]map[string]string{"keep": {"a": "b"}, "drop": {}} {
		l.between(src, dst, "--force", "--tags", value)
		got, err := l.store.GetObjectTagging(context.Background(), dst, "k", minio.GetObjectTaggingOptions{})
		if err != nil || !maps.Equal(got.ToMap(), want) {
			l.t.Errorf("--tags %s: %v, %v", value, got, err)
		}
	}
	refusesValue("--tags", "some")(l)
}

func compareMetadata(l *flagLab) {
	l.toBucket()
	if err := os.Chmod(filepath.Join(l.src, "old.jpg"), 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.copied(l.toBucket(), 0)
	s := l.toBucket("--compare", "metadata")
	l.copied(s, 1)
	if got := l.look(l.bucket, "old.jpg").UserMetadata["Mode"]; got != "100600" || s.BytesMoved != 0 {
		l.t.Errorf("mode %s, %d bytes moved", got, s.BytesMoved)
	}
	l.copied(l.toBucket("--compare", "metadata"), 0)
	refusesValue("--compare", "everything")(l)
}

func keepOwner(l *flagLab) {
	fi, err := os.Stat(filepath.Join(l.src, "old.jpg"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.toBucket("--owner")
	user := l.look(l.bucket, "old.jpg").UserMetadata
	if st := fi.Sys().(*syscall.Stat_t); user["Uid"] != fmt.Sprint(st.Uid) || user["Gid"] != fmt.Sprint(st.Gid) {
		l.t.Errorf("%v", user)
	}
	l.toBucket("--force")
	if user := l.look(l.bucket, "old.jpg").UserMetadata; user["Uid"] != "" {
		l.t.Errorf("without --owner: %v", user)
	}
}

func dirMarkers(l *flagLab) {
	if err := os.MkdirAll(filepath.Join(l.src, "d", "empty"), 0o755); err != nil {
		l.t.Fatal(err)
	}
	l.toBucket()
	if _, ok := l.store.list(l.bucket)["d/empty/"]; ok {
		l.t.Error("a marker without --dir-markers")
	}
	l.toBucket("--dir-markers")
	if o, ok := l.store.list(l.bucket)["d/empty/"]; !ok || o.Size != 0 {
		l.t.Errorf("marker %v, %+v", ok, o)
	}
}

// cold is a double of OSS with one archived object, whose restores are done at
// once. It notes their tiers.
type cold struct {
	*ossfake.Server
	mu    sync.Mutex
	tiers []string
}

func newCold(l *flagLab) *cold {
	c := &cold{}
	c.Server = ossfake.Start(l.t, ossfake.Options{RestoreTime: func(_, tier string) time.Duration {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.tiers = append(c.tiers, tier)
		return 0
	}})
	c.CreateBucket("bucket", "")
	for key, class := range map[string]string{"warm": "", "cold": "ColdArchive"} {
		if err := c.Put("bucket", key, []byte(key), class); err != nil {
			l.t.Fatal(err)
		}
	}
	l.u.env = append(l.u.env, ossEnv("COLD", c.Server))
	return c
}

func archivedFlag(l *flagLab) {
	newCold(l)
	r := l.u.run("sync", "cold://bucket", l.dst)
	if r.code != 3 {
		l.t.Errorf("by default: exit %d: %s%s", r.code, r.out, r.errOut)
	}
	l.wants("warm")
	if s := l.u.sync("--archived", "skip", "cold://bucket", l.dst); s.Skipped != 2 || s.SkippedReasons["archived"] != 1 {
		l.t.Errorf("--archived skip: %+v", s)
	}
	refusesValue("--archived", "melt")(l)
}

// restoring begins restores with flags, and ends the process when it waits.
func restoring(l *flagLab, c *cold, flags ...string) {
	l.t.Helper()
	args := append([]string{"sync", "--json", "--interval", "20ms", "--archived", "restore"}, flags...)
	p := l.u.start(append(args, "cold://bucket", l.dst)...)
	p.until(time.Minute, "a wait for a restore", func(n line) bool { return n.Restoring == 1 })
	p.signal(os.Interrupt)
	if r := p.wait(); r.code != 130 {
		l.t.Errorf("exit %d: %s", r.code, r.errOut)
	}
}

func restoreTier(l *flagLab) {
	c := newCold(l)
	restoring(l, c, "--restore-tier", "Bulk")
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tiers) != 1 || c.tiers[0] != "Bulk" {
		l.t.Errorf("tiers %q", c.tiers)
	}
}

var expiryDate = regexp.MustCompile(`expiry-date="([^"]+)"`)

func restoreDays(l *flagLab) {
	c := newCold(l)
	restoring(l, c, "--restore-days", "3")
	api, err := oss.New(c.URL, "AK", "SK")
	if err != nil {
		l.t.Fatal(err)
	}
	b, err := api.Bucket("bucket")
	if err != nil {
		l.t.Fatal(err)
	}
	h, err := b.GetObjectDetailedMeta("cold")
	if err != nil {
		l.t.Fatal(err)
	}
	m := expiryDate.FindStringSubmatch(h.Get("X-Oss-Restore"))
	if m == nil {
		l.t.Fatalf("restore state %q", h.Get("X-Oss-Restore"))
	}
	at, err := time.Parse(http.TimeFormat, m[1])
	if left := time.Until(at); err != nil || left < 2*24*time.Hour || left > 4*24*time.Hour+time.Hour {
		l.t.Errorf("readable until %s", m[1])
	}
}
