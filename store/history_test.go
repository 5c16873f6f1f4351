package store

import (
	"flag"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"

	"context"
)

var seedFlag = flag.Int64("seed", 0, "replay a random history; 0 makes a new one")

// random returns a source of randomness and prints how to have it again.
func random(t testing.TB) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = time.Now().UnixNano()
	}
	t.Logf("replay with -seed %d", seed)
	return rand.New(rand.NewPCG(uint64(seed), 1))
}

// TestHistory runs a random history on a store and on plain maps, with flushes,
// compactions and reopenings at random points: both must hold the same.
func TestHistory(t *testing.T) {
	r := random(t)
	dir := t.TempDir()
	s := mustOpen(t, dir)
	defer func() { s.Close() }()
	names := []string{"a", "a\x00", "aa", "\xff", "photos-3fa9c1", ""}
	want := map[string]*model{}
	for _, n := range names {
		want[n] = newModel()
	}
	for range 3000 {
		name := pick(r, names)
		m, task := want[name], s.Task(name)
		switch p := r.IntN(100); {
		case p < 80:
			next, b := m.clone(), task.Batch()
			for range r.IntN(12) {
				change(r, next, b)
			}
			if r.IntN(10) == 0 {
				b.Discard()
				break
			}
			if err := b.Commit(r.IntN(4) == 0); err != nil {
				t.Fatal(err)
			}
			want[name] = next
		case p < 88:
			points(t, task, m)
		case p < 94:
			equal(t, read(t, task), m)
		case p < 95:
			if err := s.Forget(name); err != nil {
				t.Fatal(err)
			}
			want[name] = newModel()
		case p < 96:
			checkTasks(t, s, want)
		case p < 97:
			if err := s.db.Flush(); err != nil {
				t.Fatal(err)
			}
		case p < 98:
			if err := s.db.Compact(context.Background(), []byte{0}, []byte{0xff}, false); err != nil {
				t.Fatal(err)
			}
		default:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, dir)
		}
	}
	for name, m := range want {
		equal(t, read(t, s.Task(name)), m)
		points(t, s.Task(name), m)
	}
	checkTasks(t, s, want)
}

func checkTasks(t *testing.T, s *Store, want map[string]*model) {
	t.Helper()
	got, err := s.Tasks()
	var names []string
	for n, m := range want {
		if !m.empty() {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	if err != nil || !slices.Equal(got, names) {
		t.Fatalf("tasks %q, %v; want %q", got, err, names)
	}
}

// TestRowsRandom compares Next and Seek in random turns with a sorted list.
func TestRowsRandom(t *testing.T) {
	r := random(t)
	s := mustOpen(t, t.TempDir())
	defer s.Close()
	for _, n := range []string{"s", "u"} { // neighbours that must not show
		b := s.Task(n).Batch()
		b.PutRow("a", Row{})
		if err := b.Commit(false); err != nil {
			t.Fatal(err)
		}
	}
	task := s.Task("t")
	var keys []string
	add := func(n int) {
		b := task.Batch()
		for range n {
			k := randomKey(r)
			b.PutRow(k, Row{Src: k})
			keys = append(keys, k)
		}
		b.PutFailure(Failure{Key: "x"})
		if err := b.Commit(false); err != nil {
			t.Fatal(err)
		}
		slices.Sort(keys)
		keys = slices.Compact(keys)
	}
	for round := range 400 {
		if round%40 == 0 {
			add(round / 4)
		}
		first, last := randomKey(r), randomKey(r)
		if r.IntN(3) == 0 {
			first = ""
		}
		if r.IntN(3) == 0 {
			last = ""
		}
		var in []string
		for _, k := range keys {
			if k > first && (last == "" || k <= last) {
				in = append(in, k)
			}
		}
		walk(t, r, task, first, last, in)
	}
}

// walk takes random steps; pos is the index of the row that Next would yield.
func walk(t *testing.T, r *rand.Rand, task *Task, first, last string, in []string) {
	t.Helper()
	rows := task.Rows(first, last)
	defer rows.Close()
	pos := 0
	ascending := r.IntN(2) == 0
	sought := ""
	for range 60 {
		if r.IntN(3) == 0 {
			ok := rows.Next()
			if ok != (pos < len(in)) {
				t.Fatalf("(%q,%q]: Next is %v at %d of %q", first, last, ok, pos, in)
			}
			if ok {
				if row, err := rows.Row(); err != nil || rows.Key() != in[pos] || row.Src != in[pos] {
					t.Fatalf("(%q,%q]: Next gave %q, %+v, %v at %d of %q", first, last, rows.Key(), row, err, pos, in)
				}
				sought = max(sought, in[pos])
				pos++
			}
			continue
		}
		key := randomKey(r)
		if ascending && key < sought {
			continue
		}
		sought = key
		i, want := slices.BinarySearch(in, key)
		row, found, err := rows.Seek(key)
		if err != nil || found != want || found && (row.Src != key || rows.Key() != key) {
			t.Fatalf("(%q,%q]: Seek(%q) is %+v, %v, %v in %q", first, last, key, row, found, err, in)
		}
		pos = i
		if found {
			pos++
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
