package store

import (
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

var goldenTime = time.Date(2026, 11, 2, 10, 0, 0, 123456789, time.UTC)

// goldenRow and goldenFailure use every field.
var (
	goldenRow = Row{
		Run: "01JC", Outcome: "deleted", Src: "s/1", Dst: "d/2", Size: 1 << 40, Moved: 300,
		At: goldenTime, Unvouched: true,
	}
	goldenFailure = Failure{
		Key: "k", Op: "put", Class: "scan", Cause: "denied", Error: "access denied", Tries: 130,
		First: goldenTime, Last: goldenTime.Add(time.Hour), NextTry: time.Time{}, GivenUp: true,
		Event: []byte{0, 0xff},
	}
)

// TestGolden pins what is on disk. A difference needs a new version byte and
// a reader for the old one, not a new golden value.
func TestGolden(t *testing.T) {
	task := (&Store{}).Task("pics")
	prefix := "7404" + hex.EncodeToString([]byte("pics"))
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"version", versionRecord(), "01"},
		{"row", appendRow(nil, goldenRow), "010b" + "0430314a43" + "03732f31" + "03642f32" + "808080808040" + "d804" + "c0fcc2ae0d" + "959aef3a"},
		{"row of another outcome", appendRow(nil, Row{Outcome: "new"}), "0107" + "036e6577" + "000000" + "0000" + "ffdb8ff9ce03" + "00"},
		{
			"failure", appendFailure(nil, goldenFailure),
			"0101" + "03707574" + "047363616e" + "0664656e696564" + "0d6163636573732064656e696564" + "8402" +
				"c0fcc2ae0d959aef3a" + "e0b4c3ae0d959aef3a" + "ffdb8ff9ce0300" + "0200ff",
		},
		{"key of version", versionKey(), "6d" + hex.EncodeToString([]byte("version"))},
		{"key of row", task.key(tableRow, "a\x00"), prefix + "01" + "6100"},
		{"key of failure", task.key(tableFailure, "a"), prefix + "02" + "61"},
		{"key of due", task.dueKey(time.Unix(1, 2), "a"), prefix + "03" + "8000000000000001" + "00000002" + "61"},
		{"key of due before 1970", task.dueKey(time.Unix(-1, 2), "a"), prefix + "03" + "7fffffffffffffff" + "00000002" + "61"},
		{"key of cursor", append(task.passPrefix("r1", 2), "id"...), prefix + "04" + "027231" + "00000002" + "6964"},
		{"key of candidate", append(task.runPrefix(tableCandidate, "r1"), 'a'), prefix + "05" + "027231" + "61"},
		{"key of upload", task.key(tableUpload, "a"), prefix + "06" + "61"},
		{"key of record", task.key(tableRecord, "a"), prefix + "07" + "61"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	r := random(t)
	for range 2000 {
		row := randomRow(r)
		if got, err := parseRow(appendRow(nil, row)); err != nil || got != row {
			t.Fatalf("%+v came back as %+v, %v", row, got, err)
		}
		f := randomFailure(r)
		if got, err := parseFailure(f.Key, appendFailure(nil, f)); err != nil || !reflect.DeepEqual(got, f) {
			t.Fatalf("%+v came back as %+v, %v", f, got, err)
		}
		task := (&Store{}).Task(randomKey(r))
		at, key, err := task.splitDue(task.dueKey(f.NextTry, f.Key))
		if err != nil || !at.Equal(f.NextTry) || key != f.Key {
			t.Fatalf("%v %q came back as %v %q, %v", f.NextTry, f.Key, at, key, err)
		}
		if name, err := taskName(task.key(tableRow, f.Key)); err != nil || string(taskPrefix(name)) != string(task.prefix) {
			t.Fatalf("%q came back as %q, %v", task.prefix, name, err)
		}
	}
}

// TestDamagedValues cuts, lengthens and ages good values.
func TestDamagedValues(t *testing.T) {
	for name, c := range map[string]struct {
		good  []byte
		parse func([]byte) error
	}{
		"version": {versionRecord(), checkVersionRecord},
		"row":     {appendRow(nil, goldenRow), func(b []byte) error { _, err := parseRow(b); return err }},
		"failure": {appendFailure(nil, goldenFailure), func(b []byte) error { _, err := parseFailure("k", b); return err }},
	} {
		if err := c.parse(c.good); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for n := range c.good {
			if err := c.parse(c.good[:n]); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s cut to %d bytes: %v", name, n, err)
			}
		}
		if err := c.parse(append(c.good[:len(c.good):len(c.good)], 0)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s and a byte: %v", name, err)
		}
		newer := append([]byte{99}, c.good[1:]...)
		if err := c.parse(newer); !errors.Is(err, ErrFormat) || errors.Is(err, ErrDamaged) || !strings.Contains(fmt.Sprint(err), "99") {
			t.Errorf("%s of version 99: %v", name, err)
		}
	}
}

func FuzzParseRow(f *testing.F) {
	f.Add(appendRow(nil, goldenRow))
	f.Add(appendRow(nil, Row{Outcome: "new"}))
	f.Add([]byte{1, 8, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, val []byte) {
		row, err := parseRow(val)
		if err != nil {
			return
		}
		if again, err := parseRow(appendRow(nil, row)); err != nil || again != row {
			t.Fatalf("%+v came back as %+v, %v", row, again, err)
		}
	})
}

func FuzzParseFailure(f *testing.F) {
	f.Add(appendFailure(nil, goldenFailure))
	f.Add(appendFailure(nil, Failure{}))
	f.Fuzz(func(t *testing.T, val []byte) {
		fail, err := parseFailure("k", val)
		if err != nil {
			return
		}
		if again, err := parseFailure("k", appendFailure(nil, fail)); err != nil || !reflect.DeepEqual(again, fail) {
			t.Fatalf("%+v came back as %+v, %v", fail, again, err)
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte("t\x04pics\x03"))
	f.Add([]byte("t\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, key []byte) {
		if len(key) == 0 || key[0] != spaceTask {
			return
		}
		name, err := taskName(key)
		if err != nil {
			return
		}
		task := (&Store{}).Task(name)
		if again, err := taskName(task.key(tableDue, "")); err != nil || again != name {
			t.Fatalf("%q came back as %q, %v", name, again, err)
		}
		at, k, err := task.splitDue(append(task.key(tableDue, ""), key...))
		if err != nil {
			return
		}
		at2, k2, err := task.splitDue(task.dueKey(at, k))
		if err != nil || !at2.Equal(at) || k2 != k {
			t.Fatalf("%v %q came back as %v %q, %v", at, k, at2, k2, err)
		}
	})
}
