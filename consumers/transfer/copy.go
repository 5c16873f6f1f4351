package transfer

import (
	"context"
	"errors"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

// copyThere lets the target fetch the object by itself. ok is false if it
// cannot, and the bytes must pass through here. A file carries its metadata
// with it, so that nothing but its version need be known.
func (j *job) copyThere(ctx context.Context, obj *storage.Object, info *storage.Info) (did done, ok bool, err error) {
	if j.copier == nil || j.noCopy.Load() {
		return done{}, false, nil
	}
	if info == nil && (!j.srcHas.FileTree || j.cfg.Overwrite != Always || j.cfg.Metadata.Owner) {
		if info, err = j.looked(ctx, nil); err != nil {
			return done{}, true, err
		}
		obj = &info.Object
	}
	if limit := j.dstHas.MaxCopy; limit > 0 && obj.Size > limit {
		if j.partCopier == nil || !j.inParts(obj.Size) {
			return done{}, false, nil
		}
		if info, err = j.looked(ctx, info); err == nil {
			did, err = j.copyParts(ctx, info, true)
		}
		return did, true, err
	}
	o := storage.CopyOptions{}
	if info != nil {
		if _, why, err := j.allow(ctx, info); err != nil || why != "" {
			return skipped(why, obj.Size), true, err
		}
		if o.Meta, err = j.meta(ctx, info); err != nil {
			return done{}, true, err
		}
	}
	there, err := j.copier.CopyFrom(ctx, j.cfg.Source, *obj, j.target, o)
	switch {
	case errors.Is(err, storage.ErrUnsupported):
		j.noCopy.Store(true)
		return done{}, false, nil
	case errors.Is(err, storage.ErrDenied), // the target's credentials may not read the source
		errors.Is(err, storage.ErrInvalidKey): // SDKs refuse to copy odd keys that can well be put
		return done{}, false, nil
	case err != nil:
		return done{}, true, j.copySide(err)
	}
	j.send(obj.Size)
	return done{
		outcome: bus.Copied, size: obj.Size, moved: obj.Size, src: obj.Version(), dst: there.TargetVersion(),
	}, true, nil
}

// copySide says which side the error of a server-side copy came from.
func (j *job) copySide(err error) error {
	var e *storage.Error
	source, target := j.cfg.Source.String(), j.cfg.Target.String()
	if errors.As(err, &e) && e.Place == source && source != target {
		return at(Source, err)
	}
	switch k, _ := storage.KindOf(err); k {
	case storage.ErrNotFound, storage.ErrChanged, storage.ErrArchived:
		return at(Source, err)
	}
	return at(Target, err)
}
