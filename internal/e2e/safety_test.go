package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/sluice-sync/sluice/internal/servertest"
)

// safetyLab is a MinIO behind two proxies, one for each end.
type safetyLab struct {
	server   *servertest.MinIOServer
	store    minioStore
	from, to *proxy
	u        *user
}

func newSafetyLab(t *testing.T) *safetyLab {
	t.Helper()
	return safetyLabOn(t, servertest.MinIO(t))
}

// safetyLabOn makes proxies of its own before a server that others use, too.
func safetyLabOn(t *testing.T, server *servertest.MinIOServer) *safetyLab {
	t.Helper()
	l := &safetyLab{server: server, store: newStore(t, server), from: newProxy(t, server.URL), to: newProxy(t, server.URL)}
	l.u = newUser(t, endpointEnv("STORE", l.from.URL, server), endpointEnv("OTHER", l.to.URL, server))
	return l
}

// inParts are flags under which the large objects here go in parts.
var inParts = []string{"--multipart-threshold", "8MiB", "--part-size", "5MiB"}

const largeSize = 12<<20 + 77

// mixed are the keys, seeds and sizes of small objects and large ones.
func mixed(small, large int, do func(key string, seed, size int64)) {
	for i := range small {
		do(fmt.Sprintf("s/%03d", i), int64(i), int64(3000+i*977)) // up to more than is sent in one piece
	}
	for i := range large {
		do(fmt.Sprintf("large%d", i), int64(i), largeSize+int64(i))
	}
}

// ends makes the ends of a pair, the source filled.
func (l *safetyLab) ends(t *testing.T, pair string, small, large int) (src, dst string) {
	t.Helper()
	from, to, _ := strings.Cut(pair, " → ")
	if from == "local" {
		src = t.TempDir()
		mixed(small, large, func(key string, seed, size int64) { writePattern(t, filepath.Join(src, key), seed, size) })
	} else {
		bucket := l.server.Bucket(t)
		src = "store://" + bucket
		mixed(small, large, func(key string, seed, size int64) { l.store.put(bucket, key, seed, size) })
	}
	if to == "local" {
		return src, t.TempDir()
	}
	return src, "other://" + l.server.Bucket(t)
}

// holds checks every byte of a target.
func (l *safetyLab) holds(t *testing.T, dst string, small, large int) {
	t.Helper()
	bucket, inStore := strings.CutPrefix(dst, "other://")
	mixed(small, large, func(key string, seed, size int64) {
		if inStore {
			l.store.holds(bucket, key, seed, size)
			return
		}
		f, err := os.Open(filepath.Join(dst, key))
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		if at, err := differs(f, pattern(seed, size)); err != nil || at >= 0 {
			t.Errorf("%s differs at byte %d: %v", key, at, err)
		}
	})
	if inStore {
		if n := l.store.openUploads(bucket); n != 0 {
			t.Errorf("%d uploads were left open", n)
		}
		if n := len(l.store.list(bucket)); n != small+large {
			t.Errorf("%d objects at the target, want %d", n, small+large)
		}
	} else if n := countFiles(t, dst); n != small+large {
		t.Errorf("%d files at the target, want %d", n, small+large)
	}
}

// throughMe are the pairs whose bytes pass a network.
var throughMe = []string{"MinIO → MinIO", "MinIO → local", "local → MinIO"}

// TestFaultsOnTheWire has every request meet a fault once or twice, and then
// wants every object to be right.
func TestFaultsOnTheWire(t *testing.T) {
	t.Parallel()
	small, large := 40, 2
	if testing.Short() {
		small, large = 12, 1
	}
	l := newSafetyLab(t)
	for name, arm := range map[string]func(l *safetyLab, m *meets){
		"a bit flipped in every read":  func(l *safetyLab, m *meets) { l.from.alter(flipAnswers(m, "/", 1)) },
		"a bit flipped in every write": func(l *safetyLab, m *meets) { l.to.intercept(flipRequests(m, "/", 1)) },
		"every body is cut":            func(l *safetyLab, m *meets) { l.from.alter(cutAnswers(m, 1)) },
		"every answer to a write is lost": func(l *safetyLab, m *meets) {
			l.to.alter(loseAnswers(m, 1, func(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }))
		},
		"a false success for every write": func(l *safetyLab, m *meets) {
			l.to.intercept(falseSuccess(m, 1, "<Error><Code>InternalError</Code><Message>no</Message></Error>", func(r *http.Request) bool {
				return isPut(r) || isComplete(r) || isCreate(r)
			}))
		},
		"an empty success for every write": func(l *safetyLab, m *meets) {
			l.to.intercept(falseSuccess(m, 1, "", func(r *http.Request) bool { return isPut(r) || isComplete(r) || isCreate(r) }))
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, pair := range throughMe {
				side := strings.Contains(name, "read") || strings.Contains(name, "body")
				if side && strings.HasPrefix(pair, "local") || !side && strings.HasSuffix(pair, "local") {
					continue // nothing of the kind is on the way
				}
				src, dst := l.ends(t, pair, small, large)
				var m meets
				arm(l, &m)
				s := l.u.in(t).sync(append(inParts, src, dst)...)
				if n := int64(small + large); s.Found != n || s.Copied != n || s.Unvouched != 0 {
					t.Errorf("%s: %+v", pair, s)
				}
				if n := m.count(); n < small+large {
					t.Errorf("%s: only %d faults", pair, n)
				}
				l.from.alter(nil)
				l.to.alter(nil)
				l.to.intercept(nil)
				l.holds(t, dst, small, large)
			}
		})
	}
}

// TestDamagedFramesAreSentAgain damages not the bytes of a part but the frames
// around them, so that the store cannot even read it.
func TestDamagedFramesAreSentAgain(t *testing.T) {
	t.Parallel()
	l := newSafetyLab(t)
	src, dst := l.ends(t, "local → MinIO", 0, 1)
	var m meets
	frames := []int64{0, 2, 5, 6, 7 + 256<<10, 9 + 256<<10} // of the first chunk and the next
	l.to.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if isPut(r) && r.ContentLength > 1<<20 && m.again(nameOf(r), 2) {
			r.Body = &damaged{r.Body, frames[m.count()%len(frames)]}
		}
		return false
	})
	if s := l.u.sync(append(inParts, src, dst)...); s.Copied != 1 || m.count() < 4 {
		t.Errorf("%+v after %d faults", s, m.count())
	}
	l.holds(t, dst, 0, 1)
}

// TestAlwaysDamagedIsAFailure: an object whose bytes never arrive whole is given
// up, and what is at the target stays as it is.
func TestAlwaysDamagedIsAFailure(t *testing.T) {
	t.Parallel()
	l := newSafetyLab(t)
	for name, arm := range map[string]func(m *meets){
		"read":  func(m *meets) { l.from.alter(flipAnswers(m, "/large", 1000)) },
		"write": func(m *meets) { l.to.intercept(flipRequests(m, "/large", 1000)) },
	} {
		t.Run(name, func(t *testing.T) {
			src, dst := l.ends(t, "MinIO → MinIO", 5, 2)
			bucket := strings.TrimPrefix(dst, "other://")
			l.store.put(bucket, "large0", 77, 500) // an older version
			var m meets
			arm(&m)
			r := l.u.in(t).run(append(append([]string{"sync", "--json", "--retries", "1"}, inParts...), src, dst)...)
			l.from.alter(nil)
			l.to.intercept(nil)
			all := lines(t, r.out)
			s := all[len(all)-1]
			if r.code != 3 || s.Copied != 5 || s.Failed != 2 {
				t.Errorf("exit %d, %+v: %s", r.code, s, r.errOut)
			}
			if f := l.u.ok("failures", "list", s.Task).out; strings.Count(f, "corrupt") < 2 {
				t.Errorf("failures:\n%s", f)
			}
			l.store.holds(bucket, "large0", 77, 500)
			if n := len(l.store.list(bucket)); n != 6 {
				t.Errorf("%d objects at the target, want 6", n)
			}
			if n := l.store.openUploads(bucket); n != 0 {
				t.Errorf("%d uploads were left open", n)
			}
			l.u.ok("failures", "retry", s.Task)
			l.holds(t, dst, 5, 2)
		})
	}
}

// TestServerSideCopyFaults: copies within one store that answer 200 and are
// none, or whose answer is lost.
func TestServerSideCopyFaults(t *testing.T) {
	t.Parallel()
	const small = 30
	l := newSafetyLab(t)
	for name, arm := range map[string]func(m *meets){
		"false": func(m *meets) {
			l.from.intercept(falseSuccess(m, 1, "<Error><Code>SlowDown</Code><Message>later</Message></Error>", isCopy))
		},
		"empty": func(m *meets) { l.from.intercept(falseSuccess(m, 1, "", isCopy)) },
		"lost":  func(m *meets) { l.from.alter(loseAnswers(m, 1, isCopy)) },
	} {
		t.Run(name, func(t *testing.T) {
			src, _ := l.ends(t, "MinIO → MinIO", small, 0)
			bucket := l.server.Bucket(t)
			var m meets
			arm(&m)
			s := l.u.in(t).sync(src, "store://"+bucket)
			l.from.alter(nil)
			l.from.intercept(nil)
			if s.Copied != small || m.count() < small {
				t.Errorf("%+v after %d faults", s, m.count())
			}
			l.holds(t, "other://"+bucket, small, 0)
		})
	}
}

// TestLostCompleteSendsNothingAgain: an upload whose Complete was served is
// recognised, also by the process after a kill.
func TestLostCompleteSendsNothingAgain(t *testing.T) {
	t.Parallel()
	const large = 3
	l := newSafetyLab(t)
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed %t", killed), func(t *testing.T) {
			u := l.u.in(t)
			src, dst := l.ends(t, "local → MinIO", 0, large)
			var m meets
			args := append(append([]string{"sync", "--json"}, inParts...), src, dst)
			p := (*process)(nil)
			ready := make(chan struct{})
			lose := loseAnswers(&m, 1, isComplete)
			l.to.alter(func(resp *http.Response) error {
				<-ready
				err := lose(resp)
				if err != nil && killed {
					_ = p.cmd.Process.Kill()
				}
				return err
			})
			p = u.start(args...)
			close(ready)
			r := p.wait()
			l.to.alter(nil)
			s := line{}
			if killed {
				s = u.sync(args[2:]...)
			} else if all := lines(t, r.out); r.code == 0 {
				s = all[len(all)-1]
			}
			if s.Copied != large || m.count() == 0 {
				t.Errorf("%+v, %d answers were lost: %s", s, m.count(), r.errOut)
			}
			l.holds(t, dst, 0, large)
			l.to.mu.Lock()
			defer l.to.mu.Unlock()
			for path, nums := range l.to.parts {
				for n, times := range nums {
					if times > 1 && strings.HasPrefix(path, strings.TrimPrefix(dst, "other:/")) && !killed {
						t.Errorf("part %s of %s was sent %d times", n, path, times)
					}
				}
			}
		})
	}
}

// read is what a reader sees of an object.
func (m minioStore) read(bucket, key string) (string, error) {
	o, err := m.GetObject(context.Background(), bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return "", err
	}
	defer o.Close()
	b, err := io.ReadAll(o)
	return string(b), err
}
