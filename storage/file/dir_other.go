//go:build !linux

package file

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// dir is an open directory. Names given to its methods hold no slash and are
// never followed if they are symbolic links, but for a link that takes the
// place of a file between two calls: os.Root then keeps it within the root.
type dir struct{ r *os.Root }

// stat is what is known of an entry.
type stat struct {
	kind  storage.Kind
	perm  fs.FileMode
	owner owner
	size  int64
	mtime time.Time
	ctime int64
	inode uint64
}

// openRoot opens the root, which may be a link.
func openRoot(path string, _ bool) (dir, error) {
	r, err := os.OpenRoot(path)
	return dir{r}, err
}

// sub opens a directory by its path below d, following no link on the way.
func (d dir) sub(path string) (dir, error) {
	for i, c := range path + "/" {
		if c != '/' {
			continue
		}
		s, err := d.lstat(path[:i])
		if err != nil {
			return dir{}, err
		}
		if s.kind != storage.KindDir {
			return dir{}, syscall.ENOTDIR
		}
	}
	r, err := d.r.OpenRoot(path)
	return dir{r}, err
}

// subList opens a directory of d to list it.
func (d dir) subList(name string) (dir, error) { return d.sub(name) }

// open opens or, with os.O_CREATE, makes a file.
func (d dir) open(name string, flag int, perm fs.FileMode) (*os.File, error) {
	return d.r.OpenFile(name, flag|nonblock, perm)
}

func (d dir) lstat(name string) (stat, error) {
	fi, err := d.r.Lstat(name)
	if err != nil {
		return stat{}, err
	}
	return statOf(fi), nil
}

// looker stats many names.
type looker struct{}

// lstat looks at a name that ends in NUL.
func (looker) lstat(d dir, name string) (stat, error) {
	return d.lstat(strings.TrimSuffix(name, "\x00"))
}

func statOf(fi fs.FileInfo) stat {
	s := stat{kind: storage.KindSpecial, perm: fi.Mode().Perm(), size: fi.Size(), mtime: fi.ModTime()}
	switch {
	case fi.Mode().IsRegular():
		s.kind = storage.KindFile
	case fi.IsDir():
		s.kind = storage.KindDir
	case fi.Mode()&fs.ModeSymlink != 0:
		s.kind = storage.KindSymlink
	}
	s.inode, s.ctime, s.owner = identity(fi)
	return s
}

// statFile looks at an open file.
func statFile(f *os.File) (stat, error) {
	fi, err := f.Stat()
	if err != nil {
		return stat{}, err
	}
	return statOf(fi), nil
}

// flush, syncData and reserve do what the platform can.
func flush(*os.File) error          { return nil }
func syncData(f *os.File) error     { return f.Sync() }
func reserve(*os.File, int64) error { return nil }

// entries calls yield for each name; name is valid for the call.
func (d dir) entries(_ []byte, yield func(name []byte, isDir bool) error) error {
	f, err := d.r.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		list, err := f.ReadDir(1024)
		for _, e := range list {
			if err := yield([]byte(e.Name()), e.IsDir()); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (d dir) rename(from, to string) error { return d.r.Rename(from, to) }

// remove removes a name that is no directory. One that takes the place of a
// file meanwhile is removed only if it is empty.
func (d dir) remove(name string) error {
	s, err := d.lstat(name)
	if err == nil && s.kind == storage.KindDir {
		return syscall.EISDIR
	}
	if err != nil {
		return err
	}
	return d.r.Remove(name)
}

func (d dir) rmdir(name string) error {
	s, err := d.lstat(name)
	if err == nil && s.kind != storage.KindDir {
		return syscall.ENOTDIR
	}
	if err != nil {
		return err
	}
	return d.r.Remove(name)
}

func (d dir) mkdir(name string, perm fs.FileMode) error { return d.r.Mkdir(name, perm) }
func (d dir) symlink(text, name string) error           { return d.r.Symlink(text, name) }
func (d dir) readlink(name string) (string, error)      { return d.r.Readlink(name) }

// setMTime sets the modification time and leaves the access time; links keep
// the time at which they were made.
func (d dir) setMTime(name string, t time.Time) error {
	if s, err := d.lstat(name); err != nil || s.kind == storage.KindSymlink {
		return err
	}
	return d.r.Chtimes(name, time.Time{}, t)
}

// setOpenMTime is setMTime of an open file of that name.
func (d dir) setOpenMTime(_ *os.File, name string, t time.Time) error { return d.setMTime(name, t) }

// chownLink gives a link, not what it points to, an owner.
func (d dir) chownLink(name string, uid, gid uint32) error {
	return d.r.Lchown(name, int(uid), int(gid))
}

func (d dir) sync() error {
	f, err := d.r.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	return syncDir(f)
}

func (d dir) close() { _ = d.r.Close() } // nothing was written through it
