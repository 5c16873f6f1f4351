package filter

import (
	"strings"
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "10": 10, "010": 10, "10B": 10, "64k": 65536, "64K": 65536, "64KiB": 65536, "64kb": 65536,
		"16MiB": 16 << 20, "16m": 16 << 20, "1.5G": 3 << 29, ".5k": 512, "1.k": 1024, "0.1k": 102,
		"1T": 1 << 40, "2p": 2 << 50, "9223372036854775807": 1<<63 - 1,
	} {
		if got, err := ParseSize(in); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"": "not a number", "k": "not a number", "-1": "not a number", "1.2.3": "not a number", ".": "not a number", ".k": "not a number",
		"1e3": "unknown unit", "0x10": "unknown unit", "1/2": "unknown unit", "10 k": "unknown unit", "5iB": "unknown unit", "1E": "unknown unit", "1kk": "unknown unit",
		"1.5": "not a whole number", "1.5B": "not a whole number", "9223372036854775808": "too large", "9000000p": "too large",
		strings.Repeat("9", 1000): "not a number",
	} {
		if n, err := ParseSize(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseSize(%.20q) = %d, %v; want an error that says %q", in, n, err, want)
		}
	}
}

func TestParseTimeOrAge(t *testing.T) {
	zone := time.FixedZone("test", 2*3600)
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, zone)
	for in, want := range map[string]time.Time{
		"1d": now.Add(-24 * time.Hour), "36h": now.Add(-36 * time.Hour), "2w": now.Add(-14 * 24 * time.Hour),
		"90m": now.Add(-90 * time.Minute), "0s": now, "1d12h": now.Add(-36 * time.Hour), "1.5h": now.Add(-90 * time.Minute),
		"2026-01-02":                  time.Date(2026, 1, 2, 0, 0, 0, 0, zone),
		"2026-01-02 15:04":            time.Date(2026, 1, 2, 15, 4, 0, 0, zone),
		"2026-01-02T15:04:05":         time.Date(2026, 1, 2, 15, 4, 5, 0, zone),
		"2026-01-02T15:04:05Z":        time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC),
		"2026-01-02T15:04:05.5-08:00": time.Date(2026, 1, 2, 23, 4, 5, 5e8, time.UTC),
	} {
		if got, err := ParseTimeOrAge(in, now); err != nil || !got.Equal(want) {
			t.Errorf("ParseTimeOrAge(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"": "is empty", "yesterday": "cannot be read", "-1d": "cannot be read", "10": "no unit", "1d5": "no unit",
		"1y": "unknown unit", "1M": "unknown unit", "2026-13-01": "unknown unit", "1dd": "cannot be read",
		"999999w": "too long ago", "15000w15000w": "too long ago",
	} {
		if got, err := ParseTimeOrAge(in, now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseTimeOrAge(%q) = %v, %v; want an error that says %q", in, got, err, want)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"10", "64k", "1.5GiB", "-1", ".", "9p", "1e9", "0x1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseSize(s); n < 0 || err != nil && n != 0 {
			t.Fatalf("ParseSize(%q) = %d, %v", s, n, err)
		}
	})
}

func FuzzParseTimeOrAge(f *testing.F) {
	for _, s := range []string{"1d", "36h", "2w", "2026-01-02", "2026-01-02T15:04:05Z", "1.5d.5h", "99999999w"} {
		f.Add(s)
	}
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseTimeOrAge(s, now)
		if err == nil && !strings.Contains(s, "-") && got.After(now) {
			t.Fatalf("age %q lies in the future: %v", s, got)
		}
	})
}
