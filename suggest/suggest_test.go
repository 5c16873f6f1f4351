package suggest

import (
	"strings"
	"testing"
)

func TestClosest(t *testing.T) {
	keys := []string{"source", "target", "min_size", "max_size", "id"}
	for word, want := range map[string]string{
		"sorce": "source", "Min-Size": "min_size", "minsiez": "min_size", "goal": "", "i": "", "": "", strings.Repeat("x", 50): "",
	} {
		if got := Closest(word, keys); got != want {
			t.Errorf("Closest(%q) = %q, want %q", word, got, want)
		}
	}
}
