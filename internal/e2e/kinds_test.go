package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// A file becomes a directory, and a directory a file: what is in the way of the
// new one is deleted first, by the same run.
func TestFilesAndDirectoriesChangePlaces(t *testing.T) {
	newPairLab(t).each(t, func(t *testing.T, u *user, src, dst place) {
		for _, key := range []string{"file", "dir/one", "dir/two/three", "same"} {
			src.put(key, key)
		}
		u.sync(src.String(), dst.String(), "--create-bucket")
		for _, key := range []string{"file", "dir/one", "dir/two/three"} {
			src.remove(key)
		}
		if tr, ok := src.(tree); ok {
			if err := os.RemoveAll(filepath.Join(tr.root, "dir")); err != nil {
				t.Fatal(err)
			}
		}
		src.put("file/inside", "new")
		src.put("dir", "new")
		last := u.sync(src.String(), dst.String(), "--delete", "--max-delete", "none")
		deleted := int64(3)
		if _, ok := dst.(tree); !ok {
			deleted = 1 // a MinIO stops listing what is below an object as soon as that is there
		}
		if last.Failed != 0 || last.Copied != 2 || last.Deleted != deleted || last.Pending != 0 {
			t.Errorf("summary %+v", last)
		}
		wantSame(t, src, dst)
	})
}
