package s3wire

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// ServerTime lists one key and returns the Date of the answer, whatever it says
// otherwise.
func (c *Client) ServerTime(ctx context.Context) (time.Time, error) {
	const op = "server time"
	p := &pages{c: c, max: 1, within: c.prefix}
	resp, err := c.do(ctx, request{method: http.MethodGet, query: p.query()})
	var f *Fault
	switch {
	case err == nil:
		discard(resp)
		f = FaultOf(resp, c.Now())
	case !errors.As(err, &f):
		return time.Time{}, c.Fail(ctx, op, "", err)
	}
	if f.Date.IsZero() {
		return time.Time{}, c.fail(op, "", storage.ErrUnsupported, "the answer names no date")
	}
	return f.Date, nil
}
