package task

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluice-sync/sluice/producers/list"
	"github.com/sluice-sync/sluice/store"
)

// Names of the records a task keeps in its store.
const (
	recordRun      = "run"
	recordCounters = "counters"
)

// Phases of a run, in order.
const (
	phaseScanning = "scanning"
	phaseDeleting = "deleting"
	phaseDone     = "done"
)

// run is the durable record of the current or last run.
type run struct {
	ID      string        `json:"id"`
	Spec    string        `json:"spec"`
	Phase   string        `json:"phase"`
	Passes  []list.Totals `json:"passes,omitempty"` // of the completed passes
	Starts  int           `json:"starts"`           // processes that worked on it
	Started time.Time     `json:"started"`
	Ended   time.Time     `json:"ended,omitzero"`
	Boot    string        `json:"boot"` // of the machine when it was last worked on
	// MarkSeq and Mark recognise a lost tail of the events stream; Lost says
	// that one was found out otherwise.
	MarkSeq uint64 `json:"mark_seq,omitempty"`
	Mark    string `json:"mark,omitempty"`
	Lost    bool   `json:"lost,omitempty"`
}

// counters are what results add up to in one run. The projector alone writes
// them, in one commit with the rows they count.
type counters struct {
	Run       string           `json:"run"`
	ResultSeq uint64           `json:"result_seq"` // last batch that is in
	Copied    int64            `json:"copied"`
	Skipped   map[string]int64 `json:"skipped,omitempty"` // by reason
	Failed    int64            `json:"failed"`
	Retrying  int64            `json:"retrying"`
	Restoring int64            `json:"restoring,omitempty"` // of those, archived objects that wait for their restore
	RetryDel  int64            `json:"retrying_deletes"`
	FailedDel int64            `json:"failed_deletes"`
	Deleted   int64            `json:"deleted"`
	Moved     int64            `json:"moved"`      // bytes sent, repeats included
	Bytes     int64            `json:"bytes"`      // sizes of the copied objects
	SkipBytes int64            `json:"skip_bytes"` // sizes of objects skipped or failed after they were published
	Unvouched int64            `json:"unvouched"`
	// NotKept names what some object had and the target cannot hold, with the
	// first such key.
	NotKept map[string]string `json:"not_kept,omitempty"`
}

func (c *counters) skipped() (n int64) {
	for _, v := range c.Skipped {
		n += v
	}
	return n
}

// newRunID is 20 characters that sort by time.
func newRunID(now time.Time) string {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(b[6:]) // never fails since Go 1.24
	return base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])
}

// load reads a named record into v; false if there is none.
func load(st *store.Task, name string, v any) (bool, error) {
	b, ok, err := st.Record(name)
	if err != nil || !ok {
		return false, err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, fmt.Errorf("state record %s: %w", name, err)
	}
	return true, nil
}

// put adds a record to a batch.
func put(b *store.Batch, name string, v any) error {
	rec, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b.PutRecord(name, rec)
	return nil
}
