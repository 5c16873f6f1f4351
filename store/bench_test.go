package store

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// benchRow has the size of a row of a bucket-to-bucket task.
func benchRow(i int) Row {
	v := fmt.Sprintf("%032x/1000", i)
	return Row{
		Run: "01JC3ZK7Q8W4V2T9X5M6N7P8R0", Outcome: "copied", Src: v, Dst: v,
		Size: 4096, Moved: 4096, At: time.Unix(1760000000, 123456789),
	}
}

func benchKey(i int) string { return fmt.Sprintf("photos/2026/%03d/img-%08d.jpg", i/1000, i) }

// benchDirs are a directory of the disk and, where there is one, of memory.
func benchDirs(b *testing.B) map[string]string {
	dirs := map[string]string{"disk": b.TempDir()}
	if d, err := os.MkdirTemp("/dev/shm", "store"); err == nil {
		b.Cleanup(func() { os.RemoveAll(d) })
		dirs["tmpfs"] = d
	}
	return dirs
}

func mustOpen(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fill(t testing.TB, s *Store, from, to int) {
	t.Helper()
	task := s.Task("photos-3fa9c1")
	for i := from; i < to; {
		b := task.Batch()
		for ; i < to; i++ {
			b.PutRow(benchKey(i), benchRow(i))
			if i%1000 == 999 {
				i++
				break
			}
		}
		if err := b.Commit(false); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkOpenClose(b *testing.B) {
	for name, dir := range benchDirs(b) {
		b.Run(name+"/new", func(b *testing.B) {
			for i := range b.N {
				if err := mustOpen(b, filepath.Join(dir, fmt.Sprint("new", b.N, i))).Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/again", func(b *testing.B) {
			for range b.N {
				if err := mustOpen(b, filepath.Join(dir, "again")).Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCommit is what the projector does: 256 rows, the counters, one sync.
func BenchmarkCommit(b *testing.B) {
	for name, dir := range benchDirs(b) {
		b.Run(name, func(b *testing.B) {
			s := mustOpen(b, filepath.Join(dir, "commit"))
			defer s.Close()
			task := s.Task("photos-3fa9c1")
			n := 0
			for b.Loop() {
				batch := task.Batch()
				for range 256 {
					batch.PutRow(benchKey(n), benchRow(n))
					n++
				}
				batch.PutRecord("counters", make([]byte, 200))
				if err := batch.Commit(true); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/row")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	const rows = 1_000_000
	s := mustOpen(b, b.TempDir())
	defer s.Close()
	fill(b, s, 0, rows)
	task := s.Task("photos-3fa9c1")
	keys := make([]string, rows)
	for i := range keys {
		keys[i] = benchKey(i)
	}
	runtime.GC()
	b.Run("Row/hit", func(b *testing.B) {
		i := 0
		for b.Loop() {
			if _, found, err := task.Row(keys[i%rows]); !found || err != nil {
				b.Fatal(found, err)
			}
			i += 7919
		}
	})
	b.Run("Row/ascending", func(b *testing.B) {
		i := 0
		for b.Loop() {
			if _, found, err := task.Row(keys[i%rows]); !found || err != nil {
				b.Fatal(found, err)
			}
			i++
		}
	})
	b.Run("Row/miss", func(b *testing.B) {
		i := 0
		for b.Loop() {
			if _, found, err := task.Row(keys[i%rows] + "x"); found || err != nil {
				b.Fatal(found, err)
			}
			i += 7919
		}
	})
	for _, step := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("Seek/hit/every%d", step), func(b *testing.B) { benchSeek(b, task, keys, step, "") })
		b.Run(fmt.Sprintf("Seek/miss/every%d", step), func(b *testing.B) { benchSeek(b, task, keys, step, "x") })
	}
	b.Run("Seek/beyond", func(b *testing.B) {
		r := task.Rows("", "")
		defer r.Close()
		for i := 0; b.Loop(); i++ {
			if _, found, err := r.Seek("zz" + keys[i%rows]); found || err != nil {
				b.Fatal(found, err)
			}
		}
	})
	b.Run("Next", func(b *testing.B) {
		r := task.Rows("", "")
		for b.Loop() {
			if !r.Next() {
				r.Close()
				r = task.Rows("", "")
				continue
			}
			if _, err := r.Row(); err != nil {
				b.Fatal(err)
			}
		}
		r.Close()
	})
}

func benchSeek(b *testing.B, task *Task, keys []string, step int, suffix string) {
	r := task.Rows("", "")
	i := 0
	for b.Loop() {
		if i >= len(keys) {
			r.Close()
			r, i = task.Rows("", ""), 0
		}
		if _, found, err := r.Seek(keys[i] + suffix); found != (suffix == "") || err != nil {
			b.Fatal(found, err)
		}
		i += step
	}
	r.Close()
}
