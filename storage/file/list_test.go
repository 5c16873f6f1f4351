package file

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

// TestListRandom lists random trees in random ranges, with sort runs of every
// size, and compares with what was made, sorted by whole keys.
func TestListRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	root := t.TempDir()
	want := randomTree(t, r, root, 3000)
	for run := range 40 {
		b := open(t, root, Options{TempDir: t.TempDir(), SortRun: 1 + r.IntN(1<<r.IntN(13)), Parallel: 1 + r.IntN(5)})
		rng := storage.Range{}
		if run > 0 {
			rng = storage.Range{After: bound(r, want), Last: bound(r, want)}
		}
		var in []string
		for _, k := range want {
			if k > rng.After && (rng.Last == "" || k <= rng.Last) {
				in = append(in, k)
			}
		}
		if got := keys(list(t, b, rng)); !slices.Equal(got, append([]string{}, in...)) {
			t.Errorf("range %q, runs of %d: %d keys, want %d", rng, b.o.SortRun, len(got), len(in))
		}
		if left, err := os.ReadDir(b.o.TempDir); err != nil || len(left) > 0 {
			t.Errorf("sort runs left: %v, %v", left, err)
		}
	}
}

// randomTree makes files and empty directories and returns their keys in order.
func randomTree(t *testing.T, r *rand.Rand, root string, n int) []string {
	const letters = "ab-.0z\xff\x01"
	var dirs []string
	for range n {
		parts := make([]string, 1+r.IntN(4))
		for i := range parts {
			for range 1 + r.IntN(3) {
				parts[i] += letters[r.IntN(len(letters)):][:1]
			}
			parts[i] = strings.Trim(parts[i], ".") + "x"
		}
		path := filepath.Join(root, filepath.Join(parts...))
		if os.MkdirAll(filepath.Dir(path), 0o777) != nil {
			continue // a file is in the way
		}
		if r.IntN(10) == 0 {
			if os.Mkdir(path, 0o777) == nil {
				dirs = append(dirs, path)
			}
		} else if fi, err := os.Lstat(path); err != nil || !fi.IsDir() {
			write(t, path, "")
		}
	}
	var ks []string
	err := filepath.Walk(root, func(path string, fi os.FileInfo, err error) error {
		key := strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
		switch {
		case err != nil || key == "":
			return err
		case !fi.IsDir():
			ks = append(ks, key)
		default:
			if list, err := os.ReadDir(path); err == nil && len(list) == 0 {
				ks = append(ks, key+"/")
			}
		}
		return nil
	})
	if err != nil || len(dirs) == 0 {
		t.Fatal(err, dirs)
	}
	slices.Sort(ks)
	return ks
}

// bound is a key, a piece of one, or none.
func bound(r *rand.Rand, ks []string) string {
	k := ks[r.IntN(len(ks))]
	switch r.IntN(4) {
	case 0:
		return k[:r.IntN(len(k)+1)]
	case 1:
		return k + "a"
	case 2:
		return ""
	}
	return k
}

func TestListPages(t *testing.T) {
	b := newBucket(t)
	for i := range 2500 {
		write(t, filepath.Join(b.root, fmt.Sprintf("d%d", i/1200), fmt.Sprintf("%04d", i)), "")
	}
	p := b.List(storage.Range{})
	defer p.Close()
	for {
		page, err := p.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || len(page) == 0 || len(page) > pageSize {
			t.Fatalf("a page of %d, %v", len(page), err)
		}
	}
}

// TestListClosed: a listing that is closed before its end never ends as if it
// were complete.
func TestListClosed(t *testing.T) {
	b := newBucket(t)
	for i := range 5000 {
		write(t, filepath.Join(b.root, fmt.Sprintf("d%d", i%7), fmt.Sprintf("%04d", i)), "")
	}
	for range 50 {
		p := b.List(storage.Range{})
		var wg sync.WaitGroup
		wg.Go(func() {
			n := 0
			for {
				page, err := p.Next(t.Context())
				if n += len(page); err != nil {
					if errors.Is(err, io.EOF) && n != 5000 {
						t.Errorf("closed after %d, and said to be complete", n)
					}
					return
				}
			}
		})
		p.Close()
		wg.Wait()
	}
	p := b.List(storage.Range{})
	p.Close()
	if _, err := p.Next(t.Context()); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("closed before the start: %v", err)
	}
}

// TestListCutShort: Close beside Next finds a line that has ended and a chunk
// that nobody filled. Which of several ready cases is taken is random, so it is
// tried often.
func TestListCutShort(t *testing.T) {
	for range 100 {
		for _, queued := range [][]*chunk{nil, {{done: closed()}}} {
			p := open(t, "x", Options{}).List(storage.Range{}).(*pages)
			line := make(chan *chunk, 1)
			for _, c := range queued {
				line <- c
			}
			close(line)
			close(p.quit)
			p.line = line
			if c, err := p.next(t.Context()); c != nil || err == nil || errors.Is(err, io.EOF) {
				t.Fatalf("cut short, but %v, %v", c, err)
			}
		}
	}
}

// TestListVanishing removes and makes entries while they are listed.
func TestListVanishing(t *testing.T) {
	b := newBucket(t)
	write(t, filepath.Join(b.root, "m", "stays"), "")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			path := filepath.Join(b.root, fmt.Sprintf("d%d", i%5))
			write(t, filepath.Join(path, "sub", "file"), "")
			if err := os.RemoveAll(path); err != nil {
				t.Error(err)
			}
		}
	})
	for range 300 {
		if !slices.Contains(keys(list(t, b, storage.Range{})), "m/stays") {
			t.Error("an entry that stays is not listed")
		}
	}
	close(stop)
	wg.Wait()
}

func TestTempNamesAreHidden(t *testing.T) {
	b := newBucket(t)
	tmp := b.tempName(tempWrite, "x")
	write(t, filepath.Join(b.root, tmp), "")
	write(t, filepath.Join(b.root, "d", tmp), "")
	write(t, filepath.Join(b.root, tmp+"x"), "")
	if got, want := keys(list(t, b, storage.Range{})), []string{tmp + "x", "d/"}; !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	_, err := b.Put(t.Context(), "a/"+tmp, strings.NewReader(""), storage.PutOptions{})
	wantKind(t, err, storage.ErrInvalidKey)
}

func TestNoRoot(t *testing.T) {
	ctx := t.Context()
	for name, root := range map[string]string{"never there": "x/y", "a file": "f/g"} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			write(t, filepath.Join(top, "f"), "")
			b := open(t, filepath.Join(top, root), Options{})
			_, stat := b.Stat(ctx, "k")
			_, get := b.Open(ctx, "d/k", storage.ReadOptions{Length: -1})
			_, put := b.Put(ctx, "d/k", strings.NewReader(""), storage.PutOptions{})
			_, next := b.List(storage.Range{}).Next(ctx)
			_, create := b.CreateUpload(ctx, "k", storage.UploadOptions{Size: 1, PartSize: 1})
			_, sweep := b.Sweep(ctx, nil)
			_, uploads := b.ListUploads(ctx, "d/k")
			for i, err := range []error{b.Check(ctx), stat, get, put, next, create, sweep, uploads, b.Delete(ctx, "k"), b.Sync(ctx), b.MakeDir(ctx, "d/", storage.Metadata{})} {
				if wantKind(t, err, storage.ErrNoBucket); t.Failed() {
					t.Fatalf("call %d", i)
				}
			}
		})
	}
	_, err := open(t, filepath.Join(t.TempDir(), "gone"), Options{}).List(storage.Range{}).Next(ctx)
	wantKind(t, err, storage.ErrNoBucket)
}
