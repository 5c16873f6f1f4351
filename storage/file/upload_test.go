package file

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

func begin(t testing.TB, b *Bucket, key string) string {
	t.Helper()
	id, err := b.CreateUpload(t.Context(), key, storage.UploadOptions{Size: 10, PartSize: 4})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func send(t testing.TB, b *Bucket, key, id string, n int, data string) storage.Part {
	t.Helper()
	p, err := b.UploadPart(t.Context(), key, id, n, strings.NewReader(data), storage.PartOptions{Size: int64(len(data))})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestOtherBoot: what was not synced when the machine went down is not trusted.
func TestOtherBoot(t *testing.T) {
	b := newBucket(t)
	id := begin(t, b, "d/k")
	send(t, b, "d/k", id, 1, "abcd")
	again := open(t, b.root, b.o)
	again.boot = func() (string, error) { return "another", nil }
	if us, err := again.ListUploads(t.Context(), ""); err != nil || len(us) > 0 {
		t.Errorf("uploads %+v, %v", us, err)
	}
	_, err := again.ListParts(t.Context(), "d/k", id)
	wantKind(t, err, storage.ErrNoUpload)
	if names := leftovers(t, b); len(names) > 0 {
		t.Errorf("left: %q", names)
	}
}

// TestUploadDamage breaks the files of an upload in which part 1 is held.
func TestUploadDamage(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(data, state string) error
		held   int // -1: no such upload
	}{
		"none":        {func(_, _ string) error { return nil }, 1},
		"no bytes":    {func(data, _ string) error { return os.Remove(data) }, -1},
		"no state":    {func(_, state string) error { return os.Remove(state) }, -1},
		"empty state": {func(_, state string) error { return os.Truncate(state, 0) }, -1},
		"half a line": {func(_, state string) error { return appendText(state, "\npart 2 4 0123") }, 1},
		"lies":        {func(_, state string) error { return appendText(state, "\npart 2 4 01234567 00000000\n") }, 1},
		"begun again": {func(_, state string) error { return appendText(state, string(beginLine(1))) }, 0},
		"other header too": {func(_, state string) error {
			return appendText(state, string((&sidecar{size: 1, partSize: 1}).header()))
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBucket(t)
			id := begin(t, b, "k")
			send(t, b, "k", id, 1, "abcd")
			if err := c.damage(filepath.Join(b.root, uploadName(tempData, id)), filepath.Join(b.root, uploadName(tempState, id))); err != nil {
				t.Fatal(err)
			}
			parts, err := b.ListParts(t.Context(), "k", id)
			if c.held < 0 {
				wantKind(t, err, storage.ErrNoUpload)
				if _, err := b.Sweep(t.Context(), nil); err != nil || len(leftovers(t, b)) > 0 {
					t.Errorf("after the sweep %q, %v", leftovers(t, b), err)
				}
				return
			}
			if err != nil || len(parts) != c.held {
				t.Fatalf("parts %+v, %v; want %d", parts, err, c.held)
			}
			all := []storage.Part{send(t, b, "k", id, 1, "abcd"), send(t, b, "k", id, 2, "efgh"), send(t, b, "k", id, 3, "ij")}
			if _, err := b.CompleteUpload(t.Context(), "k", id, all); err != nil {
				t.Fatal(err)
			}
			if data, err := os.ReadFile(filepath.Join(b.root, "k")); err != nil || string(data) != "abcdefghij" {
				t.Errorf("%q, %v", data, err)
			}
			if names := leftovers(t, b); len(names) > 0 {
				t.Errorf("left: %q", names)
			}
		})
	}
}

func appendText(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

// TestSweepOwners: what another owner has under way stays.
func TestSweepOwners(t *testing.T) {
	b := newBucket(t)
	other := open(t, b.root, Options{Owner: "other"})
	kept, theirs := begin(t, b, "a/b/k"), begin(t, other, "a/k")
	begin(t, b, "a/b/k")
	for _, dir := range []string{"", "a/b", "c"} {
		write(t, filepath.Join(b.root, dir, b.tempName(tempWrite, "x")), "")
		write(t, filepath.Join(b.root, dir, other.tempName(tempWrite, "x")), "")
	}
	n, err := b.Sweep(t.Context(), map[string]bool{kept: true})
	if err != nil || n != 5 {
		t.Errorf("removed %d, %v; want 5", n, err)
	}
	if n := len(leftovers(t, b)); n != 7 {
		t.Errorf("%d left, want 7", n)
	}
	for b, id := range map[*Bucket]string{b: kept, other: theirs} {
		if us, err := b.ListUploads(t.Context(), ""); err != nil || len(us) != 1 || us[0].ID != id {
			t.Errorf("uploads %+v, %v; want %q", us, err, id)
		}
	}
}

func TestUploadInTheWay(t *testing.T) {
	b := newBucket(t)
	put(t, b, "d/k", "")
	_, err := b.CreateUpload(t.Context(), "d", storage.UploadOptions{Size: 1, PartSize: 1})
	wantKind(t, err, storage.ErrExists)
	_, err = b.CreateUpload(t.Context(), "d/k/x", storage.UploadOptions{Size: 1, PartSize: 1})
	wantKind(t, err, storage.ErrExists)
	for _, o := range []storage.UploadOptions{{Size: -1, PartSize: 1}, {Size: 1}, {Size: maxParts + 1, PartSize: 1}} {
		_, err = b.CreateUpload(t.Context(), "new", o)
		wantKind(t, err, storage.ErrInvalid)
	}
	if names := leftovers(t, b); len(names) > 0 {
		t.Errorf("left: %q", names)
	}
}

// golden is the format on disk; a release must read what an older one wrote.
const golden = "\nupload 1 10 4 1700000000000000000 boot-1 1600000000123456789 640 \"d/\\xffk\" 103fbc54\n" +
	"\nbegin 1 5b2e6f12\n" + "\npart 1 4 92c80a31 23a0dd0c\n"

func TestSidecarGolden(t *testing.T) {
	want := sidecar{
		size: 10, partSize: 4, started: time.Unix(1_700_000_000, 0), boot: "boot-1", key: "d/\xffk",
		meta:  storage.Metadata{MTime: time.Unix(1_600_000_000, 123456789), Mode: 0o640, HasMode: true},
		parts: map[int]storage.Part{1: {Number: 1, Size: 4, ETag: "92c80a31"}},
	}
	text := string(want.header()) + string(beginLine(1)) + string(partLine(want.parts[1]))
	if text != golden {
		t.Errorf("written %q\nwant    %q", text, golden)
	}
	got, err := readSidecar([]byte(golden))
	if err != nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("read %+v, %v\nwant %+v", got, err, want)
	}
}

// FuzzSidecar: what is accepted can be written and read again, and never names
// parts that the upload cannot have.
func FuzzSidecar(f *testing.F) {
	s := sidecar{size: 10, partSize: 4, started: time.Unix(1, 0), boot: "b", key: "k"}
	f.Add([]byte(golden))
	f.Add(append(s.header(), partLine(storage.Part{Number: 3, Size: 2, ETag: "01234567"})...))
	f.Add(append(s.header(), partLine(storage.Part{Number: 4, Size: 4, ETag: "01234567"})...))
	f.Add(line(`upload 1 99999999999 1 0 b - - "k"`))
	f.Add(line("upload 2 1 1 0 b - - k"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := readSidecar(data)
		if err != nil {
			return
		}
		text := s.header()
		for _, p := range s.list() {
			if p.Number < 1 || p.Number > s.count() || p.Size != s.length(p.Number) || p.Size < 0 {
				t.Errorf("part %+v of %+v", p, s)
			}
			text = append(text, partLine(p)...)
		}
		again, err := readSidecar(text)
		if err != nil || !reflect.DeepEqual(again.list(), s.list()) || again.key != s.key || again.size != s.size {
			t.Errorf("read again as %+v, %v; was %+v", again, err, s)
		}
	})
}
