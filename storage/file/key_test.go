package file

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

func TestTempNames(t *testing.T) {
	b := open(t, "x", Options{Owner: "o"})
	name := b.tempName(tempData, "k")
	use, owner, id := tempParts(name)
	if !isTemp(name) || use != tempData || owner != hash("o") || uploadName(use, id) != name || !isUploadOf("k", id) || isUploadOf("j", id) {
		t.Errorf("%q: %c %q %q", name, use, owner, id)
	}
	for _, other := range []string{"", ".sluice-", name + "0", name[:len(name)-1], strings.ToUpper(name), strings.Replace(name, "-d-", "-x-", 1), strings.Replace(name, "-d-", "-dd", 1)} {
		if isTemp(other) {
			t.Errorf("%q is taken for a temporary name", other)
		}
	}
	if b.tempName(tempData, "k") == name {
		t.Error("two writers share a name")
	}
}

// FuzzCheckKey: an accepted key is one file below the root, under no other key.
func FuzzCheckKey(f *testing.F) {
	for _, k := range []string{"", "a", "a/b", "a/", "/", "..", "../a", "a/..", "./a", "a//b", "a\x00", "\xff", "a/../../b", strings.Repeat("n", 256)} {
		f.Add(k)
	}
	top := f.TempDir()
	f.Fuzz(func(t *testing.T, key string) {
		for _, dir := range []bool{false, true} {
			if checkKey(key, dir) != nil {
				continue
			}
			plain := key
			if dir {
				plain = strings.TrimSuffix(key, "/")
			}
			path := filepath.Join(top, plain)
			back, err := filepath.Rel(top, path)
			if err != nil || filepath.ToSlash(back) != plain || !filepath.IsLocal(plain) || plain == "." || strings.Contains(plain, "\x00") {
				t.Errorf("%q (dir %v) becomes %q", key, dir, path)
			}
			if !dir && (key[len(key)-1] == '/' || refuses(key)) {
				t.Errorf("%q was accepted", key)
			}
		}
		if !refuses(key) && !strings.Contains(key, tempPrefix) && filepath.Separator == '/' && checkKey(key, false) != nil {
			t.Errorf("%q was refused", key)
		}
		b := open(t, top, Options{})
		if err := b.Delete(t.Context(), "../"+key); err == nil {
			t.Errorf("%q: deleted outside", key)
		} else {
			wantKind(t, err, storage.ErrInvalidKey)
		}
	})
}
