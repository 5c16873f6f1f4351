package transfer

import (
	"context"
	"errors"

	"github.com/sluice-sync/sluice/storage"
)

// condition goes with a write, where the target honours conditions: it closes
// the gap between the look and the write.
type condition struct {
	absent  bool            // nothing may be there
	version *storage.Object // only this may be there
	never   bool            // the policy is Never
}

// allow says whether the overwrite policy lets the object be written now; why
// is the reason if not.
func (j *job) allow(ctx context.Context, info *storage.Info) (c condition, why string, err error) {
	if j.cfg.Overwrite == Always {
		return c, "", nil
	}
	c.never = j.cfg.Overwrite == Never
	if c.never && j.dstHas.PutIfAbsent && !j.inParts(info.Size) && j.copier == nil {
		c.absent = true
		return c, "", nil
	}
	there, err := j.cfg.Target.Stat(ctx, j.target)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		c.absent = j.dstHas.PutIfAbsent
		return c, "", nil
	case err != nil:
		return c, "", at(Target, err)
	case c.never:
		return c, "exists", nil
	}
	mtime := madeAt(info)
	if g := j.dstHas.MTimeGrain; g > 0 {
		mtime = mtime.Truncate(g)
	}
	if !mtime.After(madeAt(&there)) {
		return c, "newer_at_target", nil
	}
	if j.dstHas.PutIfVersion {
		c.version = &there.Object
	}
	return c, "", nil
}

// lost says what a failed conditional write means.
func (c condition) lost(err error) (why string, _ error) {
	if !c.absent || !errors.Is(err, storage.ErrExists) {
		return "", err // a version that is another by now is ErrChanged: look again
	}
	if c.never {
		return "exists", nil
	}
	return "", at(Target, &storage.Error{Op: "put", Kind: storage.ErrChanged, Err: err})
}
