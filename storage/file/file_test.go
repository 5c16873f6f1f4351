package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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

// newBucket is a bucket whose root was made by Create. Small sort runs make
// the suite merge from disk.
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
