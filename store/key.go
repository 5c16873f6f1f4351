package store

import (
	"encoding/binary"
	"fmt"
	"time"
)

// A database key is
//
//	'm' name                                       records of the database itself
//	't' len(task) task table rest                  everything else
//
// Lengths are uvarints, so that no task's keys are a prefix of another's. The
// rest, by table:
//
//	row, failure, upload, record    key, raw to the end: byte order is kept
//	due                             seconds (8 bytes, big-endian, sign flipped), nanoseconds (4), key
//	cursor                          len(run) run pass (4 bytes, big-endian) id
//	candidate                       len(run) run key
//
// testdata/fixture and the golden test hold these to what was released.
const (
	spaceMeta byte = 'm'
	spaceTask byte = 't'
)

const (
	tableRow byte = iota + 1
	tableFailure
	tableDue
	tableCursor
	tableCandidate
	tableUpload
	tableRecord
)

func versionKey() []byte { return append([]byte{spaceMeta}, "version"...) }

func taskPrefix(name string) []byte {
	return appendString([]byte{spaceTask}, name)
}

// taskName is the reverse of taskPrefix, of any key of the task.
func taskName(key []byte) (string, error) {
	n, w := binary.Uvarint(key[1:])
	if w <= 0 || uint64(len(key)-1-w) < n {
		return "", fmt.Errorf("%w: key %q", ErrDamaged, key)
	}
	return string(key[1+w:][:n]), nil
}

// appendString appends a string that something follows.
func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// appendKey appends the key of an entry of one of the plain tables.
func (t *Task) appendKey(dst []byte, table byte, key string) []byte {
	dst = append(dst, t.prefix...)
	dst = append(dst, table)
	return append(dst, key...)
}

func (t *Task) key(table byte, key string) []byte {
	return t.appendKey(make([]byte, 0, len(t.prefix)+1+len(key)+1), table, key)
}

// bounds are of the keys after < key <= last; an empty last is the table's end.
func (t *Task) bounds(table byte, first, last string) (lower, upper []byte) {
	lower, upper = t.key(table, first), t.key(table+1, "")
	if first != "" {
		lower = append(lower, 0) // the next key there can be
	}
	if last != "" {
		upper = append(t.key(table, last), 0)
	}
	return lower, upper
}

const dueTimeLen = 12

func (t *Task) dueKey(at time.Time, key string) []byte {
	return append(t.dueBefore(at), key...)
}

// dueBefore is the lower bound of what is due at that time or later.
func (t *Task) dueBefore(at time.Time) []byte {
	b := t.key(tableDue, "")
	b = binary.BigEndian.AppendUint64(b, uint64(at.Unix())^1<<63)
	return binary.BigEndian.AppendUint32(b, uint32(at.Nanosecond()))
}

// splitDue is the reverse of dueKey.
func (t *Task) splitDue(b []byte) (at time.Time, key string, err error) {
	b = b[len(t.prefix)+1:]
	if len(b) < dueTimeLen {
		return at, "", fmt.Errorf("%w: a time index key of %d bytes", ErrDamaged, len(b))
	}
	sec := int64(binary.BigEndian.Uint64(b) ^ 1<<63)
	return time.Unix(sec, int64(binary.BigEndian.Uint32(b[8:]))).UTC(), string(b[dueTimeLen:]), nil
}

// runPrefix is of all entries of a run in a table.
func (t *Task) runPrefix(table byte, run string) []byte {
	return appendString(t.key(table, ""), run)
}

func (t *Task) passPrefix(run string, pass int) []byte {
	return binary.BigEndian.AppendUint32(t.runPrefix(tableCursor, run), uint32(pass))
}

// after is the lowest key above all that begin with prefix, which holds a
// byte below 0xff.
func after(prefix []byte) []byte {
	n := len(prefix)
	for prefix[n-1] == 0xff {
		n--
	}
	b := append([]byte(nil), prefix[:n]...)
	b[n-1]++
	return b
}
