package file

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/storagetest"
)

func open(t testing.TB, root string, o Options) *Bucket {
	t.Helper()
	b, err := Open(root, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newBucket is a bucket whose root was made by Create.
func newBucket(t testing.TB) *Bucket {
	t.Helper()
	b := open(t, filepath.Join(t.TempDir(), "a", "root"), Options{Owner: "test", TempDir: t.TempDir()})
	if err := b.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSuite(t *testing.T) {
	for name, run := range map[string]int{"in memory": 0, "runs of 3": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storagetest.Run(t, storagetest.Harness{
				New: func(t *testing.T) storage.Bucket {
					b := newBucket(t)
					return open(t, b.root, Options{Owner: "suite", TempDir: b.o.TempDir, SortRun: run})
				},
				Reopen: func(t *testing.T, b storage.Bucket) storage.Bucket {
					return open(t, b.String(), Options{Owner: "suite"})
				},
				Refuses:  refuses,
				PageSize: pageSize,
				PartSize: 100_000,
			})
		})
	}
}

// refuses says in other words than checkKey which keys are no file names here.
func refuses(key string) bool {
	for _, name := range strings.Split(key, "/") {
		if name == "" || name == "." || name == ".." || len(name) > 255 || strings.Contains(name, "\x00") {
			return true
		}
	}
	return false
}

func write(t testing.TB, path, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o666); err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, b *Bucket, key, data string) storage.Object {
	t.Helper()
	o, err := b.Put(t.Context(), key, strings.NewReader(data), storage.PutOptions{Size: int64(len(data))})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func list(t testing.TB, b storage.Lister, r storage.Range) (all []storage.Object) {
	t.Helper()
	p := b.List(r)
	defer p.Close()
	for {
		page, err := p.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
	}
}

func keys(objs []storage.Object) []string {
	ks := []string{}
	for _, o := range objs {
		ks = append(ks, o.Key)
	}
	return ks
}

func wantKind(t testing.TB, err, kind error) {
	t.Helper()
	if got, _ := storage.KindOf(err); err == nil || !errors.Is(got, kind) {
		t.Errorf("error %v, want %v", err, kind)
	}
}

// leftovers are the temporary names anywhere below the root.
func leftovers(t testing.TB, b *Bucket) (names []string) {
	t.Helper()
	err := b.walkTemps(t.Context(), func(_ dir, name string) error {
		names = append(names, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
