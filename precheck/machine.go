package precheck

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/sluice-sync/sluice/bus"
)

const (
	// stateFloor is the free space below which a task waits (package task).
	stateFloor = 256 << 20
	// targetFloor is a disk that is full.
	targetFloor = 1 << 20
)

func (c *Config) targetSpace(l *looks) Item {
	k := check{"target.space", "target has space", "free space was compared with the bytes of " + l.sample.of()}
	if c.TargetFree == nil || !c.Target.Features().FileTree {
		return k.skip("its free space is not known")
	}
	free, err := c.TargetFree()
	seen := fmt.Sprintf("%d MiB are free, the objects have %d MiB", free>>20, l.sample.bytes>>20)
	switch {
	case err != nil:
		return k.skip(err.Error())
	case free < targetFloor:
		return k.fail(seen, "make room at the target")
	case l.sample.bytes > 0 && free < uint64(l.sample.bytes):
		return k.warn(seen, "make room at the target, unless most of them are there already")
	}
	return k.pass(seen)
}

func (c *Config) stateSpace() Item {
	k := check{"state.space", "state has space", "the free space under " + c.StateDir}
	if c.StateFree == nil {
		return k.skip("its free space is not known")
	}
	free, err := c.StateFree()
	seen := fmt.Sprintf("%d MiB are free, %d MiB are needed", free>>20, int64(stateFloor)>>20)
	switch {
	case err != nil:
		return k.skip(err.Error())
	case free < stateFloor:
		return k.fail(seen, "make room, or put the state elsewhere by --state-dir")
	}
	return k.pass(seen)
}

// stateWritable is about the embedded bus too, which lies there.
func (c *Config) stateWritable() Item {
	k := check{"state.write", "state can be written", "a file was made and removed in " + c.StateDir}
	if c.StateWritable == nil {
		return k.skip("nothing is written in a dry run")
	}
	if err := c.StateWritable(); err != nil {
		return k.fail(err.Error(), "give the directory to this user, or put the state elsewhere by --state-dir")
	}
	return k.pass("written")
}

// busLook is what came of the external bus.
type busLook struct {
	done    bool
	streams bool // were made too
	err     error
}

// lookAtBus connects, and makes the streams of a task of its own, which shows
// whether the limits of the server leave room for them.
func (c *Config) lookAtBus(ctx context.Context) (l busLook) {
	if c.Bus == nil {
		return l
	}
	l.done = true
	b, err := c.Bus(ctx)
	if err != nil {
		l.err = err
		return l
	}
	defer func() { l.err = errors.Join(l.err, b.Close()) }()
	if l.err = b.Health(ctx); l.err == nil && c.Probe {
		l.streams, l.err = true, tryStreams(ctx, b)
	}
	return l
}

func tryStreams(ctx context.Context, b bus.Bus) error {
	name := "precheck-" + rand.Text()
	s, _, err := b.Open(ctx, name, bus.StreamOptions{})
	if err == nil {
		err = s.Close()
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	return errors.Join(err, b.Remove(clean, name))
}

func busItem(l *looks) Item {
	k := check{"bus", "bus answers", "a connection to JetStream"}
	if l.bus.streams {
		k.tried = "streams as a task needs them were made and removed"
	}
	switch {
	case !l.bus.done:
		return k.skip("it is the embedded one, under the state")
	case l.bus.err != nil:
		return k.fail(l.bus.err.Error(), "check --nats and the files with its credentials; JetStream must be on, and its account have 2 GiB of file storage for each task")
	}
	return k.pass("it answers")
}
