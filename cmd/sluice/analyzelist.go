package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/term"

	"github.com/sluice-sync/sluice/analysis"
	"github.com/sluice-sync/sluice/storage"
)

// pagesAhead is how many pages are listed ahead of the one that is counted.
const pagesAhead = 4

// survey lists a place and counts what it holds.
type survey struct {
	src     storage.Source
	selects func(*storage.Object) bool
	counter *analysis.Counter
	show    func(analysis.Count) // called after each page

	keys       int64 // looked at
	passedOver int64 // of these, by selects
	places     int   // listings begun
	whole      bool  // all keys were looked at
}

// run looks at all keys, or at a sample of about n if that is above 0. What was
// counted before an error stands.
func (s *survey) run(ctx context.Context, n int64) error {
	if n > 0 && s.src.Features().CheapRanges {
		return s.scattered(ctx, int(n))
	}
	return s.inOrder(ctx, n)
}

// inOrder counts pages from the first key on while further ones are listed; n
// is how many keys, 0 all.
func (s *survey) inOrder(ctx context.Context, n int64) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.places = 1
	pages := s.src.List(storage.Range{})
	defer pages.Close()
	ahead := make(chan []storage.Object, pagesAhead)
	var end error // set before ahead is closed
	go func() {
		defer close(ahead)
		for {
			page, err := pages.Next(ctx)
			if err != nil {
				end = err
				return
			}
			ahead <- page // taken in any case: the other side reads to the end
		}
	}()
	enough := false
	for page := range ahead {
		if enough {
			continue
		}
		if left := n - s.keys; n > 0 && int64(len(page)) > left {
			page, enough = page[:left], true
			stop()
		}
		s.count(page)
	}
	if enough {
		return nil
	}
	if end == io.EOF { //nolint:errorlint // only the bare one is the end
		s.whole = true
		return nil
	}
	return end
}

// scattered counts the keys of a sample.
func (s *survey) scattered(ctx context.Context, n int) error {
	places := analysis.NewPlaces(n)
	for {
		r, take, ok := places.Next()
		if !ok {
			s.whole = places.Whole()
			return nil
		}
		page, more, err := s.head(ctx, r, take)
		if err != nil {
			return err
		}
		last := ""
		if len(page) > 0 {
			last = page[len(page)-1].Key
			s.places++
		}
		s.count(page)
		places.Took(len(page), last, more)
	}
}

// head returns the first keys of a range, n at most and of one page, and
// whether there may be more. The end of a short page is looked for, since a
// listing that is over mostly knows that.
func (s *survey) head(ctx context.Context, r storage.Range, n int) (page []storage.Object, more bool, err error) {
	pages := s.src.List(r)
	defer pages.Close()
	page, err = pages.Next(ctx)
	if err == nil && len(page) > n {
		return page[:n], true, nil
	}
	if err == nil && len(page) < s.src.Features().PageSize {
		_, err = pages.Next(ctx)
	}
	if err == io.EOF { //nolint:errorlint // only the bare one is the end
		return page, false, nil
	}
	return page, true, err
}

func (s *survey) count(page []storage.Object) {
	for i := range page {
		if s.selects(&page[i]) {
			s.counter.Add(&page[i])
		} else {
			s.passedOver++
		}
	}
	s.keys += int64(len(page))
	s.show(s.counter.Seen())
}

// listingProgress shows on a terminal how far a listing has come, a few times a
// second, each line in place of the one before.
type listingProgress struct {
	w           io.Writer // nil: nobody looks
	start, last time.Time
}

func (a *app) listingProgress(start time.Time) *listingProgress {
	p := &listingProgress{start: start, last: start}
	if f, isFile := a.stderr.(*os.File); isFile && term.IsTerminal(int(f.Fd())) {
		p.w = f
	}
	return p
}

const clearLine = "\r\x1b[K"

func (p *listingProgress) show(c analysis.Count) {
	now := time.Now()
	if p.w == nil || now.Sub(p.last) < 200*time.Millisecond {
		return
	}
	p.last = now
	fmt.Fprintf(p.w, "%s%s objects, %s, %s objects/s", clearLine, humanize.Comma(c.Objects), size(c.Bytes),
		humanize.Comma(int64(float64(c.Objects)/now.Sub(p.start).Seconds())))
}

func (p *listingProgress) end() {
	if p.w != nil {
		fmt.Fprint(p.w, clearLine)
	}
}
