package list

import (
	"encoding/hex"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/bus"
)

var bless = flag.Bool("bless", false, "write the golden files anew")

func sample() *keyRange {
	r := &keyRange{pos: "a\xff", last: "b\x00", intent: &intent{pos: "aa\n", done: true, events: []bus.Event{
		{Task: "t", Op: bus.OpPut, Key: "a\xfe", Size: 7, MTime: at(3), ETag: "e", Inode: 1, CTime: 2, Class: bus.ClassBulk, Run: "r"},
		{Task: "t", Op: bus.OpPut, Key: "d/", Kind: bus.KindUnreadable, Class: bus.ClassScan, Run: "r"},
	}}}
	r.counts[nSource], r.counts[nSkips] = 1<<40, 3
	r.intent.counts[nPublished], r.intent.counts[len(tally{})-1] = 2, 1
	return r
}

func TestRecordKeepsItsForm(t *testing.T) {
	const golden = "testdata/cursor-v1.hex"
	b := []byte(hex.EncodeToString(sample().encode(nil)) + "\n")
	if *bless {
		if err := os.WriteFile(golden, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(b) != string(want) {
		t.Errorf("%s: the form of cursors changed (%v)\n%s", golden, err, b)
	}
}

// Records of releases that knew one reason less to skip are read.
func TestOlderRecord(t *testing.T) {
	text, err := os.ReadFile("testdata/cursor-v1-17.hex")
	if err != nil {
		t.Fatal(err)
	}
	rec, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := decodeRange(rec)
	if err != nil || r.pos != "a\xff" || r.counts[nSource] != 1<<40 || r.intent.counts[nSkips+int(skipSpecial)] != 1 || len(r.intent.events) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRecordRoundTrip(t *testing.T) {
	for _, r := range []*keyRange{{}, {done: true, pos: "x"}, sample()} {
		got, err := decodeRange(r.encode(nil))
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%+v became %+v, %v", r, got, err)
		}
	}
	whole := sample().encode(nil)
	for n := range whole {
		if _, err := decodeRange(whole[:n]); err == nil {
			t.Errorf("a record cut at %d of %d is read", n, len(whole))
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(sample().encode(nil))
	f.Add((&keyRange{done: true}).encode(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, rec []byte) {
		r, err := decodeRange(rec)
		if err != nil {
			return
		}
		again, err := decodeRange(r.encode(nil))
		if err != nil || again.pos != r.pos || again.counts != r.counts || (again.intent == nil) != (r.intent == nil) {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}
