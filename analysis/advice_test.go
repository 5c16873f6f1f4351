package analysis

import (
	"strings"
	"testing"
	"time"
)

// mixed is a report of so many objects of each size.
func mixed(mix map[int64]int64) *Report {
	c := New(Config{Now: now})
	for size, n := range mix {
		o := object("k", size, 0)
		c.Add(&o)
		c.all.plus(Count{n - 1, (n - 1) * size})
		c.sizes[sizeClass(size)].plus(Count{n - 1, (n - 1) * size})
	}
	return c.Report()
}

func TestAdvice(t *testing.T) {
	for name, c := range map[string]struct {
		mix                          map[int64]int64
		latency                      time.Duration
		rate                         int64
		part                         bool
		workers, partSize, threshold int64
		why                          string // in one of the reasons
		seconds                      float64
	}{
		"bytes decide":                       {mix: map[int64]int64{8 * mib: 10_000}, why: "besides their bytes", seconds: 800},
		"objects decide":                     {mix: map[int64]int64{100 * kib: 1_000_000}, workers: 64, why: "keep 32 workers", seconds: 976.56},
		"more than a store takes":            {mix: map[int64]int64{kib: 10_000_000}, workers: 128, why: "more writes than they promise", seconds: 1e7 / 128 * 0.05},
		"too few to matter":                  {mix: map[int64]int64{kib: 3000}, why: "besides their bytes", seconds: 3000.0 / 32 * 0.05},
		"few, but a sample":                  {mix: map[int64]int64{kib: 100}, part: true, workers: 128, seconds: 100.0 / 128 * 0.05},
		"few of a middle size, but a sample": {mix: map[int64]int64{40 * mib: 10, kib: 1000}, part: true, seconds: 4.01},
		"a quick store":                      {mix: map[int64]int64{kib: 10_000_000}, latency: 2 * time.Millisecond, why: "more writes", seconds: 1e7 / 32 * 0.002},
		"a slow line":                        {mix: map[int64]int64{kib: 1_000_000}, rate: mib / 4, why: "besides their bytes", seconds: 4e6 / 1024},
		"empty objects":                      {mix: map[int64]int64{0: 1_000_000}, workers: 128, seconds: 1e6 / 128 * 0.05},
		"large only":                         {mix: map[int64]int64{200 * mib: 1000}, why: "workers of their own", seconds: 2000},
		"very large":                         {mix: map[int64]int64{10 * gib: 10, kib: 100}, partSize: 64 * mib, why: "a quarter of the requests", seconds: 1024.001},
		"parts do not suffice":               {mix: map[int64]int64{200 * gib: 1, gib: 300}, why: "larger ones by itself", seconds: 5120},
		"few of a middle size":               {mix: map[int64]int64{40 * mib: 10, kib: 1000}, threshold: 16 * mib, why: "on more connections", seconds: 4.01},
		"many of a middle size":              {mix: map[int64]int64{40 * mib: 1000}, why: "no object is that large", seconds: 400},
		"one object of one byte":             {mix: map[int64]int64{1: 1}, why: "is 1 of them", seconds: 0.05 / 32},
		"at the threshold: all parts":        {mix: map[int64]int64{64 * mib: 160}, why: "160 objects (10 GiB) go in parts", seconds: 102.4},
	} {
		a := Assumed{Rate: 100 * mib, Latency: 50 * time.Millisecond, Workers: 32, PartSize: 16 * mib, Threshold: 64 * mib, Part: c.part}
		if c.latency > 0 {
			a.Latency = c.latency
		}
		if c.rate > 0 {
			a.Rate = c.rate
		}
		got := mixed(c.mix).Advise(a)
		for _, x := range []struct {
			what        string
			got         Choice
			want, usual int64
		}{{"workers", got.Workers, c.workers, a.Workers}, {"part size", got.PartSize, c.partSize, a.PartSize}, {"threshold", got.Threshold, c.threshold, a.Threshold}} {
			if x.want == 0 {
				x.want = x.usual
			}
			if x.got.Value != x.want || x.got.Default != (x.want == x.usual) || x.got.Why == "" {
				t.Errorf("%s: %s %+v, want %d", name, x.what, x.got, x.want)
			}
		}
		if !strings.Contains(got.Workers.Why+got.PartSize.Why+got.Threshold.Why, c.why) {
			t.Errorf("%s: %q, %q, %q: want %q", name, got.Workers.Why, got.PartSize.Why, got.Threshold.Why, c.why)
		}
		if d := got.Time.Seconds / c.seconds; d < 0.99 || d > 1.01 {
			t.Errorf("%s: %.2f s, want %.2f s", name, got.Time.Seconds, c.seconds)
		}
	}
}

func TestSpan(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0 s", 0.2: "1 s", 59: "59 s", 60: "1 min 0 s", 3599.5: "1 h 0 min", 7260: "2 h 1 min", 2 * day: "2 d 0 h", 400*day + 3600: "400 d 1 h", 5000 * day: "5,000 d 0 h",
	} {
		if got := Span(seconds); got != want {
			t.Errorf("%v: %q, want %q", seconds, got, want)
		}
	}
}
