package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/internal/servertest"
	"github.com/sluice-sync/sluice/storage/oss/ossfake"
)

// ossEnv names a double of OSS as the endpoint ALI, or as another name.
func ossEnv(name string, s *ossfake.Server) string {
	return fmt.Sprintf("SLUICE_ENDPOINT_%s=oss+http://AK:SK@%s?region=cn-hangzhou", name, s.URL[len("http://"):])
}

// ossLab are two doubles of OSS, a MinIO and directories.
type ossLab struct {
	from, to *ossfake.Server
	server   *servertest.MinIOServer
	store    minioStore
	u        *user
}

func newOSSLab(t *testing.T) *ossLab {
	l := &ossLab{from: ossfake.Start(t, ossfake.Options{}), to: ossfake.Start(t, ossfake.Options{}), server: servertest.MinIO(t)}
	l.from.CreateBucket("bucket", "")
	l.store = newStore(t, l.server)
	l.u = newUser(t, ossEnv("FROM", l.from), ossEnv("TO", l.to), endpointEnv("STORE", l.server.URL, l.server))
	return l
}

const (
	ossLarge     = 2           // objects in parts
	ossLargeSize = 60<<20 + 11 // 13 parts of 5 MiB
	ossParts     = 13 * ossLarge
	ossServed    = 10 // parts before the stop
)

// fill puts large objects at a source and returns its location.
func (l *ossLab) fill(t *testing.T, kind string) string {
	t.Helper()
	dir, bucket := t.TempDir(), ""
	if kind == "MinIO" {
		bucket = l.server.Bucket(t)
	}
	for i := range ossLarge {
		key := fmt.Sprintf("large%d", i)
		switch kind {
		case "local":
			writePattern(t, filepath.Join(dir, key), int64(i), ossLargeSize)
		case "MinIO":
			l.store.put(bucket, key, int64(i), ossLargeSize)
		default:
			body, err := io.ReadAll(pattern(int64(i), ossLargeSize))
			if err == nil {
				err = l.from.Put("bucket", "in/"+key, body, "")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return map[string]string{"local": dir, "MinIO": "store://" + bucket, "OSS": "from://bucket/in"}[kind]
}

// holds compares what a target holds with the source, byte for byte.
func (l *ossLab) holds(t *testing.T, kind, dst string) {
	t.Helper()
	for i := range ossLarge {
		key := fmt.Sprintf("large%d", i)
		var got io.Reader
		switch kind {
		case "MinIO":
			l.store.holds(dst[len("store://"):], key, int64(i), ossLargeSize)
			continue
		case "OSS":
			o, ok := l.to.Object("bucket", strings.TrimPrefix(dst, "to://bucket/")+"/"+key)
			if !ok {
				t.Fatalf("%s is not at the target", key)
			}
			got = bytes.NewReader(o.Data)
		default:
			f, err := os.Open(filepath.Join(dst, key))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			got = f
		}
		if at, err := differs(got, pattern(int64(i), ossLargeSize)); err != nil {
			t.Fatalf("%s differs at byte %d: %v", key, at, err)
		}
	}
}

// A process is killed with -9 in the middle of uploads in parts to and from
// OSS. The next one goes on with the parts that are missing.
func TestOSSMultipartResumedAfterKill(t *testing.T) {
	l := newOSSLab(t)
	for _, pair := range [][2]string{{"local", "OSS"}, {"MinIO", "OSS"}, {"OSS", "OSS"}, {"OSS", "MinIO"}, {"OSS", "local"}} {
		t.Run(pair[0]+" to "+pair[1], func(t *testing.T) {
			u := l.u.in(t)
			src := l.fill(t, pair[0])
			dst := map[string]string{"local": t.TempDir(), "MinIO": "store://" + l.server.Bucket(t), "OSS": "to://bucket/" + pair[0]}[pair[1]]
			watched, op := l.to, ossfake.UploadPart
			if pair[1] != "OSS" {
				watched, op = l.from, ossfake.GetObject
			}
			held := make(chan struct{}) // for good: what was under way at the stop is never done
			watched.Inject(ossfake.Rule{Ops: []ossfake.Op{op}, After: ossServed, Wait: held})
			watched.ResetCounts()
			args := []string{src, dst, "--skip-precheck", "--create-bucket", "--interval", "50ms", "--multipart-threshold", "8MiB", "--part-size", "5MiB"}
			p := u.start(append([]string{"sync", "--json"}, args...)...)
			p.until(time.Minute, "some parts", func(line) bool { return watched.Counts()[op] > ossServed+1 })
			p.kill()
			watched.Inject()
			watched.ResetCounts()
			last := u.sync(args...)
			if last.Copied != ossLarge || last.Failed != 0 || !last.Resumed {
				t.Errorf("summary %+v", last)
			}
			l.holds(t, pair[1], dst)
			// A part whose digest was not yet on disk is sent once more.
			n := watched.Counts()[op]
			if pair[1] == "OSS" && (n < ossParts-ossServed || n > ossParts-ossServed+4) || n > ossParts-1 {
				t.Errorf("%d of %d parts in the second run, %d were served in the first", n, ossParts, ossServed)
			}
		})
	}
	if n := l.to.Counts()[ossfake.AbortMultipartUpload]; n != 0 {
		t.Errorf("%d uploads were aborted", n)
	}
}
