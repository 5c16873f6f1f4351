package store

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Batch collects changes to one task's tables. Nothing of it can be read
// before Commit; a later change of one entry replaces an earlier one. It
// copies what it is given. Its memory is what it holds: a few thousand
// entries are a good size.
type Batch struct {
	t      *Task
	b      *pebble.Batch // nil once spent
	ledger map[string]ledgerChange
	key    []byte
	val    []byte
}

// ledgerChange is the new state of a failure; no value drops it.
type ledgerChange struct {
	val []byte
	due *time.Time // nil: never
}

// Batch begins a batch. Unless it is committed it must be discarded.
func (t *Task) Batch() *Batch {
	b := &Batch{t: t}
	if t.s.enter() == nil {
		b.b = t.s.db.NewBatch()
		t.s.leave()
	}
	return b
}

// Commit applies the batch, whole or not at all. With sync it has survived
// kill -9 and a power cut when Commit returns nil; concurrent syncs share one
// write to the disk. Without, readers see it and the next synced commit of the
// store, of any task and even an empty one, makes it durable too: commits
// reach the disk in order.
//
// After an error of the disk it is not known whether the batch was stored:
// the store is broken then (ErrBroken; with ErrNoSpace if the disk is full)
// and nothing after it is. The batch is spent in any case.
func (b *Batch) Commit(sync bool) error {
	defer b.Discard()
	s := b.t.s
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	switch {
	case b.b == nil:
		return errors.New("state database: commit of a spent batch")
	case s.readOnly:
		return ErrReadOnly
	case len(b.ledger) > 0:
		if err := b.applyLedger(); err != nil || !sync {
			return err
		}
		return s.syncAll()
	case b.b.Empty() && sync:
		return s.syncAll()
	}
	return s.apply(b.b, sync)
}

// syncAll makes what was committed so far durable, by an empty record behind
// it. After applyLedger it spares other commits a lock held over the disk's delay.
func (s *Store) syncAll() error {
	mark := s.db.NewBatch()
	defer mark.Close()
	_ = mark.LogData(nil, nil)
	return s.apply(mark, true)
}

// applyLedger completes the batch with the changes of the ledger and its time
// index, which depend on what is stored, and applies it.
func (b *Batch) applyLedger() error {
	s := b.t.s
	s.ledger.Lock()
	defer s.ledger.Unlock()
	for key, c := range b.ledger {
		old, found, err := b.t.failure(key)
		if err != nil {
			return err
		}
		if found && !old.GivenUp {
			_ = b.b.Delete(b.t.dueKey(old.NextTry, key), nil)
		}
		if c.val == nil {
			b.drop(tableFailure, key)
			continue
		}
		b.put(tableFailure, key, c.val)
		if c.due != nil {
			_ = b.b.Set(b.t.dueKey(*c.due, key), nil, nil)
		}
	}
	return s.apply(b.b, false)
}

// Discard releases a batch that will not be committed. It may be called after
// Commit and more than once.
func (b *Batch) Discard() {
	if b.b != nil {
		_ = b.b.Close() // only gives memory back
		b.b = nil
	}
}

// The errors of pebble's batch methods below are nil by their contract.

func (b *Batch) put(table byte, key string, val []byte) {
	if b.b == nil {
		return // Commit says why
	}
	b.key = b.t.appendKey(b.key[:0], table, key)
	_ = b.b.Set(b.key, val, nil)
}

func (b *Batch) drop(table byte, key string) {
	if b.b == nil {
		return
	}
	b.key = b.t.appendKey(b.key[:0], table, key)
	_ = b.b.Delete(b.key, nil)
}

func (b *Batch) set(key, val []byte) {
	if b.b != nil {
		_ = b.b.Set(key, val, nil)
	}
}

func (b *Batch) delete(key []byte) {
	if b.b != nil {
		_ = b.b.Delete(key, nil)
	}
}

func (b *Batch) dropAll(prefix []byte) {
	if b.b != nil {
		_ = b.b.DeleteRange(prefix, after(prefix), nil)
	}
}

func (b *Batch) change(key string, c ledgerChange) {
	if b.ledger == nil {
		b.ledger = make(map[string]ledgerChange)
	}
	b.ledger[key] = c
}

// PutRow writes the inventory's row of a key.
func (b *Batch) PutRow(key string, r Row) {
	b.val = appendRow(b.val[:0], r)
	b.put(tableRow, key, b.val)
}

// DropRow removes the inventory's row of a key.
func (b *Batch) DropRow(key string) { b.drop(tableRow, key) }

// PutFailure writes the ledger's row of f.Key, which is due at f.NextTry
// unless it is given up.
func (b *Batch) PutFailure(f Failure) {
	c := ledgerChange{val: appendFailure(nil, f)}
	if !f.GivenUp {
		c.due = &f.NextTry
	}
	b.change(f.Key, c)
}

// DropFailure removes the ledger's row of a key.
func (b *Batch) DropFailure(key string) { b.change(key, ledgerChange{}) }

// PutCursor writes one cursor of a listing. pass is 0 … 2³²-1.
func (b *Batch) PutCursor(run string, pass int, id string, rec []byte) {
	b.set(append(b.t.passPrefix(run, pass), id...), rec)
}

// DropCursor removes one cursor.
func (b *Batch) DropCursor(run string, pass int, id string) {
	b.delete(append(b.t.passPrefix(run, pass), id...))
}

// DropCursors removes the cursors of all passes of a run.
func (b *Batch) DropCursors(run string) { b.dropAll(b.t.runPrefix(tableCursor, run)) }

// AddCandidate notes a key that may be deleted.
func (b *Batch) AddCandidate(run, key string) {
	b.set(append(b.t.runPrefix(tableCandidate, run), key...), nil)
}

// DropCandidate removes one key from a run's candidates.
func (b *Batch) DropCandidate(run, key string) {
	b.delete(append(b.t.runPrefix(tableCandidate, run), key...))
}

// DropCandidates removes all candidates of a run.
func (b *Batch) DropCandidates(run string) { b.dropAll(b.t.runPrefix(tableCandidate, run)) }

// PutUpload writes the record of a key's upload in progress.
func (b *Batch) PutUpload(key string, rec []byte) { b.put(tableUpload, key, rec) }

// DropUpload removes it.
func (b *Batch) DropUpload(key string) { b.drop(tableUpload, key) }

// PutRecord writes a small named record.
func (b *Batch) PutRecord(name string, rec []byte) { b.put(tableRecord, name, rec) }

// DropRecord removes it.
func (b *Batch) DropRecord(name string) { b.drop(tableRecord, name) }
