package file

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluice-sync/sluice/storage"
)

const (
	mtimeGrain = time.Nanosecond
	errUnclean = unix.EUCLEAN

	pathFlags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NOFOLLOW
	statMask  = unix.STATX_TYPE | unix.STATX_MODE | unix.STATX_UID | unix.STATX_GID | unix.STATX_INO | unix.STATX_SIZE | unix.STATX_MTIME | unix.STATX_CTIME
)

// dir is an open directory. Names given to its methods hold no slash and are
// never followed if they are symbolic links.
type dir struct{ fd int }

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

// again repeats a call that a signal interrupted.
func again(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func openAt(at int, name string, flags int) (d dir, err error) {
	err = again(func() (err error) {
		d.fd, err = unix.Openat(at, name, flags, 0)
		return err
	})
	return d, err
}

// openRoot opens the root, which may be a link; read allows to list and sync it.
func openRoot(path string, read bool) (dir, error) {
	flags := unix.O_PATH
	if read {
		flags = unix.O_RDONLY
	}
	return openAt(unix.AT_FDCWD, path, flags|unix.O_DIRECTORY|unix.O_CLOEXEC)
}

// sub opens a directory by its path below d, following no link on the way.
func (d dir) sub(path string) (s dir, err error) {
	how := unix.OpenHow{
		Flags:   pathFlags,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	err = again(func() (err error) {
		s.fd, err = unix.Openat2(d.fd, path, &how)
		return err
	})
	if isOne(err, []error{unix.ENOSYS, unix.EPERM, unix.EAGAIN, unix.ENAMETOOLONG}) {
		return d.walk(path) // no such call, a sandbox, a rename meanwhile, or a path of more than 4096 bytes
	}
	return s, err
}

// walk does what sub does name by name.
func (d dir) walk(path string) (dir, error) {
	at := d
	for name := range strings.SplitSeq(path, "/") {
		next, err := openAt(at.fd, name, pathFlags)
		if at != d {
			at.close()
		}
		if err != nil {
			return dir{}, err
		}
		at = next
	}
	return at, nil
}

// subList opens a directory of d to list it.
func (d dir) subList(name string) (dir, error) {
	return openAt(d.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW)
}

// open opens or, with os.O_CREATE, makes a file. It never waits for the other
// end of a FIFO.
func (d dir) open(name string, flag int, perm fs.FileMode) (*os.File, error) {
	if flag&os.O_CREATE == 0 {
		flag |= unix.O_NONBLOCK
	}
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Openat(d.fd, name, flag|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NOCTTY, uint32(perm))
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (d dir) lstat(name string) (stat, error) { return new(looker).lstat(d, name+"\x00") }

// looker stats many names without allocating for each.
type looker struct{ st unix.Statx_t }

// lstat looks at a name that ends in NUL.
func (l *looker) lstat(d dir, name string) (stat, error) {
	for {
		_, _, e := unix.Syscall6(unix.SYS_STATX, uintptr(d.fd), uintptr(unsafe.Pointer(unsafe.StringData(name))),
			unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, statMask, uintptr(unsafe.Pointer(&l.st)), 0)
		switch e {
		case 0:
			return l.stat(), nil
		case unix.EINTR:
			continue
		}
		return stat{}, e
	}
}

func (l *looker) stat() stat {
	return stat{
		kind: kindOfMode(uint32(l.st.Mode)), perm: fs.FileMode(l.st.Mode & 0o777), owner: owner{l.st.Uid, l.st.Gid, true},
		size:  int64(l.st.Size),
		mtime: time.Unix(l.st.Mtime.Sec, int64(l.st.Mtime.Nsec)),
		ctime: l.st.Ctime.Sec*int64(time.Second) + int64(l.st.Ctime.Nsec), inode: l.st.Ino,
	}
}

func kindOfMode(mode uint32) storage.Kind {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return storage.KindFile
	case unix.S_IFDIR:
		return storage.KindDir
	case unix.S_IFLNK:
		return storage.KindSymlink
	}
	return storage.KindSpecial
}

// statFile looks at an open file.
func statFile(f *os.File) (stat, error) {
	var st unix.Stat_t
	err := onFD(f, func(fd int) error { return unix.Fstat(fd, &st) })
	return stat{
		kind: kindOfMode(st.Mode), perm: fs.FileMode(st.Mode & 0o777), owner: owner{st.Uid, st.Gid, true}, size: st.Size,
		mtime: time.Unix(st.Mtim.Unix()), ctime: st.Ctim.Nano(), inode: st.Ino,
	}, err
}

// onFD runs a system call on an open file.
func onFD(f *os.File, call func(fd int) error) error {
	err := again(func() error { return call(int(f.Fd())) })
	runtime.KeepAlive(f)
	return err
}

// flush makes network file systems say now whether they took the bytes, as
// closing a file does.
func flush(f *os.File) error {
	return onFD(f, func(fd int) error {
		twin, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return unix.Close(twin)
	})
}

// syncData makes the bytes of a file survive a power cut.
func syncData(f *os.File) error { return onFD(f, unix.Fdatasync) }

// reserve allocates the space of a file where the file system can.
func reserve(f *os.File, size int64) error {
	err := onFD(f, func(fd int) error { return unix.Fallocate(fd, 0, 0, size) })
	if isOne(err, []error{unix.ENOSPC, unix.EDQUOT, unix.EFBIG}) {
		return err
	}
	return nil
}

// entries calls yield for each name but "." and ".."; name is valid for the call.
func (d dir) entries(buf []byte, yield func(name []byte, isDir bool) error) error {
	for {
		n, err := unix.Getdents(d.fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
		if err := d.records(buf[:n], yield); err != nil {
			return err
		}
	}
}

// records takes apart what getdents64 gave: inode and offset (8 bytes each),
// length of the record (2), type (1), name and NUL.
func (d dir) records(b []byte, yield func(name []byte, isDir bool) error) error {
	for len(b) >= 19 {
		size := int(binary.NativeEndian.Uint16(b[16:]))
		name, kind := b[19:size], b[18]
		b = b[size:]
		for i, c := range name {
			if c == 0 {
				name = name[:i]
				break
			}
		}
		if string(name) == "." || string(name) == ".." {
			continue
		}
		isDir := kind == unix.DT_DIR
		if kind == unix.DT_UNKNOWN {
			st, err := d.lstat(string(name))
			if errors.Is(err, unix.ENOENT) {
				continue
			}
			isDir = err == nil && st.kind == storage.KindDir
		}
		if err := yield(name, isDir); err != nil {
			return err
		}
	}
	return nil
}

func (d dir) rename(from, to string) error {
	return again(func() error { return unix.Renameat(d.fd, from, d.fd, to) })
}

// remove removes a name that is no directory.
func (d dir) remove(name string) error {
	return again(func() error { return unix.Unlinkat(d.fd, name, 0) })
}

func (d dir) rmdir(name string) error {
	return again(func() error { return unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR) })
}

func (d dir) mkdir(name string, perm fs.FileMode) error {
	return again(func() error { return unix.Mkdirat(d.fd, name, uint32(perm)) })
}

func (d dir) symlink(text, name string) error {
	return again(func() error { return unix.Symlinkat(text, d.fd, name) })
}

func (d dir) readlink(name string) (string, error) {
	buf := make([]byte, unix.PathMax) // longer texts cannot be
	n, err := unix.Readlinkat(d.fd, name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// setMTime sets the modification time of any entry and leaves the access time.
func (d dir) setMTime(name string, t time.Time) error {
	m, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(d.fd, name, []unix.Timespec{{Nsec: unix.UTIME_OMIT}, m}, unix.AT_SYMLINK_NOFOLLOW)
}

// setOpenMTime is setMTime of an open file of that name: utimensat(2) without
// a name spares the way to it.
func (dir) setOpenMTime(f *os.File, _ string, t time.Time) error {
	m, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	times := [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, m}
	return onFD(f, func(fd int) error {
		if _, _, e := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0); e != 0 {
			return e
		}
		return nil
	})
}

// chownLink gives a link, not what it points to, an owner.
func (d dir) chownLink(name string, uid, gid uint32) error {
	return unix.Fchownat(d.fd, name, int(uid), int(gid), unix.AT_SYMLINK_NOFOLLOW)
}

func (d dir) sync() error { return unix.Syncfs(d.fd) }
func (d dir) close()      { _ = unix.Close(d.fd) } // nothing was written through it

// bootID names the run of the machine since it was started.
func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}
