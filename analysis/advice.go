package analysis

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/dustin/go-humanize"
)

// Assumed is what a copy is reckoned with. All must be above 0.
type Assumed struct {
	Rate    int64         // bytes per second in all
	Latency time.Duration // what a small object takes besides its bytes, one after the other
	// The settings that a copy has by default.
	Workers             int64 // small objects at once
	PartSize, Threshold int64 // of large objects, bytes
	// Part: the report is of a part of the objects, so that small numbers of
	// them say nothing.
	Part bool
}

// writesPerSecond is what a store takes for sure: Amazon S3 names 3,500 writes
// a second for each prefix, others refuse earlier.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
const writesPerSecond = 3500

// maxParts is how many parts a large object may have on all known stores.
const maxParts = 10_000

// Choice is a setting with the reason for it.
type Choice struct {
	Value   int64  `json:"value"`
	Default bool   `json:"default"`
	Why     string `json:"why"`
}

// Advice says with which settings to copy, and how long that takes.
type Advice struct {
	Workers   Choice `json:"workers"`
	PartSize  Choice `json:"part_size"`
	Threshold Choice `json:"multipart_threshold"`
	InParts   Count  `json:"in_parts"` // objects of at least Threshold
	Time      Time   `json:"time"`
}

// Time is how long a copy of everything takes with the settings advised.
// Objects and bytes overlap, so that the longer of the two counts.
type Time struct {
	Rate             int64   `json:"rate"`               // bytes per second, as assumed
	Latency          float64 `json:"seconds_per_object"` // as assumed
	ObjectsPerSecond float64 `json:"objects_per_second"` // of small ones: workers by latency
	ForBytes         float64 `json:"seconds_for_bytes"`
	ForObjects       float64 `json:"seconds_for_objects"` // of small ones
	Seconds          float64 `json:"seconds"`
}

// Advise draws conclusions from the mix of sizes.
func (r *Report) Advise(a Assumed) Advice {
	out := Advice{Threshold: r.threshold(a), PartSize: r.partSize(a)}
	out.InParts = r.from(out.Threshold.Value)
	small := Count{r.Objects - out.InParts.Objects, r.Bytes - out.InParts.Bytes}
	out.Time = Time{Rate: a.Rate, Latency: a.Latency.Seconds(), ForBytes: float64(r.Bytes) / float64(a.Rate)}
	out.Workers = workers(a, small, out.Time.ForBytes)
	out.Time.ObjectsPerSecond = float64(out.Workers.Value) / out.Time.Latency
	out.Time.ForObjects = float64(small.Objects) / out.Time.ObjectsPerSecond
	out.Time.Seconds = max(out.Time.ForBytes, out.Time.ForObjects)
	return out
}

// workers are so many that small objects take no longer than all bytes do, as
// far as a store can be asked for that many.
func workers(a Assumed, small Count, forBytes float64) Choice {
	c := Choice{Value: a.Workers, Default: true}
	alone := float64(small.Objects) * a.Latency.Seconds()
	took := alone / float64(a.Workers)
	switch {
	case small.Objects == 0:
		c.Why = "all objects go in parts, which have workers of their own"
		return c
	case took <= forBytes || !a.Part && small.Objects < 100*a.Workers:
		c.Why = fmt.Sprintf("%s objects below the threshold take %s besides their bytes", humanize.Comma(small.Objects), span(took))
		return c
	}
	most := powerBelow(writesPerSecond * a.Latency.Seconds())
	c.Value = powerAbove(alone / forBytes)
	bound := ""
	if c.Value > most {
		c.Value, bound = max(most, a.Workers), "; more would ask stores for more writes than they promise to take"
	}
	c.Default = c.Value == a.Workers
	c.Why = fmt.Sprintf("%s small objects of %s on average keep %d workers for %s, while all bytes take %s%s", humanize.Comma(small.Objects),
		humanize.IBytes(uint64(small.Bytes/small.Objects)), a.Workers, span(took), span(forBytes), bound)
	return c
}

// powerAbove is the least power of two that is not below x.
func powerAbove(x float64) int64 {
	return 1 << bits.Len64(uint64(math.Ceil(min(max(x, 1), 1<<40))-1))
}

// powerBelow is the largest power of two that is not above x, at least 1.
func powerBelow(x float64) int64 {
	return 1 << (bits.Len64(uint64(min(max(x, 1), 1<<40))) - 1)
}

// threshold is lower where few objects of a middle size are most of the bytes:
// whole they would move on few connections.
func (r *Report) threshold(a Assumed) Choice {
	lower := a.PartSize
	middle, above := r.from(lower), r.from(a.Threshold)
	middle.Objects, middle.Bytes = middle.Objects-above.Objects, middle.Bytes-above.Bytes
	if !a.Part && lower < a.Threshold && 2*middle.Bytes > r.Bytes && 2*middle.Objects <= a.Workers {
		return Choice{lower, false, fmt.Sprintf("%d objects between %s and %s are most of the bytes; in parts they move on more connections",
			middle.Objects, humanize.IBytes(uint64(lower)), humanize.IBytes(uint64(a.Threshold)))}
	}
	if above.Objects == 0 {
		return Choice{a.Threshold, true, "no object is that large"}
	}
	return Choice{a.Threshold, true, fmt.Sprintf("%s objects (%s) go in parts", humanize.Comma(above.Objects), humanize.IBytes(uint64(above.Bytes)))}
}

// partSize is larger where very large objects are most of the bytes.
func (r *Report) partSize(a Assumed) Choice {
	c := Choice{Value: a.PartSize, Default: true}
	if huge := r.from(5 * gib); 2*huge.Bytes > r.Bytes {
		c = Choice{Value: 4 * a.PartSize, Why: fmt.Sprintf("%s objects of 5 GiB and more are most of the bytes: a quarter of the requests", humanize.Comma(huge.Objects))}
	}
	var largest int64
	if len(r.Largest) > 0 {
		largest = r.Largest[0].Size
	}
	parts := (largest + c.Value - 1) / c.Value
	switch {
	case parts > maxParts:
		c.Why = join(c.Why, fmt.Sprintf("the largest object (%s) gets larger ones by itself, to need no more than 10,000", humanize.IBytes(uint64(largest))))
	case c.Default:
		c.Why = fmt.Sprintf("the largest object (%s) is %s of them", humanize.IBytes(uint64(largest)), humanize.Comma(parts))
	}
	return c
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// from counts the objects of at least so many bytes, which must be where a size
// class begins; else those of its class are left out.
func (r *Report) from(size int64) (c Count) {
	begin := int64(0)
	for _, s := range r.Sizes {
		if begin >= size {
			c.plus(s.Count)
		}
		begin = s.Below
	}
	return c
}

// span words a number of seconds.
func span(seconds float64) string {
	if seconds < 1 {
		return "less than a second"
	}
	return Span(seconds)
}

// Span words a number of seconds in at most two units, rounded up to a second.
func Span(seconds float64) string {
	s := int64(math.Ceil(seconds))
	switch {
	case s >= 2*day:
		return fmt.Sprintf("%s d %d h", humanize.Comma(s/day), s%day/3600)
	case s >= 3600:
		return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
	case s >= 60:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	return fmt.Sprintf("%d s", s)
}
