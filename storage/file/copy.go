package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sluice-sync/sluice/storage"
)

// smallCopy is the size up to which a copy through a buffer is cheaper than
// asking the kernel to copy.
const smallCopy = 64 << 10

// errCannot says that the kernel has no better way than reading and writing.
var errCannot = errors.New("no copy in the kernel")

// CanCopyFrom tells whether src is a directory tree too.
func (b *Bucket) CanCopyFrom(src storage.Source) bool {
	_, ok := storage.Undecorated(src).(*Bucket)
	return ok
}

// CopyFrom copies a file of another tree of this machine: by sharing its
// blocks where the file system can, else inside the kernel, else through a
// buffer. Mode and modification time are those of the source unless o says
// otherwise; the owner is whom o says, else who runs this. The source is looked at before the first and after the last byte.
func (b *Bucket) CopyFrom(ctx context.Context, src storage.Source, obj storage.Object, key string, o storage.CopyOptions) (storage.Object, error) {
	var none storage.Object
	from, ok := storage.Undecorated(src).(*Bucket)
	if !ok {
		return none, b.fail("copy", key, storage.ErrUnsupported, fmt.Errorf("from %s", src))
	}
	if err := checkKey(key, false); err != nil {
		return none, b.fail("copy", key, storage.ErrInvalidKey, err)
	}
	f, s, err := from.openFile(ctx, "open", obj.Key, &obj)
	if err != nil {
		return none, err
	}
	defer f.Close()
	m := s.meta()
	m.UID, m.GID, m.HasOwner = o.Meta.UID, o.Meta.GID, o.Meta.HasOwner
	if o.Meta.HasMode {
		m.Mode = o.Meta.Mode
	}
	if !o.Meta.MTime.IsZero() {
		m.MTime = o.Meta.MTime
	}
	t, err := b.newTemp(tempWrite, key, m)
	if err != nil {
		return none, b.writeFault("copy", key, err)
	}
	defer t.close()
	if err := b.copyBytes(ctx, t.f, f, from, &obj); err != nil {
		return none, b.writeFault("copy", key, err)
	}
	if err := from.confirm(ctx, obj.Key, &obj); err != nil {
		return none, err
	}
	if s, err = t.commit(ctx, m); err != nil {
		return none, b.writeFault("copy", key, err)
	}
	return s.object(key), nil
}

// copyBytes fills dst with the obj.Size bytes of src.
func (b *Bucket) copyBytes(ctx context.Context, dst, src *os.File, from *Bucket, obj *storage.Object) error {
	done := int64(0)
	if obj.Size > smallCopy {
		var err error
		if done, err = kernelCopy(ctx, dst, src, obj.Size); err == nil || !errors.Is(err, errCannot) {
			if done < obj.Size && err == nil {
				err = from.fail("read", obj.Key, storage.ErrChanged, errShort)
			}
			return err
		}
	}
	buf := b.buffers.Get().(*[bufferSize]byte)
	defer b.buffers.Put(buf)
	for done < obj.Size {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := src.ReadAt(buf[:min(obj.Size-done, bufferSize)], done)
		if err == io.EOF && n == 0 {
			return from.fail("read", obj.Key, storage.ErrChanged, errShort)
		}
		if err != nil && err != io.EOF {
			return from.readFault("read", obj.Key, err)
		}
		if _, err := dst.WriteAt(buf[:n], done); err != nil {
			return err
		}
		done += int64(n)
	}
	return nil
}
