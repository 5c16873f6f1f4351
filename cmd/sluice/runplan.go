package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluice-sync/sluice/endpoint"
	"github.com/sluice-sync/sluice/space"
	"github.com/sluice-sync/sluice/task"
	"github.com/sluice-sync/sluice/taskfile"
)

// planned is a task of a file, as the flags of sync would have it.
type planned struct {
	taskfile.Task
	name     string // of its state
	flags    *syncFlags
	spec     task.Spec
	src, dst endpoint.Location
}

// plan reads a task file and turns its tasks into flags of sync, so that both
// ways to say a thing mean the same. What is wrong with any task of the file
// fails here, before one of them begins.
func (a *app) plan(f *runFlags, path string) ([]*planned, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	data, err := readTaskFile(path)
	if err != nil {
		return nil, usagef("the task file cannot be read: %w", err)
	}
	file, err := taskfile.Parse(path, filepath.Dir(abs), data)
	if err != nil {
		return nil, usageError{err}
	}
	a.taskFile = abs
	set, err := a.endpointSet()
	if err != nil {
		return nil, err
	}
	all := make([]*planned, 0, len(file.Tasks))
	for _, t := range file.Tasks {
		p := &planned{Task: t, name: space.Name(t.ID.Text, abs)}
		if err := p.resolve(f, set, abs); err != nil {
			return nil, usageError{err}
		}
		all = append(all, p)
	}
	if err := deletesApart(set, all); err != nil {
		return nil, usageError{err}
	}
	return all, nil
}

// check refuses what the flags of the command itself say wrongly.
func (f *runFlags) check() error {
	each, err := parseFlags(f.given)
	if err != nil {
		return usageError{err}
	}
	each.out = f.out
	return each.check()
}

// readTaskFile reads no more than a task file may hold, and one byte.
func readTaskFile(path string) ([]byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, taskfile.MaxBytes+1))
}

// resolve reads what the task says as flags and locations.
func (p *planned) resolve(f *runFlags, set *endpoint.Set, file string) (err error) {
	if p.flags, err = parseFlags(append(p.Words(), f.given...)); err != nil {
		return p.Blame(err)
	}
	p.flags.file = file
	p.flags.out = f.out
	if p.spec, err = p.flags.spec(); err != nil {
		return p.Blame(err)
	}
	if _, err := p.flags.newBandwidth(); err != nil {
		return p.Blame(err)
	}
	p.src, p.dst, err = locationsIn(set, p.Dir(), p.Source.Text, p.Target.Text)
	return p.blameLocations(err)
}

// blameLocations says where in the file a location is wrong.
func (p *planned) blameLocations(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if rest, ok := strings.CutPrefix(text, "SRC: "); ok {
		return p.Source.Errorf("source: %s", rest)
	}
	if rest, ok := strings.CutPrefix(text, "DST: "); ok {
		return p.Target.Errorf("target: %s", rest)
	}
	if rest, ok := strings.CutPrefix(text, "SRC and DST "); ok {
		return p.Errorf("source and target %s", rest)
	}
	return p.Errorf("%w", err)
}

// deletesApart refuses a task that deletes where another one of the file writes: it
// would take the other's objects for extraneous.
func deletesApart(set *endpoint.Set, all []*planned) error {
	for _, d := range all {
		for _, w := range all {
			if d != w && d.flags.delete && (set.Inside(d.dst, w.dst) || set.Inside(w.dst, d.dst)) {
				return d.Delete.Enabled.Errorf("task %s would delete at %s what task %s writes to %s", d.ID.Text, d.dst, w.ID.Text, w.dst)
			}
		}
	}
	return nil
}

// selected are the tasks that --only names, or all.
func selected(all []*planned, only []string) ([]*planned, error) {
	if len(only) == 0 {
		return all, nil
	}
	var some []*planned
	ids := make([]string, len(all))
	for i, p := range all {
		ids[i] = p.ID.Text
		if slices.Contains(only, p.ID.Text) {
			some = append(some, p)
		}
	}
	for _, id := range only {
		if !slices.Contains(ids, id) {
			return nil, usageError{errors.New("--only " + id + ": " + fmt.Sprintf("the file has the tasks %s", strings.Join(ids, ", ")))}
		}
	}
	return some, nil
}
