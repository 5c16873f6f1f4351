package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// TestTornReads changes a file under a reader. The reader fails or Confirm does.
func TestTornReads(t *testing.T) {
	const size = 1 << 20
	do := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	changes := map[string]func(path string){
		"replaced": func(p string) { do(os.WriteFile(p+"2", make([]byte, size), 0o666)); do(os.Rename(p+"2", p)) },
		"replaced, same times": func(p string) {
			fi, err := os.Stat(p)
			do(err)
			do(os.WriteFile(p+"2", make([]byte, size), 0o666))
			do(os.Chtimes(p+"2", fi.ModTime(), fi.ModTime()))
			do(os.Rename(p+"2", p))
		},
		"written in place": func(p string) {
			fi, err := os.Stat(p)
			do(err)
			do(os.WriteFile(p, make([]byte, size), 0o666))
			do(os.Chtimes(p, fi.ModTime(), fi.ModTime()))
		},
		"truncated": func(p string) { do(os.Truncate(p, size/2)) },
		"appended":  func(p string) { do(os.Truncate(p, size+1)) },
		"deleted":   func(p string) { do(os.Remove(p)) },
		"a link now": func(p string) {
			do(os.Rename(p, p+"2"))
			do(os.Symlink(filepath.Base(p)+"2", p))
		},
		"a directory now": func(p string) { do(os.Remove(p)); do(os.Mkdir(p, 0o777)) },
		"parent moved":    func(p string) { do(os.Rename(filepath.Dir(p), filepath.Dir(p)+"2")) },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBucket(t)
			path := filepath.Join(b.root, "d", "k")
			write(t, path, strings.Repeat("x", size))
			r, err := b.Open(t.Context(), "d/k", storage.ReadOptions{Length: -1})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			if _, err := io.ReadFull(r.Body, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			if err := r.Confirm(t.Context()); err != nil {
				t.Fatalf("confirm before the change: %v", err)
			}
			change(path)
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				wantKind(t, err, storage.ErrChanged)
			}
			wantKind(t, r.Confirm(t.Context()), storage.ErrChanged)
			r.Body.Close()
			wantKind(t, r.Confirm(t.Context()), storage.ErrChanged)
			_, err = b.Open(t.Context(), "d/k", storage.ReadOptions{Length: -1, Want: &r.Info.Object})
			if !errors.Is(err, storage.ErrNotFound) {
				wantKind(t, err, storage.ErrChanged)
			}
			_, err = b.CopyFrom(t.Context(), b, r.Info.Object, "to", storage.CopyOptions{})
			if !errors.Is(err, storage.ErrNotFound) {
				wantKind(t, err, storage.ErrChanged)
			}
		})
	}
}

func TestSettled(t *testing.T) {
	at := time.Unix(1_700_000_000, 123)
	for _, c := range []struct {
		ctime time.Time
		age   time.Duration
		want  time.Duration
	}{
		{at, 0, 20 * time.Millisecond}, {at, 5 * time.Millisecond, 15 * time.Millisecond},
		{at, 20 * time.Millisecond, 0}, {at, time.Hour, 20*time.Millisecond - time.Hour},
		{at, -time.Hour, 20 * time.Millisecond}, // a file server whose clock is ahead
		{at.Truncate(time.Second), 20 * time.Millisecond, time.Second},
	} {
		if got := (stat{ctime: c.ctime.UnixNano()}).settled(c.ctime.Add(c.age)); got != c.want {
			t.Errorf("ctime %v, %v ago: wait %v, want %v", c.ctime, c.age, got, c.want)
		}
	}
}

// TestOpenWaits: no byte is read in the tick in which the file was changed.
func TestOpenWaits(t *testing.T) {
	b := newBucket(t)
	o := put(t, b, "k", "x")
	for _, want := range []*storage.Object{&o, nil} {
		r, err := b.Open(t.Context(), "k", storage.ReadOptions{Length: -1, Want: want})
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if age := time.Since(time.Unix(0, r.Info.CTime)); age < 20*time.Millisecond {
			t.Errorf("opened %v after the change", age)
		}
	}
}

func TestCopyKeepsModeAndTime(t *testing.T) {
	for _, size := range []int{10, smallCopy + 1, 5 << 20} {
		src, dst := newBucket(t), newBucket(t)
		write(t, filepath.Join(src.root, "k"), strings.Repeat("y", size))
		mtime := time.Unix(1_000_000_000, 987654321)
		if err := errors.Join(os.Chmod(filepath.Join(src.root, "k"), 0o604), os.Chtimes(filepath.Join(src.root, "k"), mtime, mtime)); err != nil {
			t.Fatal(err)
		}
		i, err := src.Stat(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		o, err := dst.CopyFrom(t.Context(), src, i.Object, "a/k", storage.CopyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := dst.Stat(t.Context(), "a/k")
		if err != nil || got.Version() != o.Version() || got.Mode != 0o604 || !got.ModTime.Equal(mtime) {
			t.Errorf("copy is %+v, answered %+v, %v", got, o, err)
		}
		if data, err := os.ReadFile(filepath.Join(dst.root, "a/k")); err != nil || string(data) != strings.Repeat("y", size) {
			t.Errorf("copy of %d bytes holds %d, %v", size, len(data), err)
		}
		if names := leftovers(t, dst); len(names) > 0 {
			t.Errorf("left: %q", names)
		}
	}
}

func TestFaults(t *testing.T) {
	b := open(t, "/root-of-test", Options{})
	for _, c := range []struct {
		err         error
		read, write error
	}{
		{syscall.ENOENT, storage.ErrNotFound, storage.ErrBusy},
		{syscall.ENOTDIR, storage.ErrNotFound, storage.ErrExists},
		{syscall.ELOOP, storage.ErrNotFound, storage.ErrExists},
		{syscall.EISDIR, storage.ErrBusy, storage.ErrExists},
		{syscall.ENOTEMPTY, storage.ErrBusy, storage.ErrExists},
		{syscall.ENOSPC, storage.ErrNoSpace, storage.ErrNoSpace},
		{syscall.EDQUOT, storage.ErrNoSpace, storage.ErrNoSpace},
		{syscall.EACCES, storage.ErrDenied, storage.ErrDenied},
		{syscall.EPERM, storage.ErrDenied, storage.ErrDenied},
		{syscall.ENAMETOOLONG, storage.ErrInvalidKey, storage.ErrInvalidKey},
		{syscall.EIO, storage.ErrBusy, storage.ErrBusy},
		{syscall.EMFILE, storage.ErrBusy, storage.ErrBusy},
		{syscall.EROFS, storage.ErrUnavailable, storage.ErrUnavailable},
		{syscall.ESTALE, storage.ErrUnavailable, storage.ErrUnavailable},
		{noRoot(syscall.ENOENT), storage.ErrNoBucket, storage.ErrNoBucket},
	} {
		wrapped := &fs.PathError{Op: "x", Path: "y", Err: c.err}
		wantKind(t, b.readFault("read", "k", wrapped), c.read)
		wantKind(t, b.writeFault("write", "k", wrapped), c.write)
	}
	known := b.fail("read", "k", storage.ErrChanged, syscall.ENOSPC)
	if !errors.Is(b.writeFault("put", "k", known), storage.ErrChanged) || b.readFault("read", "k", nil) != nil {
		t.Error("an error was wrapped twice, or none was made one")
	}
}

// meddler runs f at the n-th time that its error is asked for: between two
// steps of whatever has the context.
type meddler struct {
	context.Context
	n int
	f func()
}

func (m *meddler) Err() error {
	if m.n--; m.n == 0 {
		m.f()
	}
	return m.Context.Err()
}

// TestCopyMeddled writes over the source between any two steps of a copy: the
// copy fails and nothing is visible, or it holds the bytes looked at first.
func TestCopyMeddled(t *testing.T) {
	for _, size := range []int{1000, 2 * smallCopy, 17 << 20} {
		failed, finished := 0, 0
		for n := 1; finished < 2; n++ {
			src, dst := newBucket(t), newBucket(t)
			path, old := filepath.Join(src.root, "k"), strings.Repeat("o", size)
			write(t, path, old)
			i, err := src.Stat(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			meddled := false
			ctx := &meddler{t.Context(), n, func() { meddled = true; write(t, path, strings.Repeat("n", size)) }}
			_, err = dst.CopyFrom(ctx, src, i.Object, "k", storage.CopyOptions{})
			data, rerr := os.ReadFile(filepath.Join(dst.root, "k"))
			switch {
			case err != nil:
				failed++
				wantKind(t, err, storage.ErrChanged)
				if rerr == nil || len(leftovers(t, dst)) > 0 {
					t.Errorf("size %d, step %d: failed, but left %d bytes", size, n, len(data))
				}
			case rerr != nil || string(data) != old:
				t.Errorf("size %d, step %d: a mixed or newer copy of %d bytes, %v", size, n, len(data), rerr)
			}
			if err == nil || !meddled {
				finished++
			}
			if n > 20 {
				t.Fatal("a copy that never ends")
			}
		}
		if failed < 2 {
			t.Errorf("size %d: only %d steps noticed a change", size, failed)
		}
	}
}
