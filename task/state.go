package task

import (
	"context"
	"fmt"
	"sync"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/producers/list"
	"github.com/sluice-sync/sluice/store"
)

// listState is the store as the lister sees it.
type listState struct {
	st  *store.Task
	run string
}

func (s listState) Cursors(pass int) (map[string][]byte, error) { return s.st.Cursors(s.run, pass) }

// Save commits what one page of the listing leaves behind.
func (s listState) Save(_ context.Context, pass int, v list.Save) error {
	b := s.st.Batch()
	defer b.Discard()
	for id, rec := range v.Put {
		b.PutCursor(s.run, pass, id, rec)
	}
	for _, key := range v.Candidates {
		b.AddCandidate(s.run, key)
	}
	for _, r := range v.Rows {
		// Equal without our doing: no outcome of this run, only the answer.
		b.PutRow(r.Key, store.Row{Src: r.Src, Dst: r.Dst})
	}
	return b.Commit(v.Sync)
}

func (s listState) Rows(after, last string) list.RowReader { return rowReader{s.st.Rows(after, last)} }

type rowReader struct{ rows *store.Rows }

func (r rowReader) Get(key string) (list.Row, bool, error) {
	row, ok, err := r.rows.Seek(key)
	if err != nil || !ok {
		return list.Row{}, false, err
	}
	put, _ := splitOutcome(row.Outcome)
	if put == "" {
		row.Run = "" // a delete does not count the key among those found
	}
	return list.Row{Run: row.Run, Outcome: put, Src: row.Src, Dst: row.Dst}, true, nil
}

func (r rowReader) Close() error { return r.rows.Close() }

// transferState is the store as the transfer engine sees it. It knows which
// keys have an upload under way, a few at a time, so that the many others are
// not looked up one by one.
type transferState struct {
	st  *store.Task
	run string

	mu      sync.Mutex
	uploads map[string]struct{} // keys with a record, or about to have one
}

func newTransferState(st *store.Task, run string) (*transferState, error) {
	s := &transferState{st: st, run: run, uploads: map[string]struct{}{}}
	return s, eachUpload(st, func(r store.KeyRecord) { s.uploads[r.Key] = struct{}{} })
}

// Applied knows what this run did: what an earlier one did the listing has
// weighed, by rules that may ask for a new copy.
func (s *transferState) Applied(key string) (src, dst string, ok bool, err error) {
	row, _, err := s.st.Row(key)
	if put, _ := splitOutcome(row.Outcome); err != nil || row.Run != s.run || bus.Outcome(put) != bus.Copied {
		return "", "", false, err
	}
	return row.Src, row.Dst, true, nil
}

func (s *transferState) Upload(key string) ([]byte, bool, error) {
	s.mu.Lock()
	_, known := s.uploads[key]
	s.mu.Unlock()
	if !known {
		return nil, false, nil
	}
	return s.st.Upload(key)
}

func (s *transferState) PutUpload(key string, rec []byte) error {
	s.mu.Lock()
	s.uploads[key] = struct{}{}
	s.mu.Unlock()
	b := s.st.Batch()
	defer b.Discard()
	b.PutUpload(key, rec)
	return b.Commit(true)
}

func (s *transferState) DropUpload(key string) error {
	b := s.st.Batch()
	defer b.Discard()
	b.DropUpload(key)
	if err := b.Commit(true); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.uploads, key)
	return nil
}

// eachUpload calls do for every upload under way.
func eachUpload(st *store.Task, do func(store.KeyRecord)) error {
	for after := ""; ; {
		recs, err := st.Uploads(after, 1000)
		if err != nil {
			return fmt.Errorf("state: %w", err)
		}
		for _, r := range recs {
			do(r)
			after = r.Key
		}
		if len(recs) < 1000 {
			return nil
		}
	}
}
