package transfer

import (
	"context"
	"errors"
	"strings"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

// confirmRounds bounds how often a key that changes under our hands is copied
// in one handling; after that it comes back by way of the ledger.
const confirmRounds = 5

// apply makes the target hold what the source holds under the key now.
func (j *job) apply(ctx context.Context) (done, error) {
	e := &j.d.Event
	switch {
	case e.Op == bus.OpDelete:
		return j.remove(ctx)
	case e.Kind == bus.KindUnreadable:
		return done{}, spent{never: true, err: at(Source, j.refused(storage.ErrDenied, "the directory cannot be listed"))}
	case e.Kind == bus.KindDir:
		return j.makeDir(ctx)
	case e.Kind == bus.KindSymlink:
		return j.link(ctx)
	}
	obj, err := j.look(ctx)
	if err == nil {
		var d done
		var settled bool
		if d, settled, err = j.settled(ctx, &obj); settled || err != nil {
			return d, err
		}
		d, err = j.copyConfirmed(ctx, obj)
		if err == nil {
			return d, nil
		}
	}
	var s sided
	if errors.As(err, &s) && s.side == Source && errors.Is(err, storage.ErrNotFound) {
		return j.gone(ctx)
	}
	return done{}, err
}

func (j *job) refused(kind error, why string) error {
	return &storage.Error{Op: "copy", Key: j.source, Place: j.cfg.Source.String(), Kind: kind, Err: errors.New(why)}
}

// look is the version to bring over: the one that was announced, or the
// present one.
func (j *job) look(ctx context.Context) (storage.Object, error) {
	if j.announced() {
		return j.eventObject(), nil
	}
	info, err := j.cfg.Source.Stat(ctx, j.source)
	return info.Object, at(Source, err)
}

// settled tells whether nothing needs to be written: this version was applied
// in this run and is still there, or the overwrite policy keeps what is there.
func (j *job) settled(ctx context.Context, obj *storage.Object) (done, bool, error) {
	if !j.d.Event.Force && j.d.Event.Class != bus.ClassRepair {
		src, dst, ok, err := j.state.Applied(j.source)
		if err != nil {
			return done{}, false, stateError{err}
		}
		if ok && src == obj.Version() {
			there, err := j.cfg.Target.Stat(ctx, j.target)
			if err == nil && there.TargetVersion() == dst {
				return done{outcome: bus.Copied, reason: "applied", size: obj.Size, src: src, dst: dst}, true, nil
			}
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return done{}, false, at(Target, err)
			}
		}
	}
	if j.cfg.Overwrite == Always {
		return done{}, false, nil
	}
	return j.kept(ctx, obj)
}

// kept asks the overwrite policy.
func (j *job) kept(ctx context.Context, obj *storage.Object) (done, bool, error) {
	there, err := j.cfg.Target.Stat(ctx, j.target)
	if errors.Is(err, storage.ErrNotFound) {
		return done{}, false, nil
	}
	if err != nil {
		return done{}, false, at(Target, err)
	}
	d := skipped("exists", obj.Size)
	if j.cfg.Overwrite == IfNewer {
		when := there.ModTime
		if !there.MTime.IsZero() {
			when = there.MTime
		}
		if obj.ModTime.After(when) {
			return done{}, false, nil
		}
		d.reason = "newer_at_target"
	}
	d.src, d.dst = obj.Version(), there.TargetVersion()
	return d, true, nil
}

// copyConfirmed copies, and for what may have moved meanwhile looks again until
// the source still is what was copied.
func (j *job) copyConfirmed(ctx context.Context, obj storage.Object) (done, error) {
	for range confirmRounds {
		d, err := j.copy(ctx, obj)
		if err != nil || !j.confirms() {
			return d, err
		}
		info, err := j.cfg.Source.Stat(ctx, j.source)
		if err != nil {
			return done{}, at(Source, err)
		}
		if info.Version() == d.src {
			return d, nil
		}
		obj = info.Object
	}
	return done{}, spent{err: at(Source, j.refused(storage.ErrChanged, "it changes faster than it can be copied"))}
}

// copy brings one version over in the cheapest way both ends allow.
func (j *job) copy(ctx context.Context, obj storage.Object) (done, error) {
	limit := j.dstHas.MaxPut
	switch {
	case j.dstHas.FileTree && strings.HasSuffix(j.target, "/"):
		if obj.Size > 0 {
			return done{}, at(Target, j.refused(storage.ErrInvalidKey, "a directory cannot hold bytes"))
		}
		return j.makeDir(ctx)
	case j.copier != nil && (j.dstHas.MaxCopy == 0 || obj.Size <= j.dstHas.MaxCopy):
		return j.serverCopy(ctx, obj)
	case j.multipart != nil && (obj.Size >= j.cfg.Threshold || limit > 0 && obj.Size > limit):
		return j.inParts(ctx, obj)
	}
	return j.whole(ctx, obj)
}

// serverCopy lets the target fetch the object itself.
func (j *job) serverCopy(ctx context.Context, obj storage.Object) (done, error) {
	var meta storage.Metadata
	vouched := true
	if !j.srcHas.FileTree {
		info, err := j.cfg.Source.Stat(ctx, j.source)
		if err != nil {
			return done{}, at(Source, err)
		}
		obj, meta = info.Object, carried(&info)
	}
	there, err := j.copier.CopyFrom(ctx, j.cfg.Source, obj, j.target, storage.CopyOptions{Meta: meta})
	if err != nil {
		return done{}, at(Target, err)
	}
	j.send(obj.Size)
	return j.copied(&obj, &there, vouched), nil
}

// copied is the outcome of a finished write.
func (j *job) copied(obj, there *storage.Object, vouched bool) done {
	return done{
		outcome: bus.Copied, size: obj.Size, moved: obj.Size,
		src: obj.Version(), dst: there.TargetVersion(), unvouched: !vouched,
	}
}

// carried is what goes along with the bytes: all that the source keeps, and its
// modification time where it does not keep an older one.
func carried(info *storage.Info) storage.Metadata {
	m := info.Metadata
	if _, own := m.User["mtime"]; m.MTime.IsZero() && !own {
		m.MTime = info.ModTime
	}
	return m
}

// gone handles a key that the source does not hold any more.
func (j *job) gone(ctx context.Context) (done, error) {
	if j.d.Event.Class == bus.ClassLive && j.cfg.Deletes {
		return j.remove(ctx)
	}
	return skipped("gone", j.d.Event.Size), nil
}
