package store

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Task is a view of one task's tables. Lists are read in pages: after is the
// last key of the page before, "" begins; a limit below 1 yields nothing.
type Task struct {
	s      *Store
	prefix []byte
}

// KeyRecord is an opaque record and its key.
type KeyRecord struct {
	Key    string
	Record []byte
}

// Row returns the inventory's row of a key, and whether there is one.
func (t *Task) Row(key string) (row Row, found bool, err error) {
	found, err = t.get(tableRow, key, func(val []byte) (err error) {
		row, err = parseRow(val)
		return err
	})
	return row, found, err
}

// Failure returns the ledger's row of a key, and whether there is one.
func (t *Task) Failure(key string) (f Failure, found bool, err error) {
	if err := t.s.enter(); err != nil {
		return f, false, err
	}
	defer t.s.leave()
	return t.failure(key)
}

func (t *Task) failure(key string) (f Failure, found bool, err error) {
	found, err = t.s.get(t.key(tableFailure, key), func(val []byte) (err error) {
		f, err = parseFailure(strings.Clone(key), val)
		return err
	})
	return f, found, err
}

// Failures returns the ledger's next rows in the order of their keys.
func (t *Task) Failures(after string, limit int) ([]Failure, error) {
	var out []Failure
	err := t.page(tableFailure, after, limit, func(key string, val []byte) error {
		f, err := parseFailure(key, val)
		out = append(out, f)
		return err
	})
	return out, err
}

// Due returns the first rows of the ledger whose next try is at now or
// before, in the order of that time, those of one time in the order of keys.
// What is given up is not due.
func (t *Task) Due(now time.Time, limit int) ([]Failure, error) {
	if err := t.s.enter(); err != nil {
		return nil, err
	}
	defer t.s.leave()
	var keys []string
	upper := t.dueBefore(now.Add(time.Nanosecond))
	err := t.s.scan(t.key(tableDue, ""), upper, limit, func(k, _ []byte) error {
		_, key, err := t.splitDue(k)
		keys = append(keys, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []Failure
	for _, key := range keys {
		f, found, err := t.failure(key)
		if err != nil {
			return nil, err
		}
		// A commit between the two looks may have dropped or postponed it.
		if found && !f.GivenUp && !f.NextTry.After(now) {
			out = append(out, f)
		}
	}
	return out, nil
}

// NextDue returns the earliest next try of the ledger, and whether there is one.
func (t *Task) NextDue() (at time.Time, found bool, err error) {
	if err := t.s.enter(); err != nil {
		return at, false, err
	}
	defer t.s.leave()
	err = t.s.scan(t.key(tableDue, ""), t.key(tableDue+1, ""), 1, func(k, _ []byte) (err error) {
		at, _, err = t.splitDue(k)
		found = err == nil
		return err
	})
	return at, found, err
}

// Cursors returns the cursors of one pass of a run by id.
func (t *Task) Cursors(run string, pass int) (map[string][]byte, error) {
	if err := t.s.enter(); err != nil {
		return nil, err
	}
	defer t.s.leave()
	prefix := t.passPrefix(run, pass)
	out := make(map[string][]byte)
	err := t.s.scan(prefix, after(prefix), math.MaxInt, func(k, val []byte) error {
		out[string(k[len(prefix):])] = append([]byte(nil), val...)
		return nil
	})
	return out, err
}

// Candidates returns a run's next delete candidates in the order of keys.
func (t *Task) Candidates(run string, after string, limit int) ([]string, error) {
	var out []string
	err := t.candidates(run, after, limit, func(key []byte) { out = append(out, string(key)) })
	return out, err
}

// CandidateCount counts a run's delete candidates by reading through them, at
// some million a second, in constant memory.
func (t *Task) CandidateCount(run string) (n int64, err error) {
	err = t.candidates(run, "", math.MaxInt, func([]byte) { n++ })
	return n, err
}

func (t *Task) candidates(run, first string, limit int, fn func(key []byte)) error {
	if err := t.s.enter(); err != nil {
		return err
	}
	defer t.s.leave()
	prefix := t.runPrefix(tableCandidate, run)
	lower := prefix
	if first != "" {
		lower = append(append([]byte(nil), prefix...), first+"\x00"...)
	}
	return t.s.scan(lower, after(prefix), limit, func(k, _ []byte) error {
		fn(k[len(prefix):])
		return nil
	})
}

// Upload returns the record of a key's upload in progress, and whether there is one.
func (t *Task) Upload(key string) (rec []byte, found bool, err error) {
	return t.opaque(tableUpload, key)
}

// Uploads returns the next uploads in progress in the order of keys.
func (t *Task) Uploads(after string, limit int) ([]KeyRecord, error) {
	var out []KeyRecord
	err := t.page(tableUpload, after, limit, func(key string, val []byte) error {
		out = append(out, KeyRecord{Key: key, Record: append([]byte(nil), val...)})
		return nil
	})
	return out, err
}

// Record returns a small named record, and whether there is one.
func (t *Task) Record(name string) (rec []byte, found bool, err error) {
	return t.opaque(tableRecord, name)
}

func (t *Task) opaque(table byte, key string) (rec []byte, found bool, err error) {
	found, err = t.get(table, key, func(val []byte) error {
		rec = append([]byte(nil), val...)
		return nil
	})
	return rec, found, err
}

func (t *Task) get(table byte, key string, use func(val []byte) error) (bool, error) {
	if err := t.s.enter(); err != nil {
		return false, err
	}
	defer t.s.leave()
	found, err := t.s.get(t.key(table, key), use)
	if err != nil {
		return false, fmt.Errorf("state of %q: %w", key, err)
	}
	return found, nil
}

func (t *Task) page(table byte, first string, limit int, fn func(key string, val []byte) error) error {
	if err := t.s.enter(); err != nil {
		return err
	}
	defer t.s.leave()
	lower, upper := t.bounds(table, first, "")
	return t.s.scan(lower, upper, limit, func(k, val []byte) error {
		return fn(string(k[len(t.prefix)+1:]), val)
	})
}
