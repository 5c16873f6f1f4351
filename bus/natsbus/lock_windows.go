package natsbus

import (
	"bytes"
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/windows"
)

// lock takes the lock on a byte beyond the file's text, so that others can
// still read the owner's pid.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	at := &windows.Overlapped{Offset: 1 << 20}
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if err != nil {
		defer f.Close()
		if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
			b := make([]byte, 20)
			n, _ := f.ReadAt(b, 0)
			pid, _ := strconv.Atoi(string(bytes.TrimSpace(b[:n])))
			return nil, &InUseError{PID: pid}
		}
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return f, writePID(f)
}
