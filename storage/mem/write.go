package mem

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"maps"

	"github.com/sluice-sync/sluice/storage"
)

// Put writes an object whole.
func (b *Bucket) Put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error) {
	if key == "" {
		return storage.Object{}, b.fail("put", key, storage.ErrInvalidKey, nil)
	}
	data, sum, err := b.receive(ctx, "put", key, body, o.Size, o.MD5)
	if err != nil {
		return storage.Object{}, err
	}
	var obj storage.Object
	if err := b.checkClass("put", key, o.Meta); err != nil {
		return storage.Object{}, err
	}
	err = b.hold(ctx, "put", key, func(c *contents) error {
		old := c.objects[key]
		if o.IfAbsent && old != nil {
			return b.fail("put", key, storage.ErrExists, nil)
		}
		if o.IfVersion != nil && (old == nil || old.Version() != o.IfVersion.Version()) {
			return b.fail("put", key, storage.ErrChanged, nil)
		}
		obj = b.store(c, key, data, hex.EncodeToString(sum), o.Meta)
		return nil
	})
	return obj, err
}

// checkClass refuses a storage class that the server does not have.
func (b *Bucket) checkClass(op, key string, m storage.Metadata) error {
	if _, ok := b.Features().ClassNamed(m.StorageClass); ok || m.StorageClass == "" {
		return nil
	}
	return b.fail(op, key, storage.ErrInvalid, fmt.Errorf("storage class %q", m.StorageClass))
}

// store makes an object visible. The caller holds the lock.
func (b *Bucket) store(c *contents, key string, data []byte, etag string, m storage.Metadata) storage.Object {
	m.User, m.Tags = maps.Clone(m.User), maps.Clone(m.Tags)
	m.Mode, m.HasMode, m.HasOwner = 0, false, false // stores have neither
	class := m.StorageClass
	if class == b.s.o.Classes[0].Name {
		class = ""
	}
	m.StorageClass = ""
	o := &object{body: data, Info: storage.Info{
		Object:   storage.Object{Key: key, Size: int64(len(data)), ModTime: b.s.o.Now(), ETag: etag, Class: class},
		Metadata: m,
	}}
	c.add(o)
	return o.Object
}

// receive reads a body to its end and returns it with its MD5. An error of
// the body is returned as it is: it says nothing about this bucket.
func (b *Bucket) receive(ctx context.Context, op, key string, body io.Reader, size int64, sum func() []byte) ([]byte, []byte, error) {
	if size < 0 {
		return nil, nil, b.fail(op, key, storage.ErrInvalid, fmt.Errorf("a size of %d bytes", size))
	}
	if limit := b.s.o.MaxPut; limit > 0 && size > limit {
		return nil, nil, b.fail(op, key, storage.ErrTooLarge, fmt.Errorf("%d bytes, at most %d", size, limit))
	}
	var buf bytes.Buffer
	buf.Grow(int(min(size, 1<<20)) + bytes.MinRead) // the size is a promise, not yet memory
	n, err := buf.ReadFrom(io.LimitReader(untilDone{ctx, body}, size+1))
	if err != nil {
		return nil, nil, fmt.Errorf("%s %q at %s: body: %w", op, key, b, err)
	}
	if n != size {
		more := ""
		if n > size {
			more = " or more"
		}
		return nil, nil, b.fail(op, key, storage.ErrInvalid, fmt.Errorf("body of %d bytes%s, announced as %d", n, more, size))
	}
	got := md5.Sum(buf.Bytes())
	if sum != nil && !bytes.Equal(sum(), got[:]) {
		return nil, nil, b.fail(op, key, storage.ErrCorrupt, nil)
	}
	return buf.Bytes(), got[:], nil
}

// untilDone reads until the context ends.
type untilDone struct {
	ctx context.Context //nolint:containedctx // lives for one call
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}
