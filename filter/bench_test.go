package filter

import (
	"fmt"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

var benchRules = map[string]string{
	"literal":  "-Thumbs.db",
	"suffix":   "+*.jpg",
	"prefix":   "+/photos/2026/",
	"anywhere": "-node_modules/",
	"several":  "-*.tmp -*.bak -/cache/ -.git/ -Thumbs.db",
	"glob":     "+/photos/*/*/IMG_*.jpg",
	"regexp":   `+re:IMG_\d+\.jpg$`,
}

func benchKeys() []string {
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprintf("photos/2026/album-%02d/IMG_%06d.jpg", i%17, i)
	}
	return keys
}

func BenchmarkKey(b *testing.B) {
	keys := benchKeys()
	for _, name := range []string{"literal", "suffix", "prefix", "anywhere", "several", "glob", "regexp"} {
		f := mustNew(b, Config{Rules: rules(benchRules[name])})
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				f.Key(keys[i%len(keys)])
			}
		})
	}
}

// TestNoAllocations: a listing of millions of keys must not make garbage here.
func TestNoAllocations(t *testing.T) {
	keys := benchKeys()
	for name, rs := range benchRules {
		f := mustNew(t, Config{Rules: rules(rs), MinSize: 1})
		o := storage.Object{Key: keys[0], Size: 5}
		if n := testing.AllocsPerRun(100, func() { f.Object(&o); f.SkipDir("photos/2026/") }); n != 0 && name != "regexp" {
			t.Errorf("%s: %v allocations per object", name, n)
		}
	}
}
