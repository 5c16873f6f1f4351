package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-sync/sluice/endpoint"
	"github.com/sluice-sync/sluice/space"
	"github.com/sluice-sync/sluice/store"
	"github.com/sluice-sync/sluice/task"
)

// uploadTask is a task that has uploads.
type uploadTask struct {
	name   string
	path   string            // as space.Names has it
	target endpoint.Location // as it was opened last
	space  *space.Space      // owned; nil while another process runs the task
	inUse  error             // then
}

// remembered returns what the state of a task that does not run knows.
func (t *uploadTask) remembered() (recs []store.KeyRecord, err error) {
	if t.space == nil {
		return nil, nil
	}
	st, err := store.Open(t.space.DBDir(), store.Options{ReadOnly: true})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", t.name, err)
	}
	defer func() { err = firstError(err, st.Close()) }()
	for after := ""; ; {
		page, err := st.Task(t.name).Uploads(after, 1000)
		if err != nil {
			return nil, err
		}
		recs = append(recs, page...)
		if len(page) < 1000 {
			return recs, nil
		}
		after = page[len(page)-1].Key
	}
}

func (t *uploadTask) drop(key string) (err error) {
	st, err := store.Open(t.space.DBDir(), store.Options{})
	if err != nil {
		return fmt.Errorf("task %s: %w", t.name, err)
	}
	defer func() { err = firstError(err, st.Close()) }()
	b := st.Task(t.name).Batch()
	b.DropUpload(key)
	return b.Commit(true)
}

// uploadScope finds the tasks that are meant and where --all looks.
func (a *app) uploadScope(u *uploadFinder, f *uploadsFlags, args []string) (endpoint.Location, error) {
	if len(args) == 1 && strings.ContainsAny(args[0], `/\:.`) {
		cwd, err := os.Getwd()
		if err != nil {
			return endpoint.Location{}, err
		}
		where, err := u.set.Parse(args[0], cwd)
		if err != nil {
			return where, usagef("LOCATION: %w", err)
		}
		names, err := space.Names(u.root)
		if err != nil {
			return where, err
		}
		return where, u.addTasks(names, func(target endpoint.Location) bool {
			// With --all also tasks that write to more than this.
			return f.all && u.set.Inside(target, where) || below(target, where)
		})
	}
	name, err := a.taskName(u.root, args)
	if err != nil {
		return endpoint.Location{}, err
	}
	if err := u.addTasks([]string{name}, func(endpoint.Location) bool { return true }); err != nil {
		return endpoint.Location{}, err
	}
	if len(u.found.tasks) == 0 {
		return endpoint.Location{}, usagef("task %s has never been started", name)
	}
	where := u.found.tasks[0].target
	if !f.all {
		return where, nil
	}
	names, err := space.Names(u.root)
	if err != nil {
		return where, err
	}
	return where, u.addTasks(names, func(target endpoint.Location) bool { return u.set.Inside(target, where) })
}

// below tells whether a location is where or lies in it.
func below(l, where endpoint.Location) bool {
	in := where.String()
	return l.String() == in || strings.HasPrefix(l.String(), strings.TrimSuffix(in, "/")+"/")
}

// addTasks takes those of the named tasks that have a target of the kind, each once.
func (u *uploadFinder) addTasks(names []string, fits func(target endpoint.Location) bool) error {
	have := map[string]bool{}
	for _, t := range u.found.tasks {
		have[t.path] = true
	}
	for _, name := range names {
		if have[name] {
			continue
		}
		t := &uploadTask{name: name[strings.Index(name, "/")+1:], path: name}
		text, err := targetOf(u.root, name)
		if err != nil {
			return err
		}
		if text == "" {
			continue
		}
		if t.target, err = endpoint.Parse(text, u.root); err != nil { // known or not any more
			return fmt.Errorf("task %s: %w", name, err)
		}
		if !fits(t.target) {
			continue
		}
		t.space, err = u.own(t)
		var used *space.InUseError
		if errors.As(err, &used) {
			t.inUse = err
		} else if err != nil {
			return err
		}
		u.found.tasks = append(u.found.tasks, t)
	}
	return nil
}

// own opens the space of a task. One that shares it with a task that was found
// before goes in by that one's lock.
func (u *uploadFinder) own(t *uploadTask) (*space.Space, error) {
	home, _, shared := strings.Cut(t.path, "/")
	for _, other := range u.found.tasks {
		if shared && other.space != nil && strings.HasPrefix(other.path, home+"/") {
			return other.space.Task(t.name)
		}
	}
	return space.Open(u.root, t.path)
}

// targetOf returns the place that a task wrote to last; "" if it never did. A
// task of one object writes to the directory of what was given as its target,
// which its snapshot tells and its start does not.
func targetOf(root, name string) (string, error) {
	var snap task.Snapshot
	if _, err := space.Status(root, name, &snap); err != nil || snap.Target != "" {
		return snap.Target, err
	}
	data, err := os.ReadFile(filepath.Join(root, name, "task.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	var was started
	if err == nil {
		err = json.Unmarshal(data, &was)
	}
	return was.Target, err
}
