package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

var (
	errNotFile = errors.New("not a regular file")
	errIsOther = errors.New("is not the version wanted")
	errShort   = errors.New("the file has become shorter")
)

// parent opens the directory of a key and returns the last name of the key.
func (b *Bucket) parent(key string) (d dir, name string, err error) {
	path, name := split(key)
	root, err := openRoot(b.root, false)
	if err != nil || path == "" {
		return root, name, noRoot(err)
	}
	defer root.close()
	d, err = root.sub(path)
	return d, name, err
}

// look stats a key; one that ends in "/" names a directory.
func (b *Bucket) look(ctx context.Context, op, key string) (stat, error) {
	if err := ctx.Err(); err != nil {
		return stat{}, err
	}
	if err := checkKey(key, true); err != nil {
		return stat{}, b.fail(op, key, storage.ErrInvalidKey, err)
	}
	plain := strings.TrimSuffix(key, "/")
	d, name, err := b.parent(plain)
	if err != nil {
		return stat{}, b.readFault(op, key, err)
	}
	defer d.close()
	s, err := d.lstat(name)
	if err != nil {
		return s, b.readFault(op, key, err)
	}
	if (s.kind == storage.KindDir) != (plain != key) {
		return s, b.fail(op, key, storage.ErrNotFound, nil)
	}
	return s, nil
}

// Stat looks at one entry of any kind. A key that ends in "/" is a directory,
// empty or not; without the slash a directory is not found. It costs one look
// at the name and never opens it.
func (b *Bucket) Stat(ctx context.Context, key string) (storage.Info, error) {
	s, err := b.look(ctx, "stat", key)
	if err != nil {
		return storage.Info{}, err
	}
	return storage.Info{Object: s.object(key), Metadata: s.meta()}, nil
}

// Open starts to read a regular file. A file that was changed less than a
// clock tick ago is first waited for (20 ms, or a second where the file system
// keeps whole seconds): a change after the first byte was read then always
// shows in its times, and Confirm finds it. Anything but a regular file is
// ErrInvalid, or ErrChanged where a version is wanted.
func (b *Bucket) Open(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
	f, s, err := b.openFile(ctx, "open", key, o.Want)
	if err != nil {
		return nil, err
	}
	n := o.Length
	if n < 0 {
		n = s.size - o.Offset
	}
	if o.Offset < 0 || n < 0 || o.Offset > s.size-n {
		f.Close()
		return nil, b.fail("open", key, storage.ErrInvalid,
			fmt.Errorf("%d bytes from %d of a file of %d", o.Length, o.Offset, s.size))
	}
	info := storage.Info{Object: s.object(key), Metadata: s.meta()}
	return &storage.Reader{
		Info: info,
		Body: &body{b: b, key: key, f: f, off: o.Offset, left: n},
		Confirm: func(ctx context.Context) error {
			return b.confirm(ctx, key, &info.Object)
		},
	}, nil
}

// openFile opens a regular file, at a version if want is not nil.
func (b *Bucket) openFile(ctx context.Context, op, key string, want *storage.Object) (*os.File, stat, error) {
	f, s, err := b.openAny(ctx, op, key, want)
	if err != nil {
		return nil, s, err
	}
	// Once is enough: the clock that gives files their times has ticked by
	// then, even if it runs hours ahead of ours.
	if wait := s.settled(time.Now()); wait > 0 && (want == nil || s.is(want)) {
		if err = sleep(ctx, wait); err == nil {
			s, err = statFile(f)
		}
		if err != nil {
			f.Close()
			return nil, s, b.readFault(op, key, err)
		}
	}
	if want != nil && !s.is(want) {
		f.Close()
		return nil, s, b.fail(op, key, storage.ErrChanged, errIsOther)
	}
	return f, s, nil
}

// openAny opens a key if it is a regular file now.
func (b *Bucket) openAny(ctx context.Context, op, key string, want *storage.Object) (*os.File, stat, error) {
	if err := ctx.Err(); err != nil {
		return nil, stat{}, err
	}
	if err := checkKey(key, false); err != nil {
		return nil, stat{}, b.fail(op, key, storage.ErrInvalidKey, err)
	}
	d, name, err := b.parent(key)
	if err != nil {
		return nil, stat{}, b.readFault(op, key, err)
	}
	defer d.close()
	s, err := d.lstat(name) // before opening: a device would notice
	var f *os.File
	if err == nil && s.kind == storage.KindFile {
		if f, err = d.open(name, os.O_RDONLY, 0); err == nil {
			s, err = statFile(f)
		}
	}
	switch {
	case err != nil:
		err = b.readFault(op, key, err)
	case s.kind == storage.KindFile:
		return f, s, nil
	case want != nil:
		err = b.fail(op, key, storage.ErrChanged, errNotFile)
	case s.kind == storage.KindDir:
		err = b.fail(op, key, storage.ErrNotFound, errNotFile)
	default:
		err = b.fail(op, key, storage.ErrInvalid, errNotFile)
	}
	if f != nil {
		f.Close()
	}
	return nil, s, err
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// confirm looks at the name once more. The open file has changed only if the
// name no longer shows the same inode with the same times, so the name is
// enough, also after the body was closed.
func (b *Bucket) confirm(ctx context.Context, key string, was *storage.Object) error {
	s, err := b.look(ctx, "confirm", key)
	if errors.Is(err, storage.ErrNotFound) || err == nil && !s.is(was) {
		return b.fail("confirm", key, storage.ErrChanged, err)
	}
	return err
}

// body yields a stretch of a file.
type body struct {
	b         *Bucket
	key       string
	f         *os.File
	off, left int64
}

func (r *body) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.f.ReadAt(p[:min(int64(len(p)), r.left)], r.off)
	r.off += int64(n)
	r.left -= int64(n)
	switch {
	case n > 0 || len(p) == 0:
		return n, nil // an error comes again with the next read
	case err == io.EOF:
		return 0, r.b.fail("read", r.key, storage.ErrChanged, errShort)
	}
	return 0, r.b.readFault("read", r.key, err)
}

func (r *body) Close() error { return r.f.Close() }
