package list

import (
	"sort"
	"unicode/utf8"
)

// Bounds is a stretch of the key space: keys k with From <= k < To, in byte
// order. An empty From starts at the first key, an empty To has no end.
type Bounds struct{ From, To string }

// start is a place below From and near it, at which a listing can begin: none
// is the nearest one. What a listing yields between the two is left out.
func (b Bounds) start() string {
	r, n := utf8.DecodeLastRuneInString(b.From)
	head := b.From[:len(b.From)-n]
	if n == 0 || r == utf8.RuneError || r <= ' ' || !utf8.ValidRune(r-1) {
		return head
	}
	return head + string(r-1) + string(utf8.MaxRune)
}

// trim leaves out of a page what lies beside the bounds: what precedes From,
// and To itself, at which the listing ends.
func (s *stream) trim() {
	from := func(key string) int {
		return sort.Search(len(s.page), func(i int) bool { return s.page[i].Key >= key })
	}
	if s.bounds.To != "" {
		s.page = s.page[:from(s.bounds.To)]
	}
	s.i = from(s.bounds.From)
}
