package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/sluice-sync/sluice/storage"
)

// attempts bounds how often a parent directory that somebody removes again is
// made before a write gives up.
const attempts = 5

// withParents runs f, which needs the directory of a key, and makes that
// directory where f finds none.
func (b *Bucket) withParents(key string, f func() error) error {
	for try := 1; ; try++ {
		err := f()
		if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoRoot) || try == attempts {
			return err
		}
		if err := b.makeParents(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

// inParent runs f in the directory of a key.
func (b *Bucket) inParent(key string, f func(d dir, name string) error) error {
	d, name, err := b.parent(key)
	if err != nil {
		return err
	}
	defer d.close()
	return f(d, name)
}

func (b *Bucket) makeParents(key string) error {
	path, _ := split(key)
	at, err := openRoot(b.root, false)
	if err != nil {
		return noRoot(err)
	}
	defer func() { at.close() }()
	for name := range strings.SplitSeq(path, "/") {
		next, err := at.sub(name)
		if errors.Is(err, fs.ErrNotExist) {
			if err := at.mkdir(name, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			next, err = at.sub(name)
		}
		if err != nil {
			return err
		}
		at.close()
		at = next
	}
	return nil
}

// temp is a file under its temporary name.
type temp struct {
	d         dir
	f         *os.File
	name, tmp string
}

// newTemp makes a temporary file beside a key. Where a mode will be set in the
// end, nobody else may read the bytes before.
func (b *Bucket) newTemp(use byte, key string, m storage.Metadata) (t *temp, err error) {
	perm := fs.FileMode(0o666)
	if m.HasMode {
		perm = 0o600
	}
	err = b.withParents(key, func() error {
		d, name, err := b.parent(key)
		if err != nil {
			return err
		}
		t = &temp{d: d, name: name, tmp: b.tempName(use, key)}
		if t.f, err = d.open(t.tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm); err != nil {
			d.close()
		}
		return err
	})
	return t, err
}

// commit gives the file its owner, mode, time and name. The stat is of the file as
// it is then.
func (t *temp) commit(ctx context.Context, m storage.Metadata) (s stat, err error) {
	if err := flush(t.f); err != nil {
		return s, err
	}
	if err := t.d.setMeta(t.f, t.tmp, m); err != nil {
		return s, err
	}
	if err := ctx.Err(); err != nil {
		return s, err
	}
	if err := t.d.rename(t.tmp, t.name); err != nil {
		return s, err
	}
	t.tmp = ""
	return statFile(t.f)
}

// setMeta gives an open file the owner, mode and time that m knows. The owner
// comes first, because it may take bits off the mode.
func (d dir) setMeta(f *os.File, name string, m storage.Metadata) error {
	if m.HasOwner {
		if err := f.Chown(int(m.UID), int(m.GID)); err != nil {
			return err
		}
	}
	if m.HasMode {
		if err := f.Chmod(m.Mode & 0o777); err != nil {
			return err
		}
	}
	if m.MTime.IsZero() {
		return nil
	}
	return d.setOpenMTime(f, name, m.MTime)
}

// close closes the file; one that was not committed is removed.
func (t *temp) close() {
	t.f.Close()
	if t.tmp != "" {
		_ = t.d.remove(t.tmp) // Sweep removes what stays
	}
	t.d.close()
}

// Put writes a file under a temporary name beside the key and renames it.
// Parents are made as needed. Of the metadata time, mode and owner are kept;
// without a mode the process's umask decides. A symbolic link in the place of
// the key is replaced, not followed.
func (b *Bucket) Put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error) {
	var none storage.Object
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if err := checkKey(key, false); err != nil {
		return none, b.fail("put", key, storage.ErrInvalidKey, err)
	}
	switch {
	case o.IfAbsent || o.IfVersion != nil:
		return none, b.fail("put", key, storage.ErrUnsupported, errors.New("a condition"))
	case o.Size < 0:
		return none, b.fail("put", key, storage.ErrInvalid, fmt.Errorf("a size of %d bytes", o.Size))
	}
	buf := b.buffers.Get().(*[bufferSize]byte)
	defer b.buffers.Put(buf)
	in := intake{b: b, op: "put", key: key, body: body, left: o.Size, buf: buf[:]}
	head, err := in.next(ctx) // a body that fails at once leaves no trace
	if err != nil {
		return none, err
	}
	t, err := b.newTemp(tempWrite, key, o.Meta)
	if err != nil {
		return none, b.writeFault("put", key, err)
	}
	defer t.close()
	for off := int64(0); ; {
		if _, err := t.f.WriteAt(head, off); err != nil {
			return none, b.writeFault("put", key, err)
		}
		off += int64(len(head))
		if in.left == 0 {
			break
		}
		if head, err = in.next(ctx); err != nil {
			return none, err
		}
	}
	s, err := t.commit(ctx, o.Meta)
	if err != nil {
		return none, b.writeFault("put", key, err)
	}
	return s.object(key), nil
}

// intake reads a body of a known size in pieces.
type intake struct {
	b    *Bucket
	op   string
	key  string
	body io.Reader
	left int64 // bytes that next has not yet returned
	buf  []byte
}

// next returns the next bytes: all that fit into the buffer. With the last of
// them the body has been read to its end. An error of the body says nothing
// about this bucket and is passed on with its kind.
func (in *intake) next(ctx context.Context) ([]byte, error) {
	want := int(min(in.left, int64(len(in.buf))))
	got, idle := 0, 0
	var err error
	for got < want && err == nil && idle < 100 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var n int
		n, err = in.body.Read(in.buf[got:want])
		got += n
		if idle++; n > 0 {
			idle = 0
		}
	}
	in.left -= int64(got)
	switch {
	case err == nil && got < want:
		err = io.ErrNoProgress
	case err == nil && in.left == 0:
		err = in.end()
	}
	switch {
	case err != nil && err != io.EOF: //nolint:errorlint // an error that wraps io.EOF is no end
		return nil, fmt.Errorf("%s %q at %s: body: %w", in.op, in.key, in.b.root, err)
	case in.left > 0 && got < want:
		return nil, in.wrong(fmt.Errorf("body is %d bytes short of what was announced", in.left))
	case in.left < 0:
		return nil, in.wrong(errors.New("body is longer than what was announced"))
	}
	return in.buf[:got], nil
}

// end reads on after the last byte: io.EOF must be what comes.
func (in *intake) end() error {
	var one [1]byte
	for range 100 {
		n, err := in.body.Read(one[:])
		if n > 0 {
			in.left--
			return io.EOF
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

func (in *intake) wrong(cause error) error {
	return in.b.fail(in.op, in.key, storage.ErrInvalid, cause)
}

// Delete removes an entry that is no directory; a key that ends in "/" removes
// that directory if it is empty. What is not there, or is of the other kind,
// is left alone.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkKey(key, true); err != nil {
		return b.fail("delete", key, storage.ErrInvalidKey, err)
	}
	plain := strings.TrimSuffix(key, "/")
	err := b.inParent(plain, func(d dir, name string) error {
		if plain != key {
			return d.rmdir(name)
		}
		if err := d.remove(name); !isDirectory(err, d, name) {
			return err
		}
		return nil
	})
	if !errors.Is(err, errNoRoot) && isOne(err, missing) {
		return nil
	}
	return b.writeFault("delete", key, err)
}

// isDirectory tells whether a removal failed because the name is a directory;
// systems say so in different words.
func isDirectory(err error, d dir, name string) bool {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return false
	}
	s, e := d.lstat(name)
	return e == nil && s.kind == storage.KindDir
}
