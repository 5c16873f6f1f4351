package store

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

var writeFixture = flag.Bool("write-fixture", false, "write testdata/v1 anew; only when the format is raised")

// fixture is what testdata/v1 holds: an entry of every table, of two tasks.
var fixture = struct {
	row        Row
	failures   []Failure
	cursors    map[string][]byte
	candidates []string
	upload     KeyRecord
	record     []byte
}{
	row: Row{
		Run: "06H17TRSN5E08VKQMN0G", Outcome: "copied", Src: "9a0364b9e99bb480dd25e1f0284c8555/11", Dst: "f1.2.3.4", Size: 48213, Moved: 96426,
		At: time.Unix(1_790_000_000, 123456789), Unvouched: true,
	},
	failures: []Failure{
		{Key: "bad/two", Op: "delete", Class: "retry", Cause: "archived", Error: "frozen", Tries: 5, First: time.Unix(1_790_000_001, 0),
			Last: time.Unix(1_790_000_009, 0), GivenUp: true},
		{Key: "bad/\xffone", Op: "put", Class: "scan", Cause: "denied", Error: "no", Tries: 2, First: time.Unix(1_790_000_001, 0),
			Last: time.Unix(1_790_000_002, 0), NextTry: time.Unix(1_790_000_003, 0), Event: []byte(`{"v":1}`)},
	},
	cursors:    map[string][]byte{"000000": []byte("at m"), "000001": []byte("at z")},
	candidates: []string{"a", "b/c"},
	upload:     KeyRecord{"large/1", []byte(`{"v":1,"id":"u"}`)},
	record:     []byte(`{"id":"06H17TRSN5E08VKQMN0G"}`),
}

const fixtureRun = "06H17TRSN5E08VKQMN0G"

// TestFixture opens a database that an earlier build wrote, reads all of it,
// and writes to it.
func TestFixture(t *testing.T) {
	committed := filepath.Join("testdata", "v1")
	if *writeFixture {
		fillFixture(t, committed)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(committed)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if names, err := s.Tasks(); err != nil || !reflect.DeepEqual(names, []string{"other", "photos-3fa9c1"}) {
		t.Errorf("tasks %q, %v", names, err)
	}
	checkFixture(t, s.Task("photos-3fa9c1"))
	b := s.Task("photos-3fa9c1").Batch()
	b.PutRow("new", fixture.row)
	if err := b.Commit(true); err != nil {
		t.Error(err)
	}
}

func fillFixture(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"photos-3fa9c1", "other"} {
		b := s.Task(name).Batch()
		b.PutRow("2026/11/a.jpg", fixture.row)
		for _, f := range fixture.failures {
			b.PutFailure(f)
		}
		for id, rec := range fixture.cursors {
			b.PutCursor(fixtureRun, 1, id, rec)
		}
		for _, key := range fixture.candidates {
			b.AddCandidate(fixtureRun, key)
		}
		b.PutUpload(fixture.upload.Key, fixture.upload.Record)
		b.PutRecord("run", fixture.record)
		if err := b.Commit(true); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func checkFixture(t *testing.T, task *Task) {
	t.Helper()
	same := func(what string, got, want any, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", what, got, err, want)
		}
	}
	row, _, err := task.Row("2026/11/a.jpg")
	if !row.At.Equal(fixture.row.At) {
		t.Errorf("row of %s, want %s", row.At, fixture.row.At)
	}
	row.At = fixture.row.At
	same("row", row, fixture.row, err)
	fs, err := task.Failures("", 10)
	if err != nil || len(fs) != len(fixture.failures) {
		t.Fatalf("failures %+v, %v", fs, err)
	}
	for i, want := range fixture.failures {
		got := fs[i]
		if !got.First.Equal(want.First) || !got.Last.Equal(want.Last) || !want.GivenUp && !got.NextTry.Equal(want.NextTry) {
			t.Errorf("times of %q: %+v", want.Key, got)
		}
		got.First, got.Last, got.NextTry = want.First, want.Last, want.NextTry
		if len(got.Event) == 0 {
			got.Event = nil
		}
		same("failure", got, want, nil)
	}
	at, _, err := task.NextDue()
	same("next due", at.Equal(fixture.failures[1].NextTry), true, err)
	cursors, err := task.Cursors(fixtureRun, 1)
	same("cursors", cursors, fixture.cursors, err)
	candidates, err := task.Candidates(fixtureRun, "", 10)
	same("candidates", candidates, fixture.candidates, err)
	uploads, err := task.Uploads("", 10)
	same("uploads", uploads, []KeyRecord{fixture.upload}, err)
	rec, _, err := task.Record("run")
	same("record", rec, fixture.record, err)
}
