package analysis

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"
	"unicode/utf8"
)

// sampled takes a sample of n of the keys, which are in order. It fails if a
// key is taken twice or a range begins where none can.
func sampled(t *testing.T, keys []string, n int) (taken map[string]bool, requests int, whole bool) {
	t.Helper()
	p := NewPlaces(n)
	taken = map[string]bool{}
	for {
		r, take, ok := p.Next()
		if !ok {
			return taken, requests, p.Whole()
		}
		requests++
		from := sort.Search(len(keys), func(i int) bool { return keys[i] > r.After })
		to := len(keys)
		if r.Last != "" {
			to = sort.Search(len(keys), func(i int) bool { return keys[i] > r.Last })
		}
		if from > to || !utf8.ValidString(r.After) && utf8.ValidString(strings.Join(keys, "")) {
			t.Fatalf("a range from %q to %q", r.After, r.Last)
		}
		got := keys[from:min(to, from+take)]
		last := ""
		for _, k := range got {
			if taken[k] {
				t.Fatalf("%q comes twice", k)
			}
			taken[k], last = true, k
		}
		p.Took(len(got), last, from+len(got) < to)
	}
}

// keysOf makes n keys in order.
func keysOf(n int, key func(i int) string) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = key(i)
	}
	sort.Strings(keys)
	return keys
}

func spaces() map[string][]string {
	rnd := rand.New(rand.NewPCG(7, 7))
	return map[string][]string{
		"numbers in one directory": keysOf(100_000, func(i int) string { return fmt.Sprintf("data/2026/%010d.bin", i) }),
		"hashes":                   keysOf(100_000, func(int) string { return fmt.Sprintf("%016x%016x", rnd.Uint64(), rnd.Uint64()) }),
		"directories of users": keysOf(100_000, func(i int) string {
			return fmt.Sprintf("users/%04d/photos/2026-%02d/%06d.jpg", i%700, i%12+1, i)
		}),
		"texts": keysOf(50_000, func(i int) string { return fmt.Sprintf("文档/第%d章/节%d", i%50, i) }),
		"a large one first": keysOf(60_000, func(i int) string {
			if i < 50_000 {
				return fmt.Sprintf("a/%08d", i)
			}
			return fmt.Sprintf("%c/%08d", 'b'+i%20, i)
		}),
		"prefixes of each other": keysOf(200, func(i int) string { return strings.Repeat("a", i+1) }),
		"not UTF-8":              keysOf(5000, func(i int) string { return fmt.Sprintf("\xff\xff%c%c\xf4%04d", 0x80+i%100, 0xf5+i%10, i) }),
		"none":                   nil,
	}
}

func TestSampleIsSpread(t *testing.T) {
	const n = 6400
	for name, keys := range spaces() {
		taken, requests, whole := sampled(t, keys, n)
		if len(taken) != min(n, len(keys)) || whole != (len(keys) <= n) {
			t.Errorf("%s: %d keys of %d taken, whole %v", name, len(taken), len(keys), whole)
		}
		if len(keys) > n && requests > 4*samplePlaces {
			t.Errorf("%s: %d requests", name, requests)
		}
		if len(keys) <= n {
			continue
		}
		var tenths [10]int
		for i, k := range keys {
			if taken[k] {
				tenths[10*i/len(keys)]++
			}
		}
		seen := 0
		for _, n := range tenths {
			if n > 0 {
				seen++
			}
		}
		t.Logf("%s: %d requests, %v", name, requests, tenths)
		if seen < 8 && name != "a large one first" {
			t.Errorf("%s: taken from %v", name, tenths)
		}
	}
	taken, _, _ := sampled(t, spaces()["a large one first"], n)
	for c := 'a'; c < 'b'+20; c++ {
		found := false
		for k := range taken {
			found = found || strings.HasPrefix(k, string(c))
		}
		if !found {
			t.Errorf("no key of the directory %c", c)
		}
	}
}

// TestSampleOfAllIsWhole: what is asked for more than there is gets everything,
// each key once.
func TestSampleOfAllIsWhole(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 2))
	for range 200 {
		letters := []rune("ab/é\U0010ffff")
		set := map[string]bool{}
		for range rnd.IntN(300) {
			k := make([]rune, 1+rnd.IntN(6))
			for i := range k {
				k[i] = letters[rnd.IntN(len(letters))]
			}
			set[string(k)] = true
		}
		var keys []string
		for k := range set {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		taken, _, whole := sampled(t, keys, 1000)
		if len(taken) != len(keys) || !whole {
			t.Fatalf("seed %d: %d of %d keys, whole %v", seed, len(taken), len(keys), whole)
		}
	}
}
