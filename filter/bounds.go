package filter

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// ParseSize reads a number of bytes: "10", "64k", "16MiB", "1.5G". The units
// k, M, G, T and P are powers of 1024, in capitals or not; "B" or "iB" may
// follow and change nothing. A fraction of a byte is dropped.
func ParseSize(s string) (int64, error) {
	bad := func(why string) (int64, error) {
		return 0, fmt.Errorf("size %q: %s; write bytes, or a number with k, M, G, T or P (powers of 1024), as in 64k or 1.5GiB", clip(s), why)
	}
	num, unit := splitNumber(s)
	if num == "" {
		return bad("is not a number")
	}
	unit = strings.ToLower(unit)
	shift := uint(0)
	if i := strings.IndexByte("kmgtp", firstByte(unit)); i >= 0 {
		shift = 10 * uint(i+1)
		unit = unit[1:]
		if unit == "ib" {
			unit = "b"
		}
	}
	if unit != "" && unit != "b" {
		return bad("has an unknown unit")
	}
	r, ok := new(big.Rat).SetString(num)
	if !ok {
		return bad("is not a number")
	}
	if shift == 0 && !r.IsInt() {
		return bad("is not a whole number of bytes")
	}
	n := new(big.Int).Lsh(r.Num(), shift)
	n.Quo(n, r.Denom())
	if !n.IsInt64() {
		return bad("is too large")
	}
	return n.Int64(), nil
}

// dayForms are the forms of a time without a zone; it is read in now's.
var dayForms = []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02 15:04:05"}

// units of an age, the longest first.
var ageUnits = []struct {
	name byte
	d    time.Duration
}{{'w', 7 * 24 * time.Hour}, {'d', 24 * time.Hour}, {'h', time.Hour}, {'m', time.Minute}, {'s', time.Second}}

// ParseTimeOrAge reads a point in time, or an age and returns the time that
// long before now. Ages: "2w", "1d", "36h", "1d12h", "1.5h", with the units w,
// d (24 hours), h, m (minutes) and s. Times: RFC 3339, or "2026-01-02" and
// "2026-01-02 15:04[:05]" in the time zone of now.
func ParseTimeOrAge(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	for _, form := range dayForms {
		if t, err := time.ParseInLocation(form, s, now.Location()); err == nil {
			return t, nil
		}
	}
	age, err := parseAge(s)
	if err != nil {
		return time.Time{}, fmt.Errorf("time or age %q: %w; write an age such as 36h, 1d or 2w, or a time such as 2026-01-02 or 2026-01-02T15:04:05Z", clip(s), err)
	}
	return now.Add(-age), nil
}

func parseAge(s string) (time.Duration, error) {
	if s == "" {
		return 0, errors.New("is empty")
	}
	var age time.Duration
	for s != "" {
		num, rest := splitNumber(s)
		r, ok := new(big.Rat).SetString(num)
		if num == "" || !ok {
			return 0, errors.New("cannot be read")
		}
		if rest == "" {
			return 0, errors.New("has no unit")
		}
		var unit time.Duration
		for _, u := range ageUnits {
			if u.name == rest[0] {
				unit = u.d
			}
		}
		if unit == 0 {
			return 0, errors.New("has an unknown unit (known: w, d, h, m for minutes, s)")
		}
		n := new(big.Int).Mul(r.Num(), big.NewInt(int64(unit)))
		n.Quo(n, r.Denom())
		if !n.IsInt64() || age+time.Duration(n.Int64()) < age {
			return 0, errors.New("is too long ago")
		}
		age += time.Duration(n.Int64())
		s = rest[1:]
	}
	return age, nil
}

// splitNumber cuts the decimal number off the front of s; "" if there is none
// or it has more digits than any bound needs.
func splitNumber(s string) (num, rest string) {
	n := 0
	for n < len(s) && ('0' <= s[n] && s[n] <= '9' || s[n] == '.') {
		n++
	}
	if num = s[:n]; n > 40 || strings.Count(num, ".") > 1 || strings.Trim(num, ".") == "" {
		return "", s
	}
	return num, s[n:]
}

func firstByte(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

// clip keeps what a message quotes short.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
