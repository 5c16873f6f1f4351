// Package manifest reads the keys that a list names: one key a line, CSV, or
// an S3 Inventory in CSV; compressed with gzip or not. It reads in order, from
// any position that it gave before, and holds a few thousand keys at most.
//
// It must not know what becomes of the keys, nor where positions are kept.
package manifest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/sluice-sync/sluice/storage"
)

// Config says where a manifest is. The name tells its form, with or without a
// ".gz" at its end: ".csv" is CSV, ".json" the manifest.json of an S3
// Inventory, any other has one key a line. What is compressed is found by
// looking at the bytes.
type Config struct {
	Source storage.Source
	Key    string
	// Data finds a file that a manifest.json names by its key in the bucket of
	// the inventory. Required where Key names one.
	Data func(ctx context.Context, key string) (storage.Source, string, error)
	// Prefix is where in the bucket of an inventory the task's source is: keys
	// below it are named without it, all others are left out. "" is the whole
	// bucket, else it ends in "/".
	Prefix string
}

// Manifest is a list of keys of one version. It is safe for concurrent use.
type Manifest struct {
	cfg   Config
	id    string
	files []file
}

// file is one file of a manifest.
type file struct {
	key    string
	want   *storage.Object // the version to read; nil: whatever is there
	md5    string          // of the bytes as they are stored, in hex; "" is not known
	layout layout
}

// Position is a place in a manifest, between two records. The zero Position is
// its beginning.
type Position struct {
	File   int   `json:"file"`   // files that are read
	Record int64 `json:"record"` // records of the next file that are read
	Counts
}

// Counts are of the records before a position.
type Counts struct {
	Keys      int64 `json:"keys"`      // named, repeats included
	Elsewhere int64 `json:"elsewhere"` // of an inventory: not below the prefix
	Versions  int64 `json:"versions"`  // of an inventory: not the latest version, or a delete marker
}

// maxIndex bounds a manifest.json, which is read into memory: some 200 bytes
// for each file of an inventory.
const maxIndex = 64 << 20

// Open looks at a manifest and reads a manifest.json, but no keys. Errors are
// those of storage, or say what is wrong with the form.
func Open(ctx context.Context, cfg Config) (*Manifest, error) {
	info, err := cfg.Source.Stat(ctx, cfg.Key)
	if err != nil {
		return nil, err
	}
	m := &Manifest{cfg: cfg}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", cfg.Source, cfg.Key, info.Version(), cfg.Prefix))
	m.id = hex.EncodeToString(sum[:16])
	main := file{key: cfg.Key, want: &info.Object, layout: lineLayout{}}
	switch path.Ext(strings.TrimSuffix(strings.ToLower(cfg.Key), ".gz")) {
	case ".json":
		if m.files, err = m.index(ctx, main); err != nil {
			return nil, located(err, cfg.Source, cfg.Key)
		}
		return m, nil
	case ".csv":
		main.layout = csvLayout{}
	}
	m.files = []file{main}
	return m, nil
}

// located says where an error is that does not say so itself.
func located(err error, src storage.Source, key string) error {
	var e *storage.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return fmt.Errorf("%s in %s: %w", key, src, err)
}

// ID tells this version of this manifest, read for this prefix, from others.
func (m *Manifest) ID() string { return m.id }

// Done tells whether a position is the end.
func (m *Manifest) Done(p Position) bool { return p.File >= len(m.files) }

// Bounds of what Keys hands over at once.
const (
	maxKeys    = 4096
	maxRecords = 65536
)

// Keys reads the manifest from a position on and hands over its keys, in order
// and some at a time, with the position behind them; there may be none of a
// stretch that names none. The keys may be kept. It ends with the manifest,
// with do's error, or with its own: those of storage (ErrChanged if the
// manifest is another one by now, ErrCorrupt if a file of an inventory is not
// what its MD5 says), or what is wrong with a record and where it is.
func (m *Manifest) Keys(ctx context.Context, from Position, do func(keys []string, at Position) error) error {
	for at := from; !m.Done(at); {
		f := m.files[at.File]
		src, key := m.cfg.Source, f.key
		if f.want == nil {
			var err error
			if src, key, err = m.cfg.Data(ctx, f.key); err != nil {
				return err
			}
		}
		if err := m.read(ctx, f, src, key, &at, do); err != nil {
			return err
		}
	}
	return nil
}

// read reads one file from at on, to its end.
func (m *Manifest) read(ctx context.Context, f file, src storage.Source, key string, at *Position, do func([]string, Position) error) error {
	r, err := open(ctx, src, key, f)
	if err != nil {
		return located(err, src, key)
	}
	defer r.Close()
	next, err := f.layout.records(r)
	if err != nil {
		return located(err, src, key)
	}
	var keys []string
	skip, n := at.Record, 0
	for {
		rec, err := next()
		if err == io.EOF { //nolint:errorlint // a broken connection may wrap it
			break
		}
		if err != nil {
			return located(err, src, key)
		}
		if skip > 0 {
			skip--
			continue
		}
		at.Record++
		n++
		if key, ok := m.takes(rec, &at.Counts); ok {
			keys = append(keys, key)
		}
		if len(keys) >= maxKeys || n >= maxRecords {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := do(keys, *at); err != nil {
				return err
			}
			keys, n = nil, 0
		}
	}
	if err := r.finish(ctx); err != nil {
		return located(err, src, key)
	}
	at.File, at.Record = at.File+1, 0
	return do(keys, *at)
}

// takes decides on a record.
func (m *Manifest) takes(rec record, c *Counts) (key string, ok bool) {
	key = rec.key
	if rec.stale {
		c.Versions++
		return "", false
	}
	if rec.ofBucket {
		if key, ok = strings.CutPrefix(key, m.cfg.Prefix); !ok || key == "" {
			c.Elsewhere++
			return "", false
		}
	}
	if key == "" {
		return "", false
	}
	c.Keys++
	return key, true
}
