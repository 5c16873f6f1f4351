package storagetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

var keyTopics = []topic{
	{"hostile", hostileKeys},
	{"side by side", keysSideBySide},
	{"parent and child", parentAndChild},
	{"pairs", keyPairs},
}

// Hostile returns keys that are hard to hold. All of them are legal on some
// object store except the empty one.
func Hostile() []string {
	keys := []string{
		"",                                  // no key at all
		" ", "  ", " lead", "trail ", "a b", // spaces
		"/", "//", "/lead", "a//b", "trail/", "a/b/", // slashes
		".", "..", "./a", "../a", "a/.", "a/..", "a/./b", "a/../b", "...", "a/.../b", ".hidden", // dots
		"\x00", "\x01", "a\x02b", "\x1f", "\x7f", "a\nb", "a\r\nb", "a\tb", "\u0085", // control characters
		"%", "%2F", "a%2Fb", "%00", "+", "a+b", "a=b", "a&b", "a?b", "a#b", "a:b", "a;b", "a,b", "a@b", // of URLs
		"&<>\"'", "]]>", "<!--", "\\", "a\\b", "C:\\x", "*", "a|b", "$HOME", "`x`", "~", "^", "{}", "[a]", // of markup and shells
		"\u00e9", "e\u0301", "\u65e5\u672c/\u8a9e", "\U0001f600", "\u200b", "\u202ex", "\ufeff", "\ufffd", "\uffff", // Unicode
		"\xff", "a\xc3\x28", "\xed\xa0\x80", // not UTF-8
		"CON", "nul.txt", "a.", "Thumbs.db", // names other systems keep for themselves
		strings.Repeat("n", 255), strings.Repeat("n", 256), strings.Repeat("\u00e9", 127) + "e",
		"d/" + strings.Repeat("m", 255) + "/" + strings.Repeat("n", 255),
	}
	long := strings.Repeat(strings.Repeat("p", 127)+"/", 8)
	return append(keys, long[:1023]+"q", strings.Repeat("d/", 511)+"ee")
}

func hostileKeys(t *testing.T, h Harness) {
	b := h.New(t)
	for i, key := range Hostile() {
		if b.Features().FileTree {
			b = h.New(t) // directories of the last key may lie in the way
		}
		t.Run(shortName(key), func(t *testing.T) {
			if h.refuses(key) {
				refusedKey(t, b, key)
			} else {
				heldKey(t, b, key, content(uint64(i), 100+i))
			}
		})
	}
}

func shortName(key string) string {
	if len(key) > 40 {
		return key[:20] + "…" + key[len(key)-20:]
	}
	if key == "" {
		return "empty"
	}
	return key
}

func heldKey(t *testing.T, b storage.Bucket, key string, data []byte) {
	put(t, b, key, data)
	if i := stat(t, b, key); i.Size != int64(len(data)) {
		t.Errorf("stat says %d bytes, want %d", i.Size, len(data))
	}
	wantContent(t, b, key, data)
	wantKeys(t, b, storage.Range{}, key)
	wantKeys(t, b, storage.Range{After: key})
	wantKeys(t, b, storage.Range{Last: key}, key)
	got, _, err := read(t.Context(), b, key, storage.ReadOptions{Offset: 10, Length: 5})
	if err != nil || string(got) != string(data[10:15]) {
		t.Errorf("ranged read: %q, %v", got, err)
	}
	if err := b.Delete(t.Context(), key); err != nil {
		t.Errorf("delete: %v", err)
	}
	wantAbsent(t, b, key)
}

func refusedKey(t *testing.T, b storage.Bucket, key string) {
	_, err := b.Put(t.Context(), key, body([]byte("x")), storage.PutOptions{Size: 1})
	wantError(t, b, err, key, storage.ErrInvalidKey)
	_, err = b.Stat(t.Context(), key)
	wantError(t, b, err, key, storage.ErrNotFound, storage.ErrInvalidKey)
	_, _, err = read(t.Context(), b, key, whole)
	wantError(t, b, err, key, storage.ErrNotFound, storage.ErrInvalidKey)
	if m, ok := storage.As[storage.Multipart](b); ok {
		_, err = m.CreateUpload(t.Context(), key, storage.UploadOptions{Size: 1, PartSize: 1})
		wantError(t, b, err, key, storage.ErrInvalidKey)
	}
	wantKind(t, b.Delete(t.Context(), key), nil, storage.ErrInvalidKey)
	if got := list(t, b, storage.Range{}); len(got) != 0 {
		t.Errorf("refused, but listed: %+v", got)
	}
}

// keysSideBySide puts all keys into one bucket. A place may refuse a key that
// another one is in the way of.
func keysSideBySide(t *testing.T, h Harness) {
	b := h.New(t)
	var want []string
	for _, key := range Hostile() {
		if h.refuses(key) {
			continue
		}
		_, err := b.Put(t.Context(), key, body([]byte(key)), storage.PutOptions{Size: int64(len(key))})
		if err != nil && clash(want, key) {
			wantError(t, b, err, key, storage.ErrExists, storage.ErrInvalidKey)
			continue
		}
		if err != nil {
			t.Errorf("put %q: %v", key, err)
			continue
		}
		want = append(want, key)
	}
	slices.Sort(want)
	wantKeys(t, b, storage.Range{}, want...)
	for _, key := range want {
		wantContent(t, b, key, []byte(key))
	}
}

// clash tells whether a file tree could not hold key beside the others.
func clash(held []string, key string) bool {
	under := func(child, parent string) bool {
		return strings.HasPrefix(child, strings.TrimSuffix(parent, "/")+"/")
	}
	return slices.ContainsFunc(held, func(k string) bool { return under(k, key) || under(key, k) })
}

func parentAndChild(t *testing.T, h Harness) {
	for _, order := range [][2]string{{"obj", "obj/child"}, {"obj/child", "obj"}, {"o/b/j", "o/b"}, {"o/b", "o/b/j/k"}} {
		t.Run(order[0]+" then "+order[1], func(t *testing.T) {
			b := h.New(t)
			put(t, b, order[0], []byte("first"))
			_, err := b.Put(t.Context(), order[1], body([]byte("second")), storage.PutOptions{Size: 6})
			wantContent(t, b, order[0], []byte("first"))
			if err != nil {
				wantError(t, b, err, order[1], storage.ErrExists, storage.ErrInvalidKey)
				wantKeys(t, b, storage.Range{}, order[0])
				_, err = b.Stat(t.Context(), order[1])
				wantKind(t, err, storage.ErrNotFound, nil) // a file tree may see the directory
				return
			}
			wantContent(t, b, order[1], []byte("second"))
			if err := b.Delete(t.Context(), order[0]); err != nil {
				t.Errorf("delete %q: %v", order[0], err)
			}
			wantContent(t, b, order[1], []byte("second"))
		})
	}
	t.Run("delete below an object", func(t *testing.T) {
		b := h.New(t)
		put(t, b, "obj", []byte("kept"))
		if err := b.Delete(t.Context(), "obj/child"); err != nil {
			t.Errorf("delete of what is not there: %v", err)
		}
		_, err := b.Stat(t.Context(), "obj/child")
		wantError(t, b, err, "obj/child", storage.ErrNotFound)
		wantContent(t, b, "obj", []byte("kept"))
	})
}

// keyPairs are keys that a place might take for one.
func keyPairs(t *testing.T, h Harness) {
	pairs := [][2]string{
		{"Case", "case"}, {"\u00e9", "e\u0301"}, {"a", "a "}, {"a", "a."}, {"a+b", "a b"}, {"a%2Fb", "a/b"},
		{"a/b", "a//b"}, {"a/b", "/a/b"}, {"x", "./x"}, {"b", "a/../b"}, {"k", "k\x00"}, {"a/b", "a\\b"},
	}
	for _, p := range pairs {
		b := h.New(t)
		for i, key := range p {
			_, err := b.Put(t.Context(), key, body([]byte{'0' + byte(i)}), storage.PutOptions{Size: 1})
			if h.refuses(key) {
				wantError(t, b, err, key, storage.ErrInvalidKey)
			} else if err != nil {
				t.Errorf("put %q: %v", key, err)
			}
		}
		for i, key := range p {
			got, _, err := read(t.Context(), b, key, whole)
			if h.refuses(key) {
				wantKind(t, err, storage.ErrInvalidKey, storage.ErrNotFound)
			} else if want := string('0' + rune(i)); err != nil || string(got) != want {
				t.Errorf("%q of %q holds %q, %v", key, p, got, err)
			}
		}
	}
}
