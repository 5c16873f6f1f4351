package storagetest

import (
	"bytes"
	"compress/gzip"
	"maps"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

var metadataTopics = []topic{
	{"kept", metadataKept},
	{"replaced", metadataReplaced},
	{"not decoded", notDecoded},
	{"mtime and mode", mtimeAndMode},
	{"ignored where not kept", metadataIgnored},
}

// nanos is a time that floats and milliseconds cannot hold.
var nanos = time.Date(2021, 3, 4, 5, 6, 7, 123456789, time.UTC)

func someMetadata() storage.Metadata {
	return storage.Metadata{
		ContentType:        "text/plain; charset=utf-8",
		ContentEncoding:    "br",
		ContentLanguage:    "de, en",
		ContentDisposition: `attachment; filename="a b.txt"`,
		CacheControl:       "max-age=60, no-transform",
		Expires:            "Thu, 01 Dec 2033 16:00:00 GMT",
		User:               map[string]string{"color": "blue", "x-y-z": "a  b=c&d;e", "n": "1"},
		MTime:              nanos,
	}
}

func putMeta(t *testing.T, b storage.Bucket, key string, data []byte, m storage.Metadata) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, body(data), storage.PutOptions{Size: int64(len(data)), Meta: m}); err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
}

// wantMetadata compares what a store keeps. A type that was not set may have
// become the store's default.
func wantMetadata(t *testing.T, got, want storage.Metadata) {
	t.Helper()
	if want.ContentType == "" {
		got.ContentType = ""
	}
	if !got.MTime.Equal(want.MTime) || !maps.Equal(got.User, want.User) {
		t.Errorf("mtime %v and user metadata %v, want %v and %v", got.MTime, got.User, want.MTime, want.User)
	}
	type headers [6]string
	g := headers{got.ContentType, got.ContentEncoding, got.ContentLanguage, got.ContentDisposition, got.CacheControl, got.Expires}
	w := headers{want.ContentType, want.ContentEncoding, want.ContentLanguage, want.ContentDisposition, want.CacheControl, want.Expires}
	if g != w {
		t.Errorf("headers %q\nwant %q", g, w)
	}
}

func metadataKept(t *testing.T, h Harness) {
	b := h.New(t)
	if !b.Features().Metadata {
		return
	}
	odd := someMetadata()
	odd.ContentEncoding = ""
	odd.Expires = "0" // not a date, and kept verbatim
	if h.ExpiresIsDate {
		odd.Expires = ""
	}
	odd.MTime = time.Date(1965, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	for name, m := range map[string]storage.Metadata{
		"full": someMetadata(), "none": {}, "odd": odd,
		"only user": {User: map[string]string{"k": "v"}}, "only mtime": {MTime: nanos}, "whole seconds": {MTime: nanos.Truncate(time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			putMeta(t, b, name, []byte("x"), m)
			wantMetadata(t, stat(t, b, name).Metadata, m)
			_, opened, err := read(t.Context(), b, name, whole)
			if err != nil {
				t.Fatal(err)
			}
			wantMetadata(t, opened.Metadata, m)
			wantMetadata(t, stat(t, h.reopen(t, b), name).Metadata, m)
		})
	}
}

func metadataReplaced(t *testing.T, h Harness) {
	b := h.New(t)
	if !b.Features().Metadata {
		return
	}
	m := someMetadata()
	putMeta(t, b, "k", []byte("x"), m)
	m.User["color"] = "red" // the map is the caller's
	got := stat(t, b, "k")
	wantMetadata(t, got.Metadata, someMetadata())
	if got.User != nil {
		got.User["color"] = "green"
	}
	wantMetadata(t, stat(t, b, "k").Metadata, someMetadata())
	putMeta(t, b, "k", []byte("y"), storage.Metadata{CacheControl: "no-store"})
	wantMetadata(t, stat(t, b, "k").Metadata, storage.Metadata{CacheControl: "no-store"})
}

// notDecoded: what was put compressed is read compressed.
func notDecoded(t *testing.T, h Harness) {
	b := h.New(t)
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(content(1, 10_000)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	putMeta(t, b, "k.gz", buf.Bytes(), storage.Metadata{ContentEncoding: "gzip", ContentType: "text/plain"})
	wantContent(t, b, "k.gz", buf.Bytes())
	got, _, err := read(t.Context(), b, "k.gz", storage.ReadOptions{Offset: 100, Length: 50})
	if err != nil || !bytes.Equal(got, buf.Bytes()[100:150]) {
		t.Errorf("ranged read of a gzip body: %d bytes, %v", len(got), err)
	}
}

func mtimeAndMode(t *testing.T, h Harness) {
	b := h.New(t)
	f := b.Features()
	putMeta(t, b, "k", []byte("x"), storage.Metadata{MTime: nanos, Mode: 0o640, HasMode: true})
	i := stat(t, b, "k")
	if grain := f.MTimeGrain; grain > 0 {
		for where, got := range map[string]time.Time{"stat": i.ModTime, "list": list(t, b, storage.Range{})[0].ModTime} {
			if got.Sub(nanos).Abs() >= grain {
				t.Errorf("%s says mtime %v, want %v within %v", where, got, nanos, grain)
			}
		}
	}
	if !f.FileTree {
		return
	}
	if i.MTime.Sub(nanos).Abs() >= f.MTimeGrain || !i.HasMode || i.Mode != 0o640 {
		t.Errorf("file has mtime %v, mode %v %o; want %v, true, 640", i.MTime, i.HasMode, i.Mode, nanos)
	}
	putMeta(t, b, "k", []byte("y"), storage.Metadata{Mode: 0o604, HasMode: true})
	if got := stat(t, b, "k"); got.Mode != 0o604 || time.Since(got.MTime) > time.Hour {
		t.Errorf("overwritten file has mode %o, mtime %v; want 604, now", got.Mode, got.MTime)
	}
}

// metadataIgnored: a place that keeps no metadata takes the bytes all the same.
func metadataIgnored(t *testing.T, h Harness) {
	b := h.New(t)
	if b.Features().Metadata {
		return
	}
	putMeta(t, b, "k", []byte("x"), someMetadata())
	wantContent(t, b, "k", []byte("x"))
	i := stat(t, b, "k")
	if i.ContentType != "" || i.Expires != "" || len(i.User) > 0 {
		t.Errorf("keeps metadata that it does not declare: %+v", i.Metadata)
	}
}
