package e2e

import (
	"net/http"
	"testing"

	"github.com/sluice-sync/sluice/internal/servertest"
)

// TestStallsEnd has connections of every kind go silent in the middle. The
// product's limit is a minute without a byte; it cannot be set from outside. So
// this begins before the tests that run beside each other, and looks after them.
func TestStallsEnd(t *testing.T) {
	server := servertest.MinIO(t)
	var runs []*stall
	for name, which := range map[string]func(*http.Request) bool{
		"read":  isGet,
		"write": isPut,
		// Not the first look, for which a person waits: that one is given up after 9 s.
		"listing": isListing,
	} {
		runs = append(runs, startStall(t, server, name, which))
	}
	t.Parallel()
	for _, r := range runs {
		code, s := r.p.summary()
		if code != 0 || s.Copied != stallSmall+stallLarge || r.met.count() < 2 {
			t.Errorf("%s: exit %d, %+v, %d stalls: %s", r.name, code, s, r.met.count(), r.p.err.String())
		}
		if s.Seconds > 100 {
			t.Errorf("%s: %.0f s", r.name, s.Seconds)
		}
		r.lab.holds(t, r.dst, stallSmall, stallLarge)
	}
}

const stallSmall, stallLarge = 5, 1

// stall is a sync two of whose requests stall.
type stall struct {
	name, dst string
	lab       *safetyLab
	p         *process
	met       *meets
}

func startStall(t *testing.T, server *servertest.MinIOServer, name string, which func(*http.Request) bool) *stall {
	t.Helper()
	s := &stall{name: name, lab: safetyLabOn(t, server), met: &meets{}}
	gone := make(chan struct{})
	t.Cleanup(func() { close(gone) })
	silent := func(resp *http.Response) error {
		r := resp.Request
		if !which(r) || !s.met.again(r.Method, 2) {
			return nil
		}
		if r.Method == http.MethodPut {
			select {
			case <-r.Context().Done():
			case <-gone:
			}
			return errCut
		}
		resp.Body = &short{ReadCloser: resp.Body, left: resp.ContentLength / 2, then: errCut, gone: gone}
		return nil
	}
	src, dst := s.lab.ends(t, "MinIO → MinIO", stallSmall, stallLarge)
	s.lab.from.alter(silent)
	s.lab.to.alter(silent)
	s.dst = dst
	s.p = s.lab.u.start(append(append([]string{"sync", "--json", "--interval", "1s"}, inParts...), src, dst)...)
	return s
}
