package endpoint

import (
	"errors"
	"strings"

	"github.com/sluice-sync/sluice/suggest"
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
	if c := suggest.Closest(word, candidates); c != "" {
		return "; did you mean " + c + "?"
	}
	return ""
}
