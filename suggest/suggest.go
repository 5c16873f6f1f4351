// Package suggest finds the word that somebody probably meant.
//
// It must not know what the words name.
package suggest

import "strings"

// Closest returns the candidate that a word was probably meant to be, or "".
// Capitals, "-" and "_" make no difference; of two that are equally close the
// first is taken.
func Closest(word string, candidates []string) string {
	best, least := "", 3
	for _, c := range candidates {
		if d := Distance(plain(word), plain(c)); d < least && d < len(c) && 2*d <= len(word) {
			best, least = c, d
		}
	}
	return best
}

// plain drops what people vary most.
func plain(s string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s))
}

// Distance counts the bytes to insert, drop or change between two words
// (Levenshtein). A word of more than 40 bytes is as far as it is long from
// everything.
func Distance(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
