package file

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// copyChunk bounds what the kernel copies before the context is asked again.
const copyChunk = 16 << 20

// kernelCopy copies size bytes without their passing through this process. It
// returns how many it copied, fewer where src ends early, and errCannot where
// the file systems want the rest copied by hand.
func kernelCopy(ctx context.Context, dst, src *os.File, size int64) (done int64, err error) {
	to, from := int(dst.Fd()), int(src.Fd())
	if again(func() error { return unix.IoctlFileClone(to, from) }) == nil {
		return size, nil // a source that changed meanwhile is found by the last look
	}
	for done < size {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		var n int
		err := again(func() (err error) {
			off := done
			n, err = unix.CopyFileRange(from, &off, to, nil, int(min(size-done, copyChunk)), 0)
			return err
		})
		switch {
		case errors.Is(err, unix.EXDEV), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS),
			errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPERM):
			return done, errCannot
		case err != nil || n == 0:
			return done, err
		}
		done += int64(n)
	}
	return done, nil
}
