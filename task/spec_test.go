package task

import (
	"testing"
	"time"

	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/keymap"
)

func TestParseCap(t *testing.T) {
	for _, c := range []struct {
		text, shown string
		want        Cap
	}{
		{"", "10%", Cap{Count: -1, Percent: 10}},
		{"none", "none", Cap{Count: -1, Percent: -1, Given: true}},
		{"0", "0", Cap{Percent: -1, Given: true}},
		{"17", "17", Cap{Count: 17, Percent: -1, Given: true}},
		{"9223372036854775807", "9223372036854775807", Cap{Count: 1<<63 - 1, Percent: -1, Given: true}},
		{"0%", "0%", Cap{Count: -1, Given: true}},
		{"10%", "10%", Cap{Count: -1, Percent: 10, Given: true}},
		{"12.5%", "12.5%", Cap{Count: -1, Percent: 12.5, Given: true}},
		{"100%", "100%", Cap{Count: -1, Percent: 100, Given: true}},
	} {
		got, err := ParseCap(c.text)
		if err != nil || got != c.want || got.String() != c.shown {
			t.Errorf("ParseCap(%q) = %+v (%s), %v; want %+v (%s)", c.text, got, got, err, c.want, c.shown)
		}
	}
	for _, text := range []string{"-1", "101%", "-1%", "%", "NaN%", "Inf%", "1e3", "ten", "10 %", " 10", "9223372036854775808", "None"} {
		if c, err := ParseCap(text); err == nil {
			t.Errorf("ParseCap(%q) = %+v", text, c)
		}
	}
}

func TestCapAllows(t *testing.T) {
	for _, c := range []struct {
		cap      string
		n, total int64
		want     bool
	}{
		{"", 100, 100, true}, // the default leaves small targets alone
		{"", 10, 101, true},
		{"", 11, 101, false},
		{"", 10, 100, true},
		{"", 100, 1000, true},
		{"", 101, 1000, false},
		{"10%", 10, 100, true}, // one that was asked for does not
		{"10%", 11, 100, false},
		{"10%", 1, 9, false},
		{"0%", 1, 1e9, false},
		{"100%", 5, 5, true},
		{"33.3%", 333, 1000, true},
		{"33.3%", 334, 1000, false},
		{"0", 1, 1e9, false},
		{"5", 5, 5, true},
		{"5", 6, 1e9, false},
		{"none", 1e9, 1e9, true},
	} {
		limit, err := ParseCap(c.cap)
		if err != nil {
			t.Fatal(err)
		}
		if got := limit.allows(c.n, c.total); got != c.want {
			t.Errorf("%q: %d of %d allowed: %v", c.cap, c.n, c.total, got)
		}
		if !limit.allows(0, c.total) {
			t.Errorf("%q: nothing of %d is not allowed", c.cap, c.total)
		}
	}
}

// What decides which objects end up how at the target changes the hash; how
// fast that is done, and when to stop, does not.
func TestHash(t *testing.T) {
	base := Spec{MaxDelete: DefaultCap()}
	seen := map[string]string{base.hash(): "the base"}
	for name, change := range map[string]func(*Spec){
		"one key":         func(s *Spec) { s.Map = keymap.Single("a", "b") },
		"another key":     func(s *Spec) { s.Map = keymap.Single("a", "c") },
		"quoted keys":     func(s *Spec) { s.Map = keymap.Single(`a" "b`, "c") },
		"selection":       func(s *Spec) { s.Selection = `-"*.tmp"` },
		"size only":       func(s *Spec) { s.Rule.SizeOnly = true },
		"checksum":        func(s *Spec) { s.Rule.Checksum = true },
		"force":           func(s *Spec) { s.Rule.Force = true },
		"update":          func(s *Spec) { s.Rule.Update = true },
		"ignore existing": func(s *Spec) { s.Rule.IgnoreExisting = true },
		"existing":        func(s *Spec) { s.Rule.Existing = true },
		"if newer":        func(s *Spec) { s.Overwrite = transfer.IfNewer },
		"never":           func(s *Spec) { s.Overwrite = transfer.Never },
		"delete":          func(s *Spec) { s.Delete = true },
		"cap":             func(s *Spec) { s.MaxDelete = Cap{Count: 5, Percent: -1, Given: true} },
		"cap in percent":  func(s *Spec) { s.MaxDelete = Cap{Count: -1, Percent: 5, Given: true} },
		"no cap":          func(s *Spec) { s.MaxDelete = Cap{Count: -1, Percent: -1, Given: true} },
	} {
		s := base
		change(&s)
		if other, ok := seen[s.hash()]; ok {
			t.Errorf("%s has the hash of %s", name, other)
		}
		seen[s.hash()] = name
	}
	fast := base
	fast.Workers, fast.BulkWorkers, fast.Threshold, fast.PartSize = 1, 2, 3, 4
	fast.Tries, fast.GiveUpAfter, fast.MaxErrors, fast.ClosingRounds = 5, time.Second, 6, 7
	if fast.hash() != base.hash() {
		t.Error("options of speed change the hash")
	}
}
