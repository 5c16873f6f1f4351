package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/endpoint"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/retry"
	"github.com/sluice-sync/sluice/store"
)

// targetClock is how far a target's clock may be from ours when it says when an
// upload began.
const targetClock = 5 * time.Minute

// foundUploads are unfinished uploads and the tasks they may belong to.
type foundUploads struct {
	uploads []*foundUpload
	tasks   []*uploadTask
}

func (f *foundUploads) rows() []uploadRow {
	rows := make([]uploadRow, len(f.uploads))
	for i, u := range f.uploads {
		rows[i] = u.row
	}
	return rows
}

// close gives the spaces of the tasks back.
func (f *foundUploads) close() {
	for _, t := range f.tasks {
		if t.space != nil {
			t.space.Close()
		}
	}
}

// foundUpload is an upload with what it takes to abort it.
type foundUpload struct {
	row  uploadRow
	key  string
	at   storage.Multipart
	task *uploadTask // that remembers it; nil: none does
	rec  string      // the key under which it does
}

// abort removes the upload and what is remembered of it.
func (u *foundUpload) abort(ctx context.Context) error {
	state := uploadForgot
	if u.row.State == uploadOpen {
		if err := u.at.AbortUpload(ctx, u.key, u.row.ID); err != nil {
			return err
		}
		state = uploadAborted
	}
	if u.task != nil {
		if err := u.task.drop(u.rec); err != nil {
			return err
		}
	}
	u.row.State = state
	return nil
}

// uploadFinder looks for uploads.
type uploadFinder struct {
	set    *endpoint.Set
	root   string
	log    *logrus.Logger
	before time.Time // only those begun before; zero: all
	found  *foundUploads
}

// findUploads returns what list and abort are about. The spaces of tasks that
// do not run are owned until it is closed. To abort, none of them may run.
func (a *app) findUploads(ctx context.Context, f *uploadsFlags, args []string, abort bool) (found *foundUploads, err error) {
	u := &uploadFinder{found: &foundUploads{}}
	defer func() {
		if err != nil {
			u.found.close()
		}
	}()
	if u.before, err = f.before(time.Now()); err != nil {
		return nil, err
	}
	var closer io.Closer
	if u.log, closer, err = a.log.open(a.stderr); err != nil {
		return nil, err
	}
	defer closer.Close()
	if u.set, err = a.endpointSet(); err != nil {
		return nil, err
	}
	if u.root, err = a.stateRoot(); err != nil {
		return nil, err
	}
	where, err := a.uploadScope(u, f, args)
	if err != nil {
		return nil, err
	}
	for _, t := range u.found.tasks {
		if abort && t.inUse != nil {
			return nil, fmt.Errorf("task %s: %w", t.name, t.inUse)
		}
	}
	if f.all {
		err = u.everything(ctx, where)
	} else {
		err = u.ofTasks(ctx)
	}
	slices.SortStableFunc(u.found.uploads, func(a, b *foundUpload) int {
		return cmp.Or(cmp.Compare(a.row.Target, b.row.Target), cmp.Compare(a.key, b.key))
	})
	return u.found, err
}

// open opens a target as the owner of uploads there.
func (u *uploadFinder) open(ctx context.Context, l endpoint.Location, owner string) (storage.Multipart, error) {
	b, err := u.set.Open(ctx, l, openOptions(owner, u.log))
	if err != nil {
		return nil, err
	}
	at, ok := storage.As[storage.Multipart](retry.New(b, retry.Config{}))
	if !ok {
		return nil, fmt.Errorf("%s has no multipart uploads: %w", l, storage.ErrUnsupported)
	}
	return at, nil
}

// ofTasks finds what the tasks remember. One that runs keeps that to itself:
// then it is what the target holds, on a store also of others.
func (u *uploadFinder) ofTasks(ctx context.Context) error {
	for _, t := range u.found.tasks {
		at, err := u.open(ctx, t.target, t.name)
		if err != nil {
			return err
		}
		if t.space == nil {
			owner := ""
			if t.target.IsPath() {
				owner = t.name
			}
			if err := u.atTarget(ctx, at, t.target, owner, nil); err != nil {
				return err
			}
			continue
		}
		recs, err := t.remembered()
		if err != nil {
			return err
		}
		for _, r := range recs {
			if err := u.ofRecord(ctx, at, t, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// ofRecord finds the upload of one record, or those that were begun under it
// before its id was known.
func (u *uploadFinder) ofRecord(ctx context.Context, at storage.Multipart, t *uploadTask, r store.KeyRecord) error {
	rec, err := transfer.DecodeUpload(r.Record)
	if err != nil {
		rec = transfer.UploadRecord{} // as the engine takes it: an intent of unknown age
	}
	up := foundUpload{key: r.Key, at: at, task: t, rec: r.Key, row: uploadRow{
		State: uploadGone, Task: t.name, Target: t.target.String(), ID: rec.ID, Started: rec.Begun, Size: rec.Size,
	}}
	ids := []storage.Upload{{Key: r.Key, ID: rec.ID, Started: rec.Begun}}
	if rec.ID == "" {
		ids, err = at.ListUploads(ctx, r.Key)
		if err != nil && !errors.Is(err, storage.ErrUnsupported) {
			return err
		}
	}
	held := false
	for _, id := range ids {
		if id.Started.Before(rec.Begun.Add(-targetClock)) {
			continue
		}
		one := up
		one.row.ID, one.row.Started = id.ID, id.Started
		open, err := one.look(ctx)
		if err != nil {
			return err
		}
		if open {
			held = true
			u.add(&one)
		}
	}
	if !held {
		u.add(&up)
	}
	return nil
}

// look asks the target for the parts; open is false if it has no such upload.
func (u *foundUpload) look(ctx context.Context) (open bool, err error) {
	parts, err := u.at.ListParts(ctx, u.key, u.row.ID)
	if errors.Is(err, storage.ErrNoUpload) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	u.row.State, u.row.Parts = uploadOpen, len(parts)
	for _, p := range parts {
		u.row.Bytes += p.Size
	}
	return true, nil
}

// everything finds all uploads below a location. A file system tells those of
// one owner at a time.
func (u *uploadFinder) everything(ctx context.Context, where endpoint.Location) error {
	known := map[string]*foundUpload{} // by id
	owners := []string{""}
	for _, t := range u.found.tasks {
		if where.IsPath() {
			owners = append(owners, t.name)
		}
		recs, err := t.remembered()
		if err != nil {
			return err
		}
		for _, r := range recs {
			if rec, err := transfer.DecodeUpload(r.Record); err == nil && rec.ID != "" {
				known[rec.ID] = &foundUpload{task: t, rec: r.Key, row: uploadRow{Task: t.name, Size: rec.Size}}
			}
		}
	}
	for _, owner := range owners {
		at, err := u.open(ctx, where, owner)
		if err != nil {
			return err
		}
		if err := u.atTarget(ctx, at, where, owner, known); err != nil {
			return err
		}
	}
	return nil
}

// atTarget finds what a target itself tells.
func (u *uploadFinder) atTarget(ctx context.Context, at storage.Multipart, where endpoint.Location, owner string, known map[string]*foundUpload) error {
	ups, err := at.ListUploads(ctx, "")
	if err != nil {
		return err
	}
	for _, up := range ups {
		one := foundUpload{row: uploadRow{Task: owner}}
		if k := known[up.ID]; k != nil {
			one = *k
		}
		one.key, one.at = up.Key, at
		one.row.Target, one.row.ID, one.row.Started = where.String(), up.ID, up.Started
		if !u.wanted(one.row) {
			continue
		}
		open, err := one.look(ctx)
		if err != nil {
			return err
		}
		if open {
			u.add(&one)
		}
	}
	return nil
}

func (u *uploadFinder) wanted(r uploadRow) bool {
	return u.before.IsZero() || r.Started.Before(u.before)
}

// add keeps an upload that is wanted.
func (u *uploadFinder) add(f *foundUpload) {
	f.row.Key = f.key
	if !validText(f.key) {
		f.row.KeyBytes = []byte(f.key)
	}
	if u.wanted(f.row) {
		u.found.uploads = append(u.found.uploads, f)
	}
}
