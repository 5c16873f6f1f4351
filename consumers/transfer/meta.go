package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

// meta is what goes along with an object's bytes. What the target cannot hold
// of it is noted.
func (j *job) meta(ctx context.Context, info *storage.Info) (storage.Metadata, error) {
	if err := j.mayReadTags(ctx, info); err != nil {
		return storage.Metadata{}, at(Source, err)
	}
	tags, err := j.mapper.Tags(ctx, j.cfg.Source, info)
	if err != nil {
		return storage.Metadata{}, at(Source, err)
	}
	m, lost := j.mapper.Map(info, tags)
	j.lost |= lost
	return m, nil
}

// mayReadTags asks once in a transfer for the tags of an object that shows none:
// Amazon hides the number of tags from keys that may not read them
// (API reference of GetObject), and they would be lost in silence.
func (j *job) mayReadTags(ctx context.Context, info *storage.Info) error {
	if info.Tagged != storage.TagsNone || !j.mapper.KeepsTags() {
		return nil
	}
	t, ok := storage.As[storage.Tagger](j.cfg.Source)
	if !ok || j.tagsShown.Load() {
		return nil
	}
	j.asking.Lock() // the others wait for the answer
	defer j.asking.Unlock()
	if j.tagsDenied == nil && !j.tagsShown.Load() {
		switch _, err := t.Tags(ctx, info.Key); {
		case errors.Is(err, storage.ErrDenied):
			j.tagsDenied = fmt.Errorf("%w; allow it (s3:GetObjectTagging), or leave tags out (--tags drop)", err)
		case err != nil && !errors.Is(err, storage.ErrNotFound):
			return err // it says nothing about the keys
		case err == nil:
			j.tagsShown.Store(true)
		}
	}
	return j.tagsDenied
}

// onlyMetadata gives the object at the target other metadata, where that is
// possible and all that differs. ok is false if the bytes must be copied.
func (j *job) onlyMetadata(ctx context.Context, info *storage.Info) (did done, ok bool, err error) {
	there, err := j.cfg.Target.Stat(ctx, j.target)
	if errors.Is(err, storage.ErrNotFound) {
		return done{}, false, nil
	}
	if err != nil {
		return done{}, false, at(Target, err)
	}
	same, err := j.sameBytes(info, &there)
	if err != nil || !same {
		return done{}, false, err
	}
	meta, err := j.meta(ctx, info)
	if err != nil {
		return done{}, false, err
	}
	tags, err := j.mapper.Tags(ctx, j.cfg.Target, &there)
	if err != nil {
		return done{}, false, at(Target, err)
	}
	if j.mapper.Equal(meta, &there, tags) {
		return skipped("equal", info.Size), true, nil
	}
	if _, why, err := j.allow(ctx, info); err != nil || why != "" {
		return skipped(why, info.Size), true, err
	}
	obj, err := j.setMeta(ctx, &there, meta)
	if errors.Is(err, storage.ErrUnsupported) || errors.Is(err, storage.ErrDenied) {
		return done{}, false, nil
	}
	return done{
		outcome: bus.Copied, reason: "metadata", size: info.Size, src: info.Version(), dst: obj.TargetVersion(),
	}, true, at(Target, err)
}

// setMeta replaces the metadata of what the target holds: a store copies the
// object onto itself.
func (j *job) setMeta(ctx context.Context, there *storage.Info, m storage.Metadata) (storage.Object, error) {
	if j.dstTree != nil {
		return j.dstTree.SetMeta(ctx, there.Object, m)
	}
	c, ok := storage.As[storage.Copier](j.cfg.Target)
	if !ok || !c.CanCopyFrom(j.cfg.Target) || there.Size > j.dstHas.MaxCopy || j.dstHas.Archived(there.Class) {
		return storage.Object{}, storage.ErrUnsupported
	}
	return c.CopyFrom(ctx, j.cfg.Target, there.Object, j.target, storage.CopyOptions{Meta: m})
}

// sameBytes tells whether the target holds the bytes of the source's object, by
// what the lister takes for equal too: an earlier copy, checksums, times.
func (j *job) sameBytes(info, there *storage.Info) (bool, error) {
	if info.Size != there.Size || there.Kind != storage.KindFile {
		return false, nil
	}
	src, dst, ok, err := j.state.Applied(j.source)
	if err != nil {
		return false, stateError{err}
	}
	if ok && src == info.Version() && dst == there.TargetVersion() {
		return true, nil
	}
	a, okA := plainMD5(info, j.srcHas)
	b, okB := plainMD5(there, j.dstHas)
	if okA && okB {
		return bytes.Equal(a.want, b.want), nil
	}
	for _, x := range info.Checksums {
		for _, y := range there.Checksums {
			if x.Algorithm == y.Algorithm && len(x.Value) > 0 {
				return bytes.Equal(x.Value, y.Value), nil
			}
		}
	}
	kept, made := keptTime(there, j.dstHas), madeAt(info)
	grain := max(j.dstHas.MTimeGrain, 1)
	if kept.Nanosecond() == 0 || made.Nanosecond() == 0 {
		grain = max(grain, time.Second)
	}
	return !kept.IsZero() && kept.Sub(made).Abs() < grain, nil
}

// keptTime is the time of the original that a target keeps, zero if none.
func keptTime(there *storage.Info, f storage.Features) time.Time {
	if f.FileTree {
		return there.ModTime
	}
	return there.MTime
}
