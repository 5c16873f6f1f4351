package analysis

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// BenchmarkCounter counts 1,000,000 keys: as a backup has them, as photos of
// many users have them, each in a directory of its own, and at the worst, with
// an extension of its own too.
func BenchmarkCounter(b *testing.B) {
	exts := []string{"jpg", "JPG", "png", "json", "mp4", "txt", "parquet"}
	rnd := rand.New(rand.NewPCG(1, 2))
	for name, key := range map[string]func(i int) string{
		"flat":          func(i int) string { return fmt.Sprintf("data/2026/%010d.bin", i) },
		"users":         func(i int) string { return fmt.Sprintf("users/%06d/2026-11/IMG_%08d.%s", i/20, i, exts[i%len(exts)]) },
		"own directory": func(i int) string { return fmt.Sprintf("%08d/%08d/x.jpg", i, i) },
		"worst":         func(i int) string { return fmt.Sprintf("%08d/%08d/x.%x", i, i, rnd.Uint32()) },
	} {
		objects := make([]storage.Object, 1_000_000)
		for i := range objects {
			objects[i] = storage.Object{Key: key(i), Size: 1 << rnd.IntN(34), ModTime: time.Unix(1_700_000_000+rnd.Int64N(90_000_000), 0), Class: "STANDARD"}
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c := New(Config{Now: time.Unix(1_790_000_000, 0)})
				for i := range objects {
					c.Add(&objects[i])
				}
				if c.Report().Objects != 1_000_000 {
					b.Fatal("miscounted")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e6, "ns/key")
		})
	}
}
