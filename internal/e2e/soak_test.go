package e2e

import (
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/internal/servertest"
)

var (
	soak     = flag.Bool("soak", false, "run the soak test for -soak.time; without it for some seconds")
	soakTime = flag.Duration("soak.time", 10*time.Minute, "how long the soak test torments before it looks")
)

// leg is one of the syncs that the soak test keeps alive and kills.
type leg struct {
	name string
	args []string
	ends map[int]int // exit code → times
	most usage
}

// usage is the most that a process took.
type usage struct{ rss, fds int64 }

// soakLab is a source that changes all the time, a chain of two syncs from it
// over a store, and one from file to file.
type soakLab struct {
	t      *testing.T
	u      *user
	src    tree
	back   string
	local  string
	bucket string
	store  minioStore
	proxy  *proxy
	legs   []*leg

	mu  sync.Mutex // guards rng
	rng *rand.Rand
}

func (l *soakLab) draw(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rng.Intn(n)
}

// TestSoakChangesKillsAndFaults changes a source at random while it is copied,
// kills the copying processes and lets requests fail. When all is quiet again
// every target must become equal, with what a process takes bounded.
func TestSoakChangesKillsAndFaults(t *testing.T) {
	t.Parallel()
	long := 8 * time.Second
	if testing.Short() {
		long = 4 * time.Second
	}
	if *soak {
		long = *soakTime
	}
	seed := time.Now().UnixNano()
	t.Logf("seed %d, for %s", seed, long)
	server := servertest.MinIO(t)
	dir := t.TempDir()
	l := &soakLab{
		t: t, src: tree{t, filepath.Join(dir, "src")}, back: filepath.Join(dir, "back"), local: filepath.Join(dir, "local"),
		bucket: server.Bucket(t), store: newStore(t, server), proxy: newProxy(t, server.URL), rng: rand.New(rand.NewSource(seed)),
	}
	l.u = newUser(t, endpointEnv("STORE", l.proxy.URL, server))
	l.legs = []*leg{
		{name: "out", args: []string{l.src.root, "store://" + l.bucket}},
		{name: "back", args: []string{"store://" + l.bucket, l.back}},
		{name: "local", args: []string{l.src.root, l.local}},
	}
	for i := range 150 {
		l.src.put(fmt.Sprintf("stable/%03d", i), fmt.Sprint("never changes ", i))
	}
	l.torment(time.Now().Add(long))
	l.converge()
}

// torment runs everything until the end.
func (l *soakLab) torment(end time.Time) {
	var m meets
	l.proxy.intercept(l.faultyRequest(&m))
	l.proxy.alter(l.faultyAnswer(&m))
	var all sync.WaitGroup
	changes := 0
	all.Go(func() {
		for ; time.Now().Before(end); changes++ {
			l.change()
			time.Sleep(time.Duration(l.draw(40)) * time.Millisecond) // the pace of the source
		}
	})
	for _, g := range l.legs {
		all.Go(func() { l.keepAlive(g, end) })
	}
	all.Wait()
	l.proxy.intercept(nil)
	l.proxy.alter(nil)
	l.t.Logf("%d changes, %d faults", changes, m.count())
	for _, g := range l.legs {
		l.t.Logf("%s: ended as %v; at most %d MiB and %d descriptors", g.name, g.ends, g.most.rss>>20, g.most.fds)
	}
}

// command is a leg's command line, slow enough for kills to meet it at work.
func (g *leg) command(rate string) []string {
	return append([]string{"sync", "--json", "--interval", "100ms", "--delete", "--max-delete", "none",
		"--multipart-threshold", "6MiB", "--part-size", "5MiB", "--requests-per-second", rate}, g.args...)
}

// keepAlive starts a leg's sync again and again, and kills, interrupts or
// leaves each.
func (l *soakLab) keepAlive(g *leg, end time.Time) {
	g.ends = map[int]int{}
	for time.Now().Before(end) {
		p := l.u.start(g.command("150")...)
		deadline := time.After(time.Duration(100+l.draw(2500)) * time.Millisecond)
		sig := syscall.SIGKILL
		if l.draw(4) == 0 {
			sig = syscall.SIGTERM
		}
		for over := false; !over; {
			select {
			case <-p.ended:
				over = true
			case <-deadline:
				p.signal(sig)
				deadline = nil
			case <-time.After(100 * time.Millisecond):
				g.most.see(p.cmd.Process.Pid)
			}
		}
		r := p.wait()
		g.ends[r.code]++
		p.lines() // adds up in each, also in what was printed before a kill
		switch r.code {
		case 0, 3, 130, -1:
		case 1: // deletes are held, say, while the source's listing fails
			l.t.Logf("%s: %s", g.name, tail(r.errOut))
		default:
			l.t.Errorf("%s: exit %d: %s", g.name, r.code, r.errOut)
		}
		if strings.Contains(r.errOut, "panic") || strings.Contains(r.errOut, "goroutine ") {
			l.t.Errorf("%s: %s", g.name, r.errOut)
		}
	}
}

// see notes what a process takes now.
func (m *usage) see(pid int) {
	proc := fmt.Sprintf("/proc/%d/", pid)
	if ents, err := os.ReadDir(proc + "fd"); err == nil {
		m.fds = max(m.fds, int64(len(ents)))
	}
	b, err := os.ReadFile(proc + "statm")
	var pages, resident int64
	if _, serr := fmt.Sscan(string(b), &pages, &resident); err == nil && serr == nil {
		m.rss = max(m.rss, resident*int64(os.Getpagesize()))
	}
}

// change does one thing to the source. Files lie in directories whose names no
// file has: what changes from one to the other is another matter.
func (l *soakLab) change() {
	name := func() string { return fmt.Sprintf("d%d/e%d/f%02d", l.draw(5), l.draw(5), l.draw(40)) }
	path := filepath.Join(l.src.root, name())
	size := int64(l.draw(5000))
	switch l.draw(40) {
	case 0:
		size = 7<<20 + int64(l.draw(1<<20))
	case 1, 2:
		size = int64(l.draw(600 << 10))
	}
	seed := int64(l.draw(1 << 30))
	switch l.draw(8) {
	case 0, 1, 2: // at once
		l.writeAtOnce(path, seed, size)
	case 3: // in place
		l.writeInPlace(path, os.O_TRUNC, seed, size)
	case 4: // longer
		l.writeInPlace(path, os.O_APPEND, seed, size/8+1)
	case 5:
		_ = os.Remove(path)
	case 6: // another time
		at := time.Now().Add(-time.Duration(l.draw(1000)) * time.Hour)
		_ = os.Chtimes(path, at, at)
	case 7: // a file or a directory moves
		from, to := path, filepath.Join(l.src.root, name())
		if l.draw(6) == 0 {
			from, to = filepath.Dir(from), filepath.Join(l.src.root, fmt.Sprintf("d%d", l.draw(5)), fmt.Sprintf("m%d", l.draw(1000)))
		}
		_ = os.MkdirAll(filepath.Dir(to), 0o755)
		_ = os.Rename(from, to)
	}
}

func (l *soakLab) writeAtOnce(path string, seed, size int64) {
	tmp := l.src.root + ".new"
	writePattern(l.t, tmp, seed, size)
	_ = os.MkdirAll(filepath.Dir(path), 0o755)
	_ = os.Rename(tmp, path)
}

func (l *soakLab) writeInPlace(path string, how int, seed, size int64) {
	_ = os.MkdirAll(filepath.Dir(path), 0o755)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|how, 0o644)
	if err != nil {
		return // its directory just moved
	}
	defer f.Close()
	if _, err := io.Copy(f, pattern(seed, size)); err != nil {
		l.t.Error(err)
	}
}

// faultyRequest lets about one request in fifty go wrong before it arrives.
func (l *soakLab) faultyRequest(m *meets) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		switch l.draw(400) {
		case 0:
			m.again("", 1<<30)
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		case 1, 2:
			m.again("", 1<<30)
			w.WriteHeader(http.StatusInternalServerError)
			return true
		case 3, 4:
			m.again("", 1<<30)
			panic(http.ErrAbortHandler)
		case 5, 6:
			return flipRequests(m, "/", 1<<30)(w, r)
		case 7:
			return falseSuccess(m, 1<<30, "", func(*http.Request) bool { return isPut(r) || isComplete(r) })(w, r)
		}
		return false
	}
}

// faultyAnswer lets about as many go wrong on the way back.
func (l *soakLab) faultyAnswer(m *meets) func(*http.Response) error {
	return func(resp *http.Response) error {
		switch l.draw(300) {
		case 0, 1:
			return loseAnswers(m, 1<<30, func(*http.Request) bool { return true })(resp)
		case 2, 3:
			return cutAnswers(m, 1<<30)(resp)
		case 4, 5:
			return flipAnswers(m, "/", 1<<30)(resp)
		case 6:
			if isListing(resp.Request) {
				m.again("", 1<<30)
				return rewrite(resp, func(b []byte) []byte { return b[:len(b)/2] })
			}
		}
		return nil
	}
}

// converge runs each leg until it has nothing to do, and compares by other
// means.
func (l *soakLab) converge() {
	t := l.t
	prune(t, l.src.root)
	files := int64(len(l.src.stamps()))
	for _, g := range l.legs {
		p := l.u.start(g.command("0")...)
		if code, s := p.summary(); code != 0 {
			t.Errorf("%s: exit %d, %+v: %s", g.name, code, s, p.err.String())
		}
		p = l.u.start(g.command("0")...)
		if code, s := p.summary(); code != 0 || s.Copied+s.Deleted != 0 {
			t.Errorf("%s, when there is nothing to do: exit %d, %+v of %d", g.name, code, s, files)
		}
	}
	for _, dst := range []string{l.back, l.local} {
		sameTree(t, l.src.root, dst)
	}
	left, right := l.src.files(), l.store.list(l.bucket)
	for key, content := range left {
		if o, ok := right[key]; !ok || o.Size != int64(len(content)) {
			t.Errorf("%s: %d bytes at the source, %d in the bucket (there: %t)", key, len(content), o.Size, ok)
		}
	}
	if len(left) != len(right) {
		t.Errorf("%d files, %d objects", len(left), len(right))
	}
	for up := range l.store.ListIncompleteUploads(t.Context(), l.bucket, "", true) {
		_, held := left[up.Key]
		t.Errorf("an upload of %s begun at %s was left open; is the key at the source: %t, %v", up.Key, up.Initiated, held, up.Err)
	}
	l.bounded()
}

// prune removes empty directories, which a store does not have.
func prune(t *testing.T, root string) {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != root {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(dirs)
	for _, dir := range dirs {
		_ = os.Remove(dir) // fails where something is in it
	}
}

// bounded looks at what was taken in the meantime.
func (l *soakLab) bounded() {
	rss := int64(300 << 20)
	if underRace {
		rss *= 5
	}
	for _, g := range l.legs {
		if g.most.rss > rss || g.most.fds > 400 {
			l.t.Errorf("%s took %d MiB and %d descriptors", g.name, g.most.rss>>20, g.most.fds)
		}
	}
	out, err := exec.Command("du", "-sm", l.u.state()).Output()
	var mib int
	if _, serr := fmt.Sscan(string(out), &mib); err != nil || serr != nil || mib > 400 {
		l.t.Errorf("the state of %d tasks takes %q MiB, %v", len(l.legs), out, err)
	}
	codes := map[int]int{}
	for _, g := range l.legs {
		for c, n := range g.ends {
			codes[c] += n
		}
	}
	if *soak && (codes[-1] == 0 || codes[130] == 0) {
		l.t.Errorf("nothing was killed or interrupted: %v", slices.Sorted(maps.Keys(codes)))
	}
}
