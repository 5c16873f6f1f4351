package e2e

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/sluice-sync/sluice/internal/servertest"
)

// place is one end of a pair, seen by other means than the program's own.
type place interface {
	String() string // as SRC or DST
	put(key, content string)
	remove(key string)
	files() map[string]string  // key → content
	stamps() map[string]string // key → what every write would change
}

// tree is a directory.
type tree struct {
	t    *testing.T
	root string
}

func (p tree) String() string          { return p.root }
func (p tree) put(key, content string) { write(p.t, filepath.Join(p.root, key), content) }

// remove leaves no empty directories, as stores have none.
func (p tree) remove(key string) {
	p.t.Helper()
	path := filepath.Join(p.root, key)
	if err := os.Remove(path); err != nil {
		p.t.Fatal(err)
	}
	for path = filepath.Dir(path); path != p.root && os.Remove(path) == nil; path = filepath.Dir(path) {
	}
}

func (p tree) each(do func(key string, fi fs.FileInfo)) {
	p.t.Helper()
	err := filepath.Walk(p.root, func(path string, fi fs.FileInfo, err error) error {
		if os.IsNotExist(err) && path == p.root {
			return nil
		}
		if err == nil && path != p.root {
			do(strings.TrimPrefix(path, p.root+"/"), fi)
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p tree) files() map[string]string {
	all := map[string]string{}
	p.each(func(key string, fi fs.FileInfo) {
		if fi.Mode().IsRegular() {
			b, err := os.ReadFile(filepath.Join(p.root, key))
			if err != nil {
				p.t.Fatal(err)
			}
			all[key] = string(b)
		}
	})
	return all
}

func (p tree) stamps() map[string]string {
	all := map[string]string{}
	p.each(func(key string, fi fs.FileInfo) {
		s := fi.Sys().(*syscall.Stat_t)
		all[key] = fmt.Sprint(fi.Mode(), s.Ino, fi.Size(), fi.ModTime().UnixNano())
	})
	return all
}

// shelf is a prefix of a bucket.
type shelf struct {
	store                    minioStore
	endpoint, bucket, prefix string
}

func (p shelf) String() string     { return p.endpoint + "://" + p.bucket + "/" + p.prefix }
func (p shelf) at(k string) string { return p.prefix + "/" + k }

func (p shelf) put(key, content string) {
	p.store.t.Helper()
	_, err := p.store.PutObject(context.Background(), p.bucket, p.at(key), strings.NewReader(content), int64(len(content)), minio.PutObjectOptions{PartSize: 5 << 20})
	if err != nil {
		p.store.t.Fatal(err)
	}
}

func (p shelf) remove(key string) {
	p.store.t.Helper()
	if err := p.store.RemoveObject(context.Background(), p.bucket, p.at(key), minio.RemoveObjectOptions{}); err != nil {
		p.store.t.Fatal(err)
	}
}

func (p shelf) each(do func(key string, o minio.ObjectInfo)) {
	p.store.t.Helper()
	for key, o := range p.store.list(p.bucket) {
		if rest, ok := strings.CutPrefix(key, p.prefix+"/"); ok {
			do(rest, o)
		}
	}
}

func (p shelf) files() map[string]string {
	all := map[string]string{}
	p.each(func(key string, _ minio.ObjectInfo) {
		o, err := p.store.GetObject(context.Background(), p.bucket, p.at(key), minio.GetObjectOptions{})
		if err != nil {
			p.store.t.Fatal(err)
		}
		defer o.Close()
		b, err := io.ReadAll(o)
		if err != nil {
			p.store.t.Fatal(err)
		}
		all[key] = string(b)
	})
	return all
}

func (p shelf) stamps() map[string]string {
	all := map[string]string{}
	p.each(func(key string, o minio.ObjectInfo) { all[key] = fmt.Sprint(o.ETag, o.Size, o.LastModified) })
	return all
}

// pairLab makes places of all kinds on one MinIO.
type pairLab struct {
	server *servertest.MinIOServer
	u      *user
	proxy  *proxy // before the server, under the name of the target endpoint
	made   int
}

func newPairLab(t *testing.T) *pairLab {
	t.Helper()
	server := servertest.MinIO(t)
	p := newProxy(t, server.URL)
	return &pairLab{server: server, proxy: p, u: newUser(t, endpointEnv("STORE", server.URL, server), endpointEnv("OTHER", p.URL, server))}
}

// pairs are the pairs of the test plan; the two with one MinIO move bytes
// through the program, and within the server.
var pairs = []string{"local → local", "local → MinIO", "MinIO → local", "MinIO → MinIO", "MinIO within itself"}

func (l *pairLab) place(t *testing.T, kind, endpoint string) place {
	l.made++
	if kind == "local" {
		return tree{t, filepath.Join(t.TempDir(), "in", fmt.Sprintf("place%d", l.made))}
	}
	return shelf{newStore(t, l.server), endpoint, l.server.Bucket(t), fmt.Sprintf("place%d", l.made)}
}

// new makes the empty places of a pair.
func (l *pairLab) new(t *testing.T, pair string) (src, dst place) {
	t.Helper()
	from, to, ok := strings.Cut(pair, " → ")
	if !ok {
		return l.place(t, "MinIO", "store"), l.place(t, "MinIO", "store")
	}
	return l.place(t, from, "store"), l.place(t, to, "other")
}

// another makes an empty place of the same kind.
func (l *pairLab) another(t *testing.T, p place) place {
	if s, ok := p.(shelf); ok {
		return l.place(t, "MinIO", s.endpoint)
	}
	return l.place(t, "local", "")
}

// each runs a test for all pairs, for two of them where time is short.
func (l *pairLab) each(t *testing.T, do func(t *testing.T, u *user, src, dst place)) {
	t.Helper()
	all := pairs
	if testing.Short() {
		all = pairs[1:3]
	}
	for _, pair := range all {
		t.Run(pair, func(t *testing.T) {
			src, dst := l.new(t, pair)
			do(t, l.u.in(t), src, dst)
		})
	}
}

// wantKeys compares the keys of a place with what is expected, with one blank
// between two.
func wantKeys(t *testing.T, p place, want string) {
	t.Helper()
	got := slices.Sorted(maps.Keys(p.files()))
	if s := strings.Join(got, " "); s != want {
		t.Errorf("%s holds\n%s, want\n%s", p, s, want)
	}
}

// wantSame compares two places by content.
func wantSame(t *testing.T, src, dst place) {
	t.Helper()
	a, b := src.files(), dst.files()
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			t.Errorf("%q: %d bytes at the source, %d at the target (there: %t), or others", k, len(v), len(w), ok)
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			t.Errorf("%q is only at the target", k)
		}
	}
}
