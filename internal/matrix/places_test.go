package matrix

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/file"
	"github.com/sluice-sync/sluice/storage/mem"
)

// place is a fresh bucket as the program opens it, and a way to fill and read
// it that shares nothing with the program's drivers.
type place struct {
	bucket  storage.Bucket
	holds   holds
	refuses func(key string) bool
	put     func(object) error
	get     func(key string) (object, error)
	remove  func(key string) error
	uploads func() (int, error) // how many are unfinished; of OSS only
}

// kind makes places; one server serves all of its kind.
type kind struct {
	name string
	open func(t *testing.T) place
}

func kinds(t *testing.T) []kind {
	return []kind{{"file", openFile}, {"mem", openMem}, minioKind(t), s3Kind(t), ossKind(t)}
}

func openFile(t *testing.T) place {
	root := t.TempDir()
	b, err := file.Open(root, file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return place{
		bucket: b, holds: holds{mode: true},
		refuses: func(key string) bool {
			return path.Clean("/"+key) != "/"+key || strings.Contains(key, "\x00") || longName(key, 255)
		},
		put: func(o object) error {
			name := filepath.Join(root, o.key)
			err := os.MkdirAll(filepath.Dir(name), 0o755)
			return errors.Join(err, os.WriteFile(name, o.body, 0o600), os.Chmod(name, fs.FileMode(o.mode)), os.Chtimes(name, o.mtime, o.mtime))
		},
		get: func(key string) (o object, err error) {
			name := filepath.Join(root, key)
			fi, err := os.Stat(name)
			if err != nil {
				return o, err
			}
			o.body, err = os.ReadFile(name)
			o.mtime, o.mode = fi.ModTime(), uint32(fi.Mode().Perm())
			return o, err
		},
		remove: func(key string) error { return os.Remove(filepath.Join(root, key)) },
	}
}

func longName(key string, most int) bool {
	for name := range strings.SplitSeq(key, "/") {
		if len(name) > most {
			return true
		}
	}
	return false
}

// openMem has no reader but itself.
func openMem(*testing.T) place {
	b := mem.New(mem.Options{})
	ctx := context.Background()
	return place{
		bucket: b, holds: holds{headers: true, tags: true, rare: "STANDARD_IA"},
		refuses: func(string) bool { return false },
		put: func(o object) error {
			m := storage.Metadata{
				ContentType: o.contentType, ContentEncoding: o.encoding, ContentLanguage: o.language, ContentDisposition: o.disposition,
				CacheControl: o.cache, Expires: o.expires, User: o.user, Tags: o.tags, MTime: o.mtime,
			}
			if o.rare {
				m.StorageClass = "STANDARD_IA"
			}
			_, err := b.Put(ctx, o.key, bytes.NewReader(o.body), storage.PutOptions{Size: int64(len(o.body)), Meta: m})
			return err
		},
		get: func(key string) (o object, err error) {
			r, err := b.Open(ctx, key, storage.ReadOptions{Length: -1})
			if err != nil {
				return o, err
			}
			i := r.Info
			o = object{
				contentType: i.ContentType, encoding: i.ContentEncoding, language: i.ContentLanguage, disposition: i.ContentDisposition,
				cache: i.CacheControl, expires: i.Expires, user: i.User, rare: i.Class == "STANDARD_IA", mtime: i.MTime,
			}
			o.body, err = io.ReadAll(r.Body)
			if err == nil {
				o.tags, err = b.Tags(ctx, key)
			}
			return o, err
		},
		remove: func(key string) error { return b.Delete(ctx, key) },
	}
}
