package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/sluice-sync/sluice/endpoint"
	"github.com/sluice-sync/sluice/producers/list"
	"github.com/sluice-sync/sluice/producers/manifest"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/store"
	"github.com/sluice-sync/sluice/task"
)

// parseKeyRange reads A..B. "" is all keys.
func parseKeyRange(s string) (b list.Bounds, err error) {
	if s == "" {
		return b, nil
	}
	from, to, ok := strings.Cut(s, "..")
	switch {
	case !ok:
		return b, usagef("--key-range %q: use A..B, A.. or ..B", s)
	case strings.Contains(to, ".."), strings.HasPrefix(to, "."):
		return b, usagef("--key-range %q: it cannot be told which dots are those between A and B; neither may hold two in a row", s)
	case from == "" && to == "":
		return b, usagef("--key-range ..: leave it out for all keys")
	case to != "" && from >= to:
		return b, usagef("--key-range %q: no key is at or above %q and below %q", s, from, to)
	}
	return list.Bounds{From: from, To: to}, nil
}

// opener opens a location as those of the task are opened.
type opener func(endpoint.Location) (storage.Bucket, error)

// openManifest opens what --from-manifest names, nil if it is not given, for a
// task whose source is src.
func (f *syncFlags) openManifest(ctx context.Context, set *endpoint.Set, src endpoint.Location, open opener) (*manifest.Manifest, error) {
	if f.fromManifest == "" {
		return nil, nil
	}
	cwd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	loc, err := set.Parse(f.fromManifest, cwd)
	if err != nil {
		return nil, usagef("--from-manifest: %w", err)
	}
	if loc.Slash {
		return nil, usagef("--from-manifest %s: name a file or an object, not a directory", loc)
	}
	for i, word := range f.given { // it is to name the same from every directory
		if strings.HasPrefix(word, "--from-manifest=") {
			f.given[i] = "--from-manifest=" + loc.String()
		}
	}
	cfg, err := manifestAt(loc, open)
	if err != nil {
		return nil, earlyError{"manifest", err}
	}
	if cfg.Prefix = src.Prefix; cfg.Prefix != "" {
		cfg.Prefix += "/"
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	m, err := manifest.Open(ctx, cfg)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("not read within %s: %w", checkTimeout, err)
	case err == nil:
		return m, nil
	}
	return nil, earlyError{"manifest", err}
}

// manifestAt says how to read a manifest. The files of an inventory are named
// by their keys in the bucket that it is in. One that was fetched lies in the
// same order of directories (data beside that of manifest.json), or in one.
func manifestAt(loc endpoint.Location, open opener) (manifest.Config, error) {
	if !loc.IsPath() {
		root, err := open(endpoint.Location{Endpoint: loc.Endpoint, Bucket: loc.Bucket, Slash: true})
		if err != nil {
			return manifest.Config{}, err
		}
		return manifest.Config{Source: root, Key: loc.Prefix, Data: func(_ context.Context, key string) (storage.Source, string, error) {
			return root, key, nil
		}}, nil
	}
	file, err := filepath.EvalSymlinks(loc.Path)
	if err != nil {
		return manifest.Config{}, err
	}
	dir := filepath.Dir(file)
	b, err := open(endpoint.Location{Path: dir})
	if err != nil {
		return manifest.Config{}, err
	}
	return manifest.Config{Source: b, Key: filepath.Base(file), Data: func(ctx context.Context, key string) (storage.Source, string, error) {
		var missing error
		for _, d := range []string{filepath.Join(dir, "..", "data"), dir} {
			b, err := open(endpoint.Location{Path: d})
			if err != nil {
				return nil, "", err
			}
			if _, missing = b.Stat(ctx, path.Base(key)); missing == nil {
				return b, path.Base(key), nil
			}
		}
		return nil, "", fmt.Errorf("the file %s of the inventory must lie beside manifest.json or in ../data: %w", path.Base(key), missing)
	}}, nil
}

// manifestKeys reads a manifest for a dry run, into a state that drop removes.
func manifestKeys(ctx context.Context, m *manifest.Manifest) (keys task.Named, drop func() error, err error) {
	dir, err := os.MkdirTemp("", "sluice-manifest-")
	if err != nil {
		return keys, nil, err
	}
	drop = func() error { return os.RemoveAll(dir) }
	st, err := store.Open(filepath.Join(dir, "db"), store.Options{})
	if err != nil {
		return keys, nil, firstError(err, drop())
	}
	drop = func() error { return firstError(st.Close(), os.RemoveAll(dir)) }
	keys = task.NamedIn(st.Task("dry-run"), "dry-run")
	if _, _, err := keys.Read(ctx, m); err != nil {
		return keys, nil, firstError(fmt.Errorf("manifest: %w", err), drop())
	}
	return keys, drop, nil
}
