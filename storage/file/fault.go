package file

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/sluice-sync/sluice/storage"
)

// errNoRoot is what the error of a root that is not there is.
var errNoRoot = errors.New("no such directory")

type rootError struct{ error }

func (rootError) Is(target error) bool { return target == errNoRoot }
func (e rootError) Unwrap() error      { return e.error }

func noRoot(err error) error {
	if isOne(err, missing) {
		return rootError{err}
	}
	return err
}

// What the system says, by what it means here.
var (
	missing  = []error{syscall.ENOENT, syscall.ENOTDIR, syscall.ELOOP, fs.ErrNotExist}
	inTheWay = []error{syscall.ENOTDIR, syscall.ELOOP, syscall.EISDIR, syscall.ENOTEMPTY, syscall.EEXIST, fs.ErrExist}
	denied   = []error{syscall.EACCES, syscall.EPERM, fs.ErrPermission}
	damaged  = []error{syscall.EIO, errUnclean, syscall.EBADMSG}
)

var faults = []struct {
	errs []error
	kind error
}{
	{[]error{errNoRoot}, storage.ErrNoBucket},
	{[]error{syscall.ENOSPC, syscall.EDQUOT}, storage.ErrNoSpace},
	{denied, storage.ErrDenied},
	{[]error{syscall.ENAMETOOLONG, syscall.EILSEQ, syscall.EINVAL}, storage.ErrInvalidKey},
	{[]error{syscall.EFBIG}, storage.ErrTooLarge},
	// A file system that was remounted read-only, or a server that is away.
	{[]error{syscall.EROFS, syscall.ENODEV, syscall.ENXIO, syscall.ESTALE, syscall.ENOTCONN, syscall.ETIMEDOUT}, storage.ErrUnavailable},
}

func isOne(err error, of []error) bool {
	for _, e := range of {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// fail makes an error of a known kind.
func (b *Bucket) fail(op, key string, kind, cause error) error {
	return &storage.Error{Op: op, Key: key, Place: b.root, Kind: kind, Err: cause}
}

// readFault wraps what the system said when something was looked at: where a
// parent is no directory there is no object.
func (b *Bucket) readFault(op, key string, err error) error {
	return b.fault(op, key, err, missing, storage.ErrNotFound)
}

// writeFault wraps what the system said when something was written: what is
// in the way of the key is an entry of another kind.
func (b *Bucket) writeFault(op, key string, err error) error {
	return b.fault(op, key, err, inTheWay, storage.ErrExists)
}

func (b *Bucket) fault(op, key string, err error, of []error, kind error) error {
	var known *storage.Error
	switch {
	case err == nil, errors.As(err, &known), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	for _, f := range faults {
		if isOne(err, f.errs) {
			return b.fail(op, key, f.kind, err)
		}
	}
	if isOne(err, of) {
		return b.fail(op, key, kind, err)
	}
	return b.fail(op, key, storage.ErrBusy, err)
}
