package transfer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

// Archived says what becomes of objects that must be restored before they can
// be read.
type Archived uint8

// The policies.
const (
	ArchivedFail    Archived = iota // given up, unless a restored copy is there
	ArchivedSkip                    // left out, and not asked for
	ArchivedRestore                 // restored, waited for and copied
)

// restoreMost is the longest pause between two looks at a restore, which takes
// from a minute to two days.
const restoreMost = time.Hour

// waiting leaves an object to its restore. It counts as no try.
type waiting struct{ err error }

func (e waiting) Error() string { return e.err.Error() }
func (e waiting) Unwrap() error { return e.err }

// bringThawed copies one entry, and knows what to do if it must be restored
// first. Listings tell that by the class; a store that moves objects into an
// archive without showing it tells when it is read.
func (j *job) bringThawed(ctx context.Context, want *storage.Object, info *storage.Info) (done, error) {
	if want != nil && (j.srcHas.Archived(want.Class) || info != nil && info.Restored.Ongoing) {
		if did, ok, err := j.frozen(ctx, info); ok || err != nil {
			return did, err
		}
	}
	did, err := j.bring(ctx, want, info)
	var s sided
	if errors.Is(err, storage.ErrArchived) && errors.As(err, &s) && s.side == Source {
		cold, ok, frozen := j.frozen(ctx, nil)
		if ok || frozen != nil {
			return cold, frozen
		}
		err = spent{err: err} // its copy lapsed this moment, or is about to be there
	}
	return did, err
}

// frozen handles an archived object; ok is false if it can be read by now.
func (j *job) frozen(ctx context.Context, info *storage.Info) (did done, ok bool, err error) {
	if j.cfg.Archived == ArchivedSkip {
		return skipped("archived", j.d.Event.Size), true, nil
	}
	if info, err = j.looked(ctx, info); err != nil {
		return done{}, false, err
	}
	r := info.Restored
	switch {
	case !r.Ongoing && !r.Until.IsZero():
		return done{}, false, nil
	case r.Ongoing:
		return done{}, false, waiting{j.archivedError(info, "its restore is under way")}
	case j.cfg.Archived == ArchivedFail || j.restorer == nil:
		return done{}, false, spent{err: j.archivedError(info, "it must be restored before it can be read"), never: true}
	}
	if err := j.restorer.Restore(ctx, j.source, j.cfg.RestoreDays, j.cfg.RestoreTier); err != nil {
		return done{}, false, at(Source, err)
	}
	return done{}, false, waiting{j.archivedError(info, "its restore was asked for")}
}

func (j *job) archivedError(info *storage.Info, why string) error {
	return at(Source, &storage.Error{
		Op: "read", Key: j.source, Place: j.cfg.Source.String(), Kind: storage.ErrArchived,
		Err: fmt.Errorf("storage class %s: %s", info.Class, why),
	})
}

// parked makes the result of an object that waits for its restore.
func (j *job) parked(res bus.Result) bus.Result {
	e := j.d.Event
	pause := j.cfg.restoreIn(e.Waits)
	e.Force = e.Force || e.Class == bus.ClassRepair
	e.Class = bus.ClassRetry
	e.Waits++
	res.Outcome, res.Tries, res.NextTry, res.Event = bus.Retrying, e.Tries, time.Now().Add(pause), &e
	return res
}

// restoreIn is the pause before the next look at a restore, after so many.
func (c *Config) restoreIn(waits int) time.Duration {
	d := c.RestorePause
	for range waits {
		if d *= 2; d >= restoreMost {
			return jitter(restoreMost)
		}
	}
	return jitter(d)
}
