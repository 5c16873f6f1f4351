package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Rows walks the inventory in the byte order of keys, with Next, with Seek, or
// with both. It sees the store as it was when it was made, however long it
// lives; while it does, that state is kept on disk and up to three memtables
// in memory. It must be closed before the store is.
type Rows struct {
	t   *Task
	it  *pebble.Iterator // nil once closed, or if there never was one
	err error

	started bool
	ahead   bool   // the iterator stands on a row that Next has yet to yield
	floor   []byte // no row lies in floor <= key < the iterator's position; empty: not known
	target  []byte // what Seek looks for
}

// Rows begins a walk over the rows with first < key <= last; an empty first
// is the beginning, an empty last the end.
func (t *Task) Rows(first, last string) *Rows {
	r := &Rows{t: t}
	if r.err = t.s.enter(); r.err != nil {
		return r
	}
	defer t.s.leave()
	lower, upper := t.bounds(tableRow, first, last)
	if bytes.Compare(lower, upper) > 0 {
		upper = lower
	}
	it, err := t.s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		r.err = t.s.readError(err)
		return r
	}
	t.s.rows.Add(1)
	r.it = it
	return r
}

// Next goes to the next row: the first one, or the first above the row that
// Next or a found Seek gave last, or, after a Seek that found nothing, the
// first above the key sought. It returns false at the end and after an error.
func (r *Rows) Next() bool {
	switch {
	case !r.usable():
		return false
	case !r.started:
		r.it.First()
	case !r.ahead:
		r.it.Next()
	}
	r.started, r.ahead, r.floor = true, false, r.floor[:0]
	return r.check()
}

// Key is the key of the row that Next or a found Seek went to.
func (r *Rows) Key() string {
	return string(r.it.Key()[len(r.t.prefix)+1:])
}

// Row decodes the row that Next went to.
func (r *Rows) Row() (Row, error) {
	val, err := r.it.ValueAndErr()
	if err != nil {
		return Row{}, r.t.s.readError(err)
	}
	row, err := parseRow(val)
	if err != nil {
		return row, fmt.Errorf("state of %q: %w", r.Key(), err)
	}
	return row, nil
}

// Seek looks one key up. Keys outside of the walk's range are not found. It is
// cheap if keys ascend from call to call, and cheapest if few rows lie between
// one and the next; other orders are right, but each costs a search.
func (r *Rows) Seek(key string) (row Row, found bool, err error) {
	if !r.usable() {
		return row, false, r.err
	}
	r.target = r.t.appendKey(r.target[:0], tableRow, key)
	r.seek()
	r.started = true
	r.ahead = !r.check() || !bytes.Equal(r.it.Key(), r.target)
	if r.ahead {
		return row, false, r.err
	}
	row, r.err = r.Row()
	return row, r.err == nil, r.err
}

// seek goes to the first row at or above the target, by a step where that is enough.
func (r *Rows) seek() {
	if r.started && r.it.Valid() {
		switch c := bytes.Compare(r.it.Key(), r.target); {
		case c == 0:
			return
		case c > 0 && len(r.floor) > 0 && bytes.Compare(r.floor, r.target) <= 0:
			return
		case c < 0 && r.step():
			r.floor = append(r.floor[:0], r.target...)
			return
		}
	}
	r.it.SeekGE(r.target)
	r.floor = append(r.floor[:0], r.target...)
}

// step tries to reach the target row by row: a search costs as much as some
// tens of steps.
func (r *Rows) step() bool {
	for range 16 {
		if !r.it.Next() {
			return r.it.Error() == nil
		}
		if bytes.Compare(r.it.Key(), r.target) >= 0 {
			return true
		}
	}
	return false
}

// Err is what ended the walk early, or nil.
func (r *Rows) Err() error { return r.err }

// Close releases the walk; it may be called more than once.
func (r *Rows) Close() error {
	if r.it == nil {
		return nil
	}
	err := r.it.Close()
	r.it = nil
	r.t.s.rows.Add(-1)
	if r.err == nil {
		r.err = errors.New("state database: rows are closed")
	}
	if err != nil {
		return r.t.s.readError(err)
	}
	return nil
}

func (r *Rows) usable() bool {
	if r.err == nil {
		r.err = r.t.s.breaker.err()
	}
	return r.err == nil
}

// check tells whether the iterator stands on a row, and keeps its error.
func (r *Rows) check() bool {
	if r.it.Valid() {
		return true
	}
	if err := r.it.Error(); err != nil {
		r.err = r.t.s.readError(err)
	}
	return false
}
