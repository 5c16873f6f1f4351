package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/internal/servertest"
)

// natsLab is a MinIO, a nats-server and somebody who uses both.
type natsLab struct {
	t     *testing.T
	u     *user
	store minioStore
	minio *servertest.MinIOServer
	dir   string // of the streams
	port  int
	nats  *servertest.NATS
}

func newNATSLab(t *testing.T) *natsLab {
	t.Helper()
	l := &natsLab{t: t, minio: servertest.MinIO(t), dir: t.TempDir(), port: servertest.FreePort(t)}
	l.store = newStore(t, l.minio)
	l.nats = servertest.StartNATS(t, l.dir, l.port)
	other := newProxy(t, l.minio.URL) // another endpoint, so that bytes go through us
	l.u = newUser(t, endpointEnv("STORE", l.minio.URL, l.minio), endpointEnv("OTHER", other.URL, l.minio))
	return l
}

// args is a sync through the server that takes some seconds for 300 objects.
func (l *natsLab) args(src, dst string) []string {
	return []string{"sync", "--json", "--interval", "50ms", "--nats", l.nats.URL, "--requests-per-second", "150", src, dst}
}

// sources are a directory and a bucket with the same n files.
func (l *natsLab) sources(n int) map[string]string {
	dir, bucket := l.t.TempDir(), l.minio.Bucket(l.t)
	for i := range n {
		write(l.t, filepath.Join(dir, fmt.Sprintf("d%d", i%7), fmt.Sprintf("f%03d", i)), fmt.Sprintf("content %d", i))
	}
	l.u.sync(dir, "store://"+bucket)
	return map[string]string{"local": dir, "MinIO": "store://" + bucket}
}

func (l *natsLab) restart() { l.nats = servertest.StartNATS(l.t, l.dir, l.port) }

// TestNATSServerKilledInTheMiddle kills the server twice while a sync runs.
func TestNATSServerKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	l := newNATSLab(t)
	const n = 300
	for name, src := range l.sources(n) {
		if testing.Short() && name == "local" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			u := l.u.in(t)
			bucket := l.minio.Bucket(t)
			p := u.start(l.args(src, "other://"+bucket)...)
			// The second is longer than any request to the server may take.
			for at, outage := range []time.Duration{time.Second, 7 * time.Second} {
				p.until(30*time.Second, "copied objects", func(l line) bool { return l.Copied >= int64(40+100*at) })
				l.nats.Kill()
				time.Sleep(outage)
				l.restart()
			}
			code, s := p.summary()
			if code != 0 || s.Found != n || s.Copied != n || s.Resumed {
				t.Errorf("exit %d, %+v", code, s)
			}
			if got := len(l.store.list(bucket)); got != n {
				t.Errorf("%d objects at the target, want %d", got, n)
			}
			if s := u.sync(l.args(src, "other://"+bucket)[2:]...); s.Copied != 0 || s.Skipped != n {
				t.Errorf("again: %+v", s)
			}
		})
	}
}

// TestNATSStoreDeleted lets the server lose all streams in the middle of a
// run: while nobody runs it, and under a process.
func TestNATSStoreDeleted(t *testing.T) {
	t.Parallel()
	l := newNATSLab(t)
	const n = 300
	src := l.sources(n)["local"]
	for name, end := range map[string]func(t *testing.T, p *process, lose func()){
		"between runs": func(_ *testing.T, p *process, lose func()) { p.kill(); lose() },
		"while it runs": func(t *testing.T, p *process, lose func()) {
			lose()
			if r := p.wait(); r.code != 1 || !strings.Contains(r.errOut, "lost") || strings.Count(r.errOut, "sluice:") != 1 {
				t.Errorf("exit %d: %s", r.code, r.errOut)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := l.u.in(t)
			bucket := l.minio.Bucket(t)
			args := l.args(src, "other://"+bucket)
			p := u.start(args...)
			p.until(30*time.Second, "copied objects", func(l line) bool { return l.Copied >= 40 })
			end(t, p, func() {
				l.nats.Kill()
				if err := os.RemoveAll(l.dir); err != nil {
					t.Fatal(err)
				}
				l.restart()
			})
			s := u.sync(args[2:]...)
			if s.Found != n || s.Copied+s.Skipped != n || s.Skipped < 40 {
				t.Errorf("after the loss: %+v", s)
			}
			if got := len(l.store.list(bucket)); got != n {
				t.Errorf("%d objects at the target, want %d", got, n)
			}
		})
	}
}

func TestBadNATSIsOneLineWithinTenSeconds(t *testing.T) {
	t.Parallel()
	plain := servertest.StartNATS(t, "", servertest.FreePort(t))
	locked := servertest.StartNATS(t, t.TempDir(), servertest.FreePort(t), "--user", "me", "--pass", "right-pass")
	u := newUser(t)
	src, dst := t.TempDir(), t.TempDir()
	write(t, filepath.Join(src, "a"), "A")
	for name, c := range map[string]struct{ url, says string }{
		"nobody listens": {fmt.Sprintf("nats://127.0.0.1:%d", servertest.FreePort(t)), "no servers available"},
		"no such host":   {"nats://no-such-host.invalid:4222", "no-such-host.invalid"},
		"no URL":         {"nats://us er@%zz:port", "NATS"},
		"no JetStream":   {plain.URL, "JetStream"},
		"no password":    {locked.URL, "Authorization"},
		"wrong password": {strings.Replace(locked.URL, "://", "://me:wrong-pass@", 1), "Authorization"},
	} {
		t.Run(name, func(t *testing.T) {
			u := u.in(t)
			start := time.Now()
			r := u.run("sync", "--nats", c.url, src, dst)
			if took := time.Since(start); r.code != 1 || took > 10*time.Second {
				t.Errorf("exit %d after %s", r.code, took)
			}
			if !strings.Contains(strings.ToLower(r.errOut), strings.ToLower(c.says)) || strings.Count(r.errOut, "\n") > 2 {
				t.Errorf("want one line with %q:\n%s", c.says, r.errOut)
			}
			if strings.Contains(r.errOut+r.out, "-pass") {
				t.Errorf("the password is in the output:\n%s", r.errOut)
			}
		})
	}
	if n := countFiles(t, dst); n != 0 {
		t.Errorf("%d files were copied without a bus", n)
	}
	if r := u.run("sync", "--nats", strings.Replace(locked.URL, "://", "://me:right-pass@", 1), src, dst); r.code != 0 {
		t.Errorf("with the right password: exit %d: %s", r.code, r.errOut)
	}
}
