package file

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/sluice-sync/sluice/storage"
)

// queued bounds the chunks that a listing is ahead of its reader.
const queued = 16

var errClosed = errors.New("the listing was closed")

// List lists the tree. Directories are sorted as name+"/", so that whole keys
// come in byte order; subtrees outside the range are not entered. The first
// Next starts one goroutine that reads directories in order, some that read
// ahead, and Options.Parallel that look at the entries; Close, the end and an
// error end them. Memory is bounded by Options.SortRun entries for each
// directory on the way down and each that is read ahead.
func (b *Bucket) List(r storage.Range) storage.Pages {
	return &pages{b: b, r: r, quit: make(chan struct{})}
}

// pages is a listing: a walker makes chunks of entries in order, lookers fill
// them in any order, and Next waits for the next chunk in line.
type pages struct {
	b    *Bucket
	r    storage.Range
	quit chan struct{}
	line chan *chunk // in order; closed by the walker
	head *chunk      // taken from the line, not yet returned
	end  error       // what Next returns from now on

	mu      sync.Mutex
	started bool
	closed  bool
	running sync.WaitGroup
}

// chunk is some entries of one directory. A looker fills objs and err, then
// closes done.
type chunk struct {
	d      *sharedDir
	prefix int    // length of the directory's own key
	names  string // whole keys, each ended by NUL
	ends   []int  // where in names the NULs are
	objs   []storage.Object
	err    error
	done   chan struct{}
}

// Next returns the next page.
func (p *pages) Next(ctx context.Context) ([]storage.Object, error) {
	if p.end == nil {
		p.end = ctx.Err()
	}
	if p.end == nil {
		p.end = p.start()
	}
	if p.end != nil {
		return nil, p.end
	}
	page, err := p.page(ctx)
	if err != nil {
		p.end = err
		p.stop()
	}
	return page, err
}

// page gathers chunks until they fill a page.
func (p *pages) page(ctx context.Context) (page []storage.Object, err error) {
	for {
		c, err := p.next(ctx)
		if errors.Is(err, io.EOF) && len(page) > 0 {
			return page, nil // the end comes again
		}
		if err != nil {
			return nil, err
		}
		if len(page) > 0 && len(page)+len(c.objs) > pageSize {
			p.head = c
			return page, nil
		}
		if len(page) == 0 {
			page = c.objs
		} else {
			page = append(page, c.objs...)
		}
		if len(page) >= pageSize {
			return page, nil
		}
	}
}

func (p *pages) next(ctx context.Context) (*chunk, error) {
	if c := p.head; c != nil {
		p.head = nil
		return c, nil
	}
	var c *chunk
	select {
	case c = <-p.line:
	case <-p.quit:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c != nil {
		select {
		case <-c.done:
		case <-p.quit:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	select {
	case <-p.quit: // first: a line that was cut short must not look complete
		return nil, p.b.fail("list", "", storage.ErrInvalid, errClosed)
	default:
	}
	if c == nil {
		return nil, io.EOF
	}
	return c, c.err
}

func (p *pages) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.b.fail("list", "", storage.ErrInvalid, errClosed)
	}
	if p.started {
		return nil
	}
	p.started = true
	p.line = make(chan *chunk, queued)
	w := newWalker(p.b, p.r, p.line, p.quit)
	p.running.Go(w.run)
	for range p.b.o.Parallel {
		p.running.Go(w.look)
	}
	return nil
}

// Close ends the listing and waits for its goroutines. It may be called at any
// time, also beside Next, and again.
func (p *pages) Close() error {
	p.stop()
	return nil
}

func (p *pages) stop() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.quit)
	}
	p.mu.Unlock()
	p.running.Wait()
}
