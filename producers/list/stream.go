package list

import (
	"context"
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// stream is one side's listing of a range, read one page ahead.
type stream struct {
	place  string // which side, for errors
	pages  storage.Pages
	page   []storage.Object // the present page, cut at last
	i      int              // the head of it
	prev   string           // the last key of the page before
	last   string           // nothing beyond it takes part; "" is no bound
	bounds Bounds           // nor anything beside them
	eof    bool             // no page follows
	coming chan fetched     // the next page is under way; nil if it is not

	seen    int // pages since the range began or tried to split
	largest int // keys in the largest page
}

type fetched struct {
	page []storage.Object
	err  error
}

func newStream(place string, pages storage.Pages, r storage.Range, b Bounds) *stream {
	return &stream{place: place, pages: pages, prev: r.After, last: r.Last, bounds: b}
}

// head returns the entry to look at, nil at the end of the listing. The page
// must not be used up.
func (s *stream) head() *storage.Object {
	if s.i < len(s.page) {
		return &s.page[s.i]
	}
	return nil
}

// empty tells whether a page has to be waited for.
func (s *stream) empty() bool { return s.i == len(s.page) && !s.eof }

// ahead starts to fetch the next page unless it is under way. The goroutine
// ends with the request; close waits for it.
func (s *stream) ahead(ctx context.Context) {
	if s.eof || s.coming != nil {
		return
	}
	ch := make(chan fetched, 1)
	s.coming = ch
	go func() {
		page, err := s.pages.Next(ctx)
		ch <- fetched{page, err}
	}()
}

// wait makes the next page the present one. It gives up at the deadline,
// unless that is zero; ok tells.
func (s *stream) wait(ctx context.Context, deadline time.Time) (ok bool, err error) {
	s.ahead(ctx)
	var f fetched
	select {
	case f = <-s.coming:
	default:
		if f, ok = s.receive(deadline); !ok {
			return false, nil
		}
	}
	s.coming = nil
	return true, s.take(f)
}

// receive waits for the page under way. Cancelling its context ends the wait,
// since that ends the request.
func (s *stream) receive(deadline time.Time) (fetched, bool) {
	if deadline.IsZero() {
		return <-s.coming, true
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case f := <-s.coming:
		return f, true
	case <-timer.C:
		return fetched{}, false
	}
}

// take checks a page and makes it the present one.
func (s *stream) take(f fetched) error {
	if isEnd(f.err) {
		s.page, s.i, s.eof = nil, 0, true
		return nil
	}
	if f.err != nil {
		return f.err
	}
	prev := s.prev
	for i := range f.page {
		key := f.page[i].Key
		if key <= prev {
			return fmt.Errorf("%w: %s yields %q after %q", ErrOrder, s.place, key, prev)
		}
		prev = key
	}
	s.page, s.i, s.prev = f.page, 0, prev
	s.seen++
	s.largest = max(s.largest, len(f.page))
	s.trim()
	s.cut(s.last)
	return nil
}

// cut lets the listing end at last.
func (s *stream) cut(last string) {
	s.last = last
	if last == "" || s.prev < last {
		return
	}
	s.eof = true
	rest := s.page[s.i:]
	n := sort.Search(len(rest), func(i int) bool { return rest[i].Key > last })
	s.page = s.page[:s.i+n]
}

// close ends the listing. The context of ahead must have ended, or close waits
// for a whole request.
func (s *stream) close() {
	if s.coming != nil {
		<-s.coming
		s.coming = nil
	}
	_ = s.pages.Close() // all that was asked for has been read
}

// isEnd tells the end of a listing from a failure that wraps an io.EOF: so
// net/http says that a connection was closed before the answer.
func isEnd(err error) bool { return err == io.EOF } //nolint:errorlint // see above

// below tells whether a listing has a key that begins with dir and follows it.
func below(ctx context.Context, pages storage.Pages, dir string) (bool, error) {
	defer func() { _ = pages.Close() }()
	page, err := pages.Next(ctx)
	if isEnd(err) {
		return false, nil
	}
	return err == nil && len(page) > 0 && strings.HasPrefix(page[0].Key, dir), err
}
