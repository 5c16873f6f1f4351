package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/sluice-sync/sluice/storage"
)

var errNotDir = errors.New("not a directory")

// MakeDir makes a directory and its parents; key ends in "/". Mode and time
// are set, as far as given, also on a directory that is there.
func (b *Bucket) MakeDir(ctx context.Context, key string, m storage.Metadata) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	plain, ok := strings.CutSuffix(key, "/")
	if err := checkKey(plain, false); !ok || err != nil {
		return b.fail("make directory", key, storage.ErrInvalidKey, errors.Join(err, errKeyForm))
	}
	err := b.withParents(plain, func() error {
		return b.inParent(plain, func(d dir, name string) error { return makeDir(d, name, m) })
	})
	return b.writeFault("make directory", key, err)
}

func makeDir(d dir, name string, m storage.Metadata) error {
	if err := d.mkdir(name, 0o777); err != nil {
		s, e := d.lstat(name)
		if !errors.Is(err, fs.ErrExist) || e != nil || s.kind != storage.KindDir {
			return err
		}
	}
	if !m.HasMode && !m.HasOwner {
		if m.MTime.IsZero() {
			return nil
		}
		return d.setMTime(name, m.MTime)
	}
	return d.setDirMeta(name, m)
}

// SetMeta changes what is given of time, mode and owner of a file that is
// still the version obj.
func (b *Bucket) SetMeta(ctx context.Context, obj storage.Object, m storage.Metadata) (storage.Object, error) {
	const op = "set metadata"
	f, _, err := b.openFile(ctx, op, obj.Key, &obj)
	if err != nil {
		return storage.Object{}, err
	}
	defer f.Close()
	var s stat
	err = b.inParent(obj.Key, func(d dir, name string) error { return d.setMeta(f, name, m) })
	if err == nil {
		s, err = statFile(f)
	}
	if err != nil {
		return storage.Object{}, b.writeFault(op, obj.Key, err)
	}
	return s.object(obj.Key), nil
}

// Readlink returns the text of a link; ErrNotFound if the key holds nothing or
// something else.
func (b *Bucket) Readlink(ctx context.Context, key string) (text string, err error) {
	s, err := b.look(ctx, "read link", key)
	if err == nil && s.kind != storage.KindSymlink {
		return "", b.fail("read link", key, storage.ErrNotFound, errors.New("not a symbolic link"))
	}
	if err != nil {
		return "", err
	}
	err = b.inParent(key, func(d dir, name string) (err error) {
		text, err = d.readlink(name)
		return err
	})
	return text, b.readFault("read link", key, err)
}

// Symlink makes a link under a temporary name and renames it over what is there.
func (b *Bucket) Symlink(ctx context.Context, key, text string, m storage.Metadata) (storage.Object, error) {
	var s stat
	if err := ctx.Err(); err != nil {
		return storage.Object{}, err
	}
	if err := checkKey(key, false); err != nil {
		return storage.Object{}, b.fail("symlink", key, storage.ErrInvalidKey, err)
	}
	if text == "" || strings.IndexByte(text, 0) >= 0 {
		return storage.Object{}, b.fail("symlink", key, storage.ErrInvalid, errors.New("a text that no link can have"))
	}
	err := b.withParents(key, func() error {
		return b.inParent(key, func(d dir, name string) (err error) {
			s, err = symlink(d, b.tempName(tempWrite, key), name, text, m)
			return err
		})
	})
	if err != nil {
		return storage.Object{}, b.writeFault("symlink", key, err)
	}
	return s.object(key), nil
}

func symlink(d dir, tmp, name, text string, m storage.Metadata) (stat, error) {
	if err := d.symlink(text, tmp); err != nil {
		return stat{}, err
	}
	err := error(nil)
	if m.HasOwner {
		err = d.chownLink(tmp, m.UID, m.GID)
	}
	if err == nil && !m.MTime.IsZero() {
		err = d.setMTime(tmp, m.MTime)
	}
	if err == nil {
		err = d.rename(tmp, name)
	}
	if err != nil {
		_ = d.remove(tmp) // Sweep removes what stays
		return stat{}, err
	}
	return d.lstat(name)
}

// setDirMeta sets what m knows of a directory, and of nothing that takes its place.
func (d dir) setDirMeta(name string, m storage.Metadata) error {
	f, err := d.open(name, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if s, err := statFile(f); err != nil || s.kind != storage.KindDir {
		return errors.Join(err, errNotDir)
	}
	return d.setMeta(f, name, m)
}
