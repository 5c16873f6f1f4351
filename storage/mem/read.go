package mem

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

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
	return o.info(), nil
}

// Open starts to read an object. What it yields is the version opened, whatever
// happens to the key meanwhile.
func (b *Bucket) Open(ctx context.Context, key string, ro storage.ReadOptions) (*storage.Reader, error) {
	o, err := b.find(ctx, "open", key, ro.Want)
	if err != nil {
		return nil, err
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
	return &storage.Reader{Info: o.info(), Body: io.NopCloser(bytes.NewReader(data))}, nil
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

func (o *object) info() storage.Info {
	i := o.Info
	i.User = maps.Clone(i.User)
	return i
}
