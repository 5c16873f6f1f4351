package file

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// A sidecar is the state of an upload: lines of text that are only appended,
// each ending in the CRC32C of what stands before it. First comes the header,
//
//	upload 1 SIZE PARTSIZE STARTED BOOT MTIME MODE "KEY" CRC
//
// with times in nanoseconds since 1970 ("-" for none) and the mode in octal
// ("-" for none), with ":UID:GID" behind it if the owner is known, then for each part "begin N CRC" before its first byte is
// written and "part N SIZE ETAG CRC" after its last byte is synced. A line that
// is damaged, as by a full disk, is passed over; lines are written with a
// newline at both ends so that it takes no other with it.
type sidecar struct {
	size, partSize int64
	started        time.Time
	boot, key      string
	meta           storage.Metadata // time, mode and owner
	parts          map[int]storage.Part
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)

	errSidecar = errors.New("the upload's state cannot be read")
)

// maxHeader bounds the header line: a quoted key may take four bytes for one.
const maxHeader = 64 << 10

func line(text string) []byte {
	sum := crc32.Checksum([]byte(text), castagnoli)
	return fmt.Appendf(nil, "\n%s %08x\n", text, sum)
}

// unline checks and takes off the sum.
func unline(l []byte) (string, bool) {
	i := bytes.LastIndexByte(l, ' ')
	if i < 0 {
		return "", false
	}
	sum := crc32.Checksum(l[:i], castagnoli)
	return string(l[:i]), string(l[i+1:]) == fmt.Sprintf("%08x", sum)
}

func (s *sidecar) header() []byte {
	mtime, mode := "-", "-"
	if !s.meta.MTime.IsZero() {
		mtime = strconv.FormatInt(s.meta.MTime.UnixNano(), 10)
	}
	if s.meta.HasMode {
		mode = strconv.FormatUint(uint64(s.meta.Mode&0o777), 8)
	}
	if s.meta.HasOwner {
		mode += fmt.Sprintf(":%d:%d", s.meta.UID, s.meta.GID)
	}
	return line(fmt.Sprintf("upload 1 %d %d %d %s %s %s %s", s.size, s.partSize, s.started.UnixNano(),
		s.boot, mtime, mode, strconv.QuoteToASCII(s.key)))
}

func beginLine(n int) []byte { return line("begin " + strconv.Itoa(n)) }

func partLine(p storage.Part) []byte {
	return line(fmt.Sprintf("part %d %d %s", p.Number, p.Size, p.ETag))
}

// readSidecar decodes a sidecar, or as much of it as data holds.
func readSidecar(data []byte) (*sidecar, error) {
	var s *sidecar
	for l := range bytes.SplitSeq(data, []byte("\n")) {
		text, ok := unline(l)
		switch {
		case !ok:
			continue
		case s != nil:
			s.apply(text)
		default:
			if s = parseHeader(text); s == nil {
				return nil, errSidecar
			}
		}
	}
	if s == nil {
		return nil, errSidecar
	}
	return s, nil
}

func parseHeader(text string) *sidecar {
	f := strings.SplitN(text, " ", 9)
	if len(f) != 9 || f[0] != "upload" || f[1] != "1" || f[5] == "" {
		return nil
	}
	key, err := strconv.Unquote(f[8])
	s := &sidecar{boot: f[5], key: key, parts: map[int]storage.Part{}}
	var started, mtime int64
	errs := []error{err, parse(f[2], &s.size), parse(f[3], &s.partSize), parse(f[4], &started)}
	if f[6] != "-" {
		errs = append(errs, parse(f[6], &mtime))
		s.meta.MTime = time.Unix(0, mtime)
	}
	errs = append(errs, s.parseMode(f[7]))
	s.started = time.Unix(0, started)
	if errors.Join(errs...) != nil || checkUpload(s.size, s.partSize) != nil || checkKey(key, false) != nil {
		return nil
	}
	return s
}

// parseMode reads a mode, and the owner behind it if there is one.
func (s *sidecar) parseMode(text string) error {
	text, owner, hasOwner := strings.Cut(text, ":")
	if hasOwner {
		if _, err := fmt.Sscanf(owner, "%d:%d", &s.meta.UID, &s.meta.GID); err != nil {
			return err
		}
		s.meta.HasOwner = true
	}
	if text == "-" {
		return nil
	}
	mode, err := strconv.ParseUint(text, 8, 9)
	s.meta.Mode, s.meta.HasMode = fs.FileMode(mode), true
	return err
}

func parse(text string, to *int64) (err error) {
	*to, err = strconv.ParseInt(text, 10, 64)
	return err
}

// apply adds a line about a part.
func (s *sidecar) apply(text string) {
	f := strings.Split(text, " ")
	if len(f) < 2 {
		return
	}
	n, err := strconv.Atoi(f[1])
	if err != nil || n < 1 || n > s.count() {
		return
	}
	switch {
	case f[0] == "begin" && len(f) == 2:
		delete(s.parts, n)
	case f[0] == "part" && len(f) == 4 && f[2] == strconv.FormatInt(s.length(n), 10) && len(f[3]) == 8:
		s.parts[n] = storage.Part{Number: n, Size: s.length(n), ETag: f[3]}
	}
}

// checkUpload tells whether an object can be sent in such parts.
func checkUpload(size, partSize int64) error {
	if size < 0 || partSize < 1 || partSize > maxPart || size > 0 && (size-1)/partSize+1 > maxParts {
		return fmt.Errorf("%d bytes in parts of %d", size, partSize)
	}
	return nil
}

// count is the number of parts; an empty object has one.
func (s *sidecar) count() int { return int(max(s.size-1, 0)/s.partSize) + 1 }

// length is the size of part n.
func (s *sidecar) length(n int) int64 { return min(s.size-int64(n-1)*s.partSize, s.partSize) }

// list returns the finished parts in order.
func (s *sidecar) list() []storage.Part {
	return slices.SortedFunc(maps.Values(s.parts), func(x, y storage.Part) int { return x.Number - y.Number })
}

// whole tells whether parts are all the parts of the upload.
func (s *sidecar) whole(parts []storage.Part) error {
	if len(parts) != s.count() {
		return fmt.Errorf("%d parts, want %d", len(parts), s.count())
	}
	for i, p := range parts {
		if held, ok := s.parts[i+1]; !ok || held != p {
			return fmt.Errorf("part %d is not the one held", i+1)
		}
	}
	return nil
}
