package s3wire

import (
	"bytes"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
)

// speaker returns a client that only reads and writes headers.
func speaker(t *testing.T, p Protocol, d dialect.Row) *Client {
	t.Helper()
	c, err := New(Config{Protocol: p, Endpoint: "http://store", Bucket: "b", Dialect: d})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMetadataRoundTrip(t *testing.T) {
	user := map[string]string{
		"plain": "a  b", "empty": "", "nonascii": "größe 日本", "long": "é" + string(make([]byte, 200)), "blank": " x ", "newline": "a\nb",
		"word": "=?utf-8?q?abc?=", "mtime2": "x",
	}
	in := storage.Metadata{
		ContentType: "text/plain", ContentEncoding: "gzip", ContentLanguage: "de", ContentDisposition: `attachment; filename="ä"`,
		CacheControl: "no-store", Expires: "0", User: user, MTime: time.Unix(-3, 600_000_000), StorageClass: "IA",
		Tags: map[string]string{"b": "1", "a +&=": "é/", "": ""},
	}
	for protocol, prefix := range map[Protocol]string{S3: "X-Amz-", OSS: "X-Oss-", OSSV1: "X-Oss-"} {
		h := http.Header{}
		if err := protocol.SetHeader(h, in); err != nil {
			t.Fatal(err)
		}
		for name, v := range h {
			if strings.HasPrefix(name, "X-") && !strings.HasPrefix(name, prefix) || http.CanonicalHeaderKey(name) != name {
				t.Errorf("a header %s", name)
			}
			for _, c := range []byte(v[0]) {
				if c < ' ' || c >= 0x7f && name != "Content-Disposition" {
					t.Errorf("%s is %q on the wire", name, v[0])
				}
			}
		}
		if got, want := h.Get(prefix+"Tagging"), "=&a%20%2B%26%3D=%C3%A9%2F&b=1"; got != want {
			t.Errorf("tags %q, want %q", got, want)
		}
		i := speaker(t, protocol, dialect.Row{}).info("k", h)
		out := i.Metadata
		if !maps.Equal(out.User, user) || !out.MTime.Equal(in.MTime) || i.Class != "IA" {
			t.Errorf("user %q, mtime %v, class %q", out.User, out.MTime, i.Class)
		}
		if out.ContentType != in.ContentType || out.ContentEncoding != in.ContentEncoding || out.Expires != in.Expires ||
			out.CacheControl != in.CacheControl || out.ContentLanguage != in.ContentLanguage || out.ContentDisposition != in.ContentDisposition {
			t.Errorf("%+v, want %+v", out, in)
		}
	}
}

func TestMetadataRefused(t *testing.T) {
	for _, m := range []storage.Metadata{
		{ContentType: "a\r\nX-Evil: b"}, {Expires: "\x00"}, {StorageClass: "IA\n"},
		{User: map[string]string{"": "x"}}, {User: map[string]string{"a b": "x"}}, {User: map[string]string{"A": "x"}}, {User: map[string]string{"é": "x"}},
	} {
		if SetHeader(http.Header{}, m) == nil {
			t.Errorf("%+v was taken", m)
		}
	}
}

func TestMTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		"0": time.Unix(0, 0), "1700000000.123456789": time.Unix(1700000000, 123456789), "1700000000.5": time.Unix(1700000000, 500_000_000),
		"-1.4": time.Unix(-2, 600_000_000), "-0.000000001": time.Unix(-1, 999_999_999), "12": time.Unix(12, 0),
	} {
		got, ok := parseMTime(text)
		if !ok || !got.Equal(want) || formatMTime(want) != text {
			t.Errorf("%q: %v, %v; %v is written as %q", text, got, ok, want, formatMTime(want))
		}
	}
	if got, ok := parseMTime("1.1234567899"); !ok || !got.Equal(time.Unix(1, 123456789)) {
		t.Errorf("more decimals than we keep: %v, %v", got, ok)
	}
	for _, text := range []string{"", "-", "x", "1.x", "1e9", "+1", "--1", "1.2.3", "99999999999999999"} {
		if got, ok := parseMTime(text); ok {
			t.Errorf("%q was taken for %v", text, got)
		}
	}
	m := storage.Metadata{}
	setUser(&m, "mtime", "yesterday")
	if m.User["mtime"] != "yesterday" || !m.MTime.IsZero() {
		t.Errorf("an mtime that is none: %+v", m)
	}
}

func TestChecksums(t *testing.T) {
	i := speaker(t, S3, dialect.Row{}).info("k", http.Header{"X-Amz-Checksum-Crc32c": {"AAAAAA=="}, "X-Amz-Checksum-Sha256": {"x-2"}, "Etag": {`W/"e"`}})
	if len(i.Checksums) != 1 || i.Checksums[0].Algorithm != "CRC32C" || len(i.Checksums[0].Value) != 4 || i.ETag != "e" {
		t.Errorf("%+v", i)
	}
	i = speaker(t, S3, dialect.Row{}).info("k", http.Header{"X-Amz-Checksum-Crc32c": {"AAAAAA=="}, "X-Amz-Checksum-Type": {"COMPOSITE"}})
	if len(i.Checksums) != 0 {
		t.Errorf("a checksum of checksums is kept: %+v", i.Checksums)
	}
}

// TestState: what headers say of class, tags, restore and OSS's checksum.
func TestState(t *testing.T) {
	oss := dialect.Row{Tags: true, Classes: []storage.Class{{Name: "Standard"}, {Name: "Archive", Tier: storage.TierArchive}}}
	for name, c := range map[string]struct {
		p    Protocol
		row  dialect.Row
		h    http.Header
		want storage.Info
	}{
		"S3 says nothing": {S3, dialect.Row{}, http.Header{"X-Amz-Storage-Class": {"STANDARD"}}, storage.Info{}},
		"S3": {S3, dialect.Row{Tags: true}, http.Header{
			"X-Amz-Storage-Class": {"GLACIER"}, "X-Amz-Tagging-Count": {"2"}, "X-Amz-Restore": {`ongoing-request="true"`},
		}, storage.Info{Object: storage.Object{Class: "GLACIER"}, Tagged: storage.TagsSome, Restored: storage.Restored{Ongoing: true}}},
		"S3 counts none": {S3, dialect.Row{}, http.Header{"X-Amz-Tagging-Count": {"0"}}, storage.Info{Tagged: storage.TagsNone}},
		"OSS": {OSS, oss, http.Header{
			"X-Oss-Storage-Class": {"Archive"}, "X-Oss-Hash-Crc64ecma": {"18446744073709551615"},
			"X-Oss-Restore": {`ongoing-request="false", expiry-date="Sun, 16 Apr 2017 08:12:33 GMT"`},
		}, storage.Info{
			Object: storage.Object{Class: "Archive"}, Tagged: storage.TagsNone,
			Restored:  storage.Restored{Until: time.Date(2017, 4, 16, 8, 12, 33, 0, time.UTC)},
			Checksums: []storage.Checksum{{Algorithm: "CRC64ECMA", Value: bytes.Repeat([]byte{255}, 8)}},
		}},
		"OSS, odd": {OSS, oss, http.Header{
			"X-Oss-Storage-Class": {"Standard"}, "X-Oss-Hash-Crc64ecma": {"x"}, "X-Oss-Restore": {"x"}, "X-Amz-Tagging-Count": {"1"},
		}, storage.Info{Tagged: storage.TagsNone}},
	} {
		c.want.Key = "k"
		if got := speaker(t, c.p, c.row).info("k", c.h); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v\nwant %+v", name, got, c.want)
		}
	}
}
