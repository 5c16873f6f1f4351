package file

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

const runBuffer = 16 << 10 // bytes held of each run that is merged

// runs are sorted stretches of names in one temporary file: each name with its
// length in two bytes before it.
type runs struct {
	dir  string
	f    *os.File
	keep bool // the file could not be removed while it is open
	ends []int64
}

// spill writes the names of a scratch as a run and empties it.
func (r *runs) spill(s *scratch) (err error) {
	if r.f == nil {
		if r.f, err = os.CreateTemp(r.dir, ".sluice-sort-*"); err != nil {
			return err
		}
		r.keep = os.Remove(r.f.Name()) != nil
	}
	at := int64(0)
	if n := len(r.ends); n > 0 {
		at = r.ends[n-1]
	}
	w := bufio.NewWriterSize(r.f, runBuffer)
	for _, e := range s.list {
		var size [2]byte
		binary.LittleEndian.PutUint16(size[:], e.len)
		_, _ = w.Write(size[:]) // Flush tells
		_, _ = w.Write(s.name(e))
		at += 2 + int64(e.len)
	}
	r.ends = append(r.ends, at)
	s.names, s.list = s.names[:0], s.list[:0]
	return w.Flush()
}

// end returns the merge of all runs, the names of the scratch being the last;
// nil if there are no others.
func (r *runs) end(s *scratch) (*merge, error) {
	if r.f == nil {
		return nil, nil
	}
	if err := r.spill(s); err != nil {
		return nil, err
	}
	m := &merge{runs: *r}
	at := int64(0)
	for _, end := range r.ends {
		h := &head{r: bufio.NewReaderSize(io.NewSectionReader(r.f, at, end-at), runBuffer)}
		at = end
		switch err := h.next(); {
		case err == nil:
			m.heads = append(m.heads, h)
		case !errors.Is(err, io.EOF):
			return nil, err
		}
	}
	heap.Init(&m.heads)
	return m, nil
}

func (r *runs) close() {
	if r.f == nil {
		return
	}
	r.f.Close()
	if r.keep {
		_ = os.Remove(r.f.Name()) // the system's temporary files are swept by others
	}
}

// merge yields the names of all runs in order.
type merge struct {
	runs
	heads heads
	taken bool // the first head was returned
}

func (m *merge) next() ([]byte, error) {
	if m.taken {
		switch err := m.heads[0].next(); {
		case err == nil:
			heap.Fix(&m.heads, 0)
		case errors.Is(err, io.EOF):
			heap.Pop(&m.heads)
		default:
			return nil, err
		}
	}
	m.taken = len(m.heads) > 0
	if !m.taken {
		return nil, nil
	}
	return m.heads[0].name, nil
}

// head is the next name of a run.
type head struct {
	r    *bufio.Reader
	buf  [maxName + 1]byte
	name []byte
}

func (h *head) next() error {
	var size [2]byte
	if _, err := io.ReadFull(h.r, size[:]); err != nil {
		return err
	}
	n := int(binary.LittleEndian.Uint16(size[:]))
	if n > len(h.buf) {
		return errors.New("a sort run holds what was not written")
	}
	h.name = h.buf[:n]
	_, err := io.ReadFull(h.r, h.name)
	return err
}

// heads are a heap by name.
type heads []*head

func (h heads) Len() int           { return len(h) }
func (h heads) Less(i, j int) bool { return string(h[i].name) < string(h[j].name) }
func (h heads) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *heads) Push(x any)        { *h = append(*h, x.(*head)) }
func (h *heads) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
