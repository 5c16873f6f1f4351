package transfer

import (
	"errors"
	"fmt"
	"hash"
	"io"
	"math/bits"
	"sync"

	"github.com/sluice-sync/sluice/storage"
)

// bufferMost is the largest object that is held in memory whole, bytes.
const bufferMost = 1 << 20

// buffers recycles memory for small objects, by powers of two.
type buffers struct{ pools [21]sync.Pool }

const bufferLeast = 12 // as a power of two

func (b *buffers) get(size int) *[]byte {
	class := max(bits.Len(uint(max(size, 1)-1)), bufferLeast)
	p, ok := b.pools[class].Get().(*[]byte)
	if !ok {
		fresh := make([]byte, 1<<class)
		p = &fresh
	}
	*p = (*p)[:size]
	return p
}

func (b *buffers) put(p *[]byte) { b.pools[bits.Len(uint(cap(*p)-1))].Put(p) }

var (
	errShort = errors.New("the body ended early")
	errLong  = errors.New("the body goes on past its end")
)

// readExactly fills p and expects the end after it.
func readExactly(r io.Reader, p []byte) error {
	if _, err := io.ReadFull(r, p); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return errShort
		}
		return err
	}
	return readEnd(r)
}

func readEnd(r io.Reader) error {
	var one [1]byte
	switch n, err := io.ReadFull(r, one[:]); {
	case n > 0:
		return errLong
	case err == io.EOF:
		return nil
	default:
		return err
	}
}

// body hands out exactly left bytes of src and withholds the last one until
// the end was seen and last agreed. So a write of it cannot take effect before
// the bytes are proven. One goroutine reads at a time.
type body struct {
	src   io.Reader
	left  int64
	sum   hash.Hash    // of all bytes handed out; nil: none
	last  func() error // nil: no objection
	count func(int64)  // told of the bytes as they go

	mu    sync.Mutex
	given int64
	err   error
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.failure(); err != nil {
		return 0, err
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.src.Read(p[:min(int64(len(p)), max(b.left-1, 1))])
	if n > 0 && b.sum != nil {
		b.sum.Write(p[:n])
	}
	b.left -= int64(n)
	switch {
	case b.left == 0 && n > 0:
		if err == nil || err == io.EOF {
			err = b.end()
		}
	case err == io.EOF:
		err = errShort
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.err = err
		return 0, err
	}
	b.given += int64(n)
	b.count(int64(n))
	return n, nil
}

func (b *body) end() error {
	if err := readEnd(b.src); err != nil {
		return err
	}
	if b.last == nil {
		return nil
	}
	return b.last()
}

// failure returns what stopped the body. It may be called while a transport
// that has already answered still reads.
func (b *body) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// shut makes further reads fail and returns how many bytes were handed out.
func (b *body) shut() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = io.ErrClosedPipe
	}
	return b.given
}

// readFailure gives a lying body its kind.
func (j *job) readFailure(err error) error {
	if errors.Is(err, errShort) || errors.Is(err, errLong) {
		return j.damaged(j.cfg.Source, err)
	}
	return err
}

func (j *job) mismatch(v vouch) error {
	return j.damaged(j.cfg.Source, fmt.Errorf("the %s of what was read is not the stored one", v.alg))
}

func (j *job) damaged(place storage.Source, err error) error {
	key, op := j.source, "read"
	if place == storage.Source(j.cfg.Target) {
		key, op = j.target, "put"
	}
	return &storage.Error{Op: op, Key: key, Place: place.String(), Kind: storage.ErrCorrupt, Err: err}
}
