package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/internal/servertest"
)

// flagLab has what the flags are about: files of some sizes and ages, a
// directory and a bucket as targets, and who uses them.
type flagLab struct {
	t      *testing.T
	u      *user
	src    string
	dst    string
	proxy  *proxy
	server *servertest.MinIOServer
	store  minioStore
	bucket string
}

func newFlagLab(t *testing.T, server *servertest.MinIOServer) *flagLab {
	l := &flagLab{t: t, src: t.TempDir(), dst: t.TempDir(), server: server, proxy: newProxy(t, server.URL), store: newStore(t, server)}
	l.u = newUser(t, endpointEnv("STORE", l.proxy.URL, server))
	l.bucket = server.Bucket(t)
	write(t, filepath.Join(l.src, "old.jpg"), "1")
	write(t, filepath.Join(l.src, "new.txt"), strings.Repeat("x", 2000))
	old := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(filepath.Join(l.src, "old.jpg"), old, old); err != nil {
		t.Fatal(err)
	}
	return l
}

// sync runs flags from the source to the directory.
func (l *flagLab) sync(flags ...string) line {
	l.t.Helper()
	return l.u.sync(append(flags, l.src, l.dst)...)
}

// toBucket runs flags from the source to the bucket.
func (l *flagLab) toBucket(flags ...string) line {
	l.t.Helper()
	return l.u.sync(append(flags, l.src, "store://"+l.bucket)...)
}

// wants compares what is at the directory.
func (l *flagLab) wants(keys string) {
	l.t.Helper()
	wantKeys(l.t, tree{l.t, l.dst}, keys)
}

// selects runs flags and names what they select.
func selects(keys string, flags ...string) func(*flagLab) {
	return func(l *flagLab) {
		l.sync(flags...)
		l.wants(keys)
	}
}

// altered changes one file at the target: as long, and older or newer than the
// source's. It returns how much of it a sync copies.
func altered(age time.Duration, flags ...string) func(*flagLab) line {
	return func(l *flagLab) line {
		l.sync()
		path := filepath.Join(l.dst, "old.jpg")
		write(l.t, path, "2")
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			l.t.Fatal(err)
		}
		write(l.t, filepath.Join(l.src, "added"), "new")
		return l.sync(flags...)
	}
}

// copies expects so many of the two that differ to be copied.
func copies(n int64, age time.Duration, flags ...string) func(*flagLab) {
	return func(l *flagLab) {
		if s := altered(age, flags...)(l); s.Copied != n {
			l.t.Errorf("%q: %+v, want %d copied", flags, s, n)
		}
	}
}

// takes expects a sync of 30 objects or 3 MiB to take so long at least.
func takes(least time.Duration, flags ...string) func(*flagLab) {
	return func(l *flagLab) {
		sampleTree(l.t, l.src, 1, 30)
		writePattern(l.t, filepath.Join(l.src, "large"), 1, 3<<20)
		if s := l.sync(flags...); time.Duration(s.Seconds*float64(time.Second)) < least {
			l.t.Errorf("%q took %.2f s, want %s at least", flags, s.Seconds, least)
		}
	}
}

// syncFlags has a test of the effect of every flag of sync.
var syncFlags = map[string]func(*flagLab){
	"include":       selects("old.jpg", "--include", "*.jpg"),
	"exclude":       selects("new.txt", "--exclude", "*.jpg"),
	"min-size":      selects("new.txt", "--min-size", "1k"),
	"max-size":      selects("old.jpg", "--max-size", "1k"),
	"newer-than":    selects("new.txt", "--newer-than", "1d"),
	"older-than":    selects("old.jpg", "--older-than", "1d"),
	"exclude-from":  excludeFrom,
	"key-range":     keyRange,
	"from-manifest": fromManifest,

	"force":           func(l *flagLab) { l.sync(); l.copied(l.sync("--force"), 2) },
	"size-only":       copies(1, time.Hour, "--size-only"),
	"update":          func(l *flagLab) { copies(1, time.Hour, "--update")(l); l.oldHolds("2") },
	"ignore-existing": func(l *flagLab) { copies(1, 99*time.Hour, "--ignore-existing")(l); l.oldHolds("2") },
	"existing":        func(l *flagLab) { copies(1, time.Hour, "--existing")(l); l.wants("new.txt old.jpg") },
	"checksum":        checksum,

	"compare":       compareMetadata,
	"expires":       expires,
	"storage-class": storageClass,
	"tags":          keepTags,
	"owner":         keepOwner,
	"dir-markers":   dirMarkers,
	"archived":      archivedFlag,
	"restore-days":  restoreDays,
	"restore-tier":  restoreTier,

	"delete":        func(l *flagLab) { write(l.t, l.dst+"/extra", "x"); l.sync("--delete"); l.wants("new.txt old.jpg") },
	"max-delete":    maxDelete,
	"dry-run":       func(l *flagLab) { l.u.ok("sync", "--dry-run", l.src, l.dst); l.wants("") },
	"create-bucket": createBucket,
	"skip-precheck": skipPrecheck,

	"workers":             workers,
	"part-size":           parts(3, "--part-size", "5MiB", "--multipart-threshold", "8MiB"),
	"multipart-threshold": parts(0, "--part-size", "5MiB", "--multipart-threshold", "16MiB"),
	"bandwidth":           takes(1500*time.Millisecond, "--bandwidth", "1MiB"),
	"requests-per-second": takes(time.Second, "--requests-per-second", "25"),
	"retries":             retries,
	"max-errors":          maxErrors,
	"give-up-after":       giveUpAfter,

	"nats":       func(l *flagLab) { l.overNATS(servertest.StartNATS(l.t, l.t.TempDir(), servertest.FreePort(l.t)).URL) },
	"nats-creds": natsCreds,
	"nats-ca":    natsTLS,
	"nats-cert":  natsTLS,
	"nats-key":   natsTLS,

	"json":     func(l *flagLab) { lines(l.t, l.u.ok("sync", "--json", l.src, l.dst).out) },
	"quiet":    quiet,
	"interval": interval,

	"state-dir":  stateDir,
	"endpoints":  endpointsFile,
	"log-file":   logs,
	"log-level":  refusesValue("--log-level", "loud"),
	"log-format": refusesValue("--log-format", "xml"),
}

// skipPrecheck passes over a check that would stop the task.
func skipPrecheck(l *flagLab) {
	l.proxy.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/.sluice-precheck-") {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	if r := l.u.run("sync", l.src, "store://"+l.bucket); r.code != 1 || !strings.Contains(r.errOut, "--skip-precheck") {
		l.t.Errorf("exit %d: %s", r.code, r.errOut)
	}
	l.copied(l.toBucket("--skip-precheck"), 2)
}

var helpFlag = regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z-]+) .*$`)

// TestEveryFlagOfSync runs the table, and holds it against the help.
func TestEveryFlagOfSync(t *testing.T) {
	t.Parallel()
	help := newUser(t).ok("sync", "--help").out
	server := servertest.MinIO(t)
	var inHelp []string
	for _, m := range helpFlag.FindAllStringSubmatch(help, -1) {
		if m[1] == "help" {
			continue
		}
		inHelp = append(inHelp, m[1])
		if !strings.Contains(m[0], "default") {
			t.Errorf("the help names no default: %s", strings.TrimSpace(m[0]))
		}
		if syncFlags[m[1]] == nil {
			t.Errorf("--%s has no test", m[1])
		}
	}
	for name, test := range syncFlags {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !slices.Contains(inHelp, name) {
				t.Errorf("--%s is not in the help", name)
			}
			test(newFlagLab(t, server))
		})
	}
}

// TestMisspeltFlagsAndCommands: one wrong letter in any of them is answered
// with the right one, in a line, with exit code 2, before anything is done.
func TestMisspeltFlagsAndCommands(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	for name := range syncFlags {
		wrong := name[:len(name)/2] + "x" + name[len(name)/2:]
		r := u.run("sync", "--"+wrong, "1", "a", "b")
		if r.code != 2 || !strings.Contains(r.errOut, "--"+name+"?") || strings.Count(r.errOut, "\n") > 2 {
			t.Errorf("--%s: exit %d: %s", wrong, r.code, r.errOut)
		}
	}
	for wrong, right := range map[string]string{"synk": "sync", "statsu": "status", "forgt": "forget", "failure": "failures"} {
		if r := u.run(wrong); r.code != 2 || !strings.Contains(r.errOut, "did you mean "+right) {
			t.Errorf("%s: exit %d: %s", wrong, r.code, r.errOut)
		}
	}
	if _, err := os.Stat(u.state()); !os.IsNotExist(err) {
		t.Errorf("a wrong command made a state directory: %v", err)
	}
}
