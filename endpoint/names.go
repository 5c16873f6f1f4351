package endpoint

import (
	"errors"
	"strings"
)

const envPrefix = "SLUICE_ENDPOINT_"

// CanonicalName makes the one form of an endpoint's name: capitals are small
// letters, and "_" is "-", because the name of an environment variable cannot
// hold a "-". My_Store, MY-STORE and my-store are one endpoint.
func CanonicalName(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), "_", "-")
}

// CheckName tells whether an endpoint may be called so: two characters or more
// (one is a drive of Windows), letters, digits, "-" and "_", a letter first.
func CheckName(name string) error {
	for i := range len(name) {
		if !isWord(name[i]) {
			return errBadName
		}
	}
	if len(name) < 2 || len(name) > 64 || !isLetter(name[:1]) {
		return errBadName
	}
	return nil
}

var errBadName = errors.New("the name of an endpoint is made of letters, digits, '-' and '_', begins with a letter and is 2 to 64 long")

func isWord(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// howToDefine names both ways to define an endpoint.
func howToDefine(name string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "=PROVIDER+https://ACCESS:SECRET@HOST, or endpoints: in the config file"
}

func list(words []string) string { return strings.Join(words, ", ") }

// didYouMean returns "; did you mean X?" for the candidate that is close to a
// word, or "".
func didYouMean(word string, candidates []string) string {
	best, least := "", 3
	for _, c := range candidates {
		if d := distance(plain(word), plain(c)); d < least && d < len(c) && 2*d <= len(word) {
			best, least = c, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// plain drops what people vary most.
func plain(s string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s))
}

// distance counts the bytes to insert, drop or change between two words. Long
// words are far from everything.
func distance(a, b string) int {
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
