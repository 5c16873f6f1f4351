package task

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-sync/sluice/producers/manifest"
	"github.com/sluice-sync/sluice/store"
)

// recordManifest is the name of the record of how far a manifest was read.
const recordManifest = "manifest"

// manifestRead is that record. Another run's says nothing.
type manifestRead struct {
	Run string            `json:"run"`
	ID  string            `json:"id"` // of the manifest
	At  manifest.Position `json:"at"`
}

// Named are the keys that a manifest names, kept in the state of a task for
// one run: read in the manifest's order, handed out in that of keys, each
// once. They lie where a run with deletes keeps its candidates, which a run
// with a manifest has none of, and go when those go.
type Named struct {
	st  *store.Task
	run string
}

// NamedIn are those of a run.
func NamedIn(st *store.Task, run string) Named { return Named{st, run} }

// Read reads on where an earlier call ended, whatever ended it, and returns
// when all keys are kept; unsaved tells whether any were not. Another manifest
// than the run's is an error.
func (n Named) Read(ctx context.Context, m *manifest.Manifest) (c manifest.Counts, unsaved bool, err error) {
	var was manifestRead
	if _, err := load(n.st, recordManifest, &was); err != nil {
		return c, false, err
	}
	switch {
	case was.Run != n.run:
		was = manifestRead{Run: n.run, ID: m.ID()}
		unsaved = true
	case was.ID != m.ID():
		return c, false, errors.New("the run is of another one")
	}
	err = m.Keys(ctx, was.At, func(keys []string, at manifest.Position) error {
		was.At, unsaved = at, true
		return n.keep(keys, was, m.Done(at))
	})
	return was.At.Counts, unsaved, err
}

// keep adds keys with the position behind them. Commits are seen in order
// after a crash; only the last one must survive it before anything is listed.
func (n Named) keep(keys []string, at manifestRead, sync bool) error {
	b := n.st.Batch()
	defer b.Discard()
	for _, key := range keys {
		b.AddCandidate(n.run, key)
	}
	if err := put(b, recordManifest, at); err != nil {
		return err
	}
	if err := b.Commit(sync); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

// After returns the next keys, as list.Config.Named asks for them.
func (n Named) After(key string, most int) ([]string, error) {
	return n.st.Candidates(n.run, key, most)
}

func (t *Task) named() Named { return NamedIn(t.st, t.rec.ID) }

// readManifest reads what is left of the manifest.
func (t *Task) readManifest(ctx context.Context) error {
	c, unsaved, err := t.named().Read(ctx, t.cfg.Spec.Manifest)
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	t.mu.Lock()
	first := t.manifest == nil
	t.manifest = &c
	t.mu.Unlock()
	if first && unsaved {
		level := Info
		if c.Elsewhere > 0 {
			level = Warn // as with the inventory of another bucket
		}
		t.cfg.Notify(level, fmt.Sprintf("the manifest names %d keys; left out: %d outside of the source, %d older versions and delete markers", c.Keys, c.Elsewhere, c.Versions))
	}
	return nil
}
