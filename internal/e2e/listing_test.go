package e2e

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// fill puts n small objects into a place, some at once.
func fill(p place, n int) {
	var g sync.WaitGroup
	for w := range 8 {
		g.Go(func() {
			for i := w; i < n; i += 8 {
				p.put(fmt.Sprintf("k%04d", i), fmt.Sprint(i))
			}
		})
	}
	g.Wait()
}

func isListing(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Query().Get("max-keys") == "1000"
}

// later tells a listing's further pages from its first.
func later(r *http.Request) bool {
	q := r.URL.Query()
	return isListing(r) && (q.Get("continuation-token") != "" || q.Get("start-after") != "")
}

// rewrite changes the body of an answer.
func rewrite(resp *http.Response, change func([]byte) []byte) error {
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	b = change(b)
	resp.Body = io.NopCloser(bytes.NewReader(b))
	resp.ContentLength = int64(len(b))
	resp.Header.Set("Content-Length", strconv.Itoa(len(b)))
	return nil
}

// listingFaults are ways in which a listing fails after its first page.
var listingFaults = map[string]func(resp *http.Response) error{
	"an error": func(resp *http.Response) error {
		resp.StatusCode = http.StatusInternalServerError
		return rewrite(resp, func([]byte) []byte { return []byte("<Error><Code>InternalError</Code></Error>") })
	},
	"access denied": func(resp *http.Response) error {
		resp.StatusCode = http.StatusForbidden
		return rewrite(resp, func([]byte) []byte { return []byte("<Error><Code>AccessDenied</Code></Error>") })
	},
	"a broken connection": func(*http.Response) error { return errCut },
	"half a document":     func(resp *http.Response) error { return rewrite(resp, func(b []byte) []byte { return b[:len(b)/2] }) },
	"an empty answer":     func(resp *http.Response) error { return rewrite(resp, func([]byte) []byte { return nil }) },
	"another document": func(resp *http.Response) error {
		return rewrite(resp, func([]byte) []byte { return []byte("<html><body>maintenance</body></html>") })
	},
	"an error document behind a 200": func(resp *http.Response) error {
		return rewrite(resp, func([]byte) []byte { return []byte("<Error><Code>SlowDown</Code></Error>") })
	},
}

// TestFailingListingDeletesNothing lets the listing of either side fail
// midway, in every way that one can, while deletes are on.
func TestFailingListingDeletesNothing(t *testing.T) {
	t.Parallel()
	const n = 1100
	l := newPairLab(t)
	src, dst := l.place(t, "MinIO", "other"), l.place(t, "local", "")
	local := l.place(t, "local", "")
	fill(src, n)
	l.u.sync(src.String(), local.String())
	l.u.sync(src.String(), dst.String())
	dst.put("extra", "only here")
	src.put("local/extra", "only here")
	before := dst.stamps()
	there := src.stamps()
	for name, fault := range listingFaults {
		if testing.Short() && !strings.HasPrefix(name, "a broken") && !strings.HasPrefix(name, "half") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			u := l.u.in(t)
			for side, both := range map[string][]string{"source": {src.String(), dst.String()}, "target": {local.String(), src.String()}} {
				var met atomic.Bool
				l.proxy.alter(func(resp *http.Response) error {
					if later(resp.Request) {
						met.Store(true)
						return fault(resp)
					}
					return nil
				})
				r := u.run(append([]string{"sync", "--json", "--delete", "--max-delete", "none", "--give-up-after", "2s"}, both...)...)
				l.proxy.alter(nil)
				all := lines(t, r.out)
				if s := all[len(all)-1]; !met.Load() || r.code != 1 || s.Deleted != 0 || strings.Count(r.errOut, "sluice:") != 1 {
					t.Errorf("%s: met %t, exit %d, %+v: %s", side, met.Load(), r.code, s, r.errOut)
				}
			}
			if after := dst.stamps(); !maps.Equal(before, after) {
				t.Errorf("the local target was changed: %d entries, were %d", len(after), len(before))
			}
			// What the first page holds may have been copied; it is of another time.
			left := src.stamps()
			for key := range there {
				if _, ok := left[key]; !ok {
					t.Errorf("%s was deleted at the MinIO target", key)
				}
			}
		})
	}
	if s := l.u.sync("--delete", src.String(), dst.String()); s.Deleted != 1 || s.Found != n+1 {
		t.Errorf("with a sound listing: %+v", s)
	}
}

// TestListingFaultsPass: one that fails in passing is begun again where it was.
func TestListingFaultsPass(t *testing.T) {
	t.Parallel()
	const n = 2100 // three pages, listed twice
	l := newPairLab(t)
	src, dst := l.place(t, "MinIO", "other"), l.place(t, "local", "")
	fill(src, n)
	var m meets
	var listings atomic.Int64 // every second one is answered well
	l.proxy.alter(func(resp *http.Response) error {
		if !isListing(resp.Request) || listings.Add(1)%2 == 0 {
			return nil
		}
		for name, fault := range listingFaults {
			if name != "access denied" && m.again(name, 1) {
				return fault(resp)
			}
		}
		return nil
	})
	if s := l.u.sync("--delete", src.String(), dst.String()); s.Found != n || s.Copied != n {
		t.Errorf("%+v", s)
	}
	if m.count() != len(listingFaults)-1 {
		t.Errorf("%d faults", m.count())
	}
	wantSame(t, src, dst)
}

// TestEmptySourceDeletesNothingOnEveryPair: an empty source, and one that is
// gone, are taken for a mistake.
func TestEmptySourceDeletesNothingOnEveryPair(t *testing.T) {
	t.Parallel()
	l := newPairLab(t)
	l.each(t, func(t *testing.T, u *user, src, dst place) {
		src.put("a", "A")
		src.put("d/b", "B")
		both := []string{src.String(), dst.String()}
		u.sync(both...)
		src.remove("a")
		src.remove("d/b")
		before := dst.stamps()
		r := u.run(append([]string{"sync", "--delete"}, both...)...)
		if r.code != 1 || !strings.Contains(r.errOut, "empty") {
			t.Errorf("exit %d: %s", r.code, r.errOut)
		}
		if after := dst.stamps(); !maps.Equal(before, after) {
			t.Errorf("the target was changed: %v, was %v", after, before)
		}
		if s := u.sync(append([]string{"--delete", "--max-delete", "100%"}, both...)...); s.Deleted != 2 {
			t.Errorf("when it is meant: %+v", s)
		}
	})
}
