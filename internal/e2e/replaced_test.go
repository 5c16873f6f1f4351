package e2e

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

// version is what an object holds after it was replaced so often: one letter
// all through, so that a mix of two shows.
func version(key string, v int, size int) string {
	head := fmt.Sprintf("%s v%d ", key, v)
	return head + strings.Repeat(string(rune('a'+v)), size+17*v-len(head))
}

// replaced says which version content is; an error if it is none.
func replaced(key, content string, size, versions int) (int, error) {
	for v := range versions {
		if content == version(key, v, size) {
			return v, nil
		}
	}
	letters := map[byte]int{}
	for i := range len(content) {
		letters[content[i]]++
	}
	return 0, fmt.Errorf("%s holds %d bytes of no version: %v", key, len(content), letters)
}

// peek reads one object that may be there or not; false if not.
func peek(p place, key string) (string, bool) {
	switch p := p.(type) {
	case tree:
		b, err := os.ReadFile(filepath.Join(p.root, key))
		return string(b), err == nil
	case shelf:
		s, err := p.store.read(p.bucket, p.at(key))
		return s, err == nil
	}
	return "", false
}

// replace puts a new version in the place of an old one at once, as a careful
// program does.
func replace(p place, key, content string) error {
	switch p := p.(type) {
	case tree:
		tmp := p.root + ".new"
		if err := os.WriteFile(tmp, []byte(content), 0o644); err != nil {
			return err
		}
		return os.Rename(tmp, filepath.Join(p.root, key))
	case shelf:
		_, err := p.store.PutObject(context.Background(), p.bucket, p.at(key), strings.NewReader(content), int64(len(content)), minio.PutObjectOptions{PartSize: 5 << 20})
		return err
	}
	return nil
}

// TestSourceReplacedWhileCopied replaces each object three times while it is
// being copied. Whoever reads the target meanwhile sees one version or another,
// never bytes of two, and in the end the last.
func TestSourceReplacedWhileCopied(t *testing.T) {
	t.Parallel()
	sizes := map[string]int{}
	small, largeBytes := 200, 11<<20
	if testing.Short() {
		small = 60
	}
	for i := range small {
		sizes[fmt.Sprintf("k%03d", i)] = 2000
	}
	for i := range 2 {
		sizes[fmt.Sprintf("large%d", i)] = largeBytes
	}
	l := newPairLab(t)
	l.each(t, func(t *testing.T, u *user, src, dst place) {
		for key, size := range sizes {
			src.put(key, version(key, 0, size))
		}
		seed := time.Now().UnixNano()
		t.Logf("seed %d", seed)
		both := append(inParts, src.String(), dst.String())
		p := u.start(append([]string{"sync", "--json", "--interval", "20ms", "--requests-per-second", "150", "--bandwidth", "20MiB"}, both...)...)
		p.until(30*time.Second, "copied object", func(l line) bool { return l.Copied > 0 })
		over := make(chan struct{})
		var workers sync.WaitGroup
		workers.Go(func() { // in an order of its own for each version
			rng := rand.New(rand.NewSource(seed))
			keys := make([]string, 0, len(sizes))
			for key := range sizes {
				keys = append(keys, key)
			}
			for v := 1; v <= 3; v++ {
				rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
				for _, key := range keys {
					if err := replace(src, key, version(key, v, sizes[key])); err != nil {
						t.Error(err)
					}
				}
			}
		})
		reads := 0
		workers.Go(func() {
			for {
				for key, size := range sizes {
					select {
					case <-over:
						return
					default:
					}
					if s, ok := peek(dst, key); ok {
						reads++
						if _, err := replaced(key, s, size, 4); err != nil {
							t.Errorf("visible at the target: %v", err)
						}
					}
				}
			}
		})
		code, s := p.summary()
		close(over)
		workers.Wait()
		n := int64(len(sizes))
		if code != 0 || s.Found != n || s.Failed != 0 {
			t.Errorf("exit %d, %+v: %s", code, s, p.err.String())
		}
		t.Logf("%d reads of the target; the last line %+v", reads, s)
		if s := u.sync(both...); s.Found != n {
			t.Errorf("when the source is quiet: %+v", s)
		}
		for key, size := range sizes {
			got, _ := peek(dst, key)
			if v, err := replaced(key, got, size, 4); err != nil || v != 3 {
				t.Errorf("%s ends with version %d: %v", key, v, err)
			}
		}
	})
}
