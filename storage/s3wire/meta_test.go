package s3wire

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

func TestMetadataRoundTrip(t *testing.T) {
	user := map[string]string{
		"plain": "a  b", "empty": "", "nonascii": "größe 日本", "long": "é" + string(make([]byte, 200)), "blank": " x ", "newline": "a\nb",
		"word": "=?utf-8?q?abc?=", "mtime2": "x",
	}
	in := storage.Metadata{
		ContentType: "text/plain", ContentEncoding: "gzip", ContentLanguage: "de", ContentDisposition: `attachment; filename="ä"`,
		CacheControl: "no-store", Expires: "0", User: user, MTime: time.Unix(-3, 600_000_000),
	}
	h := http.Header{}
	if err := SetHeader(h, in); err != nil {
		t.Fatal(err)
	}
	for name, v := range h {
		for _, c := range []byte(v[0]) {
			if c < ' ' || c >= 0x7f && name != "Content-Disposition" {
				t.Errorf("%s is %q on the wire", name, v[0])
			}
		}
	}
	out := info("k", h).Metadata
	if !maps.Equal(out.User, user) || !out.MTime.Equal(in.MTime) {
		t.Errorf("user %q, mtime %v", out.User, out.MTime)
	}
	out.User, in.User, out.MTime, in.MTime = nil, nil, time.Time{}, time.Time{}
	if out.ContentType != in.ContentType || out.ContentEncoding != in.ContentEncoding || out.Expires != in.Expires ||
		out.CacheControl != in.CacheControl || out.ContentLanguage != in.ContentLanguage || out.ContentDisposition != in.ContentDisposition {
		t.Errorf("%+v, want %+v", out, in)
	}
}

func TestMetadataRefused(t *testing.T) {
	for _, m := range []storage.Metadata{
		{ContentType: "a\r\nX-Evil: b"}, {Expires: "\x00"},
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
	i := info("k", http.Header{"X-Amz-Checksum-Crc32c": {"AAAAAA=="}, "X-Amz-Checksum-Sha256": {"x-2"}, "Etag": {`W/"e"`}})
	if len(i.Checksums) != 1 || i.Checksums[0].Algorithm != "CRC32C" || len(i.Checksums[0].Value) != 4 || i.ETag != "e" {
		t.Errorf("%+v", i)
	}
	i = info("k", http.Header{"X-Amz-Checksum-Crc32c": {"AAAAAA=="}, "X-Amz-Checksum-Type": {"COMPOSITE"}})
	if len(i.Checksums) != 0 {
		t.Errorf("a checksum of checksums is kept: %+v", i.Checksums)
	}
}
