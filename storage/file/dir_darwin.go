package file

import (
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	mtimeGrain = time.Nanosecond
	errUnclean = syscall.EIO
	nonblock   = unix.O_NONBLOCK | unix.O_NOCTTY
)

func identity(fi fs.FileInfo) (inode uint64, ctime int64, o owner) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, o
	}
	return st.Ino, st.Ctimespec.Nano(), owner{st.Uid, st.Gid, true}
}

func syncDir(f *os.File) error { return f.Sync() }

// bootID names the run of the machine since it was started.
func bootID() (string, error) { return unix.Sysctl("kern.bootsessionuuid") }
