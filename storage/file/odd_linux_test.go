package file

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluice-sync/sluice/storage"
)

// oddTree holds what file systems hold besides files.
func oddTree(t *testing.T, root string) (want []string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(root, "sock")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	long := strings.Repeat("n", 255)
	for _, f := range []string{long, "bad\xff\xfe", "a-b", "a/b", "a0", "dir/" + long} {
		write(t, filepath.Join(root, f), "x")
	}
	err = errors.Join(
		unix.Mkfifo(filepath.Join(root, "fifo"), 0o666),
		os.Symlink("loop", filepath.Join(root, "loop")),
		os.Symlink(".", filepath.Join(root, "self")),
		os.Symlink("/etc/passwd", filepath.Join(root, "out")),
		os.Mkdir(filepath.Join(root, "empty"), 0o777),
	)
	if err != nil {
		t.Fatal(err)
	}
	want = []string{"a-b 0", "a/b 0", "a0 0", "bad\xff\xfe 0", "dir/" + long + " 0", "empty/ 1", "fifo 3", "loop 2", long + " 0", "out 2", "self 2", "sock 3"}
	slices.Sort(want)
	return want
}

func kinds(objs []storage.Object) (all []string) {
	for _, o := range objs {
		all = append(all, fmt.Sprintf("%s %d", o.Key, o.Kind))
	}
	return all
}

func TestOddEntries(t *testing.T) {
	for _, run := range []int{0, 2} {
		b := open(t, t.TempDir(), Options{SortRun: run})
		want := oddTree(t, b.root)
		objs := list(t, b, storage.Range{})
		if got := kinds(objs); !slices.Equal(got, want) {
			t.Errorf("listed\n%q, want\n%q", got, want)
		}
		for _, o := range objs {
			i, err := b.Stat(t.Context(), o.Key)
			if err != nil || i.Kind != o.Kind || i.Version() != o.Version() {
				t.Errorf("%q: stat %+v, listed %+v, %v", o.Key, i.Object, o, err)
			}
			if o.Kind == storage.KindFile || o.Kind == storage.KindDir {
				continue
			}
			if o.Size != 0 {
				t.Errorf("%q has a size of %d", o.Key, o.Size)
			}
			_, err = b.Open(t.Context(), o.Key, storage.ReadOptions{Length: -1})
			wantKind(t, err, storage.ErrInvalid)
			_, err = b.Open(t.Context(), o.Key, storage.ReadOptions{Length: -1, Want: &o})
			wantKind(t, err, storage.ErrChanged)
		}
	}
}

// TestSwappedFIFO replaces a file by a FIFO over and over: Open never waits
// for a writer that does not come.
func TestSwappedFIFO(t *testing.T) {
	b := newBucket(t)
	file, fifo := filepath.Join(b.root, "k"), filepath.Join(b.root, "fifo")
	write(t, file, "x")
	if err := unix.Mkfifo(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	stop := exchange(t, file, fifo)
	for range 2000 {
		f, _, err := b.openAny(t.Context(), "open", "k", nil)
		if err == nil {
			f.Close()
			continue
		}
		wantKind(t, err, storage.ErrInvalid)
	}
	stop()
}

// exchange swaps two names until stop is called.
func exchange(t *testing.T, x, y string) (stop func()) {
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-quit:
				return
			default:
			}
			if err := unix.Renameat2(unix.AT_FDCWD, x, unix.AT_FDCWD, y, unix.RENAME_EXCHANGE); err != nil {
				t.Error(err)
				return
			}
		}
	})
	return sync.OnceFunc(func() { close(quit); wg.Wait() })
}

// TestPlantedLink swaps a directory for a link that leaves the tree while it
// is written, read, listed and deleted in. Nothing outside may change or be seen.
func TestPlantedLink(t *testing.T) {
	b := newBucket(t)
	out := t.TempDir()
	write(t, filepath.Join(out, "secret"), "secret")
	write(t, filepath.Join(b.root, "d", "inside"), "")
	if err := os.Symlink(out, filepath.Join(b.root, "link")); err != nil {
		t.Fatal(err)
	}
	stop := exchange(t, filepath.Join(b.root, "d"), filepath.Join(b.root, "link"))
	defer stop()
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil && !errors.Is(err, storage.ErrExists) && !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("error %v", err)
		}
	}
	for i := range 1000 {
		_, err := b.Put(ctx, "d/k", strings.NewReader("x"), storage.PutOptions{Size: 1})
		ok(err)
		ok(b.MakeDir(ctx, "d/sub/", storage.Metadata{Mode: 0o700, HasMode: true}))
		ok(b.Delete(ctx, "d/sub/"))
		ok(b.Delete(ctx, "d/secret"))
		_, err = b.Symlink(ctx, "d/l", "x", storage.Metadata{})
		ok(err)
		if _, err := b.Stat(ctx, "d/secret"); !errors.Is(err, storage.ErrNotFound) {
			t.Fatalf("saw what is outside: %v", err)
		}
		if i%20 == 0 {
			for _, k := range keys(list(t, b, storage.Range{})) {
				if strings.HasSuffix(k, "secret") {
					t.Fatalf("listed %q", k)
				}
			}
			_, err := b.Sweep(ctx, nil)
			ok(err)
		}
	}
	stop()
	left, err := os.ReadDir(out)
	if err != nil || len(left) != 1 || left[0].Name() != "secret" {
		t.Errorf("outside there is %v, %v", left, err)
	}
}

// TestThroughLinks: a link is an entry, not a way, also inside the tree.
func TestThroughLinks(t *testing.T) {
	b, ctx := newBucket(t), t.Context()
	put(t, b, "real/k", "x")
	if err := os.Symlink("real", filepath.Join(b.root, "link")); err != nil {
		t.Fatal(err)
	}
	_, put := b.Put(ctx, "link/k", strings.NewReader(""), storage.PutOptions{})
	_, create := b.CreateUpload(ctx, "link/k", storage.UploadOptions{Size: 1, PartSize: 1})
	_, symlink := b.Symlink(ctx, "link/l", "x", storage.Metadata{})
	for _, err := range []error{put, create, symlink, b.MakeDir(ctx, "link/d/", storage.Metadata{}), b.MakeDir(ctx, "link/", storage.Metadata{})} {
		wantKind(t, err, storage.ErrExists)
	}
	_, err := b.Stat(ctx, "link/k")
	wantKind(t, err, storage.ErrNotFound)
	for _, key := range []string{"link/k", "link/", "real", "real/k/"} {
		if err := b.Delete(ctx, key); err != nil {
			t.Errorf("delete %q: %v", key, err)
		}
	}
	if got, want := kinds(list(t, b, storage.Range{})), []string{"link 2", "real/k 0"}; !slices.Equal(got, want) {
		t.Errorf("left %q, want %q", got, want)
	}
}

// TestRootIsALink: only the root itself may be one.
func TestRootIsALink(t *testing.T) {
	top := t.TempDir()
	b := newBucket(t)
	if err := os.Symlink(b.root, filepath.Join(top, "root")); err != nil {
		t.Fatal(err)
	}
	l := open(t, filepath.Join(top, "root"), Options{})
	put(t, l, "d/k", "x")
	if got := keys(list(t, b, storage.Range{})); !slices.Equal(got, []string{"d/k"}) || l.Check(t.Context()) != nil {
		t.Errorf("listed %q", got)
	}
}

// TestWalk: the way by names answers what the one call does.
func TestWalk(t *testing.T) {
	b := newBucket(t)
	put(t, b, "a/b/c/k", "")
	if err := errors.Join(os.Symlink("a", filepath.Join(b.root, "l")), os.Symlink("b", filepath.Join(b.root, "a", "m"))); err != nil {
		t.Fatal(err)
	}
	root, err := openRoot(b.root, false)
	if err != nil {
		t.Fatal(err)
	}
	defer root.close()
	for path, ok := range map[string]bool{"a": true, "a/b/c": true, "l": false, "l/b": false, "a/m": false, "a/m/c": false, "a/b/c/k": false, "x": false, "a/x/c": false} {
		one, err1 := root.sub(path)
		two, err2 := root.walk(path)
		if (err1 == nil) != ok || (err2 == nil) != ok || !ok && isOne(err1, missing) != isOne(err2, missing) {
			t.Errorf("%q: %v by one call, %v by names", path, err1, err2)
		}
		if ok {
			one.close()
			two.close()
		}
	}
}

// TestDeepPath goes beyond the longest path that one call takes.
func TestDeepPath(t *testing.T) {
	b := newBucket(t)
	key := strings.Repeat(strings.Repeat("d", 250)+"/", 20) + "k"
	put(t, b, key, "x")
	if _, err := b.Stat(t.Context(), key); err != nil {
		t.Error(err)
	}
	if got := keys(list(t, b, storage.Range{})); !slices.Equal(got, []string{key}) {
		t.Errorf("listed %d keys", len(got))
	}
	if err := b.Delete(t.Context(), key); err != nil {
		t.Error(err)
	}
}

// TestRemovedParents writes while somebody removes the directory.
func TestRemovedParents(t *testing.T) {
	b := newBucket(t)
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-quit:
				return
			default:
				_ = os.RemoveAll(filepath.Join(b.root, "d"))
			}
		}
	})
	for range 500 {
		_, err := b.Put(t.Context(), "d/e/k", strings.NewReader("x"), storage.PutOptions{Size: 1})
		if err != nil {
			wantKind(t, err, storage.ErrBusy)
		}
	}
	close(quit)
	wg.Wait()
	put(t, b, "d/e/k", "x")
}

// TestWithoutRights runs TestWithoutRightsChild as a user who is not root.
func TestWithoutRights(t *testing.T) {
	dir, err := os.MkdirTemp("", "sluice-file-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "test")
	if err := errors.Join(copyBinary(bin), os.Mkdir(filepath.Join(dir, "tmp"), 0o777), os.Chmod(filepath.Join(dir, "tmp"), 0o777), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-test.run=^TestWithoutRightsChild$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SLUICE_FILE_CHILD=1", "TMPDIR="+filepath.Join(dir, "tmp"))
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestWithoutRightsChild") {
		t.Errorf("%v\n%s", err, out)
	}
}

func copyBinary(to string) error {
	from, err := os.Executable()
	if err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func TestWithoutRightsChild(t *testing.T) {
	if os.Getenv("SLUICE_FILE_CHILD") == "" {
		return // TestWithoutRights runs it
	}
	if os.Geteuid() == 0 {
		t.Fatal("this is root, who may do everything")
	}
	b, ctx := newBucket(t), t.Context()
	modes := map[string]os.FileMode{"none": 0, "names only": 0o400, "way only": 0o100, "read only": 0o500}
	for name, mode := range modes {
		put(t, b, name+"/k", "x")
		path := filepath.Join(b.root, name)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(path, 0o700)
	}
	put(t, b, "secret", "x")
	if err := os.Chmod(filepath.Join(b.root, "secret"), 0); err != nil {
		t.Fatal(err)
	}
	want := []string{"names only/ 4", "none/ 4", "read only/k 0", "secret 0", "way only/ 4"}
	if got := kinds(list(t, b, storage.Range{})); !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	_, err := b.Open(ctx, "secret", storage.ReadOptions{Length: -1})
	wantKind(t, err, storage.ErrDenied)
	_, err = b.Stat(ctx, "none/k")
	wantKind(t, err, storage.ErrDenied)
	_, err = b.Put(ctx, "read only/new", strings.NewReader(""), storage.PutOptions{})
	wantKind(t, err, storage.ErrDenied)
	wantKind(t, b.Delete(ctx, "read only/k"), storage.ErrDenied)
	if _, err := b.Sweep(ctx, nil); err != nil {
		t.Errorf("sweep: %v", err)
	}
	if err := os.Chmod(b.root, 0o300); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(b.root, 0o700)
	wantKind(t, b.Check(ctx), storage.ErrDenied)
	_, err = b.List(storage.Range{}).Next(ctx)
	wantKind(t, err, storage.ErrDenied)
}
