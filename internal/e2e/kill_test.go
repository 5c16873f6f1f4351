package e2e

import (
	"context"
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/sluice-sync/sluice/internal/servertest"
)

// store is a MinIO server as an independent reader sees it.
type minioStore struct {
	t *testing.T
	*minio.Client
}

func newStore(t *testing.T, s *servertest.MinIOServer) minioStore {
	t.Helper()
	u := s.URL[len("http://"):]
	c, err := minio.New(u, &minio.Options{Creds: credentials.NewStaticV4(s.AccessKey, s.SecretKey, "")})
	if err != nil {
		t.Fatal(err)
	}
	return minioStore{t, c}
}

// put stores a pattern.
func (m minioStore) put(bucket, key string, seed, size int64) {
	m.t.Helper()
	_, err := m.PutObject(context.Background(), bucket, key, pattern(seed, size), size, minio.PutObjectOptions{PartSize: 5 << 20})
	if err != nil {
		m.t.Fatal(err)
	}
}

// list returns key → size and ETag.
func (m minioStore) list(bucket string) map[string]minio.ObjectInfo {
	m.t.Helper()
	all := map[string]minio.ObjectInfo{}
	for o := range m.ListObjects(context.Background(), bucket, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			m.t.Fatal(o.Err)
		}
		all[o.Key] = o
	}
	return all
}

// holds checks that an object is exactly the pattern.
func (m minioStore) holds(bucket, key string, seed, size int64) {
	m.t.Helper()
	o, err := m.GetObject(context.Background(), bucket, key, minio.GetObjectOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
	defer o.Close()
	if at, err := differs(o, pattern(seed, size)); err != nil || at >= 0 {
		m.t.Errorf("%s/%s differs at byte %d: %v", bucket, key, at, err)
	}
}

func (m minioStore) openUploads(bucket string) (n int) {
	m.t.Helper()
	for u := range m.ListIncompleteUploads(context.Background(), bucket, "", true) {
		if u.Err != nil {
			m.t.Fatal(u.Err)
		}
		n++
	}
	return n
}

// endpointEnv names a server as an endpoint in the environment.
func endpointEnv(name, url string, s *servertest.MinIOServer) string {
	return fmt.Sprintf("SLUICE_ENDPOINT_%s=minio+http://%s:%s@%s", name, s.AccessKey, s.SecretKey, url[len("http://"):])
}

// killing is one sync that is killed again and again.
type killing struct {
	kills, small, large int

	u        *user
	store    minioStore
	src, dst string // buckets
	from, to *proxy
	args     []string
	rng      *rand.Rand

	done int      // kills
	outs []string // of each process
	err  error
}

const killedLarge = 24 << 20

func smallKey(i int) string { return fmt.Sprintf("small/%03d/%05d", i%37, i) }

// TestKilledFiftyTimes kills one sync at random points until it has been
// killed 50 times, then lets it end. It waits far more than it works, so that it
// begins before the tests that run beside each other.
func TestKilledFiftyTimes(t *testing.T) {
	server := servertest.MinIO(t)
	k := &killing{
		kills: 50, small: 5000, large: 20, store: newStore(t, server), src: server.Bucket(t), dst: server.Bucket(t),
		from: newProxy(t, server.URL), to: newProxy(t, server.URL),
	}
	if testing.Short() {
		k.kills, k.small, k.large = 5, 600, 3
	}
	k.u = newUser(t, endpointEnv("ONE", k.from.URL, server), endpointEnv("TWO", k.to.URL, server))
	// About 80 s of work: 2 requests for a small object, and the parts.
	k.args = []string{"sync", "--json", "--interval", "50ms", "--workers", "8", "--requests-per-second", "150",
		"--multipart-threshold", "8MiB", "--part-size", "5MiB", "--bandwidth", "12MiB", "one://" + k.src, "two://" + k.dst}
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	k.rng = rand.New(rand.NewSource(seed))
	killed := make(chan struct{})
	go func() { defer close(killed); k.run() }()
	t.Parallel()
	<-killed
	if k.err != nil {
		t.Fatal(k.err)
	}
	k.check(t)
}

// run fills the source, and starts and kills the sync.
func (k *killing) run() {
	for i := range k.small {
		k.put(smallKey(i), int64(i), int64(i%5000))
	}
	for i := range k.large {
		k.put(fmt.Sprintf("large/%02d", i), int64(i), killedLarge+int64(i))
	}
	for k.done < k.kills && k.err == nil {
		code, out, err := k.u.killedAfter(time.Duration(300+k.rng.Intn(2400))*time.Millisecond, k.args...)
		k.outs = append(k.outs, out)
		if k.err = err; code == 0 {
			return
		}
		k.done++
	}
}

func (k *killing) put(key string, seed, size int64) {
	if k.err == nil {
		_, k.err = k.store.PutObject(context.Background(), k.src, key, pattern(seed, size), size, minio.PutObjectOptions{PartSize: 5 << 20})
	}
}

// check lets the sync end and looks at everything.
func (k *killing) check(t *testing.T) {
	t.Helper()
	var last line
	for _, out := range k.outs {
		if all := lines(t, out); len(all) > 0 {
			last = all[len(all)-1]
		}
	}
	t.Logf("killed %d times, then at %+v", k.done, last)
	if last.State != "done" {
		last = k.u.sync(k.args[2:]...)
	}
	want := int64(k.small + k.large)
	if last.Found != want || last.Copied != want || last.Skipped+last.Failed+last.Deleted != 0 {
		t.Errorf("summary: %+v, want %d copied", last, want)
	}
	for i := 0; i < k.small; i += 250 {
		k.store.holds(k.dst, smallKey(i), int64(i), int64(i%5000))
	}
	for i := range k.large {
		k.store.holds(k.dst, fmt.Sprintf("large/%02d", i), int64(i), killedLarge+int64(i))
	}
	a, b := k.store.list(k.src), k.store.list(k.dst)
	for key, o := range a {
		if b[key].Size != o.Size || o.Size < 1<<20 && b[key].ETag != o.ETag {
			t.Errorf("%s: %d %s at the source, %d %s at the target", key, o.Size, o.ETag, b[key].Size, b[key].ETag)
		}
	}
	if len(b) != len(a) {
		t.Errorf("%d objects at the target, %d at the source", len(b), len(a))
	}
	if n := k.store.openUploads(k.dst); n != 0 {
		t.Errorf("%d uploads were left open", n)
	}
	k.to.checkRequests(t, k.from, k.done, k.small, k.large)
}

// checkRequests holds the number of requests against what the kills excuse.
func (p *proxy) checkRequests(t *testing.T, from *proxy, kills, small, large int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	from.mu.Lock()
	lists := p.lists + from.lists
	from.mu.Unlock()
	pages := 2 * ((small+large)/1000 + 1) // of source and target
	if most := 2*pages + 8*kills + 8; lists > most {
		t.Errorf("%d list requests, want at most %d", lists, most)
	}
	again := 0
	for _, n := range p.puts {
		again += n - 1
	}
	// What is in flight at a kill, or done but not yet reported, is repeated.
	if most := kills * (8 + 16); again > most {
		t.Errorf("%d small objects were copied again, want at most %d", again, most)
	}
	parts := 0
	for _, m := range p.parts {
		for _, n := range m {
			parts += n - 1
		}
	}
	if most := kills * 16; parts > most {
		t.Errorf("%d parts were sent again, want at most %d", parts, most)
	}
	t.Logf("%d lists, %d small objects and %d parts again over %d kills", lists, again, parts, kills)
}

// TestKillsLeaveNothingBehind kills syncs to a directory at random points: when
// one has come to its end, no temporary file is left of those before.
func TestKillsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	server := servertest.MinIO(t)
	src, bucket := t.TempDir(), server.Bucket(t)
	sampleTree(t, src, 8, 40)
	for i := range 4 {
		writePattern(t, fmt.Sprintf("%s/large%d", src, i), int64(i), 20<<20)
	}
	u := newUser(t, endpointEnv("STORE", server.URL, server))
	u.sync(src, "store://"+bucket)
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewSource(seed))
	for i, from := range []string{src, "store://" + bucket} {
		if testing.Short() && i > 0 {
			break
		}
		dst := t.TempDir()
		args := []string{"sync", "--json", "--interval", "50ms", "--requests-per-second", "150", "--bandwidth", "30MiB",
			"--multipart-threshold", "8MiB", "--part-size", "5MiB", from, dst}
		code := -1
		for kills := 0; kills < 8 && code < 0; kills++ {
			var out string
			code, out = u.killed(time.Duration(200+rng.Intn(600))*time.Millisecond, args...)
			lines(t, out)
		}
		if s := u.sync(args[2:]...); s.Found != 324 {
			t.Errorf("from %s: %+v", from, s)
		}
		sameTree(t, src, dst)
	}
}
