package e2e

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fromManifest copies what a file names, and what an object names.
func fromManifest(l *flagLab) {
	write(l.t, filepath.Join(l.src, "a/b"), "b")
	list := filepath.Join(l.t.TempDir(), "list.csv")
	write(l.t, list, "size,key\n1,old.jpg\n1,gone\n1,a/b\n")
	s := l.sync("--from-manifest", list)
	l.wants("a/b old.jpg")
	if s.Found != 3 || s.Copied != 2 || s.SkippedReasons["gone"] != 1 {
		l.t.Errorf("%+v", s)
	}
	l.u.sync(filepath.Dir(list), "store://"+l.bucket+"/lists")
	s = l.sync("--from-manifest", "store://"+l.bucket+"/lists/list.csv")
	if s.Found != 3 || s.SkippedReasons["equal"] != 2 {
		l.t.Errorf("from the bucket: %+v", s)
	}
	inventory(l)
	if r := l.u.run("sync", "--delete", "--from-manifest", list, l.src, l.dst); r.code != 2 {
		l.t.Errorf("with --delete: exit %d: %s", r.code, r.errOut)
	}
}

// inventory copies what an inventory names that lies in a bucket, where the
// source is a part of it.
func inventory(l *flagLab) {
	dir, dst := l.t.TempDir(), l.t.TempDir()
	write(l.t, filepath.Join(dir, "2026/manifest.json"), `{"sourceBucket": "`+l.bucket+`", "fileFormat": "CSV",
		"fileSchema": "Bucket, Key, VersionId, IsLatest, IsDeleteMarker", "files": [{"key": "inv/data/1.csv"}, {"key": "inv/data/2.csv"}]}`)
	write(l.t, filepath.Join(dir, "data/1.csv"), `"x","part/a%2Fb","v2","true","false"`+"\n"+`"x","inv/data/1.csv","","true","false"`+"\n")
	write(l.t, filepath.Join(dir, "data/2.csv"), `"x","part/old.jpg","v1","false","false"`+"\n"+`"x","part/gone","","true","false"`+"\n")
	l.u.sync(l.src, "store://"+l.bucket+"/part")
	l.u.sync(dir, "store://"+l.bucket+"/inv")
	s := l.u.sync("--from-manifest", "store://"+l.bucket+"/inv/2026/manifest.json", "store://"+l.bucket+"/part", dst)
	if s.Found != 2 || s.Copied != 1 || s.SkippedReasons["gone"] != 1 {
		l.t.Errorf("an inventory: %+v", s)
	}
	wantKeys(l.t, tree{l.t, dst}, "a/b")
}

// keyRange copies, and deletes, within the range only.
func keyRange(l *flagLab) {
	write(l.t, filepath.Join(l.dst, "before"), "1")
	write(l.t, filepath.Join(l.dst, "nobody"), "1")
	l.sync("--key-range", "n..o", "--delete")
	l.wants("before new.txt")
	l.sync("--key-range", "o..")
	l.wants("before new.txt old.jpg")
	bucket, dst := "store://"+l.bucket, l.t.TempDir()
	write(l.t, filepath.Join(l.src, "中/1"), "1") // starts below a key of several bytes are sent to the store
	l.u.sync(l.dst, bucket)
	if s := l.toBucket("--key-range", "new.txt..中/1"); s.Found != 2 || s.SkippedReasons["equal"] != 2 {
		l.t.Errorf("to the bucket: %+v", s)
	}
	if s := l.toBucket("--key-range", "中.."); s.Found != 1 || s.Copied != 1 {
		l.t.Errorf("to the bucket: %+v", s)
	}
	if s := l.u.sync("--key-range", "new.txt..中/2", bucket, dst); s.Found != 3 || s.Copied != 3 {
		l.t.Errorf("from the bucket: %+v", s)
	}
	wantKeys(l.t, tree{l.t, dst}, "new.txt old.jpg 中/1")
}

// longList writes a compressed list of n keys in no order, the first thousand
// of which come twice, and every so manieth of which is a file at src.
func longList(t *testing.T, src string, n, every int) (list string, files int) {
	t.Helper()
	list = filepath.Join(t.TempDir(), "list")
	f, err := os.Create(list)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, _ := gzip.NewWriterLevel(f, gzip.BestSpeed)
	out := bufio.NewWriter(z)
	key := func(i int) string { return fmt.Sprintf("%03d/%07d", i%100, i*7919%n) }
	for i := range n {
		if fmt.Fprintln(out, key(i)); i%every == 0 {
			write(t, filepath.Join(src, key(i)), key(i))
			files++
		}
	}
	for i := range 1000 {
		fmt.Fprintln(out, key(i))
	}
	for _, end := range []func() error{out.Flush, z.Close} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	return list, files
}

// TestKilledManifest kills a run of a long manifest again and again, while it
// reads the manifest and after: each key counts once, and each file is copied.
func TestKilledManifest(t *testing.T) {
	t.Parallel()
	n, kills := 1_000_000, 6
	if testing.Short() || underRace {
		n, kills = 150_000, 4
	}
	src, dst := t.TempDir(), t.TempDir()
	list, files := longList(t, src, n, 2000)
	u := newUser(t)
	args := []string{"sync", "--json", "--interval", "50ms", "--from-manifest", list, src, dst}
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewSource(seed))
	most := int64(0) // keys that were counted before a kill
	for i := range kills {
		if i%2 == 0 { // most likely while the manifest is read
			if code, out := u.killed(time.Duration(100+rng.Intn(n/1000))*time.Millisecond, args...); code >= 0 {
				t.Fatalf("it ended before it was killed %d times: %s", kills, out)
			}
			continue
		}
		p := u.start(args...)
		first := p.until(patience, "a key", func(l line) bool { return l.Found > 0 })
		if i > 1 && !first.Resumed {
			t.Errorf("after %d kills: %+v", i, first)
		}
		target := most + 1 + int64(rng.Intn(n/10))
		p.until(patience, "progress", func(l line) bool { return l.Found > target })
		p.kill()
		most = p.last().Found
	}
	t.Logf("killed %d times, then at %d", kills, most)
	s := u.sync(args[2:]...)
	if !s.Resumed || s.Found != int64(n) || s.Copied != int64(files) || s.SkippedReasons["gone"] != int64(n-files) || s.Skipped != int64(n-files) {
		t.Errorf("%+v, want %d copied of %d", s, files, n)
	}
	sameTree(t, src, dst)
	write(t, list+".txt", strings.Repeat("000/0000000\n", 3))
	if s := u.sync("--from-manifest", list+".txt", src, dst); s.Found != 1 || s.SkippedReasons["equal"] != 1 {
		t.Errorf("another list: %+v", s)
	}
}
