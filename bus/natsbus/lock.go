package natsbus

import (
	"os"
	"strconv"
)

// writePID names the owner for those who find the lock taken. A full disk must
// not keep the bus from opening, so it may stay unwritten.
func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		f.Close()
		return err
	}
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return nil
}
