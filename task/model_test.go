package task

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/bus"
)

// randomSource returns a source of randomness and says how to have it again.
func randomSource(t *testing.T) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("replay with -run '^%s$' -seed %d", t.Name(), seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// lasts is the model of the counters: the last put and the last delete of each
// key, and nothing else, are counted. Results of another run count only for a
// key that has one of this run.
type lasts map[string]map[bus.Op]bus.Result

func (m lasts) add(r bus.Result) {
	if m[r.Key] == nil {
		if r.Run != "r" {
			return
		}
		m[r.Key] = map[bus.Op]bus.Result{}
	}
	m[r.Key][r.Op] = r
}

func (m lasts) counters() (c counters) {
	c.Skipped = map[string]int64{}
	for _, ops := range m {
		if r, ok := ops[bus.OpPut]; ok {
			switch r.Outcome {
			case bus.Copied:
				c.Copied++
				c.Bytes += r.Size
				if r.Unvouched {
					c.Unvouched++
				}
			case bus.Skipped:
				c.Skipped[r.Reason]++
				c.SkipBytes += r.Size
			case bus.GivenUp:
				c.Failed++
				c.SkipBytes += r.Size
			case bus.Retrying:
				c.Retrying++
			}
		}
		switch ops[bus.OpDelete].Outcome {
		case bus.Deleted:
			c.Deleted++
		case bus.Retrying:
			c.RetryDel++
		case bus.GivenUp:
			c.FailedDel++
		}
	}
	return c
}

// randomResult draws one of those that a run of a few keys could give.
func randomResult(r *rand.Rand) bus.Result {
	op, outcomes := "put", []string{"copied", "copied!", "skipped:gone", "skipped:exists", "retrying", "given_up"}
	if r.IntN(3) == 0 {
		op, outcomes = "del", []string{"deleted", "skipped:present", "retrying", "given_up"}
	}
	if r.IntN(6) == 0 {
		op += "@old"
	}
	res := res(fmt.Sprintf("%s k%d %s", op, r.IntN(4), outcomes[r.IntN(len(outcomes))]))[0]
	if res.Op == bus.OpPut {
		res.Size = r.Int64N(100)
	}
	return res
}

// Whatever comes in whatever batches, twice or not, and through whatever
// restarts: the counters are what the last results add up to.
func TestCountersAgreeWithAModel(t *testing.T) {
	r := randomSource(t)
	for range 40 {
		b, want := newBench(t), lasts{}
		var past [][]bus.Result
		for range 30 {
			var batches [][]bus.Result
			for range 1 + r.IntN(3) {
				var batch []bus.Result
				for range 1 + r.IntN(4) {
					batch = append(batch, randomResult(r))
				}
				if len(past) > 0 && r.IntN(4) == 0 {
					batch = past[r.IntN(len(past))]
				}
				batches = append(batches, batch)
				past = append(past, batch)
				for _, res := range batch {
					want.add(res)
				}
			}
			b.project(batches...)
			if r.IntN(5) == 0 {
				p, err := newProjector(b.st, nil, "r", b.now)
				if err != nil {
					t.Fatal(err)
				}
				b.projector = p
			}
			if got, want := b.show(), showCounters(want.counters()); got != want {
				t.Fatalf("counted %s; want %s", got, want)
			}
		}
	}
}
