package endpoint

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// reread is the least time between two reads of a key's file. It is no longer
// than the first pause between two looks at an endpoint that refuses its keys
// (consumers/transfer), so that the second look has new ones if there are any.
const reread = time.Second

// keyFile is a file that holds one key and may be replaced while the key is in
// use, as a job that renews temporary keys does. It is safe for concurrent use.
type keyFile struct {
	path string
	read func(path string) ([]byte, error)
	last atomic.Pointer[keyText]
	busy sync.Mutex // held by the one who reads; nobody waits for it
}

type keyText struct {
	text string
	at   time.Time // when it was read
}

// reveal returns the key as it stands in the file, at most reread later. While
// the file is being written, empty or gone, the last key stays: whether it still
// holds the store will say.
func (f *keyFile) reveal() string {
	if time.Since(f.last.Load().at) >= reread && f.busy.TryLock() {
		text, err := readText(f.path, f.read)
		if err != nil {
			text = f.last.Load().text
		}
		f.last.Store(&keyText{text, time.Now()})
		f.busy.Unlock()
	}
	return f.last.Load().text
}

// readText returns what stands in a file, without the blanks around it; there
// has to be something.
func readText(path string, read func(path string) ([]byte, error)) (string, error) {
	data, err := read(path)
	if err != nil {
		return "", err
	}
	if s := strings.TrimSpace(string(data)); s != "" {
		return s, nil
	}
	return "", fmt.Errorf("the file %s is empty", path)
}
