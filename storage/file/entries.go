package file

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/sluice-sync/sluice/storage"
)

const direntBuffer = 64 << 10

// entry is a name in a scratch; that of a directory ends in "/", so that names
// compare as the keys they stand for.
type entry struct {
	order uint64 // the first bytes in which names of the directory may differ
	off   uint32
	len   uint16
}

// scratch is memory that directories use in turn.
type scratch struct {
	dirents []byte
	names   []byte
	list    []entry
}

func (s *scratch) name(e entry) []byte { return s.names[e.off : e.off+uint32(e.len)] }

// sort puts the names in order. Names of one directory often begin alike, so
// what they have in common is left out of the quick comparison.
func (s *scratch) sort() {
	if len(s.list) == 0 {
		return
	}
	first := s.name(s.list[0])
	common := len(first)
	for _, e := range s.list {
		common = min(common, int(e.len))
		for n := s.name(e); !bytes.Equal(n[:common], first[:common]); {
			common--
		}
	}
	for i, e := range s.list {
		var b [8]byte
		copy(b[:], s.name(e)[common:])
		s.list[i].order = binary.BigEndian.Uint64(b[:])
	}
	slices.SortFunc(s.list, func(x, y entry) int {
		switch {
		case x.order < y.order:
			return -1
		case x.order > y.order:
			return 1
		}
		return bytes.Compare(s.name(x), s.name(y))
	})
}

// entries yields the names of one directory in order: from memory, or merged
// from sorted runs on disk where they were too many.
type entries struct {
	*scratch
	pos   int    // of next in list
	dirs  int    // of nextDir in list
	merge *merge // nil: all are in the scratch
	more  bool   // there are names outside the range
}

// readEntries reads a directory and keeps what may hold keys of the range.
func readEntries(d dir, key string, r storage.Range, s *scratch, o Options, quit <-chan struct{}) (*entries, error) {
	s.names, s.list = s.names[:0], s.list[:0]
	e := &entries{scratch: s}
	runs := runs{dir: o.TempDir}
	keep := inside(key, r)
	err := d.entries(s.dirents, func(name []byte, isDir bool) error {
		if isTemp(name) {
			return nil
		}
		at := len(s.names)
		s.names = append(s.names, name...)
		if isDir {
			s.names = append(s.names, '/')
		}
		if full := s.names[at:]; !keep(full, isDir) {
			s.names = s.names[:at]
			e.more = true
			return nil
		}
		s.list = append(s.list, entry{off: uint32(at), len: uint16(len(s.names) - at)})
		if len(s.list) < o.SortRun {
			return nil
		}
		select {
		case <-quit:
			return errQuit
		default:
		}
		s.sort()
		return runs.spill(s)
	})
	if err == nil {
		s.sort()
		e.merge, err = runs.end(s)
	}
	if err != nil {
		runs.close()
		return nil, err
	}
	return e, nil
}

// next returns the next name, valid until the following call; nil at the end.
func (e *entries) next() (name []byte, isDir bool, err error) {
	switch {
	case e.merge != nil:
		name, err = e.merge.next()
	case e.pos < len(e.list):
		name = e.name(e.list[e.pos])
		e.pos++
	}
	return name, len(name) > 0 && name[len(name)-1] == '/', err
}

// nextDir returns the next directory that it has not returned and next has not
// yet come to. It knows none of what is on disk.
func (e *entries) nextDir() (string, bool) {
	if e.merge != nil {
		return "", false
	}
	for e.dirs = max(e.dirs, e.pos); e.dirs < len(e.list); {
		name := e.name(e.list[e.dirs])
		e.dirs++
		if last := len(name) - 1; name[last] == '/' {
			return string(name[:last]), true
		}
	}
	return "", false
}

// left bounds how many names a page can still take from here.
func (e *entries) left() int {
	if e.merge != nil {
		return pageSize
	}
	return len(e.list) - e.pos + 1
}

// empty tells whether the directory has no entries at all.
func (e *entries) empty() bool { return !e.more && e.merge == nil && len(e.list) == 0 }

func (e *entries) close() {
	if e.merge != nil {
		e.merge.close()
	}
}

// inside returns what tells whether a name of the directory of a key is in a
// range, or for a directory whether a key below it may be.
func inside(key string, r storage.Range) func(name []byte, isDir bool) bool {
	after, from := strings.CutPrefix(r.After, key)
	last, to := strings.CutPrefix(r.Last, key)
	if !from && key < r.After || r.Last != "" && !to && key > r.Last {
		return func([]byte, bool) bool { return false }
	}
	to = to && r.Last != ""
	return func(name []byte, isDir bool) bool {
		on := isDir && strings.HasPrefix(after, string(name)) // on the way to After
		if from && string(name) <= after && !on {
			return false
		}
		return !to || string(name) <= last
	}
}
