package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
)

// model is what one task should hold: the plainest store there is.
type model struct {
	Rows       map[string]Row
	Failures   map[string]Failure
	Cursors    map[cursorID]string
	Candidates map[runKey]bool
	Uploads    map[string]string
	Records    map[string]string
}

type cursorID struct {
	run  string
	pass int
	id   string
}

type runKey struct{ run, key string }

func newModel() *model {
	return &model{
		map[string]Row{}, map[string]Failure{}, map[cursorID]string{},
		map[runKey]bool{}, map[string]string{}, map[string]string{},
	}
}

func (m *model) clone() *model {
	return &model{
		maps.Clone(m.Rows), maps.Clone(m.Failures), maps.Clone(m.Cursors),
		maps.Clone(m.Candidates), maps.Clone(m.Uploads), maps.Clone(m.Records),
	}
}

func (m *model) empty() bool {
	return len(m.Rows)+len(m.Failures)+len(m.Cursors)+len(m.Candidates)+len(m.Uploads)+len(m.Records) == 0
}

// hostile are names that encodings get wrong: prefixes of each other, bytes
// that sort at the ends, separators, lengths around a varint's border.
var hostile = []string{
	"a", "a\x00", "a\x00\x00", "a\x01", "a-b", "a/b", "a0", "aa", "b", "\x00", "\x00\x00", "\x01",
	"\xff", "\xff\xff", "\xfe\xff", "é", "e\u0301", " ", "//", "../..", "a\nb", "t", "m", "tversion",
	strings.Repeat("k", 127), strings.Repeat("k", 128), strings.Repeat("\xff", 1024),
	strings.Repeat("\x00", 1024), strings.Repeat("long/", 800),
}

var (
	runs   = []string{"", "r", "r\x00", "r1", "\xff", "01JC3ZK7Q8W4V2T9X5M6N7P8R0"}
	passes = []int{0, 1, 255, 256, 1<<32 - 1}
)

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func randomKey(r *rand.Rand) string {
	if r.IntN(2) == 0 {
		return pick(r, hostile)
	}
	b := make([]byte, 1+r.IntN(3))
	for i := range b {
		b[i] = pick(r, []byte{0, 1, 'a', '/', 0xfe, 0xff})
	}
	return string(b)
}

func randomTime(r *rand.Rand) time.Time {
	switch r.IntN(6) {
	case 0:
		return time.Time{}
	case 1:
		return time.Unix(-r.Int64N(1e10), r.Int64N(1e9)).UTC()
	}
	return time.Unix(1760000000+r.Int64N(5), r.Int64N(3)).UTC()
}

func randomRow(r *rand.Rand) Row {
	return Row{
		Run: pick(r, runs), Outcome: pick(r, append(outcomes[:], "of another release")),
		Src: randomKey(r), Dst: randomKey(r), Size: r.Int64() - r.Int64(), Moved: r.Int64N(100),
		At: randomTime(r), Unvouched: r.IntN(2) == 0,
	}
}

func randomFailure(r *rand.Rand) Failure {
	f := Failure{
		Key: randomKey(r), Op: "put", Class: "scan", Cause: randomKey(r), Error: randomKey(r), Tries: r.IntN(300),
		First: randomTime(r), Last: randomTime(r), NextTry: randomTime(r), GivenUp: r.IntN(4) == 0,
	}
	if r.IntN(2) == 0 {
		f.Event = []byte(randomKey(r))
	}
	return f
}

// change makes one random change to both.
func change(r *rand.Rand, m *model, b *Batch) {
	run, key, rec := pick(r, runs), randomKey(r), randomKey(r)
	id := cursorID{run, pick(r, passes), key}
	switch r.IntN(17) {
	case 0, 1, 2, 3:
		row := randomRow(r)
		m.Rows[key] = row
		b.PutRow(key, row)
	case 4:
		delete(m.Rows, key)
		b.DropRow(key)
	case 5, 6:
		f := randomFailure(r)
		m.Failures[f.Key] = f
		b.PutFailure(f)
	case 7:
		delete(m.Failures, key)
		b.DropFailure(key)
	case 8:
		m.Cursors[id] = rec
		b.PutCursor(id.run, id.pass, id.id, []byte(rec))
	case 9:
		delete(m.Cursors, id)
		b.DropCursor(id.run, id.pass, id.id)
	case 10:
		maps.DeleteFunc(m.Cursors, func(c cursorID, _ string) bool { return c.run == run })
		b.DropCursors(run)
	case 11, 12:
		m.Candidates[runKey{run, key}] = true
		b.AddCandidate(run, key)
	case 13:
		delete(m.Candidates, runKey{run, key})
		b.DropCandidate(run, key)
	case 14:
		if r.IntN(3) == 0 {
			maps.DeleteFunc(m.Candidates, func(c runKey, _ bool) bool { return c.run == run })
			b.DropCandidates(run)
		}
	case 15:
		if r.IntN(3) == 0 {
			delete(m.Uploads, key)
			b.DropUpload(key)
			return
		}
		m.Uploads[key] = rec
		b.PutUpload(key, []byte(rec))
	case 16:
		if r.IntN(3) == 0 {
			delete(m.Records, key)
			b.DropRecord(key)
			return
		}
		m.Records[key] = rec
		b.PutRecord(key, []byte(rec))
	}
}

// read reads everything a task holds. Records have no list: names are asked for.
func read(t testing.TB, task *Task) *model {
	t.Helper()
	m := newModel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	rows := task.Rows("", "")
	for rows.Next() {
		row, err := rows.Row()
		must(err)
		m.Rows[rows.Key()] = row
	}
	must(rows.Err())
	must(rows.Close())
	failures, err := pages(func(after string) ([]Failure, string, error) {
		list, err := task.Failures(after, 3)
		if len(list) == 0 {
			return nil, "", err
		}
		return list, list[len(list)-1].Key, err
	})
	must(err)
	for _, f := range failures {
		m.Failures[f.Key] = f
	}
	for _, run := range runs {
		for _, pass := range passes {
			list, err := task.Cursors(run, pass)
			must(err)
			for id, rec := range list {
				m.Cursors[cursorID{run, pass, id}] = string(rec)
			}
		}
		candidates, err := pages(func(after string) ([]string, string, error) {
			list, err := task.Candidates(run, after, 4)
			if len(list) == 0 {
				return nil, "", err
			}
			return list, list[len(list)-1], err
		})
		must(err)
		n, err := task.CandidateCount(run)
		must(err)
		if int(n) != len(candidates) || !slices.IsSorted(candidates) {
			t.Fatalf("run %q: %d candidates counted, %q listed", run, n, candidates)
		}
		for _, key := range candidates {
			m.Candidates[runKey{run, key}] = true
		}
	}
	uploads, err := pages(func(after string) ([]KeyRecord, string, error) {
		list, err := task.Uploads(after, 2)
		if len(list) == 0 {
			return nil, "", err
		}
		return list, list[len(list)-1].Key, err
	})
	must(err)
	for _, u := range uploads {
		m.Uploads[u.Key] = string(u.Record)
	}
	lower, upper := task.bounds(tableRecord, "", "")
	must(task.s.scan(lower, upper, 1e9, func(k, v []byte) error {
		m.Records[string(k[len(task.prefix)+1:])] = string(v)
		return nil
	}))
	checkDue(t, task, m)
	return m
}

// pages reads a list page by page.
func pages[T any](next func(after string) ([]T, string, error)) (all []T, err error) {
	for after := ""; ; {
		list, last, err := next(after)
		if len(list) == 0 || err != nil {
			return all, err
		}
		all, after = append(all, list...), last
	}
}

// checkDue compares the time index with the failures that were read.
func checkDue(t testing.TB, task *Task, m *model) {
	t.Helper()
	var want []Failure
	for _, f := range m.Failures {
		if !f.GivenUp {
			want = append(want, f)
		}
	}
	sort.Slice(want, func(i, j int) bool {
		a, b := want[i], want[j]
		if !a.NextTry.Equal(b.NextTry) {
			return a.NextTry.Before(b.NextTry)
		}
		return a.Key < b.Key
	})
	at, found, err := task.NextDue()
	if err != nil || found != (len(want) > 0) || found && !at.Equal(want[0].NextTry) {
		t.Fatalf("NextDue is %v, %v, %v; due are %+v", at, found, err, want)
	}
	// The index holds exactly what is due, nothing stale.
	n := 0
	err = task.s.scan(task.key(tableDue, ""), task.key(tableDue+1, ""), 1e9, func(_, _ []byte) error { n++; return nil })
	if err != nil || n != len(want) {
		t.Fatalf("%d index entries for %d due failures, %v", n, len(want), err)
	}
	for i, f := range want {
		got, err := task.Due(f.NextTry, 1e9)
		if err != nil || len(got) <= i || !reflect.DeepEqual(got, want[:len(got)]) {
			t.Fatalf("Due(%v) is %+v, %v; want the first of %+v", f.NextTry, got, err, want)
		}
		if len(got) < len(want) && !want[len(got)].NextTry.After(f.NextTry) {
			t.Fatalf("Due(%v) left out %+v", f.NextTry, want[len(got)])
		}
	}
}

// points compares point reads of every key there may be.
func points(t testing.TB, task *Task, m *model) {
	t.Helper()
	for _, key := range hostile {
		row, found, err := task.Row(key)
		want, ok := m.Rows[key]
		if err != nil || found != ok || row != want {
			t.Fatalf("Row(%q) = %+v, %v, %v; want %+v, %v", key, row, found, err, want, ok)
		}
		f, found, err := task.Failure(key)
		wantF, ok := m.Failures[key]
		if err != nil || found != ok || !reflect.DeepEqual(f, wantF) {
			t.Fatalf("Failure(%q) = %+v, %v, %v; want %+v, %v", key, f, found, err, wantF, ok)
		}
		for what, c := range map[string]struct {
			get  func(string) ([]byte, bool, error)
			want map[string]string
		}{"Upload": {task.Upload, m.Uploads}, "Record": {task.Record, m.Records}} {
			rec, found, err := c.get(key)
			want, ok := c.want[key]
			if err != nil || found != ok || string(rec) != want {
				t.Fatalf("%s(%q) = %q, %v, %v; want %q, %v", what, key, rec, found, err, want, ok)
			}
		}
	}
}

func equal(t testing.TB, got, want *model) {
	t.Helper()
	if d := diff(got, want); d != "" {
		t.Fatal(d)
	}
}

func diff(got, want *model) string {
	g, w := reflect.ValueOf(*got), reflect.ValueOf(*want)
	for i := range g.NumField() {
		if !reflect.DeepEqual(g.Field(i).Interface(), w.Field(i).Interface()) {
			return fmt.Sprintf("%s differ:\n got %+v\nwant %+v", g.Type().Field(i).Name, g.Field(i), w.Field(i))
		}
	}
	return ""
}
