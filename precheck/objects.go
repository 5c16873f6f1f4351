package precheck

import (
	"fmt"
	"strings"

	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/metadata"
	"github.com/sluice-sync/sluice/storage"
)

// options names those that have no effect or cannot be kept between these two
// places.
func (c *Config) options(l *looks) Item {
	k := check{"options", "options fit", "options were compared with what the two places can do"}
	src, dst, p := c.Source.Features(), c.Target.Features(), c.Spec.Metadata
	var seen, mend []string
	add := func(when bool, what, how string) {
		if when {
			seen, mend = append(seen, what), append(mend, how)
		}
	}
	add(c.Spec.DirMarkers && (!src.FileTree || dst.FileTree), "--dir-markers is for a directory that goes to a store", "leave it out")
	add(p.Expires != (metadata.Expires{}) && !dst.Metadata, "--expires has no effect: the target keeps no headers", "leave it out")
	add(p.Owner && dst.FileTree && c.Unprivileged, "--owner takes a privileged user", "run as one, or leave it out")
	add(src.Tags && !dst.Tags && !p.DropTags && l.read.tagged == storage.TagsSome, "objects have tags, and the target keeps none", "--tags drop says that this is meant")
	if len(seen) > 0 {
		return k.warn(strings.Join(seen, "; "), strings.Join(mend, "; "))
	}
	return k.pass("they do")
}

// sampled returns the item if no object was listed.
func (k check) sampled(l *looks) (Item, bool) {
	switch {
	case l.source.err != nil:
		return k.skip(noAnswer(&l.source)), false
	case l.sample.objects == 0 && l.sample.err != nil:
		return k.skip("the source could not be listed"), false
	}
	return Item{}, true
}

func (c *Config) archived(l *looks) Item {
	k := check{"archived", "objects need no restore", "classes were looked at of " + l.sample.of()}
	if i, ok := k.sampled(l); !ok {
		return i
	}
	f := l.sample.archived
	_, restores := storage.As[storage.Restorer](c.Source)
	switch {
	case f.n == 0:
		return k.pass("none is in an archive")
	case c.Spec.Archived == transfer.ArchivedSkip:
		return k.pass("left out are " + f.String())
	case c.Spec.Archived == transfer.ArchivedRestore && restores:
		return k.pass("restored are " + f.String())
	case c.Spec.Archived == transfer.ArchivedRestore:
		return k.warn("the source cannot be asked to restore "+f.String(), "restore them by the vendor's tools, or leave them out by --archived skip")
	}
	return k.warn("in an archive are "+f.String(), "--archived restore asks for them and waits, --archived skip leaves them out; those restored already are copied")
}

// most makes a Fail of what holds for all objects, else a Warn: the others are
// copied.
func (k check) most(f finding, s *sample, mend string) Item {
	if f.n == s.objects {
		return k.fail(f.String(), mend)
	}
	return k.warn(f.String(), mend)
}

func (c *Config) keys(l *looks) Item {
	k := check{"keys", "target can hold the keys", "keys were tried of " + l.sample.of()}
	if i, ok := k.sampled(l); !ok {
		return i
	}
	if l.sample.invalid.n > 0 {
		return k.most(l.sample.invalid, l.sample, "rename them at the source or exclude them; else they are reported as failed")
	}
	return k.pass("it can")
}

// collisions are two keys of one file. They would take turns in overwriting each
// other.
func (c *Config) collisions(l *looks) Item {
	k := check{"collisions", "keys differ in more than capitals", "keys were compared of " + l.sample.of()}
	if i, ok := k.sampled(l); !ok {
		return i
	}
	const mend = "rename one of the two at the source or exclude it, or choose a file system that tells capitals from small letters"
	switch f := l.sample.folded; {
	case !c.Target.Features().FileTree:
		return k.skip("the target tells capitals from small letters")
	case f.n == 0:
		return k.pass("they do")
	case l.probe.folds:
		return k.fail("the target takes for one what are two: "+f.String(), mend)
	case !l.probe.write.done || l.probe.write.err != nil:
		return k.warn("whether the target tells these apart is not known: "+f.String(), mend)
	}
	return k.pass("the target tells capitals from small letters")
}

func (c *Config) prefixes(l *looks) Item {
	k := check{"prefixes", "no object has the name of a directory", "keys were compared of " + l.sample.of()}
	if i, ok := k.sampled(l); !ok {
		return i
	}
	switch f := l.sample.clash; {
	case !c.Target.Features().FileTree:
		return k.skip("the target holds both")
	case f.n > 0:
		return k.warn("a file cannot be a directory too: "+f.String(), "rename the objects at the source or exclude them; else one of each two is reported as failed")
	}
	return k.pass("none has")
}

func (c *Config) sizes(l *looks) Item {
	k := check{"sizes", "target takes objects of these sizes", "sizes were looked at of " + l.sample.of()}
	if i, ok := k.sampled(l); !ok {
		return i
	}
	s := l.sample
	switch {
	case s.large.n > 0:
		return k.most(s.large, s, fmt.Sprintf("the target takes %d bytes at most: exclude larger ones by --max-size; else they are reported as failed", s.largest))
	case s.largest == 0:
		return k.pass("it names no limit")
	}
	return k.pass(fmt.Sprintf("at most %d bytes", s.largest))
}

// littleShare is the share of the sample below which a selection is small enough
// to be a mistake: one in a hundred.
const littleShare = 100

// deletes names what makes them dangerous. The task's own guards hold all the
// same, so this is no reason to stop.
func (c *Config) deletes(l *looks) Item {
	k := check{"deletes", "deletes are bounded", "--max-delete and the selection were looked at, and " + l.sample.of()}
	if !c.Spec.Delete {
		return k.skip("nothing is deleted")
	}
	if i, ok := k.sampled(l); !ok {
		return i
	}
	s := l.sample
	bound := c.Spec.MaxDelete.String()
	all := bound == "none" || bound == "100%"
	const mend = "look at what would go by `sluice sync --delete --dry-run`"
	switch {
	case s.listed == 0 && s.whole && all:
		return k.warn("the source is empty and --max-delete is "+bound+": everything at the target would go", mend)
	case s.listed == 0 && s.whole:
		return k.warn("the source is empty", "check its name: nothing is deleted before --max-delete 100% allows it")
	case s.flt != nil && s.objects*littleShare < s.listed:
		return k.warn(fmt.Sprintf("the selection takes %d of %d entries", s.objects, s.listed), mend)
	case bound == "none":
		return k.warn("--max-delete is none: a wrong name of the source empties the target", "give a number or a share; "+mend)
	}
	return k.pass("at most " + bound)
}
