package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// CreateUpload makes the two files of an upload beside the key: one that takes
// the bytes, its space reserved where the file system can, and a sidecar. The
// id is the end of their names. A directory in the place of the key is ErrExists.
func (b *Bucket) CreateUpload(ctx context.Context, key string, o storage.UploadOptions) (id string, err error) {
	const op = "create upload"
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := checkKey(key, false); err != nil {
		return "", b.fail(op, key, storage.ErrInvalidKey, err)
	}
	if err := checkUpload(o.Size, o.PartSize); err != nil {
		return "", b.fail(op, key, storage.ErrInvalid, err)
	}
	boot, err := b.boot()
	if err != nil {
		return "", b.fail(op, key, storage.ErrUnsupported, err)
	}
	t, err := b.newTemp(tempData, key, o.Meta)
	if err != nil {
		return "", b.writeFault(op, key, err)
	}
	defer t.close()
	s := sidecar{size: o.Size, partSize: o.PartSize, started: time.Now(), boot: boot, key: key, meta: o.Meta}
	_, _, id = tempParts(t.tmp)
	if s, err := t.d.lstat(t.name); err == nil && s.kind == storage.KindDir {
		return "", b.writeFault(op, key, fs.ErrExist) // said before gigabytes are sent
	}
	if err := reserve(t.f, o.Size); err != nil {
		return "", b.writeFault(op, key, err)
	}
	if err := appendTo(t.d, uploadName(tempState, id), os.O_CREATE|os.O_EXCL, s.header()); err != nil {
		return "", errors.Join(b.writeFault(op, key, err), removeUpload(t.d, id))
	}
	t.tmp = "" // stays
	return id, nil
}

func uploadName(use byte, id string) string { return tempPrefix + string(use) + "-" + id }

func appendTo(d dir, name string, flag int, text []byte) error {
	f, err := d.open(name, os.O_WRONLY|os.O_APPEND|flag, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// removeUpload removes both files of an upload; without the bytes it is no
// upload any more, so those go first.
func removeUpload(d dir, id string) error {
	for _, use := range []byte{tempData, tempState} {
		if err := d.remove(uploadName(use, id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// upload is one that was found.
type upload struct {
	*sidecar
	d    dir
	id   string
	data *os.File
	name string
}

func (u *upload) close() {
	u.data.Close()
	u.d.close()
}

// findUpload opens an upload. only the header of its state is read where
// limit is not 0. One from before the machine was started anew is removed: its
// bytes may not have reached the disk.
func (b *Bucket) findUpload(ctx context.Context, op, key, id string, limit int64) (*upload, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !isUploadOf(key, id) {
		return nil, b.fail(op, key, storage.ErrNoUpload, nil)
	}
	d, name, err := b.parent(key)
	if err != nil {
		return nil, b.uploadFault(op, key, err)
	}
	u := &upload{d: d, id: id, name: name}
	if u.data, err = d.open(uploadName(tempData, id), os.O_RDWR, 0); err != nil {
		d.close()
		return nil, b.uploadFault(op, key, err)
	}
	boot, err := b.boot()
	if err == nil {
		u.sidecar, err = loadSidecar(d, id, limit)
	}
	switch {
	case err == nil && u.key == key && u.boot == boot:
		return u, nil
	case err == nil && u.key == key:
		err = errors.Join(fs.ErrNotExist, removeUpload(d, id))
	case err == nil:
		err = fs.ErrNotExist
	}
	u.close()
	return nil, b.uploadFault(op, key, err)
}

// isUploadOf tells whether id can be that of an upload of key.
func isUploadOf(key, id string) bool {
	return checkKey(key, false) == nil && isTemp(uploadName(tempData, id)) && id[17:33] == hash(key)
}

func (b *Bucket) uploadFault(op, key string, err error) error {
	if errors.Is(err, errSidecar) {
		return b.fail(op, key, storage.ErrNoUpload, err)
	}
	return b.fault(op, key, err, missing, storage.ErrNoUpload)
}

func loadSidecar(d dir, id string, limit int64) (*sidecar, error) {
	f, err := d.open(uploadName(tempState, id), os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if limit > 0 {
		r = io.LimitReader(f, limit)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return readSidecar(data)
}

// UploadPart writes the bytes of a part to their place and syncs them before
// the part counts as held; its ETag is their CRC32C. o.Size must be what part n
// of this upload has. While a part is sent again it is not held.
func (b *Bucket) UploadPart(ctx context.Context, key, id string, n int, body io.Reader, o storage.PartOptions) (storage.Part, error) {
	const op = "upload part"
	p := storage.Part{Number: n, Size: o.Size}
	u, err := b.findUpload(ctx, op, key, id, maxHeader)
	if err != nil {
		return storage.Part{}, err
	}
	defer u.close()
	if n < 1 || n > u.count() || o.Size != u.length(n) {
		return storage.Part{}, b.fail(op, key, storage.ErrInvalid, fmt.Errorf("part %d of %d bytes", n, o.Size))
	}
	state := uploadName(tempState, id)
	if err := appendTo(u.d, state, 0, beginLine(n)); err != nil {
		return storage.Part{}, b.uploadFault(op, key, err)
	}
	if p.ETag, err = b.fillPart(ctx, u, int64(n-1)*u.partSize, body, o.Size); err != nil {
		return storage.Part{}, err
	}
	if err := appendTo(u.d, state, 0, partLine(p)); err != nil {
		return storage.Part{}, b.uploadFault(op, key, err)
	}
	return p, nil
}

// fillPart writes size bytes at off, syncs them and returns their CRC32C.
func (b *Bucket) fillPart(ctx context.Context, u *upload, off int64, body io.Reader, size int64) (string, error) {
	const op = "upload part"
	buf := b.buffers.Get().(*[bufferSize]byte)
	defer b.buffers.Put(buf)
	in := intake{b: b, op: op, key: u.key, body: body, left: size, buf: buf[:]}
	sum := uint32(0)
	for more := true; more; more = in.left > 0 {
		piece, err := in.next(ctx)
		if err != nil {
			return "", err
		}
		if _, err := u.data.WriteAt(piece, off); err != nil {
			return "", b.writeFault(op, u.key, err)
		}
		sum = crc32.Update(sum, castagnoli, piece)
		off += int64(len(piece))
	}
	return fmt.Sprintf("%08x", sum), b.writeFault(op, u.key, syncData(u.data))
}

// ListParts returns the parts held.
func (b *Bucket) ListParts(ctx context.Context, key, id string) ([]storage.Part, error) {
	u, err := b.findUpload(ctx, "list parts", key, id, 0)
	if err != nil {
		return nil, err
	}
	defer u.close()
	return u.list(), nil
}

// CompleteUpload renames the upload's file to the key. parts must be all
// parts, as held. It must not run beside an UploadPart of the same upload.
func (b *Bucket) CompleteUpload(ctx context.Context, key, id string, parts []storage.Part) (storage.Object, error) {
	const op = "complete"
	u, err := b.findUpload(ctx, op, key, id, 0)
	if err != nil {
		return storage.Object{}, err
	}
	t := &temp{d: u.d, f: u.data, name: u.name}
	defer t.close()
	if err := u.whole(parts); err != nil {
		return storage.Object{}, b.fail(op, key, storage.ErrInvalid, err)
	}
	t.tmp = uploadName(tempData, id)
	s, err := t.commit(ctx, u.meta)
	if err != nil {
		t.tmp = "" // to be tried again
		return storage.Object{}, b.writeFault(op, key, err)
	}
	_ = u.d.remove(uploadName(tempState, id)) // without the bytes it is no upload; Sweep removes what stays
	return s.object(key), nil
}

// AbortUpload removes the files of an upload.
func (b *Bucket) AbortUpload(ctx context.Context, key, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !isUploadOf(key, id) {
		return nil
	}
	err := b.inParent(key, func(d dir, _ string) error { return removeUpload(d, id) })
	if !errors.Is(err, errNoRoot) && isOne(err, missing) {
		return nil
	}
	return b.writeFault("abort", key, err)
}

// ListUploads returns the unfinished uploads that this owner began, by key and
// age. Without a key it walks the whole tree.
func (b *Bucket) ListUploads(ctx context.Context, key string) (us []storage.Upload, err error) {
	const op = "list uploads"
	boot, err := b.boot()
	if err != nil {
		return nil, ctx.Err() // there are none
	}
	found := func(d dir, name string) error {
		use, owner, id := tempParts(name)
		if use != tempState || owner != b.owner || key != "" && !isUploadOf(key, id) {
			return nil
		}
		s, err := loadSidecar(d, id, maxHeader)
		if err == nil {
			_, err = d.lstat(uploadName(tempData, id))
		}
		switch {
		case err == nil && s.boot == boot && isUploadOf(s.key, id):
			us = append(us, storage.Upload{Key: s.key, ID: id, Started: s.started})
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errSidecar):
			return err
		}
		return nil
	}
	if key == "" {
		err = b.walkTemps(ctx, found)
	} else if err = ctx.Err(); err == nil {
		err = b.tempsBeside(ctx, key, found)
	}
	slices.SortFunc(us, func(x, y storage.Upload) int {
		return cmp.Or(cmp.Compare(x.Key, y.Key), x.Started.Compare(y.Started), cmp.Compare(x.ID, y.ID))
	})
	return us, b.readFault(op, key, err)
}
