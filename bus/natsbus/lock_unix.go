//go:build unix

package natsbus

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"syscall"
)

// lock takes the file's lock and writes the own pid into it.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			b := make([]byte, 20)
			n, _ := f.ReadAt(b, 0)
			pid, _ := strconv.Atoi(string(bytes.TrimSpace(b[:n])))
			return nil, &InUseError{PID: pid}
		}
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return f, writePID(f)
}
