package transfer

import (
	"context"
	"errors"
	"strings"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

// remove applies an event that a key may be gone. The source decides.
func (j *job) remove(ctx context.Context) (done, error) {
	if !j.cfg.Deletes {
		return skipped("deletes_off", j.d.Event.Size), nil
	}
	there, err := j.sourceHolds(ctx, j.source)
	if err != nil {
		return done{}, err
	}
	if there {
		return skipped("present", j.d.Event.Size), nil
	}
	did, err := j.deleteTarget(ctx)
	if err != nil || did.outcome != bus.Deleted || !j.confirms() {
		return did, err
	}
	if there, err = j.sourceHolds(ctx, j.source); err != nil || !there {
		return did, err
	}
	return j.put(ctx) // it came back meanwhile
}

// sourceHolds tells whether the source has something under a key. Only a clear
// no counts as one.
func (j *job) sourceHolds(ctx context.Context, key string) (bool, error) {
	_, err := j.cfg.Source.Stat(ctx, key)
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrInvalidKey) {
		return false, nil
	}
	return err == nil, at(Source, err)
}

func (j *job) deleteTarget(ctx context.Context) (done, error) {
	size := j.d.Event.Size
	err := j.cfg.Target.Delete(ctx, j.target)
	if errors.Is(err, storage.ErrExists) && strings.HasSuffix(j.target, "/") {
		return skipped("not_empty", size), nil
	}
	if err == nil {
		err = j.prune(ctx)
	} else {
		err = at(Target, err)
	}
	return done{outcome: bus.Deleted, size: size}, err
}

// prune removes the directories that a delete left empty, from the bottom up,
// but none that the source has.
func (j *job) prune(ctx context.Context) error {
	if !j.dstHas.FileTree {
		return nil
	}
	for dir := parent(j.target); dir != ""; dir = parent(dir) {
		source, ok := j.cfg.Map.Source(dir)
		if !ok {
			return nil
		}
		if held, err := j.sourceHolds(ctx, source); held || err != nil {
			return err
		}
		if err := j.cfg.Target.Delete(ctx, dir); errors.Is(err, storage.ErrExists) {
			return nil
		} else if err != nil {
			return at(Target, err)
		}
	}
	return nil
}

// parent returns the key of the directory that holds a key; "" for the root.
func parent(key string) string {
	return key[:strings.LastIndexByte(strings.TrimSuffix(key, "/"), '/')+1]
}
