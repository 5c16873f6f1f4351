package precheck

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sluice-sync/sluice/storage"
)

const (
	readTries = 3    // objects, of which one must be readable
	readBytes = 4096 // of an object
)

// readLook is what came of reading some objects.
type readLook struct {
	tried    int
	read     int
	errs     []error // of those that are there and did not change
	tagged   storage.Tagged
	asked    bool // for the tags of the object read
	tagsErr  error
	lastRead string
}

// tryRead reads the start of the first object that can be read. One that changes
// meanwhile proves nothing.
func (c *Config) tryRead(ctx context.Context, objs []storage.Object) (l readLook) {
	for i := range objs {
		l.tried++
		info, err := readStart(ctx, c.Source, &objs[i])
		switch {
		case err == nil:
			l.read, l.lastRead, l.tagged = 1, objs[i].Key, info.Tagged
			l.asked, l.tagsErr = c.readTags(ctx, &info)
			return l
		case !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrChanged):
			l.errs = append(l.errs, err)
		}
	}
	return l
}

func readStart(ctx context.Context, b storage.Source, o *storage.Object) (storage.Info, error) {
	ro := storage.ReadOptions{Length: -1, Want: o}
	if o.Size > readBytes {
		ro.Length = readBytes
	}
	r, err := b.Open(ctx, o.Key, ro)
	if err != nil {
		return storage.Info{}, err
	}
	_, err = io.Copy(io.Discard, r.Body)
	return r.Info, errors.Join(err, r.Body.Close())
}

// keepsTags tells whether tags travel.
func (c *Config) keepsTags() bool {
	return c.Source.Features().Tags && c.Target.Features().Tags && !c.Spec.Metadata.DropTags
}

// readTags asks for the tags of an object as the task would.
func (c *Config) readTags(ctx context.Context, info *storage.Info) (asked bool, err error) {
	t, ok := storage.As[storage.Tagger](c.Source)
	if !ok || !c.keepsTags() || info.Tagged == storage.TagsNone {
		return false, nil
	}
	_, err = t.Tags(ctx, info.Key)
	return true, err
}

const mendList = "allow to list (s3:ListBucket, oss:ListObjects; on a file system read and search permission)"

func (c *Config) sourceList(l *looks) Item {
	k := check{"source.list", "source can be listed", "one page was listed"}
	if c.Deep {
		k.tried = "all of it was listed"
	}
	s := l.sample
	switch {
	case errors.Is(l.source.err, storage.ErrDenied):
		return k.fail(l.source.err.Error(), mendList)
	case l.source.err != nil:
		return k.skip(noAnswer(&l.source))
	case s.err != nil:
		return k.refused(s.err, mendList)
	case s.unreadable.n > 0:
		return k.warn("directories that cannot be listed: "+s.unreadable.String(), mendList+", or exclude them")
	}
	return k.pass(fmt.Sprintf("%d entries", s.listed))
}

func (c *Config) sourceRead(l *looks) Item {
	k := check{"source.read", "source can be read", "the first bytes of a small object were read"}
	const mend = "allow to read (s3:GetObject, oss:GetObject, kms:Decrypt for encrypted ones; on a file system read permission)"
	r := &l.read
	switch {
	case l.source.err != nil:
		return k.skip(noAnswer(&l.source))
	case r.tried == 0:
		return k.skip("no object with bytes was listed")
	case r.read == 0 && len(r.errs) == 0:
		return k.pass("what was tried changed meanwhile")
	case len(r.errs) == 0:
		return k.pass(fmt.Sprintf("%q", r.lastRead))
	case r.read > 0 || len(r.errs) == 1: // one object says little about the others
		return k.warn(fmt.Sprintf("%d of %d objects could not be read: %v", len(r.errs), r.tried, r.errs[0]), mend)
	}
	return k.refused(r.errs[0], mend)
}

func (c *Config) sourceTags(l *looks) Item {
	k := check{"source.tags", "tags can be read", "the tags of the object that was read were asked for"}
	switch {
	case !c.keepsTags():
		return k.skip("no tags travel between these two")
	case !l.read.asked:
		return k.skip("the object that was looked at has none")
	case l.read.tagsErr != nil:
		return k.refused(l.read.tagsErr, "allow to read tags (s3:GetObjectTagging, oss:GetObjectTagging), or leave them out by --tags drop")
	}
	return k.pass("read")
}
