package file

import (
	"errors"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sluice-sync/sluice/storage"
)

const (
	aheadEach = 2 // directories read ahead in one directory
	aheadAll  = 8 // and on all levels together
)

// walker goes through a tree in the order of keys.
type walker struct {
	b      *Bucket
	r      storage.Range
	line   chan<- *chunk // in order, for Next
	work   chan *chunk   // the same chunks, for the lookers
	quit   <-chan struct{}
	ahead  chan struct{} // a token for each directory read ahead
	pool   sync.Pool     // of *scratch
	frames []*frame
}

// sharedDir is a directory that is closed when the last user releases it.
type sharedDir struct {
	dir
	users atomic.Int32
}

func (s *sharedDir) release() {
	if s.users.Add(-1) == 0 {
		s.close()
	}
}

// frame is a directory that is being walked through.
type frame struct {
	d       *sharedDir
	key     string // "" or ends in "/"
	self    stat
	entries *entries
	pending []*reading // directories read ahead, in order
	chunk   strings.Builder
	ends    []int
}

// reading is a directory that is read ahead.
type reading struct {
	name string
	f    *frame
	err  error
	done chan struct{}
}

var errQuit = errors.New("the listing ends early")

func newWalker(b *Bucket, r storage.Range, line chan<- *chunk, quit <-chan struct{}) *walker {
	return &walker{
		b: b, r: r, line: line, quit: quit,
		work:  make(chan *chunk, queued),
		ahead: make(chan struct{}, aheadAll),
		pool:  sync.Pool{New: func() any { return &scratch{dirents: make([]byte, direntBuffer)} }},
	}
}

// run walks to the end. An error is the last chunk of the line.
func (w *walker) run() {
	err := w.walk()
	for _, f := range w.frames {
		w.drop(f)
	}
	if err != nil && !errors.Is(err, errQuit) {
		_ = w.send(&chunk{err: w.b.readFault("list", "", err), done: closed()})
	}
	close(w.work)
	close(w.line)
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (w *walker) walk() error {
	root, err := openRoot(w.b.root, true)
	if err != nil {
		return noRoot(err)
	}
	f, err := w.read(root, "")
	if err != nil {
		return noRoot(err)
	}
	w.frames = append(w.frames, f)
	for len(w.frames) > 0 {
		f := w.frames[len(w.frames)-1]
		name, isDir, err := f.entries.next()
		switch {
		case err != nil:
			return err
		case name == nil:
			err = w.leave(f)
		case isDir:
			err = w.enter(f, string(name[:len(name)-1]))
		default:
			err = w.add(f, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add puts a name into the chunk of its directory.
func (w *walker) add(f *frame, name []byte) error {
	if f.chunk.Len() == 0 {
		left := min(f.entries.left(), pageSize)
		f.chunk.Grow(left * (len(f.key) + len(name) + 8))
		f.ends = make([]int, 0, left)
	}
	f.chunk.WriteString(f.key)
	f.chunk.Write(name)
	f.ends = append(f.ends, f.chunk.Len())
	f.chunk.WriteByte(0)
	if len(f.ends) == pageSize {
		return w.flush(f)
	}
	return nil
}

// flush sends the chunk of a directory to the lookers.
func (w *walker) flush(f *frame) error {
	if len(f.ends) == 0 {
		return nil
	}
	c := &chunk{d: f.d, prefix: len(f.key), names: f.chunk.String(), ends: f.ends, done: make(chan struct{})}
	f.chunk, f.ends = strings.Builder{}, nil
	f.d.users.Add(1)
	if err := w.send(c); err != nil {
		f.d.release()
		return err
	}
	select {
	case w.work <- c:
		return nil
	case <-w.quit:
		f.d.release()
		return errQuit
	}
}

func (w *walker) send(c *chunk) error {
	select {
	case w.line <- c:
		return nil
	case <-w.quit:
		return errQuit
	}
}

// leave ends a directory.
func (w *walker) leave(f *frame) error {
	if err := w.flush(f); err != nil {
		return err
	}
	w.frames = w.frames[:len(w.frames)-1]
	w.drop(f)
	return nil
}

func (w *walker) drop(f *frame) {
	for _, r := range f.pending {
		w.settle(r)
		if r.err == nil {
			w.drop(r.f)
		}
	}
	f.entries.close()
	w.pool.Put(f.entries.scratch)
	f.d.release()
}

// settle waits for a directory read ahead.
func (w *walker) settle(r *reading) {
	<-r.done
	<-w.ahead
}

// enter goes into a directory of f. What cannot be looked into is yielded as
// such; what has gone meanwhile is left out.
func (w *walker) enter(f *frame, name string) error {
	if err := w.flush(f); err != nil {
		return err
	}
	sub, err := w.sub(f, name)
	key := f.key + name + "/"
	switch {
	case isOne(err, missing):
		return nil
	case isOne(err, denied), isOne(err, damaged):
		s, err := f.d.lstat(name)
		if err != nil {
			s = stat{}
		}
		s.kind = storage.KindUnreadable
		return w.one(s.object(key))
	case err != nil:
		return err
	case sub.entries.empty():
		w.drop(sub)
		return w.one(sub.self.object(key))
	}
	w.frames = append(w.frames, sub)
	return nil
}

// sub returns a directory of f, which may have been read ahead.
func (w *walker) sub(f *frame, name string) (*frame, error) {
	if len(f.pending) == 0 || f.pending[0].name != name {
		w.readAhead(f)
		return w.readSub(f, name)
	}
	r := f.pending[0]
	f.pending = f.pending[1:]
	w.readAhead(f)
	w.settle(r)
	return r.f, r.err
}

// one sends a single object that needs no look, if it is in the range.
func (w *walker) one(o storage.Object) error {
	if o.Key <= w.r.After || w.r.Last != "" && o.Key > w.r.Last {
		return nil
	}
	return w.send(&chunk{objs: []storage.Object{o}, done: closed()})
}

// readAhead starts to read the next directories of f.
func (w *walker) readAhead(f *frame) {
	for len(f.pending) < aheadEach {
		select {
		case w.ahead <- struct{}{}:
		default:
			return
		}
		name, ok := f.entries.nextDir()
		if !ok {
			<-w.ahead
			return
		}
		r := &reading{name: name, done: make(chan struct{})}
		f.pending = append(f.pending, r)
		go func() { // waited for in settle
			defer close(r.done)
			r.f, r.err = w.readSub(f, name)
		}()
	}
}

func (w *walker) readSub(f *frame, name string) (*frame, error) {
	d, err := f.d.subList(name)
	if err != nil {
		return nil, err
	}
	return w.read(d, f.key+name+"/")
}

// read reads and sorts the entries of a directory, which it takes over. The
// look at "." fails where entries may be named but not looked at.
func (w *walker) read(d dir, key string) (*frame, error) {
	self, err := d.lstat(".")
	if err != nil {
		d.close()
		return nil, err
	}
	s := w.pool.Get().(*scratch)
	e, err := readEntries(d, key, w.r, s, w.b.o, w.quit)
	if err != nil {
		w.pool.Put(s)
		d.close()
		return nil, err
	}
	f := &frame{d: &sharedDir{dir: d}, key: key, self: self, entries: e}
	f.d.users.Store(1)
	return f, nil
}

// look fills chunks until there are no more.
func (w *walker) look() {
	var l looker
	for c := range w.work {
		select {
		case <-w.quit: // Next returns nothing from now on
		default:
			c.err = w.fill(c, &l)
		}
		c.d.release()
		close(c.done)
	}
}

// fill looks at the entries of a chunk. A file whose inode cannot be read is
// yielded with what is known, its name: who opens it learns the rest.
func (w *walker) fill(c *chunk, l *looker) error {
	c.objs = make([]storage.Object, 0, len(c.ends))
	from := 0
	for _, end := range c.ends {
		key := c.names[from:end]
		s, err := l.lstat(c.d.dir, c.names[from+c.prefix:end+1])
		from = end + 1
		switch {
		case err == nil && s.kind != storage.KindDir:
			c.objs = append(c.objs, s.object(key))
		case err == nil, errors.Is(err, fs.ErrNotExist): // gone, or a directory by now
		case isOne(err, damaged):
			c.objs = append(c.objs, storage.Object{Key: key})
		default:
			return w.b.readFault("list", key, err)
		}
	}
	return nil
}
