// Package space is the directory in which one task keeps what it must not
// lose: {lock, bus/, db/, status.json, control.sock}, mode 0700. One process
// at a time owns a space; others read its snapshot or ask the owner through
// its control socket.
//
// Several tasks that run together share a space: bus/, db/ and control.sock are
// of all, and each task has a directory {lock, status.json} in it. Such a task
// is found by the name SPACE/TASK.
//
// It must not know what a task does, nor read the environment.
package space

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// ErrNone means that no space fits what was asked for.
var ErrNone = errors.New("no such task")

// InUseError tells who owns a space.
type InUseError struct{ PID int }

func (e *InUseError) Error() string {
	return fmt.Sprintf("the task is being run by another process (pid %d)", e.PID)
}

// Name is the name of the task that brings source to target, both canonical
// locations: a readable slug and 6 hexadecimal digits of their hash.
func Name(source, target string) string {
	sum := sha256.Sum256([]byte(source + "\x00" + target))
	return slug(source) + "-" + hex.EncodeToString(sum[:3])
}

// hashLen is the length of what Name appends.
const hashLen = 7

// slug makes up to 24 safe characters from the last component of a location.
func slug(location string) string {
	s := strings.TrimRight(location, "/\\")
	s = strings.ToLower(s[strings.LastIndexAny(s, "/\\:")+1:])
	b := make([]byte, 0, 24)
	for i := 0; i < len(s) && len(b) < 24; i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			b = append(b, c)
		case len(b) > 0 && b[len(b)-1] != '-':
			b = append(b, '-')
		}
	}
	if s = strings.TrimRight(string(b), "-"); s == "" {
		return "task"
	}
	return s
}

// Space is an owned space, or the place of one of its tasks. Close gives it back.
type Space struct {
	Name  string // of the task: TASK, also where Names says SPACE/TASK
	Dir   string // of its snapshot
	home  string // of bus, db and control socket: Dir, or the directory it is in
	locks []*os.File
}

// Open makes or opens the space of a task below root, by a name as Names
// returns it, and takes its lock; *InUseError if another process has it.
func Open(root, name string) (*Space, error) {
	home, name, shared := strings.Cut(name, "/")
	s, err := open(filepath.Join(root, home), home)
	if err != nil || !shared {
		return s, err
	}
	t, err := s.Task(name)
	if err != nil {
		s.Close()
		return nil, err
	}
	t.locks = append(t.locks, s.locks...)
	return t, nil
}

func open(dir, name string) (*Space, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	f, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	return &Space{Name: name, Dir: dir, home: dir, locks: []*os.File{f}}, nil
}

// Task makes or opens the place of one of several tasks that share the space.
// Close it before the space.
func (s *Space) Task(name string) (*Space, error) {
	t, err := open(filepath.Join(s.home, name), name)
	if err != nil {
		return nil, err
	}
	t.home = s.home
	return t, nil
}

// BusDir and DBDir are where the bus and the store keep their files.
func (s *Space) BusDir() string { return filepath.Join(s.home, busDir) }

// DBDir is where the store keeps its files.
func (s *Space) DBDir() string { return filepath.Join(s.home, dbDir) }

// Directories of a space that are no tasks.
const (
	busDir = "bus"
	dbDir  = "db"
)

// WriteStatus replaces status.json. Readers see the old or the new one.
func (s *Space) WriteStatus(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	tmp := filepath.Join(s.Dir, ".status.json")
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(s.Dir, "status.json"))
}

// Close gives the space back. The lock ends with the process in any case.
func (s *Space) Close() error {
	var errs []error
	for _, f := range s.locks {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Shared tells whether bus, db and control socket are of other tasks too.
func (s *Space) Shared() bool { return s.home != s.Dir }

// Remove deletes the space and all it holds; the caller owns it. Of a task that
// shares its space that is its own directory, and the rest with the last one.
func (s *Space) Remove() error {
	for _, n := range []string{busDir, dbDir, "status.json", ".status.json", "control.sock"} {
		if err := os.RemoveAll(filepath.Join(s.Dir, n)); err != nil {
			return err
		}
	}
	s.Close()
	err := os.RemoveAll(s.Dir)
	if err == nil && s.Shared() && len(tasks(s.home)) == 0 {
		err = os.RemoveAll(s.home)
	}
	return err
}

// Names lists the tasks that have a space below root in order, those that share
// one as SPACE/TASK; a root that does not exist has none.
func Names(root string) ([]string, error) {
	ents, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range ents {
		dir := filepath.Join(root, e.Name())
		if !hasLock(dir) {
			continue
		}
		shared := tasks(dir)
		for _, t := range shared {
			names = append(names, e.Name()+"/"+t)
		}
		if len(shared) == 0 {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	return names, nil
}

// tasks lists the tasks that share a space.
func tasks(dir string) (names []string) {
	ents, _ := os.ReadDir(dir)
	for _, e := range ents {
		if n := e.Name(); n != busDir && n != dbDir && hasLock(filepath.Join(dir, n)) {
			names = append(names, n)
		}
	}
	return names
}

func hasLock(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "lock"))
	return err == nil
}

// Find returns the name of the one task that is or starts with prefix; ErrNone
// if there is none, and an error that names them if there are several. Tasks
// that share a space are found by their own names, also without the hash at the
// end, and behind SPACE/.
func Find(root, prefix string) (string, error) {
	names, err := Names(root)
	if err != nil {
		return "", err
	}
	var hits, exact []string
	for _, n := range names {
		own := n[strings.Index(n, "/")+1:]
		if prefix == n || prefix == own {
			return n, nil
		}
		if prefix != "" && own != n && prefix == own[:max(0, len(own)-hashLen)] {
			exact = append(exact, n)
		}
		if prefix != "" && (strings.HasPrefix(n, prefix) || strings.HasPrefix(own, prefix)) {
			hits = append(hits, n)
		}
	}
	if len(exact) > 0 {
		hits = exact
	}
	switch len(hits) {
	case 0:
		return "", fmt.Errorf("%w: %q in %s (`sluice status` lists the tasks)", ErrNone, prefix, root)
	case 1:
		return hits[0], nil
	}
	return "", fmt.Errorf("%q means several tasks: %s", prefix, strings.Join(hits, ", "))
}

// Status reads a space's last snapshot into v and tells who runs it now
// (0: nobody). A space that never wrote one leaves v as it is.
func Status(root, name string, v any) (pid int, err error) {
	dir := filepath.Join(root, name)
	b, err := os.ReadFile(filepath.Join(dir, "status.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if err == nil {
		if err := json.Unmarshal(b, v); err != nil {
			return 0, fmt.Errorf("%s: %w", filepath.Join(dir, "status.json"), err)
		}
	}
	f, err := lock(filepath.Join(dir, "lock"))
	var used *InUseError
	if errors.As(err, &used) {
		return used.PID, nil
	}
	if err != nil {
		return 0, err
	}
	return 0, f.Close()
}
