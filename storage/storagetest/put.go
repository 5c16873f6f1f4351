package storagetest

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/sluice-sync/sluice/storage"
)

var putTopics = []topic{
	{"sizes", putSizes},
	{"overwrite", putOverwrite},
	{"honest readers", honestReaders},
	{"etag", putETag},
	{"md5", putMD5},
	{"too large", putTooLarge},
	{"negative size", putNegative},
}

func putSizes(t *testing.T, h Harness) {
	b := h.New(t)
	for i, n := range []int{0, 1, 511, 512, 4096, 32<<10 - 1, 32 << 10, 64<<10 + 1, 1 << 20, 5<<20 + 1} {
		key := fmt.Sprintf("size/%d", n)
		data := content(uint64(i), n)
		put(t, b, key, data)
		wantContent(t, b, key, data)
	}
}

func putOverwrite(t *testing.T, h Harness) {
	b := h.New(t)
	for i, n := range []int{1000, 10, 0, 100_000, 100_000, 1} {
		data := content(uint64(i), n)
		put(t, b, "k", data)
		wantContent(t, b, "k", data)
		wantKeys(t, b, storage.Range{}, "k")
	}
}

// honestReaders yield the right bytes in ways that readers may.
func honestReaders(t *testing.T, h Harness) {
	b := h.New(t)
	data := content(1, 3000)
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"one byte at a time": iotest.OneByteReader,
		"half of each":       iotest.HalfReader,
		"data with EOF":      iotest.DataErrReader,
		"empty reads":        func(r io.Reader) io.Reader { return &hesitant{r: r} },
		"seekable":           func(io.Reader) io.Reader { return bytes.NewReader(data) },
		"closer":             func(r io.Reader) io.Reader { return mustNotClose{r, t} },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.Put(t.Context(), name, wrap(body(data)), storage.PutOptions{Size: int64(len(data))})
			if err != nil {
				t.Fatal(err)
			}
			wantContent(t, b, name, data)
		})
	}
	t.Run("part of a file", func(t *testing.T) {
		r := bytes.NewReader(data)
		if _, err := r.Seek(1000, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Put(t.Context(), "rest", r, storage.PutOptions{Size: 2000}); err != nil {
			t.Fatal(err)
		}
		wantContent(t, b, "rest", data[1000:])
	})
}

// hesitant gives nothing and no error every other time.
type hesitant struct {
	r   io.Reader
	odd bool
}

func (h *hesitant) Read(p []byte) (int, error) {
	if h.odd = !h.odd; h.odd {
		return 0, nil
	}
	return h.r.Read(p[:min(len(p), 100)])
}

// mustNotClose is a body that belongs to the caller.
type mustNotClose struct {
	io.Reader
	t *testing.T
}

func (m mustNotClose) Close() error {
	m.t.Error("the body was closed by the place; it belongs to the caller")
	return nil
}

func putETag(t *testing.T, h Harness) {
	b := h.New(t)
	if !b.Features().ETagIsMD5 {
		return
	}
	for _, n := range []int{0, 1, 100_000} {
		data := content(uint64(n), n)
		o := put(t, b, "k", data)
		sum := md5.Sum(data)
		for where, o := range map[string]storage.Object{"put": o, "stat": stat(t, b, "k").Object, "list": list(t, b, storage.Range{})[0]} {
			if got, ok := o.PlainMD5(); ok && !bytes.Equal(got, sum[:]) {
				t.Errorf("%s: ETag %q, MD5 of the bytes %x", where, o.ETag, sum)
			}
		}
	}
}

// putMD5 gives the sum along, once right and once wrong. A place that makes
// use of it must notice; it may also find out by itself that all is well.
func putMD5(t *testing.T, h Harness) {
	b := h.New(t)
	data := content(1, 100_000)
	for _, lie := range []bool{false, true} {
		key := fmt.Sprintf("lie %v", lie)
		hash, ended := md5.New(), false
		r := iotest.DataErrReader(&onEOF{io.TeeReader(body(data), hash), &ended})
		_, err := b.Put(t.Context(), key, r, storage.PutOptions{Size: int64(len(data)), MD5: func() []byte {
			if !ended {
				t.Error("MD5 was called before the end of the body")
			}
			if lie {
				return make([]byte, md5.Size)
			}
			return hash.Sum(nil)
		}})
		if err == nil {
			wantContent(t, b, key, data)
			continue
		}
		if !lie {
			t.Errorf("put: %v", err)
		}
		wantError(t, b, err, key, storage.ErrCorrupt)
	}
}

type onEOF struct {
	r     io.Reader
	ended *bool
}

func (o *onEOF) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	*o.ended = *o.ended || err == io.EOF
	return n, err
}

func putTooLarge(t *testing.T, h Harness) {
	b := h.New(t)
	limit := b.Features().MaxPut
	if limit <= 0 {
		return
	}
	_, err := b.Put(t.Context(), "k", &endless{}, storage.PutOptions{Size: limit + 1})
	wantError(t, b, err, "k", storage.ErrTooLarge)
	wantAbsent(t, b, "k")
}

// endless fails the test's purpose if it is read far: the size alone must do.
type endless struct{ n int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.n += int64(len(p)); e.n > 64<<20 {
		return 0, fmt.Errorf("read on after %d bytes", e.n)
	}
	return len(p), nil
}

func putNegative(t *testing.T, h Harness) {
	b := h.New(t)
	_, err := b.Put(t.Context(), "k", body([]byte("x")), storage.PutOptions{Size: -1})
	wantError(t, b, err, "k", storage.ErrInvalid)
	wantAbsent(t, b, "k")
}
