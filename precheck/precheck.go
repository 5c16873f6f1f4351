// Package precheck looks, before a task's first byte, at what would make it
// fail: endpoints and credentials, clocks, what may be read and written, keys
// and sizes that the target cannot hold, space, the bus, deletes. The outcome is
// a checklist that says what was tried, what was seen and how to mend it.
//
// It must not know flags, terminals, the environment or drivers: the two places
// are buckets, and what they do not tell of themselves is handed in.
package precheck

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/task"
)

// Status is what came of an item.
type Status string

// What can come of an item.
const (
	Pass    Status = "pass"
	Warn    Status = "warn"    // the task runs, but maybe not as it is meant
	Fail    Status = "fail"    // the task would stop, or fail for most objects
	Skipped Status = "skipped" // not looked at; Seen says why
)

// Item is one line of the checklist.
type Item struct {
	ID     string `json:"id"` // does not change from version to version
	Title  string `json:"title"`
	Status Status `json:"status"`
	Tried  string `json:"tried"`
	Seen   string `json:"seen"`
	Mend   string `json:"mend,omitempty"` // of a Warn or a Fail
}

// Report is the checklist, always of the same items in the same order.
type Report []Item

// Status is the worst of the items; Pass if there is neither Fail nor Warn.
func (r Report) Status() Status {
	for _, s := range []Status{Fail, Warn} {
		if len(r.Of(s)) > 0 {
			return s
		}
	}
	return Pass
}

// Of returns the items of one status.
func (r Report) Of(s Status) Report {
	return slices.DeleteFunc(slices.Clone(r), func(i Item) bool { return i.Status != s })
}

// Config says what is checked. Source, Target and Spec are those of the task;
// what is nil of the rest is not looked at.
type Config struct {
	Source storage.Source
	Target storage.Bucket
	Spec   task.Spec

	Deep    bool // list the whole source, not one page of it
	Probe   bool // write keys of its own to the target, and streams to the bus, and remove them again
	Creates bool // the task makes the target if it is not there

	// SourceWarnings and TargetWarnings are what was said when the two were
	// opened, such as that a certificate is not checked.
	SourceWarnings, TargetWarnings []string
	// Apart says why the two are not apart; it errs on the side of nil.
	Apart func() error

	StateDir      string                 // where the state goes, for words
	StateWritable func() error           // tries to write there
	StateFree     func() (uint64, error) // bytes free there
	TargetFree    func() (uint64, error) // bytes free at a target that is a directory
	// TargetMakeable tries to write where a directory that is not there yet is
	// going to be made.
	TargetMakeable func() error
	// Unprivileged tells that this user may not give files an owner.
	Unprivileged bool
	// Bus opens an external bus; it is closed again.
	Bus func(ctx context.Context) (bus.Bus, error)

	Now func() time.Time // nil: time.Now
}

// looks is what was seen, from which the items are made.
type looks struct {
	source, target endLook
	sample         *sample
	read           readLook
	probe          probe
	bus            busLook
}

// Run makes the checklist. What does not depend on each other is looked at in
// parallel; all of it has ended when Run returns. When ctx ends early, what it
// cut short fails.
func Run(ctx context.Context, c Config) Report {
	if c.Now == nil {
		c.Now = time.Now
	}
	var l looks
	l.sample = newSample(&c)
	var wg sync.WaitGroup
	wg.Go(func() {
		if l.source = c.lookAt(ctx, c.Source); l.source.err == nil {
			l.sample.take(ctx, c.Source, c.Deep)
			l.read = c.tryRead(ctx, l.sample.smallest)
		}
	})
	wg.Go(func() {
		if l.target = c.lookAt(ctx, c.Target); l.target.err == nil && c.Probe {
			l.probe = c.tryWrite(ctx)
		}
	})
	wg.Go(func() { l.bus = c.lookAtBus(ctx) })
	wg.Wait()
	return c.report(&l)
}

func (c *Config) report(l *looks) Report {
	return Report{
		reachable(source, c.Source, &l.source, c.SourceWarnings, false),
		credentials(source, c.Source, &l.source),
		clock(source, &l.source),
		c.sourceList(l),
		c.sourceRead(l),
		c.sourceTags(l),
		reachable(target, c.Target, &l.target, c.TargetWarnings, c.Creates || c.Target.Features().FileTree),
		credentials(target, c.Target, &l.target),
		clock(target, &l.target),
		targetList(l),
		c.write(l),
		c.multipart(l),
		c.tags(l),
		c.delete(l),
		c.apart(l),
		c.class(l),
		c.options(l),
		c.archived(l),
		c.keys(l),
		c.collisions(l),
		c.prefixes(l),
		c.sizes(l),
		c.targetSpace(l),
		c.stateSpace(),
		c.stateWritable(),
		busItem(l),
		c.deletes(l),
	}
}

// check is an item before it is known what comes of it.
type check struct{ id, title, tried string }

func (k check) item(s Status, seen, mend string) Item {
	return Item{ID: k.id, Title: k.title, Status: s, Tried: k.tried, Seen: seen, Mend: mend}
}

func (k check) pass(seen string) Item       { return k.item(Pass, seen, "") }
func (k check) warn(seen, mend string) Item { return k.item(Warn, seen, mend) }
func (k check) fail(seen, mend string) Item { return k.item(Fail, seen, mend) }

func (k check) skip(why string) Item {
	k.tried = "nothing"
	return k.item(Skipped, why, "")
}

// refused is an item whose act failed. What passes by itself is no reason to
// stop: a task waits for it. denied says how to mend a lack of rights, or that
// the place cannot do this.
func (k check) refused(err error, denied string) Item {
	mend := "see what the error says"
	switch kind, _ := storage.KindOf(err); kind {
	case storage.ErrDenied, storage.ErrUnsupported, storage.ErrInvalid: //nolint:errorlint // KindOf hands out bare sentinels
		mend = denied
	case storage.ErrCredentials:
		mend = mendCredentials
	case storage.ErrNoBucket:
		mend = mendBucket
	case storage.ErrNoSpace:
		mend = "make room at the target"
	case storage.ErrUnavailable, storage.ErrThrottled, storage.ErrBusy:
		return k.warn(err.Error(), mendWait)
	case nil:
		if errors.Is(err, context.DeadlineExceeded) { // it waited for its turn
			return k.warn("there was no time to look at it: "+err.Error(), mendWait)
		}
	}
	return k.fail(err.Error(), mend)
}
