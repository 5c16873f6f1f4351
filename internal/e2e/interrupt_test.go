package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/internal/servertest"
)

// TestInterruptedOnEveryPair: SIGINT drains and exits 130, and the same command
// resumes with exact counts.
func TestInterruptedOnEveryPair(t *testing.T) {
	t.Parallel()
	l := newPairLab(t)
	l.each(t, func(t *testing.T, u *user, src, dst place) {
		const n = 100
		for i := range n {
			src.put(fmt.Sprintf("d%d/f%03d", i%5, i), fmt.Sprint(i))
		}
		both := []string{src.String(), dst.String()}
		p := u.start(append([]string{"sync", "--json", "--interval", "20ms", "--requests-per-second", "60"}, both...)...)
		p.until(30*time.Second, "copied objects", func(l line) bool { return l.Copied > 20 })
		p.signal(os.Interrupt)
		code, s := p.summary()
		if code != 130 || s.State != "interrupted" || s.Copied < 20 || s.Copied >= n {
			t.Errorf("interrupted: exit %d, %+v", code, s)
		}
		if got := int64(len(dst.files())); got != s.Copied {
			t.Errorf("%d objects are at the target, %d were counted", got, s.Copied)
		}
		if s := u.sync(both...); !s.Resumed || s.Found != n || s.Copied != n {
			t.Errorf("resumed: %+v", s)
		}
		wantSame(t, src, dst)
	})
}

// holdPuts makes a proxy take the bodies of writes and never answer them.
func holdPuts(t *testing.T, p *proxy) (held chan string) {
	held, over := make(chan string, 1000), make(chan struct{})
	t.Cleanup(func() { close(over) })
	p.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || strings.Count(r.URL.Path, "/") < 2 {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		held <- r.URL.Path
		select {
		case <-r.Context().Done():
		case <-over:
		}
		panic(http.ErrAbortHandler)
	})
	return held
}

// TestSecondInterruptStopsAtOnce: the first one waits for what is in flight,
// here for ever, the second one for nothing.
func TestSecondInterruptStopsAtOnce(t *testing.T) {
	t.Parallel()
	server := servertest.MinIO(t)
	p := newProxy(t, server.URL)
	u := newUser(t, endpointEnv("STORE", p.URL, server))
	src, bucket := t.TempDir(), server.Bucket(t)
	sampleTree(t, src, 2, 20)
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		held := holdPuts(t, p)
		run := u.start("sync", "--json", "--skip-precheck", src, "store://"+bucket)
		<-held
		run.signal(sig)
		waitFor(t, func() bool { return strings.Contains(run.err.String(), "once more stops at once") })
		select {
		case <-run.ended:
			t.Errorf("%s: it did not wait for what is in flight", sig)
		case <-time.After(500 * time.Millisecond): // enough to see that it waits
		}
		start := time.Now()
		run.signal(sig)
		if r := run.wait(); r.code != 130 || time.Since(start) > time.Second {
			t.Errorf("%s twice: exit %d after %s", sig, r.code, time.Since(start))
		}
		p.intercept(nil)
	}
	if s := u.sync(src, "store://"+bucket); s.Found != 40 || s.Copied != 40 {
		t.Errorf("resumed: %+v", s)
	}
}

// TestDrainIsBounded: what is in flight and does not end gets ten seconds.
func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	server := servertest.MinIO(t)
	p := newProxy(t, server.URL)
	u := newUser(t, endpointEnv("STORE", p.URL, server))
	src, bucket := t.TempDir(), server.Bucket(t)
	sampleTree(t, src, 2, 20)
	held := holdPuts(t, p)
	run := u.start("sync", "--json", "--skip-precheck", src, "store://"+bucket)
	<-held
	start := time.Now()
	run.signal(os.Interrupt)
	code, s := run.summary()
	if took := time.Since(start); code != 130 || s.Failed != 0 || took < 8*time.Second || took > 20*time.Second {
		t.Errorf("exit %d after %s, %+v", code, took, s)
	}
	p.intercept(nil)
	if s := u.sync(src, "store://"+bucket); s.Found != 40 || s.Copied != 40 {
		t.Errorf("resumed: %+v", s)
	}
}

// TestTerminatedDuringMultiparts ends a sync of large objects with SIGTERM, and
// then with SIGKILL: only missing parts are sent after each.
func TestTerminatedDuringMultiparts(t *testing.T) {
	t.Parallel()
	const objects, size = 4, 24 << 20
	flags := []string{"--multipart-threshold", "8MiB", "--part-size", "5MiB", "--bandwidth"}
	l := newPairLab(t)
	for i, pair := range []string{"local → MinIO", "MinIO → MinIO", "MinIO → local"} {
		if testing.Short() && i > 0 {
			break
		}
		t.Run(pair, func(t *testing.T) {
			u := l.u.in(t)
			src, dst := l.new(t, pair)
			for i := range objects {
				var b strings.Builder
				_, _ = io.Copy(&b, pattern(int64(i), size))
				src.put(fmt.Sprintf("large%d", i), b.String())
			}
			both := []string{src.String(), dst.String()}
			slow := append([]string{"sync", "--json", "--interval", "50ms"}, append(flags, "24MiB")...)
			for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
				p := u.start(append(slow, both...)...)
				moved := int64(-1)
				p.until(60*time.Second, "parts", func(l line) bool {
					if moved < 0 {
						moved = l.BytesMoved
					}
					return l.BytesMoved-moved > 20<<20
				})
				p.signal(sig)
				r := p.wait()
				if want := map[os.Signal]int{syscall.SIGTERM: 130, syscall.SIGKILL: -1}[sig]; r.code != want {
					t.Errorf("%s: exit %d, want %d: %s", sig, r.code, want, r.errOut)
				}
			}
			s := u.sync(append(append(flags, "200MiB"), both...)...)
			if s.Found != objects || s.Copied != objects || !s.Resumed {
				t.Errorf("resumed: %+v", s)
			}
			wantSame(t, src, dst)
			l.checkParts(t, dst, objects*5)
		})
	}
}

// checkParts allows a part to be sent twice only where the kill met it.
func (l *pairLab) checkParts(t *testing.T, dst place, parts int) {
	t.Helper()
	s, ok := dst.(shelf)
	if !ok {
		if left, _ := filepath.Glob(filepath.Join(dst.String(), ".*")); len(left) > 0 {
			t.Errorf("left at the target: %q", left)
		}
		return
	}
	l.proxy.mu.Lock()
	sent := 0
	for path, nums := range l.proxy.parts {
		for _, n := range nums {
			if strings.HasPrefix(path, "/"+s.bucket+"/") {
				sent += n
			}
		}
	}
	l.proxy.mu.Unlock()
	t.Logf("%d parts sent for %d", sent, parts)
	// 8 are in flight at a kill: they are sent again, or were stored unseen.
	if sent < parts-8 || sent > parts+8 {
		t.Errorf("%d parts were sent, want %d, give or take 8", sent, parts)
	}
	if n := s.store.openUploads(s.bucket); n != 0 {
		t.Errorf("%d uploads were left open", n)
	}
}
