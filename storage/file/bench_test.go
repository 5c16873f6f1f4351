package file

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

// The trees are made in the directory for temporary files; set TMPDIR to
// measure another file system.
var benchTree = flag.String("bench-tree", "", "tree to list in place of one that is made")
var benchDirs = flag.Int("bench-dirs", 100, "directories of 1,000 files in the tree that is listed")

func drain(t testing.TB, b storage.Lister) (n int) {
	p := b.List(storage.Range{})
	defer p.Close()
	for {
		page, err := p.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		n += len(page)
	}
}

// BenchmarkList lists one tree, and two at once as a merge of source and
// target does; files/s counts the files of all trees.
func BenchmarkList(b *testing.B) {
	root := *benchTree
	if root == "" {
		root = makeTree(b, *benchDirs)
	}
	for _, trees := range []int{1, 2} {
		b.Run(fmt.Sprintf("trees=%d", trees), func(b *testing.B) {
			b.ReportAllocs()
			var files atomic.Int64
			for b.Loop() {
				var wg sync.WaitGroup
				for range trees {
					wg.Go(func() { files.Add(int64(drain(b, open(b, root, Options{})))) })
				}
				wg.Wait()
			}
			b.ReportMetric(float64(files.Load())/b.Elapsed().Seconds(), "files/s")
		})
	}
}

func makeTree(b *testing.B, dirs int) string {
	root := b.TempDir()
	for d := range dirs {
		for i := range 1000 {
			write(b, filepath.Join(root, fmt.Sprintf("dir-%04d", d), fmt.Sprintf("file-%06d.dat", i)), "")
		}
	}
	return root
}

// parallel runs f with numbers that do not repeat, on eight workers per core.
func parallel(b *testing.B, size int, f func(i int64) error) {
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.SetParallelism(8)
	var n atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := f(n.Add(1)); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkPut4KiB(b *testing.B) {
	data := make([]byte, 4096)
	dst := open(b, b.TempDir(), Options{})
	parallel(b, len(data), func(i int64) error {
		_, err := dst.Put(b.Context(), fmt.Sprintf("d%02d/k%09d", i%10, i), bytes.NewReader(data), storage.PutOptions{Size: 4096})
		return err
	})
}

// BenchmarkCopyFrom copies files of one size into a new tree, eight at a time,
// as `cp -a` does with one after the other.
func BenchmarkCopyFrom(b *testing.B) {
	for _, c := range []struct{ files, size int }{{10_000, 4 << 10}, {2000, 64 << 10}, {2000, 80 << 10}, {4, 256 << 20}} {
		b.Run(fmt.Sprintf("%dx%dKiB", c.files, c.size>>10), func(b *testing.B) {
			src := open(b, b.TempDir(), Options{})
			for i := range c.files {
				if _, err := src.Put(b.Context(), fmt.Sprintf("d%02d/k%06d", i%10, i), io.LimitReader(zeros{}, int64(c.size)), storage.PutOptions{Size: int64(c.size)}); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(c.files) * int64(c.size))
			for b.Loop() {
				dst := open(b, b.TempDir(), Options{})
				copyTree(b, dst, src)
				b.StopTimer()
				if err := os.RemoveAll(dst.root); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func copyTree(b *testing.B, dst, src *Bucket) {
	var wg sync.WaitGroup
	defer wg.Wait()
	objs := make(chan storage.Object)
	defer close(objs)
	for range 8 {
		wg.Go(func() {
			for o := range objs {
				if _, err := dst.CopyFrom(b.Context(), src, o, o.Key, storage.CopyOptions{}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	p := src.List(storage.Range{})
	defer p.Close()
	for {
		page, err := p.Next(b.Context())
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			b.Fatal(err)
		}
		for _, o := range page {
			objs <- o
		}
	}
}
