package task

import (
	"context"

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
	return list.Row{Run: row.Run, Outcome: row.Outcome, Src: row.Src, Dst: row.Dst}, true, nil
}

func (r rowReader) Close() error { return r.rows.Close() }

// transferState is the store as the transfer engine sees it.
type transferState struct{ st *store.Task }

func (s transferState) Applied(key string) (src, dst string, ok bool, err error) {
	row, found, err := s.st.Row(key)
	if err != nil || !found || bus.Outcome(row.Outcome) != bus.Copied {
		return "", "", false, err
	}
	return row.Src, row.Dst, true, nil
}

func (s transferState) Upload(key string) ([]byte, bool, error) { return s.st.Upload(key) }

func (s transferState) PutUpload(key string, rec []byte) error {
	b := s.st.Batch()
	defer b.Discard()
	b.PutUpload(key, rec)
	return b.Commit(true)
}

func (s transferState) DropUpload(key string) error {
	b := s.st.Batch()
	defer b.Discard()
	b.DropUpload(key)
	return b.Commit(true)
}
