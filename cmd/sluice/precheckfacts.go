package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/sluice-sync/sluice/endpoint"
	"github.com/sluice-sync/sluice/precheck"
	"github.com/sluice-sync/sluice/space"
	"github.com/sluice-sync/sluice/task"
)

// precheck is what there is to check of a task between these ends that keeps its
// state below root. creates tells that the task makes its target.
func (e *ends) precheck(spec task.Spec, root string, creates bool) precheck.Config {
	spec.Manifest = e.manifest
	c := precheck.Config{
		Source: e.source, Target: e.target, Spec: spec, Probe: true, Creates: creates, Unprivileged: os.Geteuid() > 0,
		StateDir: root, StateFree: freeBytes(existing(root)), StateWritable: func() error { return writable(root) },
	}
	if !e.target.Features().FileTree {
		return c
	}
	src, dst := e.source.String(), e.target.String()
	c.TargetFree, c.TargetMakeable = freeBytes(existing(dst)), func() error { return writable(dst) }
	if _, _, one := spec.Map.Only(); !one && e.source.Features().FileTree {
		c.Apart = func() error { return apart(src, dst) }
	}
	return c
}

// begun tells whether a task was ever started: then it is remembered how.
func begun(sp *space.Space) bool {
	_, err := os.Stat(startFile(sp))
	return err == nil
}

// openingWarnings are what is said of a place when it is opened, which makes no
// request.
func (a *app) openingWarnings(ctx context.Context, l endpoint.Location) (warnings []string, err error) {
	set, err := a.endpointSet()
	if err != nil {
		return nil, err
	}
	_, err = set.Open(ctx, l, endpoint.OpenOptions{
		Proxy: http.ProxyFromEnvironment, Warn: func(msg string) { warnings = append(warnings, msg) },
	})
	return warnings, err
}

// apart compares two directories by what symbolic links lead to.
func apart(src, dst string) error {
	from, to := resolved(src), resolved(dst)
	if endpoint.Inside(endpoint.Location{Path: from}, endpoint.Location{Path: to}) {
		return fmt.Errorf("%s is %s, and %s is %s", src, from, dst, to)
	}
	return nil
}

// resolved follows the symbolic links of a path as far as it exists.
func resolved(path string) string {
	there := existing(path)
	target, err := filepath.EvalSymlinks(there)
	rest, relErr := filepath.Rel(there, path)
	if err != nil || relErr != nil {
		return path
	}
	return filepath.Join(target, rest)
}

// existing is the path, or the nearest directory above it that is there.
func existing(path string) string {
	for {
		_, err := os.Stat(path)
		up := filepath.Dir(path)
		if err == nil || up == path {
			return path
		}
		path = up
	}
}

// writable tries to write where a directory is or would be made.
func writable(dir string) error {
	f, err := os.CreateTemp(existing(dir), ".sluice-precheck-")
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}
