package manifest

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/mem"
)

func put(t testing.TB, b *mem.Bucket, key string, body []byte) {
	t.Helper()
	if _, err := b.Put(context.Background(), key, bytes.NewReader(body), storage.PutOptions{Size: int64(len(body))}); err != nil {
		t.Fatal(err)
	}
}

func zipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.Bytes()
}

func config(b *mem.Bucket, key, prefix string) Config {
	return Config{Source: b, Key: key, Prefix: prefix, Data: func(_ context.Context, key string) (storage.Source, string, error) {
		return b, key, nil
	}}
}

// read reads all from a position on.
func read(m *Manifest, from Position) (keys []string, at Position, err error) {
	at = from
	err = m.Keys(context.Background(), from, func(some []string, p Position) error {
		keys = append(keys, some...)
		at = p
		return nil
	})
	return keys, at, err
}

func TestForms(t *testing.T) {
	for _, tc := range []struct{ name, key, text, want string }{
		{"nothing", "keys", "", ""},
		{"lines", "keys.txt", "a\nb/c\n", `a,b/c`},
		{"no line end at the end", "keys", "a\nb", `a,b`},
		{"CR LF, a CR within, empty lines", "keys", "a\r\n\r\nb\rc\n\n", "a,b\rc"},
		{"byte order mark", "keys", "\ufeffa\n", "a"},
		{"one byte", "keys", "a", "a"},
		{"every byte counts", "keys", " a \n#b\n\"c\"\nd,e\n\xff\xfe\n%41+\n", " a |#b|\"c\"|d,e|\xff\xfe|%41+"},
		{"a key twice", "keys", "a\na\n", "a,a"},
		{"CSV without a header", "keys.csv", "a,1\nb\n\"c,\"\"d\",2\n", "a|b|c,\"d"},
		{"CSV with a header", "KEYS.CSV", "size,Key,last_modified\n1,a,x\n2,\"b\nc\",\n", "a|b\nc"},
		{"CSV with versions", "v.csv", "key,is_latest,IsDeleteMarker\na,true,false\nb,false,false\nc,true,TRUE\nd,,\n", "a,d"},
		{"CSV of nothing", "keys.csv", "", ""},
		{"CSV, no line end, byte order mark", "keys.csv", "\ufeffkey\na", "a"},
	} {
		for suffix, text := range map[string][]byte{"": []byte(tc.text), ".gz": zipped(tc.text), ".GZ": []byte(tc.text)} {
			b := mem.New(mem.Options{})
			put(t, b, "at/"+tc.key+suffix, text)
			m, err := Open(t.Context(), config(b, "at/"+tc.key+suffix, "not/of/inventories/"))
			if err != nil {
				t.Fatal(err)
			}
			sep := ","
			if strings.Contains(tc.want, "|") {
				sep = "|"
			}
			got, at, err := read(m, Position{})
			if err != nil || strings.Join(got, sep) != tc.want || int64(len(got)) != at.Keys || !m.Done(at) {
				t.Errorf("%s%s: %q at %+v, %v; want %q", tc.name, suffix, got, at, err, tc.want)
			}
		}
	}
}

// inventoried stores an inventory of some files and returns its manifest.json.
func inventoried(t testing.TB, b *mem.Bucket, schema string, files ...string) string {
	t.Helper()
	var list []string
	for i, text := range files {
		key := fmt.Sprintf("inv/bucket/daily/data/%d.csv.gz", i)
		body := zipped(text)
		put(t, b, key, body)
		list = append(list, fmt.Sprintf(`{"key": %q, "size": %d, "MD5checksum": "%x"}`, key, len(body), md5.Sum(body)))
	}
	const key = "inv/bucket/daily/2026-01-01T01-00Z/manifest.json"
	put(t, b, key, fmt.Appendf(nil, `{"sourceBucket": "bucket", "fileFormat": "CSV", "fileSchema": %q, "files": [%s]}`, schema, strings.Join(list, ", ")))
	return key
}

func TestInventory(t *testing.T) {
	const schema = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, ETag"
	b := mem.New(mem.Options{})
	key := inventoried(t, b, schema,
		`"bucket","photos/a+b%2Bc%20d.jpg","","true","false","1","x"`+"\n"+
			`"bucket","photos/%E4%B8%AD","v2","true","false","1","x"`+"\n"+
			`"bucket","photos/%E4%B8%AD","v1","false","false","1","x"`+"\n"+
			`"bucket","other","v1","true","false","1","x"`+"\n"+
			`"bucket","photos/","","true","false","0","x"`+"\n",
		`"bucket","photos/gone","v2","true","true","",""`+"\n"+
			`"bucket","photos/%22q%22%0A","v2","true","false","3","y"`+"\n")
	for prefix, want := range map[string]struct {
		keys string
		at   Position
	}{
		"":        {"photos/a b+c d.jpg|photos/中|other|photos/|photos/\"q\"\n", Position{File: 2, Counts: Counts{5, 0, 2}}},
		"photos/": {"a b+c d.jpg|中|\"q\"\n", Position{File: 2, Counts: Counts{3, 2, 2}}},
		"nobody/": {"", Position{File: 2, Counts: Counts{0, 5, 2}}},
	} {
		m, err := Open(t.Context(), config(b, key, prefix))
		if err != nil {
			t.Fatal(err)
		}
		got, at, err := read(m, Position{})
		if err != nil || strings.Join(got, "|") != want.keys || at != want.at {
			t.Errorf("below %q: %q at %+v, %v", prefix, got, at, err)
		}
	}
}

func TestRefused(t *testing.T) {
	long := strings.Repeat("x", 2*maxRecord)
	for _, tc := range []struct{ key, text, says string }{
		{"keys", "a\n" + long, "line 2 is longer"},
		{"keys.csv", "a\n\"" + long, "record 2 is longer"},
		{"keys.csv", "a\nb\"c\n", "bare"},
		{"keys.csv", "size,key\n1,a\n2\n", "record 3: 1 fields"},
		{"keys", "\x1f\x8bno", "keys in mem://"},
		{"keys", string(zipped(strings.Repeat("abc\n", 9999))[:60]), "unexpected EOF"},
		{"manifest.json", "a\nb\n", "no manifest.json"},
		{"manifest.json", `{"fileFormat": "ORC", "fileSchema": "struct<key:string>"}`, "only CSV"},
		{"manifest.json", `{"fileFormat": "CSV", "fileSchema": "Bucket, Size"}`, "names no Key"},
		{"manifest.json", `{"fileFormat": "CSV", "fileSchema": "Key", "files": [{"key": "none"}]}`, "not found"},
		{"manifest.json", `{"fileFormat": "CSV", "fileSchema": "Key", "files": [{"key": "bad"}]}`, `record 1: key "100%"`},
		{"manifest.json", `{"fileFormat": "CSV", "fileSchema": "Key", "files": [{"key": "bad2", "MD5checksum": "00"}]}`, "MD5"},
	} {
		b := mem.New(mem.Options{})
		put(t, b, "bad", []byte("100%\n"))
		put(t, b, "bad2", []byte("a\n"))
		put(t, b, tc.key, []byte(tc.text))
		m, err := Open(t.Context(), config(b, tc.key, ""))
		if err == nil {
			_, _, err = read(m, Position{})
		}
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s %.40q: %v, want %q", tc.key, tc.text, err, tc.says)
		}
	}
	if _, err := Open(t.Context(), config(mem.New(mem.Options{}), "none", "")); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a manifest that is not there: %v", err)
	}
}

// A manifest that is replaced is another one, and is never read in part.
func TestReplaced(t *testing.T) {
	b := mem.New(mem.Options{})
	put(t, b, "keys", []byte("a\n"))
	open := func(prefix string) *Manifest {
		m, err := Open(t.Context(), config(b, "keys", prefix))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := open("")
	if m.ID() != open("").ID() || m.ID() == open("p/").ID() {
		t.Error("the id is not that of the version and the prefix")
	}
	put(t, b, "keys", []byte("b\n"))
	if keys, _, err := read(m, Position{}); !errors.Is(err, storage.ErrChanged) || len(keys) > 0 {
		t.Errorf("%q, %v", keys, err)
	}
	if m.ID() == open("").ID() {
		t.Error("two versions have one id")
	}
}

// Whoever stops at any position goes on there, with no key lost or doubled.
func TestEveryPositionResumes(t *testing.T) {
	big := func(n int) string {
		var s strings.Builder
		for i := range n {
			fmt.Fprintf(&s, "k%06d,%d\n", i, i)
		}
		return s.String()
	}
	b := mem.New(mem.Options{})
	put(t, b, "keys.csv", []byte("key,size\n"+big(3*maxKeys+7)))
	put(t, b, "keys", zipped(big(2*maxKeys)))
	inventory := inventoried(t, b, "Key, Size", big(maxKeys+1), "", big(5), strings.ReplaceAll(big(2*maxRecords+3), "k", "o"))
	for _, key := range []string{"keys.csv", "keys", inventory} {
		m, err := Open(t.Context(), config(b, key, map[bool]string{true: "k"}[key == inventory]))
		if err != nil {
			t.Fatal(err)
		}
		want, end, err := read(m, Position{})
		if err != nil {
			t.Fatal(err)
		}
		stop := errors.New("stop")
		var got []string
		steps := 0
		for at := (Position{}); !m.Done(at); steps++ {
			calls := 0
			err := m.Keys(t.Context(), at, func(keys []string, p Position) error {
				if calls++; calls > 1 { // what the first call saved stays, what the second brings is lost
					return stop
				}
				got, at = append(got, keys...), p
				return nil
			})
			if err != nil && !errors.Is(err, stop) {
				t.Fatal(err)
			}
			if m.Done(at) && at != end {
				t.Errorf("%s: ends at %+v, not at %+v", path.Base(key), at, end)
			}
		}
		if !slices.Equal(got, want) || steps < 3 {
			t.Errorf("%s: %d keys in %d steps, want %d", path.Base(key), len(got), steps, len(want))
		}
	}
	// Positions between any two records, too, not only those that are given.
	m, _ := Open(t.Context(), config(b, "keys.csv", ""))
	for _, n := range []int64{1, 17, maxKeys, 3*maxKeys + 6} {
		keys, at, err := read(m, Position{Record: n, Counts: Counts{Keys: n}})
		if err != nil || keys[0] != fmt.Sprintf("k%06d", n) || at.Keys != 3*maxKeys+7 {
			t.Errorf("from record %d: %d keys, %+v, %v", n, len(keys), at, err)
		}
	}
}

func TestDoEndsTheReading(t *testing.T) {
	b := mem.New(mem.Options{})
	put(t, b, "keys", []byte("a\n"))
	m, err := Open(t.Context(), config(b, "keys", ""))
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	if err := m.Keys(t.Context(), Position{}, func([]string, Position) error { return full }); err != full {
		t.Errorf("%v", err)
	}
}

// Whatever the bytes, reading ends, and going on from any record gives the
// same keys.
func FuzzManifest(f *testing.F) {
	for _, text := range []string{"a\nb\r\n", "key,is_latest\na,true\nb,false\n", "\"a\nb\",1\n", "\ufeffa", "a%20b,1\n", "\x1f\x8b", string(zipped("a\nb\nc"))} {
		for form := range byte(3) {
			f.Add([]byte(text), form, uint8(1))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, form byte, after uint8) {
		b := mem.New(mem.Options{})
		key := []string{"keys", "keys.csv", "manifest.json"}[form%3]
		if form%3 == 2 {
			put(t, b, "data", text)
			put(t, b, key, []byte(`{"fileFormat": "CSV", "fileSchema": "Key, IsLatest", "files": [{"key": "data"}]}`))
		} else {
			put(t, b, key, text)
		}
		m, err := Open(t.Context(), config(b, key, ""))
		if err != nil {
			t.Fatal(err)
		}
		all, at, err := read(m, Position{})
		if err != nil {
			return
		}
		if at.Keys != int64(len(all)) || slices.Contains(all, "") {
			t.Errorf("%d keys, %+v", len(all), at)
		}
		rest, end, err := read(m, Position{Record: int64(after)})
		if err != nil || len(rest) > len(all) || !slices.Equal(rest, all[len(all)-len(rest):]) || !m.Done(end) {
			t.Errorf("from record %d: %q of %q, %v", after, rest, all, err)
		}
	})
}
