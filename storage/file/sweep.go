package file

import (
	"context"
	"errors"
	"io/fs"

	"github.com/sluice-sync/sluice/storage"
)

// Sweep removes the temporary files of this owner in the whole tree, but the
// uploads whose ids are in keep. It reads every directory once and looks at no
// file; directories that may not be read hold nothing of ours.
func (b *Bucket) Sweep(ctx context.Context, keep map[string]bool) (removed int, err error) {
	err = b.walkTemps(ctx, func(d dir, name string) error {
		use, owner, id := tempParts(name)
		if owner != b.owner || use != tempWrite && keep[id] {
			return nil
		}
		err := d.remove(name)
		if err == nil {
			removed++
		}
		if isOne(err, missing) {
			return nil
		}
		return err
	})
	return removed, b.writeFault("sweep", "", err)
}

// walkTemps calls found for every temporary name in the tree.
func (b *Bucket) walkTemps(ctx context.Context, found func(d dir, name string) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	root, err := openRoot(b.root, true)
	if err != nil {
		return noRoot(err)
	}
	defer root.close()
	return walkTemps(ctx, root, make([]byte, direntBuffer), found)
}

// walkTemps holds the names of the directories on its way, not those of files.
func walkTemps(ctx context.Context, d dir, buf []byte, found func(d dir, name string) error) error {
	var subs []string
	if err := readTemps(ctx, d, buf, found, &subs); err != nil {
		return err
	}
	for _, name := range subs {
		sub, err := d.subList(name)
		if isOne(err, missing) || isOne(err, denied) {
			continue
		}
		if err != nil {
			return err
		}
		err = walkTemps(ctx, sub, buf, found)
		sub.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// readTemps reads one directory. What found removes meanwhile may hide other
// entries on some file systems, so names are gathered first.
func readTemps(ctx context.Context, d dir, buf []byte, found func(d dir, name string) error, subs *[]string) error {
	var temps []string
	err := d.entries(buf, func(name []byte, isDir bool) error {
		switch {
		case isDir && subs != nil:
			*subs = append(*subs, string(name))
		case !isDir && isTemp(name):
			temps = append(temps, string(name))
		}
		return ctx.Err()
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range temps {
		if err := found(d, name); err != nil {
			return err
		}
	}
	return nil
}

// tempsBeside calls found for the temporary names in the directory of a key.
func (b *Bucket) tempsBeside(ctx context.Context, key string, found func(d dir, name string) error) error {
	if err := checkKey(key, false); err != nil {
		return b.fail("list uploads", key, storage.ErrInvalidKey, err)
	}
	err := b.inParent(key, func(at dir, _ string) error {
		d, err := at.subList(".")
		if err != nil {
			return err
		}
		defer d.close()
		return readTemps(ctx, d, make([]byte, direntBuffer), found, nil)
	})
	if !errors.Is(err, errNoRoot) && isOne(err, missing) {
		return nil
	}
	return err
}
