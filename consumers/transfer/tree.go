package transfer

import (
	"context"
	"errors"
	"path"
	"strings"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

// makeDir makes an empty directory.
func (j *job) makeDir(ctx context.Context) (done, error) {
	if j.dstTree == nil {
		return skipped("directory", 0), nil
	}
	var m storage.Metadata
	if info, err := j.cfg.Source.Stat(ctx, j.source); err == nil {
		m = info.Metadata
	} else if errors.Is(err, storage.ErrNotFound) {
		return skipped("gone", 0), nil
	} else if !j.srcHas.FileTree || storage.IsEndpoint(err) {
		return done{}, at(Source, err)
	}
	if err := j.dstTree.MakeDir(ctx, j.target, m); err != nil {
		return done{}, at(Target, err)
	}
	return done{outcome: bus.Copied}, nil
}

// link brings a symbolic link over, as text.
func (j *job) link(ctx context.Context) (done, error) {
	if j.dstTree == nil || j.srcTree == nil {
		return skipped("symlink", 0), nil
	}
	text, err := j.srcTree.Readlink(ctx, j.source)
	if errors.Is(err, storage.ErrNotFound) {
		return skipped("gone", 0), nil
	}
	if err != nil {
		return done{}, at(Source, err)
	}
	there, err := j.dstTree.Symlink(ctx, j.target, text, storage.Metadata{MTime: j.d.Event.MTime})
	if err != nil {
		return done{}, at(Target, err)
	}
	obj := j.eventObject()
	return done{outcome: bus.Copied, src: obj.Version(), dst: there.TargetVersion()}, nil
}

// remove deletes a target key that the source does not hold, and directories
// that are empty because of it.
func (j *job) remove(ctx context.Context) (done, error) {
	if !j.cfg.Deletes {
		return skipped("deletes_off", 0), nil
	}
	held, err := j.holds(ctx, j.source)
	if err != nil {
		return done{}, err
	}
	if held {
		return skipped("present", 0), nil
	}
	err = j.cfg.Target.Delete(ctx, j.target)
	if errors.Is(err, storage.ErrExists) && strings.HasSuffix(j.target, "/") {
		return skipped("not_empty", 0), nil // what is in it has events of its own
	}
	if err != nil {
		return done{}, at(Target, err)
	}
	if j.dstHas.FileTree {
		if err := j.removeEmptied(ctx, path.Dir(strings.TrimSuffix(j.target, "/"))); err != nil {
			return done{}, err
		}
	}
	return done{outcome: bus.Deleted}, nil
}

// holds tells whether the source has an object, or on a file system any entry,
// of that key.
func (j *job) holds(ctx context.Context, key string) (bool, error) {
	_, err := j.cfg.Source.Stat(ctx, key)
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, storage.ErrNotFound) {
		// Not knowing is not absence.
		return false, at(Source, err)
	}
	return false, nil
}

// removeEmptied removes a directory and its parents as long as they are empty
// and the source has none of that name.
func (j *job) removeEmptied(ctx context.Context, dir string) error {
	for ; dir != "." && dir != "/"; dir = path.Dir(dir) {
		if j.srcHas.FileTree {
			held, err := j.holds(ctx, dir+"/")
			if err != nil || held {
				return err
			}
		}
		err := j.cfg.Target.Delete(ctx, dir+"/")
		if errors.Is(err, storage.ErrExists) {
			return nil
		}
		if err != nil {
			return at(Target, err)
		}
	}
	return nil
}
