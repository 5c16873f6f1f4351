package space

import (
	"fmt"
	"os"
)

// shortened gives a directory a short name: a Unix socket's path may not be
// longer than 107 bytes (unix(7)), a state directory's path may.
func shortened(dir string) (string, func(), error) {
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d", f.Fd()), func() { f.Close() }, nil
}
