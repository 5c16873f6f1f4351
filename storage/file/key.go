package file

import (
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// Temporary names have one fixed form, so that a listing can tell them from
// the names of users by a glance:
//
//	.sluice-K-OOOOOOOOOOOOOOOO-FFFFFFFFFFFFFFFF-RRRRRRRRRRRRRRRR
//
// K is the use; then come hashes of owner and key and a random number, in hex.
const (
	tempPrefix = ".sluice-"
	tempLen    = len(tempPrefix) + 2 + 3*16 + 2

	tempWrite = 'w' // a write under way
	tempData  = 'd' // the bytes of an upload
	tempState = 's' // the sidecar of an upload

	maxName = 255 // bytes of one name
)

var (
	errKeyForm     = errors.New("not a clean relative path")
	errKeyName     = errors.New("a name of more than 255 bytes")
	errKeyReserved = errors.New("a name kept for temporary files")
	errKeySystem   = errors.New("not a file name on this system")
)

// checkKey tells whether the tree can hold a key without it being another name
// of another key. dir allows one trailing slash.
func checkKey(key string, dir bool) error {
	if dir {
		key = strings.TrimSuffix(key, "/")
	}
	if key == "" || key == "." || key == ".." || key[0] == '/' || strings.HasPrefix(key, "../") ||
		path.Clean(key) != key || strings.IndexByte(key, 0) >= 0 {
		return errKeyForm
	}
	for name := range strings.SplitSeq(key, "/") {
		switch {
		case len(name) > maxName:
			return errKeyName
		case isTemp(name):
			return errKeyReserved
		case runtime.GOOS == "windows" && !windowsName(name):
			return errKeySystem
		}
	}
	return nil
}

// windowsName refuses what Windows takes for another name, a stream or a device.
func windowsName(name string) bool {
	return filepath.IsLocal(name) && !strings.ContainsAny(name, `\:*?"<>|`) &&
		!strings.HasSuffix(name, ".") && !strings.HasSuffix(name, " ")
}

// isTemp tells whether a name, given as string or bytes, has the form of a
// temporary one.
func isTemp[S string | []byte](name S) bool {
	if len(name) != tempLen || string(name[:len(tempPrefix)]) != tempPrefix {
		return false
	}
	switch name[len(tempPrefix)] {
	case tempWrite, tempData, tempState:
	default:
		return false
	}
	for i := len(tempPrefix) + 1; i < len(name); i++ {
		c := name[i]
		if (i-len(tempPrefix)-1)%17 == 0 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// tempName returns a new name for a key. The part after the use is the id of
// an upload.
func (b *Bucket) tempName(use byte, key string) string {
	return tempPrefix + string(use) + "-" + b.owner + "-" + hash(key) + "-" + hex16(rand.Uint64())
}

// tempParts takes a temporary name apart.
func tempParts(name string) (use byte, owner, id string) {
	rest := name[len(tempPrefix):]
	return rest[0], rest[2:18], rest[2:]
}

func hash(s string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // never fails
	return hex16(h.Sum64())
}

func hex16(n uint64) string {
	s := strconv.FormatUint(n, 16)
	return "0000000000000000"[len(s):] + s
}

// split returns the directory of a key ("" is the root) and its last name.
func split(key string) (dir, name string) {
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		return key[:i], key[i+1:]
	}
	return "", key
}
