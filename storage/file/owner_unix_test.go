//go:build unix

package file

import (
	"os"
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

// someone is an owner this process may give files to: any if it is root.
func someone() (uid, gid uint32) {
	uid, gid = uint32(os.Getuid()), uint32(os.Getgid())
	if uid == 0 {
		return 12345, 54321
	}
	return uid, gid
}

// Whatever way a file comes, it has the owner that was asked for.
func TestOwner(t *testing.T) {
	ctx := t.Context()
	b, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	uid, gid := someone()
	m := storage.Metadata{UID: uid, GID: gid, HasOwner: true, Mode: 0o640, HasMode: true}
	put, err := b.Put(ctx, "put", strings.NewReader("x"), storage.PutOptions{Size: 1, Meta: m})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.CopyFrom(ctx, b, put, "copy", storage.CopyOptions{Meta: m}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.CopyFrom(ctx, b, put, "mine", storage.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := b.MakeDir(ctx, "dir/", m); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Symlink(ctx, "link", "put", m); err != nil {
		t.Fatal(err)
	}
	id, err := b.CreateUpload(ctx, "parts", storage.UploadOptions{Size: 1, PartSize: 1, Meta: m})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(b.String(), Options{}) // the state of the upload is on disk
	if err != nil {
		t.Fatal(err)
	}
	part, err := again.UploadPart(ctx, "parts", id, 1, strings.NewReader("x"), storage.PartOptions{Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.CompleteUpload(ctx, "parts", id, []storage.Part{part}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"put", "copy", "dir/", "link", "parts"} {
		i, err := b.Stat(ctx, key)
		if err != nil || !i.HasOwner || i.UID != uid || i.GID != gid {
			t.Errorf("%s belongs to %d:%d (%v), %v; want %d:%d", key, i.UID, i.GID, i.HasOwner, err, uid, gid)
		}
		if key != "link" && i.Mode != 0o640 {
			t.Errorf("%s has mode %o", key, i.Mode)
		}
	}
	if i, err := b.Stat(ctx, "mine"); err != nil || i.UID != uint32(os.Getuid()) {
		t.Errorf("a copy without an owner belongs to %d, %v", i.UID, err)
	}
}
