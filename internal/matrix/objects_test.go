package matrix

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/storage/storagetest"
)

// object is one object with every property it can have. A place holds those of
// them that it can.
type object struct {
	key  string
	body []byte

	contentType, encoding, language, disposition, cache, expires string

	user  map[string]string
	tags  map[string]string
	rare  bool // of the class for what is rarely read
	mtime time.Time
	mode  uint32 // of files
}

// objects are 200 objects: hostile keys first, and a mix of properties. None
// lies below another one, since a file system could not hold both.
func objects() []object {
	keys := storagetest.Hostile()
	for i := range 200 {
		keys = append(keys, fmt.Sprintf("d%d/e%d/object %03d.bin", i%3, i%7, i))
	}
	keys = slices.DeleteFunc(keys, func(k string) bool { return k == "" || strings.HasSuffix(k, "/") || hasBelow(keys, k) })
	var all []object
	rnd := rand.New(rand.NewPCG(1, 2))
	for i, key := range keys[:200] {
		o := object{key: key, body: make([]byte, rnd.IntN(20_000)), mode: 0o644, mtime: time.Unix(1.6e9+int64(i), int64(i)*1e6)}
		for j := range o.body {
			o.body[j] = byte(rnd.Uint32())
		}
		if i%2 == 0 {
			o.contentType, o.cache, o.expires = "text/plain; charset=utf-8", "max-age=60", "Thu, 01 Dec 2033 16:00:00 GMT"
			o.mode = 0o600
		}
		if i%3 == 0 {
			o.encoding, o.language, o.disposition = "gzip", "de", `attachment; filename="a b.txt"`
			o.user = map[string]string{"color": "blue", "x-y": "a b=c&d", "size": "größe ü"}
		}
		if i%5 == 0 {
			o.tags = map[string]string{"team": "a b+c", "x/y": "1:@-"}
		}
		o.rare = i%7 == 0
		all = append(all, o)
	}
	return all
}

func hasBelow(keys []string, key string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, key+"/") })
}

// holds says what a place can hold of an object.
type holds struct {
	headers bool // content headers, Expires, user metadata
	tags    bool
	rare    string // its class for what is rarely read; "" is none
	mode    bool
}

// expect is what becomes of an object of a place src at a place dst.
func expect(o object, src, dst holds) object {
	o = held(o, src)
	if src.mode && dst.headers {
		o.user = map[string]string{"mode": fmt.Sprintf("%o", 0o100000|o.mode)}
	}
	if !src.mode {
		o.mode = 0
	}
	user := o.user
	o = held(o, dst)
	if dst.headers {
		o.user = user
	}
	return o
}

// held takes off what a place cannot hold.
func held(o object, h holds) object {
	if !h.headers {
		o.contentType, o.encoding, o.language, o.disposition, o.cache, o.expires, o.user = "", "", "", "", "", "", nil
	}
	if !h.tags {
		o.tags = nil
	}
	if h.rare == "" {
		o.rare = false
	}
	if !h.mode {
		o.mode = 0
	}
	return o
}

// differences says in words what two objects do not share.
func differences(got, want object) []string {
	var d []string
	add := func(what string, g, w any) { d = append(d, fmt.Sprintf("%s %v, want %v", what, g, w)) }
	if string(got.body) != string(want.body) {
		add("body of bytes", len(got.body), len(want.body))
	}
	if want.contentType == "" {
		got.contentType = "" // a store names some type
	}
	for _, f := range [][3]string{
		{"type", got.contentType, want.contentType}, {"encoding", got.encoding, want.encoding},
		{"language", got.language, want.language}, {"disposition", got.disposition, want.disposition},
		{"cache-control", got.cache, want.cache}, {"expires", got.expires, want.expires},
	} {
		if f[1] != f[2] {
			add(f[0], f[1], f[2])
		}
	}
	if !maps.Equal(got.user, want.user) {
		add("user metadata", got.user, want.user)
	}
	if !maps.Equal(got.tags, want.tags) {
		add("tags", got.tags, want.tags)
	}
	if got.rare != want.rare {
		add("rare class", got.rare, want.rare)
	}
	if !got.mtime.Equal(want.mtime) {
		add("mtime", got.mtime, want.mtime)
	}
	if want.mode != 0 && got.mode != want.mode {
		add("mode", fmt.Sprintf("%o", got.mode), fmt.Sprintf("%o", want.mode))
	}
	return d
}
