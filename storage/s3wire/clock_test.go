package s3wire_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/limit"
	"github.com/sluice-sync/sluice/storage/mem"
	"github.com/sluice-sync/sluice/storage/retry"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// TestServerTime: every answer tells the time, also a refusal.
func TestServerTime(t *testing.T) {
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		date   []string // of the answer
		status int
		kind   error // nil: the date comes out
	}{
		"success": {[]string{date.Format(http.TimeFormat)}, http.StatusOK, nil},
		"refusal": {[]string{date.Format(http.TimeFormat)}, http.StatusForbidden, nil},
		"no date": {nil, http.StatusOK, storage.ErrUnsupported},
		"no time": {[]string{"today"}, http.StatusOK, storage.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			cl := fake(t, "minio", func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Date"] = c.date
				w.WriteHeader(c.status)
			})
			at, err := cl.ServerTime(t.Context())
			if c.kind != nil {
				wantKind(t, err, c.kind)
			} else if err != nil || !at.Equal(date) {
				t.Errorf("%s, %v", at, err)
			}
		})
	}
	_, err := client(t, "http://127.0.0.1:1", "minio", s3wire.Limits{}, nil).ServerTime(t.Context())
	wantKind(t, err, storage.ErrUnavailable)
}

// clocked is a bucket as drivers make them of a Client.
type clocked struct{ *s3wire.Client }

func (clocked) Create(context.Context) error { return nil }

// TestClockThroughDecorators: they keep the power, and give it to nobody else.
func TestClockThroughDecorators(t *testing.T) {
	cl := fake(t, "minio", func(http.ResponseWriter, *http.Request) {})
	wrap := func(b storage.Bucket) storage.Bucket {
		return retry.New(limit.New(b, limit.NewLimits(limit.Config{Lists: 1})), retry.Config{})
	}
	clock, ok := storage.As[storage.Clock](wrap(clocked{cl}))
	if !ok {
		t.Fatal("the power is lost")
	}
	if at, err := clock.ServerTime(t.Context()); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("%s, %v", at, err)
	}
	if _, ok := storage.As[storage.Clock](wrap(mem.New(mem.Options{}))); ok {
		t.Error("a bucket without a clock has one")
	}
}
