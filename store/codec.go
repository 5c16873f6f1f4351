package store

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Every value that this package gives a meaning begins with a version byte.
// A higher one than known is ErrFormat, anything else that cannot be read
// ErrDamaged. Integers are varints, strings and bytes have their length
// before them, a time is its seconds since 1970 and its nanoseconds.
const (
	dbVersion      = 1
	rowVersion     = 1
	failureVersion = 1
)

// Row is what the inventory knows about one key.
type Row struct {
	Run       string // that handled the key last
	Outcome   string // "copied", "skipped", "deleted", "retrying", "given_up", or ""
	Src, Dst  string // versions, opaque
	Size      int64  // bytes of the object
	Moved     int64  // bytes sent for it
	At        time.Time
	Unvouched bool // nobody could vouch for the bytes that were read
}

// Failure is one row of the failure ledger.
type Failure struct {
	Key     string
	Op      string
	Class   string
	Cause   string // kind of error
	Error   string // the message, without secrets
	Tries   int
	First   time.Time
	Last    time.Time
	NextTry time.Time // no meaning if GivenUp
	GivenUp bool
	Event   []byte // opaque
}

// outcomes have their place in this list as code; others are written out.
var outcomes = [...]string{"", "copied", "skipped", "deleted", "retrying", "given_up"}

const (
	outcomeMask   = 0x07
	outcomeOther  = 0x07
	flagUnvouched = 0x08
	flagGivenUp   = 0x01
)

func versionRecord() []byte { return []byte{dbVersion} }

func checkVersionRecord(val []byte) error {
	r := reader{rest: string(val)}
	r.version(dbVersion)
	return r.end("version record")
}

func appendRow(dst []byte, r Row) []byte {
	code, flags := byte(outcomeOther), byte(0)
	for i, o := range outcomes {
		if o == r.Outcome {
			code = byte(i)
		}
	}
	if r.Unvouched {
		flags = flagUnvouched
	}
	dst = append(dst, rowVersion, code|flags)
	if code == outcomeOther {
		dst = appendString(dst, r.Outcome)
	}
	dst = appendString(dst, r.Run)
	dst = appendString(dst, r.Src)
	dst = appendString(dst, r.Dst)
	dst = binary.AppendVarint(dst, r.Size)
	dst = binary.AppendVarint(dst, r.Moved)
	return appendTime(dst, r.At)
}

func parseRow(val []byte) (Row, error) {
	// One allocation holds all strings.
	r := reader{rest: string(val)}
	r.version(rowVersion)
	head := r.byte()
	row := Row{Unvouched: head&flagUnvouched != 0}
	switch code := int(head & outcomeMask); {
	case code == outcomeOther:
		row.Outcome = r.string()
	case code < len(outcomes):
		row.Outcome = outcomes[code]
	default:
		r.bad = true
	}
	row.Run = r.string()
	row.Src = r.string()
	row.Dst = r.string()
	row.Size = r.varint()
	row.Moved = r.varint()
	row.At = r.time()
	return row, r.end("row")
}

func appendFailure(dst []byte, f Failure) []byte {
	dst = append(dst, failureVersion, 0)
	if f.GivenUp {
		dst[len(dst)-1] = flagGivenUp
	}
	for _, s := range []string{f.Op, f.Class, f.Cause, f.Error} {
		dst = appendString(dst, s)
	}
	dst = binary.AppendVarint(dst, int64(f.Tries))
	dst = appendTime(dst, f.First)
	dst = appendTime(dst, f.Last)
	dst = appendTime(dst, f.NextTry)
	return appendString(dst, string(f.Event))
}

func parseFailure(key string, val []byte) (Failure, error) {
	r := reader{rest: string(val)}
	r.version(failureVersion)
	f := Failure{Key: key, GivenUp: r.byte()&flagGivenUp != 0}
	for _, s := range []*string{&f.Op, &f.Class, &f.Cause, &f.Error} {
		*s = r.string()
	}
	f.Tries = int(r.varint())
	f.First = r.time()
	f.Last = r.time()
	f.NextTry = r.time()
	if s := r.string(); s != "" {
		f.Event = []byte(s)
	}
	return f, r.end("failure")
}

func appendTime(dst []byte, t time.Time) []byte {
	dst = binary.AppendVarint(dst, t.Unix())
	return binary.AppendUvarint(dst, uint64(t.Nanosecond()))
}

// reader takes a value apart. After something that does not fit it yields
// zeroes, and end says so.
type reader struct {
	rest  string
	bad   bool
	newer byte // the version, if it is not known
}

func (r *reader) version(known byte) {
	v := r.byte()
	if v > known {
		r.newer = v
	}
	r.bad = r.bad || v == 0
}

func (r *reader) end(what string) error {
	switch {
	case r.newer != 0:
		return fmt.Errorf("%w: %s of version %d", ErrFormat, what, r.newer)
	case r.bad || r.rest != "":
		return fmt.Errorf("%w: a %s that cannot be read", ErrDamaged, what)
	}
	return nil
}

func (r *reader) byte() byte {
	if r.bad || r.rest == "" {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) uvarint() uint64 {
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		b := r.byte()
		if shift == 63 && b > 1 {
			break
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	r.bad = true
	return 0
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *reader) string() string {
	n := r.uvarint()
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) time() time.Time {
	sec, nsec := r.varint(), r.uvarint()
	if nsec > 999_999_999 {
		r.bad = true
		nsec = 0
	}
	return time.Unix(sec, int64(nsec)).UTC()
}
