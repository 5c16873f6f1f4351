package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// The effects of flags that take more than a line to see.

func (l *flagLab) copied(s line, want int64) {
	l.t.Helper()
	if s.Copied != want {
		l.t.Errorf("%+v, want %d copied", s, want)
	}
}

func (l *flagLab) oldHolds(text string) {
	l.t.Helper()
	if b, err := os.ReadFile(filepath.Join(l.dst, "old.jpg")); string(b) != text {
		l.t.Errorf("old.jpg holds %q, want %q, %v", b, text, err)
	}
}

func excludeFrom(l *flagLab) {
	file := filepath.Join(l.t.TempDir(), "patterns")
	write(l.t, file, "# pictures\n*.jpg\n")
	l.sync("--exclude-from", file)
	l.wants("new.txt")
	write(l.t, file, "{\n")
	if r := l.u.run("sync", "--exclude-from", file, l.src, l.dst); r.code != 2 || !strings.Contains(r.errOut, file+":1") {
		l.t.Errorf("a wrong pattern: exit %d: %s", r.code, r.errOut)
	}
}

// checksum: equal bytes of another time are left alone, other bytes of the same
// size and time are not.
func checksum(l *flagLab) {
	l.toBucket()
	path := filepath.Join(l.src, "old.jpg")
	now := time.Now()
	if err := os.Chtimes(path, now, now); err != nil {
		l.t.Fatal(err)
	}
	l.copied(l.toBucket("--checksum"), 0)
	fi, err := os.Stat(path)
	if err != nil {
		l.t.Fatal(err)
	}
	write(l.t, path, "2")
	if err := os.Chtimes(path, fi.ModTime(), fi.ModTime()); err != nil {
		l.t.Fatal(err)
	}
	l.copied(l.toBucket("--checksum"), 1)
	l.store.holdsText(l.bucket, "old.jpg", "2")
}

func maxDelete(l *flagLab) {
	for i := range 3 {
		write(l.t, filepath.Join(l.dst, fmt.Sprint("extra", i)), "x")
	}
	if r := l.u.run("sync", "--delete", "--max-delete", "2", l.src, l.dst); r.code != 1 {
		l.t.Errorf("over the cap: exit %d: %s", r.code, r.errOut)
	}
	l.wants("extra0 extra1 extra2 new.txt old.jpg")
	l.sync("--delete", "--max-delete", "3")
	l.wants("new.txt old.jpg")
}

func createBucket(l *flagLab) {
	to := "store://made-" + l.bucket
	if r := l.u.run("sync", l.src, to); r.code != 1 || !strings.Contains(r.errOut, "--create-bucket") {
		l.t.Errorf("no bucket: exit %d: %s", r.code, r.errOut)
	}
	l.copied(l.u.sync("--create-bucket", l.src, to), 2)
}

// workers counts the writes that are open at once.
func workers(l *flagLab) {
	sampleTree(l.t, l.src, 1, 40)
	for _, n := range []int{1, 8} {
		var open, most atomic.Int64
		l.proxy.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
			if isPut(r) {
				now := open.Add(1)
				for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				}
				time.Sleep(10 * time.Millisecond) // so that writes overlap
				open.Add(-1)
			}
			return false
		})
		l.toBucket("--force", "--workers", strconv.Itoa(n))
		if got := int(most.Load()); got > n || n > 1 && got < n/2 {
			l.t.Errorf("--workers %d: %d writes at once", n, got)
		}
	}
}

func parts(want int, flags ...string) func(*flagLab) {
	return func(l *flagLab) {
		writePattern(l.t, filepath.Join(l.src, "large"), 1, 12<<20)
		l.toBucket(flags...)
		l.proxy.mu.Lock()
		got := len(l.proxy.parts["/"+l.bucket+"/large"])
		l.proxy.mu.Unlock()
		if got != want {
			l.t.Errorf("%q: %d parts, want %d", flags, got, want)
		}
		l.store.holds(l.bucket, "large", 1, 12<<20)
	}
}

// refuseJPG makes a server fail at pictures for ever.
func (l *flagLab) refuseJPG() {
	l.proxy.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !isPut(r) || !strings.HasSuffix(r.URL.Path, ".jpg") {
			return false
		}
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
}

func retries(l *flagLab) {
	l.refuseJPG()
	for _, n := range []int{1, 2} {
		r := l.u.run("sync", "--json", "--retries", strconv.Itoa(n), l.src, "store://"+l.bucket)
		all := lines(l.t, r.out)
		task := all[len(all)-1].Task
		if out := l.u.ok("failures", "list", "--json", task).out; r.code != 3 || !strings.Contains(out, fmt.Sprintf(`"tries":%d,`, n)) {
			l.t.Errorf("--retries %d: exit %d: %s", n, r.code, out)
		}
	}
}

func maxErrors(l *flagLab) {
	l.refuseJPG()
	write(l.t, filepath.Join(l.src, "second.jpg"), "x")
	r := l.u.run("sync", "--json", "--retries", "1", "--max-errors", "1", l.src, "store://"+l.bucket)
	if r.code != 4 || !strings.Contains(r.errOut, "failed objects") {
		l.t.Errorf("exit %d: %s", r.code, r.errOut)
	}
	l.proxy.intercept(nil)
	l.u.run("failures", "retry", "--json", lines(l.t, r.out)[0].Task)
	l.toBucket()
	if n := len(l.store.list(l.bucket)); n != 3 {
		l.t.Errorf("%d objects in the end, want 3", n)
	}
}

// giveUpAfter loses the endpoint after the first look at it.
func giveUpAfter(l *flagLab) {
	var seen atomic.Int64
	l.proxy.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if isPut(r) || seen.Load() > 0 {
			seen.Add(1)
			panic(http.ErrAbortHandler)
		}
		return false
	})
	start := time.Now()
	p := l.u.start("sync", "--json", "--interval", "50ms", "--give-up-after", "2s", l.src, "store://"+l.bucket)
	if s := p.until(10*time.Second, "pause", paused); !strings.Contains(s.Why, "unreachable") {
		l.t.Errorf("paused with %+v", s)
	}
	if r := p.wait(); r.code != 1 || !strings.Contains(r.errOut, "the same command resumes") || time.Since(start) > 20*time.Second {
		l.t.Errorf("exit %d after %s: %s", r.code, time.Since(start), r.errOut)
	}
	l.proxy.intercept(nil)
	l.copied(l.toBucket(), 2)
}

func (l *flagLab) overNATS(url string, flags ...string) {
	l.t.Helper()
	l.copied(l.sync(append(flags, "--nats", url)...), 2)
}

func quiet(l *flagLab) {
	if r := l.u.ok("sync", "--quiet", l.src, l.dst); r.out+r.errOut != "" {
		l.t.Errorf("it says: %s%s", r.out, r.errOut)
	}
	if r := l.u.run("sync", "--quiet", l.src+"/absent", l.dst); r.code != 1 || r.out != "" || r.errOut == "" {
		l.t.Errorf("an error: exit %d, %s%s", r.code, r.out, r.errOut)
	}
}

func interval(l *flagLab) {
	sampleTree(l.t, l.src, 1, 40)
	slow := []string{"--requests-per-second", "40", l.src, l.dst}
	if n := len(lines(l.t, l.u.ok(append([]string{"sync", "--json", "--interval", "100ms"}, slow...)...).out)); n < 5 {
		l.t.Errorf("%d lines as JSON", n)
	}
	out := l.u.ok(append([]string{"sync", "--force", "--interval", "100ms"}, slow...)...).out
	if n := strings.Count(out, "\n"); n < 5 || !strings.Contains(out, "objects, ") || !strings.Contains(out, "done: found 42, copied 42") {
		l.t.Errorf("%d lines in words:\n%s", n, out)
	}
}

func stateDir(l *flagLab) {
	dir := filepath.Join(l.t.TempDir(), "elsewhere")
	task := l.sync("--state-dir", dir).Task
	if fi, err := os.Stat(filepath.Join(dir, task)); err != nil || fi.Mode().Perm() != 0o700 {
		l.t.Errorf("%v, %v", fi, err)
	}
	if _, err := os.Stat(l.u.state()); !os.IsNotExist(err) {
		l.t.Errorf("there is state in the usual place: %v", err)
	}
}

func endpointsFile(l *flagLab) {
	file := filepath.Join(l.t.TempDir(), "endpoints.yaml")
	write(l.t, file, fmt.Sprintf("endpoints:\n  filed:\n    provider: minio\n    url: %s\n    access_key: %s\n    secret_key: %s\n",
		l.server.URL, l.server.AccessKey, l.server.SecretKey))
	l.copied(l.u.sync("--endpoints", file, l.src, "filed://"+l.bucket), 2)
	write(l.t, file, "endpoints:\n  filed:\n    provder: minio\n")
	r := l.u.run("sync", "--endpoints", file, l.src, "filed://"+l.bucket)
	if r.code != 2 || !strings.Contains(r.errOut, file+":3:5") || !strings.Contains(r.errOut, "provider") {
		l.t.Errorf("a misspelt key: exit %d: %s", r.code, r.errOut)
	}
}

// logs has a run say at the level info, in a file, as JSON, that its options
// changed.
func logs(l *flagLab) {
	sampleTree(l.t, l.src, 1, 60)
	p := l.u.start("sync", "--json", "--interval", "20ms", "--requests-per-second", "30", l.src, l.dst)
	p.until(20*time.Second, "copied object", func(l line) bool { return l.Copied > 0 })
	p.kill()
	file := filepath.Join(l.t.TempDir(), "log")
	flags := []string{"--log-level", "info", "--log-format", "json", "--log-file", file, "--size-only"}
	if r := l.u.ok(append(append([]string{"sync"}, flags...), l.src, l.dst)...); r.errOut != "" {
		l.t.Errorf("standard error: %s", r.errOut)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		l.t.Fatal(err)
	}
	var m struct{ Task, Component, Level, Message, Time string }
	if err := json.Unmarshal([]byte(strings.SplitN(string(b), "\n", 2)[0]), &m); err != nil {
		l.t.Fatalf("%q: %v", b, err)
	}
	if m.Task == "" || m.Component != "task" || m.Level != "info" || !strings.Contains(m.Message, "options changed") || m.Time == "" {
		l.t.Errorf("the log says %s", b)
	}
	refusesValue("--log-file", "/no/such/dir/log")(l)
}

func refusesValue(flag, value string) func(*flagLab) {
	return func(l *flagLab) {
		if r := l.u.run("sync", flag, value, l.src, l.dst); r.code != 2 || !strings.Contains(r.errOut, flag) {
			l.t.Errorf("%s %s: exit %d: %s", flag, value, r.code, r.errOut)
		}
	}
}
