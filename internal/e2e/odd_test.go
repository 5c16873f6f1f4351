package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-sync/sluice/internal/servertest"
)

// nobody is a user whom file modes stop. Root becomes another one, whom its
// directories are given to.
func nobody(t *testing.T, env []string, owns ...string) *user {
	t.Helper()
	u := newUser(t, env...)
	if os.Getuid() != 0 {
		return u
	}
	const uid = 65534
	u.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	for _, dir := range append(owns, strings.TrimPrefix(u.env[0], "HOME=")) {
		err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
			return errors.Join(err, os.Lchown(path, uid, uid))
		})
		if err := errors.Join(err, os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

var (
	long = strings.Repeat("n", 255)
	// plain are names that every place here can hold.
	plain = []string{
		"good", "a-b", "a/b", "a0", "new\nline", "tab\there", "control\x01\x1f", "delete\x7f", `quote"'`, "space ", " space",
		"smile 🙂", "composed \u00e9", "decomposed e\u0301", "*?[x]{y}", "a%20b", "a+b", "#hash", "..dots..", ".hidden", "-dash", "~",
		"Case", "case", "a&b<c>", "$HOME", "wide/" + long, long,
	}
	// refused are names that MinIO cannot hold: not UTF-8, or too long in all.
	refused = []string{"bad\xff\xfename", strings.TrimSuffix(strings.Repeat(strings.Repeat("d", 250)+"/", 5), "/")}
)

// oddTree fills a directory with all that can be in one.
func oddTree(t *testing.T, root string) {
	t.Helper()
	for _, name := range slices.Concat(plain, refused, []string{"locked", "closed/in"}) {
		write(t, filepath.Join(root, name), "content of "+name)
	}
	l, err := net.Listen("unix", filepath.Join(root, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); _ = os.Chmod(filepath.Join(root, "closed"), 0o755) })
	err = errors.Join(
		syscall.Mkfifo(filepath.Join(root, "fifo"), 0o644),
		os.Symlink("loop", filepath.Join(root, "loop")),
		os.Symlink(".", filepath.Join(root, "self")),
		os.Symlink("/etc/passwd", filepath.Join(root, "outside")),
		os.Symlink("nothing", filepath.Join(root, "dangling")),
		os.Mkdir(filepath.Join(root, "empty"), 0o755),
		os.Chmod(filepath.Join(root, "locked"), 0),
		os.Chmod(filepath.Join(root, "closed"), 0),
	)
	if err != nil {
		t.Fatal(err)
	}
}

// failed returns the keys of a task's ledger with their causes.
func (u *user) failed(task string) map[string]string {
	u.t.Helper()
	all := map[string]string{}
	sc := bufio.NewScanner(strings.NewReader(u.ok("failures", "list", "--json", task).out))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var f struct {
			Key    string
			Key64  []byte `json:"key_b64"`
			Cause  string
			Error  string
			State  string
			Source string
		}
		if err := json.Unmarshal(sc.Bytes(), &f); err != nil {
			u.t.Fatal(err)
		}
		if f.Key64 != nil {
			f.Key = string(f.Key64)
		}
		if f.State != "given_up" || f.Error == "" {
			u.t.Errorf("failure %+v", f)
		}
		all[f.Key] = f.Cause
	}
	return all
}

// TestOddTreesEndAndAreReported copies an odd tree to a directory and to MinIO
// as a user who may not read all of it.
func TestOddTreesEndAndAreReported(t *testing.T) {
	t.Parallel()
	server := servertest.MinIO(t)
	src, dir := t.TempDir(), t.TempDir()
	oddTree(t, src)
	u := nobody(t, []string{endpointEnv("STORE", server.URL, server)}, src, dir)
	bucket := shelf{newStore(t, server), "store", server.Bucket(t), "in"}
	unreadable := map[string]string{"locked": "denied", "closed/": "denied"}
	for _, c := range []struct {
		dst     place
		copied  int
		skipped map[string]int64
		failed  map[string]string
	}{
		{tree{t, dir}, len(plain) + len(refused) + 5, map[string]int64{"special": 2}, unreadable},
		{bucket, len(plain), map[string]int64{"special": 2, "symlink": 4, "directory": 1}, map[string]string{
			"locked": "denied", "closed/": "denied", refused[0]: "invalid_key", refused[1]: "invalid_key",
		}},
	} {
		p := u.start("sync", "--json", src, c.dst.String())
		code, s := p.summary()
		if code != 3 || s.State != "done" || s.Copied != int64(c.copied) || s.Failed != int64(len(c.failed)) {
			t.Errorf("%s: exit %d, %+v\n%s", c.dst, code, s, p.err.String())
		}
		for why, n := range c.skipped {
			if s.SkippedReasons[why] != n {
				t.Errorf("%s: %d skipped as %s, want %d", c.dst, s.SkippedReasons[why], why, n)
			}
		}
		if got := u.failed(s.Task); !equalMaps(got, c.failed) {
			t.Errorf("%s: failures %q, want %q", c.dst, got, c.failed)
		}
		names := plain
		if _, local := c.dst.(tree); local {
			names = slices.Concat(plain, refused)
		}
		got := c.dst.files()
		for _, name := range names {
			if got[name] != "content of "+name {
				t.Errorf("%s: %q holds %q", c.dst, name, got[name])
			}
		}
		if len(got) != len(names) {
			t.Errorf("%s: %d files, want %d", c.dst, len(got), len(names))
		}
		deletesHeld(t, u, src, c.dst)
	}
	for _, link := range []string{"loop", "self", "outside", "dangling"} {
		a, err := os.Readlink(filepath.Join(src, link))
		b, err2 := os.Readlink(filepath.Join(dir, link))
		if a != b || err != nil || err2 != nil {
			t.Errorf("link %s: %q and %q, %v, %v", link, a, b, err, err2)
		}
	}
}

func equalMaps(a, b map[string]string) bool {
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return len(a) == len(b)
}

// deletesHeld: as long as a directory cannot be listed, nothing is deleted; and
// with all readable exactly what is gone, with neighbours in the order of keys.
func deletesHeld(t *testing.T, u *user, src string, dst place) {
	t.Helper()
	from := tree{t, src}
	if err := os.Rename(filepath.Join(src, "a/b"), filepath.Join(src, "a/c")); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.Rename(filepath.Join(src, "a/c"), filepath.Join(src, "a/b")); err != nil {
			t.Fatal(err)
		}
	}()
	n := len(dst.stamps())
	r := u.run("sync", "--delete", src, dst.String())
	if r.code != 1 || !strings.Contains(r.errOut, "could not be listed") {
		t.Errorf("%s: deletes with an unreadable directory: exit %d: %s", dst, r.code, r.errOut)
	}
	if got := len(dst.stamps()); got != n+1 {
		t.Errorf("%s: %d entries, want %d and a/c", dst, got, n)
	}
	for mode, names := range map[os.FileMode][]string{0o755: {"closed"}, 0o644: {"locked"}} {
		for _, name := range names {
			if err := os.Chmod(filepath.Join(from.root, name), mode); err != nil {
				t.Fatal(err)
			}
			defer os.Chmod(filepath.Join(from.root, name), 0)
		}
	}
	u.run("sync", "--delete", src, dst.String())
	got := dst.files()
	if _, ok := got["a/b"]; ok || got["a/c"] == "" || got["a-b"] == "" || got["a0"] == "" || got["closed/in"] == "" || got["locked"] == "" {
		t.Errorf("%s: after a/b went: %q", dst, got)
	}
}

// TestOddKeysFromMinIO brings odd keys, and the markers by which stores show
// directories, to a directory and to another bucket.
func TestOddKeysFromMinIO(t *testing.T) {
	t.Parallel()
	l := newPairLab(t)
	for _, pair := range []string{"MinIO → local", "MinIO → MinIO", "MinIO within itself"} {
		t.Run(pair, func(t *testing.T) {
			u := l.u.in(t)
			src, dst := l.new(t, pair)
			for _, name := range plain {
				src.put(name, "content of "+name)
			}
			src.put("marker/", "")
			both := []string{src.String(), dst.String()}
			if s := u.sync(both...); s.Copied != int64(len(plain)+1) {
				t.Errorf("%+v", s)
			}
			got := dst.files()
			for _, name := range plain {
				if got[name] != "content of "+name {
					t.Errorf("%q holds %q", name, got[name])
				}
			}
			if fi, err := os.Stat(filepath.Join(dst.String(), "marker")); pair == "MinIO → local" && (err != nil || !fi.IsDir()) {
				t.Errorf("the directory marker: %v, %v", fi, err)
			}
			if s := u.sync(append([]string{"--delete"}, both...)...); s.Copied != 0 || s.Deleted != 0 {
				t.Errorf("again: %+v", s)
			}
			src.remove("a/b")
			src.remove("marker/")
			if s := u.sync(append([]string{"--delete"}, both...)...); s.Deleted != 2 {
				t.Errorf("two went: %+v", s)
			}
			wantSame(t, src, dst)
		})
	}
}
