package bus

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files anew")

var when = time.Date(2026, 11, 2, 10, 0, 0, 123456789, time.UTC)

func fullEvent() Event {
	return Event{
		Task: "photos-3fa9c1", Op: OpPut, Key: "2026/11/a.jpg", Kind: KindSymlink, Size: 48213, MTime: when,
		ETag: `"9a0364b9e99bb480dd25e1f0284c8555-2"`, Inode: 1<<64 - 1, CTime: -1 << 63, StorageClass: "DEEP_ARCHIVE",
		Class: ClassRetry, Run: "01KAAAAAAAAAAAAAAAAAAAAAAA", Tries: 3, Waits: 4, Force: true,
	}
}

// scanEvent is what a listing of an object store produces.
func scanEvent() Event {
	return Event{
		Task: "photos-3fa9c1", Op: OpPut, Key: "2026/11/a.jpg", Size: 48213, MTime: when.Truncate(time.Second),
		ETag: "9a0364b9e99bb480dd25e1f0284c8555", Class: ClassScan, Run: "01KAAAAAAAAAAAAAAAAAAAAAAA",
	}
}

func fullResult() Result {
	e := fullEvent()
	return Result{
		Task: e.Task, Run: e.Run, Seq: 17, Op: OpPut, Key: e.Key, Class: ClassRetry, Kind: KindDir, Outcome: Retrying,
		Reason: "equal", Size: 48213, Moved: 12, Src: "v1", Dst: "v2", Unvouched: true, Lost: "tags,expires", Cause: "throttled",
		Error: "put \"a\": 503\nslow down", Tries: 4, NextTry: when.Add(time.Minute), Event: &e, At: when,
	}
}

func TestGoldenEvents(t *testing.T) {
	for name, e := range map[string]Event{
		"event_scan":        scanEvent(),
		"event_full":        fullEvent(),
		"event_delete":      {Task: "t", Op: OpDelete, Key: "gone", Class: ClassLive, Run: "r"},
		"event_key_bytes":   {Task: "t", Op: OpPut, Key: "a/\xff\xfe.txt", Class: ClassBulk},
		"event_key_escapes": {Task: "t", Op: OpPut, Key: "q\"b\\n\nu\u2028ü\x00\x7f😀", Class: ClassRepair},
		"event_empty":       {},
	} {
		t.Run(name, func(t *testing.T) {
			data := AppendEvent(nil, &e)
			golden(t, name, data)
			var d Decoder
			got, err := d.Event(data)
			if err != nil || got != e {
				t.Errorf("decoded %+v, %v\nwant    %+v", got, err, e)
			}
		})
	}
}

func TestGoldenResults(t *testing.T) {
	other := fullEvent()
	other.Task, other.Run = "", "elsewhere"
	for name, batch := range map[string][]Result{
		"results": {
			{Task: "t", Run: "r", Seq: 1, Op: OpPut, Key: "a", Class: ClassScan, Outcome: Copied, Size: 5, Moved: 5, Src: "s", Dst: "d", Tries: 1, At: when},
			{Task: "t", Run: "r", Seq: 2, Op: OpPut, Key: "b\xff", Class: ClassScan, Outcome: Skipped, Reason: "equal", Size: 6},
			{Task: "t", Run: "r", Seq: 3, Op: OpDelete, Key: "c", Class: ClassLive, Outcome: Deleted},
		},
		"results_full":  {fullResult()},
		"results_mixed": {fullResult(), {Task: "x", Key: "other task, no run"}, {Task: "photos-3fa9c1", Run: "r2", Event: &other}},
		"results_none":  nil,
	} {
		t.Run(name, func(t *testing.T) {
			data := AppendResults(nil, batch)
			golden(t, name, data)
			var d Decoder
			got, err := d.Results(data)
			if err != nil || !reflect.DeepEqual(got, batch) {
				t.Errorf("decoded %+v, %v\nwant    %+v", got, err, batch)
			}
		})
	}
}

func golden(t *testing.T, name string, data []byte) {
	t.Helper()
	if !json.Valid(data) {
		t.Errorf("not JSON: %s", data)
	}
	path := filepath.Join("testdata", name+".json")
	data = append(bytes.Clone(data), '\n')
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, want) {
		t.Errorf("wire form changed:\n got %s\nwant %s", data, want)
	}
}

func TestAppendReplacesWhatCannotTravel(t *testing.T) {
	e := Event{Key: "k", ETag: "a\xffb", MTime: time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)}
	var d Decoder
	got, err := d.Event(AppendEvent(nil, &e))
	if err != nil || got.ETag != "a\ufffdb" || !got.MTime.IsZero() {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDecodeEvent(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     Event
		err      string // part of the message, empty for none
	}{
		{"unknown fields", `{"v":1,"new":{"a":[1,-2.5e+3,null,true,"x\n"]},"key":"k","x":[],"y":{}}`, Event{Key: "k"}, ""},
		{"white space and order", " {\t\"key\" : \"k\" ,\n\"size\": 7 , \"v\":1 }\r\n", Event{Key: "k", Size: 7}, ""},
		{"null is absent", `{"v":1,"key":"k","size":null,"mtime":null,"force":null}`, Event{Key: "k"}, ""},
		{"escapes", `{"v":1,"key":"a\u00e9\ud83d\ude00\/\"\\"}`, Event{Key: "aé😀/\"\\"}, ""},
		{"escaped name", `{"v":1,"k\u0065y":"k"}`, Event{Key: "k"}, ""},
		{"time zone", `{"v":1,"mtime":"2026-11-02T12:00:00.5+02:00"}`, Event{MTime: time.Date(2026, 11, 2, 10, 0, 0, 5e8, time.UTC)}, ""},
		{"unknown words", `{"v":1,"op":"rename","class":"slow","kind":"fifo"}`, Event{Op: "rename", Class: "slow", Kind: "fifo"}, ""},
		{"wrong type", `{"v":1,"size":"12","key":"k"}`, Event{Key: "k"}, `field "size"`},
		{"fraction", `{"v":1,"size":1.5,"key":"k"}`, Event{Key: "k"}, `field "size"`},
		{"too large", `{"v":1,"size":9223372036854775808,"key":"k"}`, Event{Key: "k"}, `field "size"`},
		{"bad time", `{"v":1,"mtime":"yesterday","key":"k"}`, Event{Key: "k"}, `field "mtime"`},
		{"bad base64", `{"v":1,"key_b64":"%%","size":3}`, Event{Size: 3}, `field "key_b64"`},
		{"raw bytes", "{\"v\":1,\"key\":\"\xff\",\"size\":3}", Event{Key: "\xff", Size: 3}, "UTF-8"},
		{"no version", `{"key":"k"}`, Event{Key: "k"}, "no version"},
		{"cut", `{"v":1,"key":"k","si`, Event{Key: "k"}, "not valid JSON"},
		{"trailing", `{"v":1,"key":"k"}x`, Event{Key: "k"}, "not valid JSON"},
		{"empty", ``, Event{}, "not valid JSON"},
		{"not an object", `[1]`, Event{}, "not valid JSON"},
		{"deep", `{"v":1,"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, Event{}, "too deep"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d Decoder
			got, err := d.Event([]byte(c.in))
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if c.err == "" && err != nil || c.err != "" && (!errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func TestLaterVersion(t *testing.T) {
	var d Decoder
	var v *VersionError
	e, err := d.Event([]byte(`{"v":2,"key":"k","size":{"low":1}}`))
	if !errors.As(err, &v) || v.Version != 2 || e.Key != "k" {
		t.Errorf("event %+v, %v", e, err)
	}
	b, err := d.Results([]byte(`{"v":3,"task":"t","results":[{"key":"k"},7]}`))
	if !errors.As(err, &v) || v.Version != 3 || len(b) != 2 || b[0].Key != "k" {
		t.Errorf("results %+v, %v", b, err)
	}
}

func TestDecodeResults(t *testing.T) {
	late := `{"results":[{"event":{"key":"e"},"run":"r2","key":"k"}],"run":"r","task":"t","v":1}`
	want := []Result{{Task: "t", Run: "r2", Key: "k", Event: &Event{Task: "t", Run: "r2", Key: "e"}}}
	var d Decoder
	got, err := d.Results([]byte(late))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("inherited fields after the list: %+v, %v", got, err)
	}
	for _, in := range []string{`{"v":1,"results":{}}`, `{"v":1,"results":[3]}`, `{"v":1,"results":[{"event":4}]}`, `{"v":1,"results":[{]}`, `x`} {
		if _, err := d.Results([]byte(in)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// FuzzEvent: never panics; agrees with encoding/json about what is JSON; what
// was understood survives another trip unchanged.
func FuzzEvent(f *testing.F) {
	seeds(f, "event*.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Decoder
		e, err := d.Event(data)
		if errors.Is(err, errDeep) || !utf8.Valid(data) {
			return
		}
		var object map[string]json.RawMessage
		isObject := json.Unmarshal(data, &object) == nil && object != nil
		if isObject == errors.Is(err, errSyntax) {
			t.Fatalf("encoding/json says object=%v, we say %v", isObject, err)
		}
		if err != nil {
			return
		}
		again, err := d.Event(AppendEvent(nil, &e))
		if err != nil || again != e {
			t.Fatalf("%+v became %+v, %v", e, again, err)
		}
	})
}

func FuzzResults(f *testing.F) {
	seeds(f, "results*.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Decoder
		batch, err := d.Results(data)
		if err != nil {
			return
		}
		again, err := d.Results(AppendResults(nil, batch))
		if err != nil || len(batch)+len(again) > 0 && !reflect.DeepEqual(again, batch) {
			t.Fatalf("%+v became %+v, %v", batch, again, err)
		}
	})
}

// FuzzEventFields: any event comes back as it was, whatever its key.
func FuzzEventFields(f *testing.F) {
	f.Add("a/b", "etag", int64(1), int64(2), uint64(3))
	f.Add("\xff\x00\"\\", "\u2028", int64(-1<<63), int64(1<<62), uint64(1<<63))
	f.Fuzz(func(t *testing.T, key, etag string, size, nano int64, inode uint64) {
		e := Event{Key: key, ETag: strings.ToValidUTF8(etag, "?"), Size: size, MTime: time.Unix(0, nano).UTC(), Inode: inode}
		data := AppendEvent(nil, &e)
		var d Decoder
		got, err := d.Event(data)
		if err != nil || got != e || !json.Valid(data) {
			t.Fatalf("%+v became %+v, %v: %s", e, got, err, data)
		}
	})
}

func seeds(f *testing.F, pattern string) {
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		f.Fatal("no golden files", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

func BenchmarkEventEncode(b *testing.B) {
	e := scanEvent()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendEvent(buf[:0], &e)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkEventDecode(b *testing.B) {
	e := scanEvent()
	data := AppendEvent(nil, &e)
	var d Decoder
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Event(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResults256(b *testing.B) {
	r := fullResult()
	r.Event, r.Error, r.Outcome, r.Class = nil, "", Copied, ClassScan
	r.NextTry = time.Time{}
	batch := make([]Result, 256)
	for i := range batch {
		batch[i] = r
	}
	var buf []byte
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			buf = AppendResults(buf[:0], batch)
		}
	})
	b.Run("decode", func(b *testing.B) {
		var d Decoder
		for b.Loop() {
			if _, err := d.Results(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}
