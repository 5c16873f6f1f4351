package transfer_test

import (
	"context"
	"testing"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/mem"
)

// rangeless is a source that answers every range with the whole object, which
// its driver notices.
type rangeless struct{ *mem.Bucket }

func (r rangeless) Open(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
	if o.Offset > 0 || o.Length >= 0 {
		return nil, &storage.Error{Op: "open", Key: key, Kind: storage.ErrUnsupported}
	}
	return r.Bucket.Open(ctx, key, o)
}

// Without ranges an object goes in one piece, as long as the target takes it.
func TestSourceWithoutRanges(t *testing.T) {
	for name, tc := range map[string]struct {
		most    int64 // bytes of one put
		outcome bus.Outcome
		why     string
	}{
		"fits":      {0, bus.Copied, ""},
		"too large": {150 << 10, bus.GivenUp, "unsupported"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.dst = mem.New(mem.Options{MaxPut: tc.most})
				r.cfg.Source, r.cfg.Target = rangeless{r.src}, r.dst
				bodies := map[string][]byte{"a": noise(1, 200<<10), "b": noise(2, 300<<10)}
				for key, want := range bodies {
					r.results = nil
					r.publish(event(r.put(key, want, storage.Metadata{}), bus.ClassBulk))
					r.outcome(r.one(), tc.outcome, tc.why)
					if tc.outcome == bus.Copied {
						r.holds(key, want)
					} else {
						r.lacks(key)
						r.clean()
					}
				}
			})
		})
	}
}
