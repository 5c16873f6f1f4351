package mem

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// List returns a listing of the range. Each page sees the bucket as it is then.
func (b *Bucket) List(r storage.Range) storage.Pages {
	return &pages{b: b, after: r.After, last: r.Last}
}

type pages struct {
	b     *Bucket
	after string
	last  string
	done  bool
}

func (p *pages) Next(ctx context.Context) (page []storage.Object, err error) {
	if p.done {
		return nil, io.EOF
	}
	err = p.b.hold(ctx, "list", "", func(c *contents) error {
		i, found := slices.BinarySearch(c.keys, p.after)
		if found {
			i++
		}
		for _, key := range c.keys[i:min(i+p.b.s.o.PageSize, len(c.keys))] {
			if p.last != "" && key > p.last {
				break
			}
			page = append(page, c.objects[key].Object)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(page) == 0 {
		p.done = true
		return nil, io.EOF
	}
	p.after = page[len(page)-1].Key
	return page, nil
}

func (p *pages) Close() error {
	p.done = true
	return nil
}

// Stat looks at one object.
func (b *Bucket) Stat(ctx context.Context, key string) (info storage.Info, err error) {
	o, err := b.find(ctx, "stat", key, nil)
	if err != nil {
		return info, err
	}
	return b.info(o), nil
}

// Tags returns the tags of an object.
func (b *Bucket) Tags(ctx context.Context, key string) (map[string]string, error) {
	o, err := b.find(ctx, "tags", key, nil)
	if err != nil {
		return nil, err
	}
	return maps.Clone(o.Metadata.Tags), nil
}

// Restore makes an archived object readable after Options.RestoreTime.
func (b *Bucket) Restore(ctx context.Context, key string, days int, _ string) error {
	return b.hold(ctx, "restore", key, func(c *contents) error {
		o := c.objects[key]
		switch {
		case o == nil:
			return b.fail("restore", key, storage.ErrNotFound, nil)
		case !b.Features().Archived(o.Class) || days < 1:
			return b.fail("restore", key, storage.ErrInvalid, fmt.Errorf("for %d days from class %q", days, o.Class))
		case b.restored(o).Ongoing:
			return nil
		}
		again := *o
		now := b.s.o.Now()
		if b.restored(o).Until.IsZero() {
			again.readable = now.Add(b.s.o.RestoreTime)
		}
		again.until = now.Add(b.s.o.RestoreTime + time.Duration(days)*24*time.Hour)
		c.add(&again)
		return nil
	})
}

// restored tells how far the restore of an archived object has come.
func (b *Bucket) restored(o *object) storage.Restored {
	now := b.s.o.Now()
	switch {
	case o.readable.IsZero() || !now.Before(o.until):
		return storage.Restored{}
	case now.Before(o.readable):
		return storage.Restored{Ongoing: true}
	}
	return storage.Restored{Until: o.until}
}

// Open starts to read an object. What it yields is the version opened, whatever
// happens to the key meanwhile.
func (b *Bucket) Open(ctx context.Context, key string, ro storage.ReadOptions) (*storage.Reader, error) {
	o, err := b.find(ctx, "open", key, ro.Want)
	if err != nil {
		return nil, err
	}
	if b.Features().Archived(o.Class) && b.restored(o).Until.IsZero() {
		return nil, b.fail("open", key, storage.ErrArchived, nil)
	}
	n := ro.Length
	if n < 0 {
		n = o.Size - ro.Offset
	}
	if ro.Offset < 0 || n < 0 || ro.Offset > o.Size-n {
		return nil, b.fail("open", key, storage.ErrInvalid,
			fmt.Errorf("%d bytes from %d of an object of %d", ro.Length, ro.Offset, o.Size))
	}
	data := o.body[ro.Offset : ro.Offset+n]
	return &storage.Reader{Info: b.info(o), Body: io.NopCloser(bytes.NewReader(data))}, nil
}

// find returns the object of a key, pinned to a version if want is not nil.
func (b *Bucket) find(ctx context.Context, op, key string, want *storage.Object) (o *object, err error) {
	err = b.hold(ctx, op, key, func(c *contents) error {
		o = c.objects[key]
		switch {
		case o == nil:
			return b.fail(op, key, storage.ErrNotFound, nil)
		case want != nil && o.Version() != want.Version():
			return b.fail(op, key, storage.ErrChanged, nil)
		}
		return nil
	})
	return o, err
}

// info is what a look shows: tags are counted, not shown.
func (b *Bucket) info(o *object) storage.Info {
	i := o.Info
	i.User = maps.Clone(i.User)
	i.Tagged = storage.TagsNone
	if len(i.Metadata.Tags) > 0 {
		i.Tagged = storage.TagsSome
	}
	i.Metadata.Tags = nil
	i.Restored = b.restored(o)
	return i
}
