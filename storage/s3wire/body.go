package s3wire

import (
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"sync"
)

// exact is a body that yields as many bytes as announced or fails: it keeps the
// last bytes back until the caller's reader has come to its end, so that a
// request with a body of another length is never completed.
type exact struct {
	r    io.Reader
	left int64
	sum  hash.Hash // may be nil
	err  error     // what went wrong, or io.EOF
}

func (e *exact) Read(p []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	if e.left == 0 {
		e.err = e.atEnd()
		return 0, e.err
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if e.sum != nil {
		e.sum.Write(p[:n])
	}
	switch {
	case isEnd(err) && e.left > 0:
		e.err = &bodyError{fmt.Errorf("ended %d bytes early: %w", e.left, io.ErrUnexpectedEOF)}
	case isEnd(err):
		e.err = io.EOF
		return n, io.EOF
	case err != nil:
		e.err = &bodyError{err}
	case e.left == 0:
		if e.err = e.atEnd(); isEnd(e.err) {
			return n, io.EOF
		}
	}
	if e.err != nil {
		return 0, e.err
	}
	return n, nil
}

// isEnd tells the end of a reader from a failure that wraps an io.EOF.
func isEnd(err error) bool { return err == io.EOF } //nolint:errorlint // see above

// atEnd returns io.EOF if the reader ends here.
func (e *exact) atEnd() error {
	var one [1]byte
	for range 100 { // readers may hesitate, as in bufio
		n, err := e.r.Read(one[:])
		switch {
		case n > 0:
			return &bodyError{errors.New("goes on after its announced length")}
		case isEnd(err):
			return io.EOF
		case err != nil:
			return &bodyError{err}
		}
	}
	return &bodyError{io.ErrNoProgress}
}

// lent is the body of a request. A transport such as net/http may read it even
// after the answer has come; take gives the reader back to its owner for good.
type lent struct {
	mu    sync.Mutex
	r     io.Reader
	taken bool
}

func (l *lent) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken {
		return 0, errTaken
	}
	return l.r.Read(p)
}

var errTaken = errors.New("the request is over")

// take waits for a read that is under way and stops all later ones.
func (l *lent) take() {
	l.mu.Lock()
	l.taken = true
	l.mu.Unlock()
}

// Close leaves the reader open: it is the caller's.
func (l *lent) Close() error { return nil }

// maxChunk is the size of the chunks of a body with a trailer. They are sent
// as they come; stores hold one in memory, and want 8 KiB at least.
const maxChunk = 256 << 10

// trailed frames a body of known size as aws-chunked, with a CRC32C behind it.
type trailed struct {
	src     *exact
	left    int64  // of the body
	chunk   int64  // of the chunk being sent
	frame   []byte // not yet sent
	trailer bool   // the trailer has been framed
}

const trailerName = "x-amz-checksum-crc32c"

// framed is the length of a body with its frames and trailer.
func framed(size int64) int64 {
	n := size + size/maxChunk*int64(len(chunkHead(maxChunk))+2)
	if rest := size % maxChunk; rest > 0 {
		n += int64(len(chunkHead(rest)) + 2)
	}
	return n + int64(len("0\r\n"+trailerName+":AAAAAA==\r\n\r\n"))
}

func chunkHead(n int64) string { return strconv.FormatInt(n, 16) + "\r\n" }

func (t *trailed) Read(p []byte) (int, error) {
	if len(t.frame) == 0 && t.chunk == 0 {
		switch {
		case t.trailer:
			return 0, io.EOF
		case t.left > 0:
			t.chunk = min(t.left, maxChunk)
			t.frame = append(t.frame, chunkHead(t.chunk)...)
		default:
			if err := t.end(); err != nil {
				return 0, err
			}
		}
	}
	if len(t.frame) > 0 {
		n := copy(p, t.frame)
		t.frame = append(t.frame[:0], t.frame[n:]...)
		return n, nil
	}
	n, err := t.src.Read(p[:min(int64(len(p)), t.chunk)])
	t.left -= int64(n)
	if t.chunk -= int64(n); t.chunk == 0 && n > 0 {
		t.frame = append(t.frame, "\r\n"...)
	}
	if isEnd(err) { // the frames are still to come
		err = nil
	}
	return n, err
}

// end frames the trailer once the source has proven that it ends.
func (t *trailed) end() error {
	if _, err := t.src.Read(nil); !isEnd(err) {
		return err
	}
	t.trailer = true
	t.frame = append(t.frame, "0\r\n"+trailerName+":"...)
	t.frame = base64.StdEncoding.AppendEncode(t.frame, t.src.sum.Sum(nil))
	t.frame = append(t.frame, "\r\n\r\n"...)
	return nil
}
