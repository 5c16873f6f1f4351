package transfer

import (
	"context"
	"errors"
	"strings"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

// makeDir makes the target hold an empty directory, or the marker of one.
func (j *job) makeDir(ctx context.Context, info *storage.Info) (done, error) {
	if j.dstTree == nil && !j.cfg.DirMarkers {
		return skipped("directory", 0), nil
	}
	info, err := j.looked(ctx, info)
	if err != nil {
		return done{}, err
	}
	meta, err := j.meta(ctx, info)
	if err != nil {
		return done{}, err
	}
	did := done{outcome: bus.Copied, src: info.Version()}
	if j.dstTree != nil {
		return did, at(Target, j.dstTree.MakeDir(ctx, j.target, meta))
	}
	cond, why, err := j.allow(ctx, info)
	if err != nil || why != "" {
		return skipped(why, 0), err
	}
	o := storage.PutOptions{Meta: meta, IfAbsent: cond.absent, IfVersion: cond.version}
	_, err = j.cfg.Target.Put(ctx, j.target, strings.NewReader(""), o)
	if why, err = cond.lost(at(Target, err)); err != nil || why != "" {
		return skipped(why, 0), err
	}
	return did, nil
}

// makeMarker brings over an object whose key ends in "/": stores use empty
// ones to show a directory.
func (j *job) makeMarker(ctx context.Context, info *storage.Info) (done, error) {
	info, err := j.looked(ctx, info)
	if err != nil {
		return done{}, err
	}
	if info.Size == 0 {
		return j.makeDir(ctx, info)
	}
	return done{}, at(Target, &storage.Error{
		Op: "put", Key: j.target, Place: j.cfg.Target.String(), Kind: storage.ErrInvalidKey,
		Err: errors.New("a directory cannot hold bytes"),
	})
}

// link makes the target hold a symbolic link with the source's text.
func (j *job) link(ctx context.Context, info *storage.Info) (done, error) {
	if j.dstTree == nil || j.srcTree == nil {
		return skipped("symlink", 0), nil
	}
	info, err := j.looked(ctx, info)
	if err != nil {
		return done{}, err
	}
	if _, why, err := j.allow(ctx, info); err != nil || why != "" {
		return skipped(why, 0), err
	}
	text, err := j.srcTree.Readlink(ctx, j.source)
	if err != nil {
		return done{}, at(Source, err)
	}
	meta, err := j.meta(ctx, info)
	if err != nil {
		return done{}, err
	}
	obj, err := j.dstTree.Symlink(ctx, j.target, text, meta)
	if err != nil {
		return done{}, at(Target, err)
	}
	return done{outcome: bus.Copied, size: info.Size, src: info.Version(), dst: obj.TargetVersion()}, nil
}

// looked looks at the source unless that was done.
func (j *job) looked(ctx context.Context, info *storage.Info) (*storage.Info, error) {
	if info != nil {
		return info, nil
	}
	i, err := j.stat(ctx)
	return &i, err
}
