package taskfile

import (
	"regexp"
	"slices"
	"strings"
)

// Words are the flags of `sluice sync` that say what the task says, rules in
// their order. Only what the file says is among them.
func (t Task) Words() []string {
	var words []string
	for _, r := range t.Filter.Rules {
		value := r.Pattern.Text
		if r.Kind == "exclude_from" {
			value = t.below(value)
		}
		words = append(words, "--"+strings.ReplaceAll(r.Kind, "_", "-")+"="+value)
	}
	for _, l := range leaves(&t.Settings) {
		switch {
		case l.flag == "" || !l.value.Given():
		case l.yes == "":
			words = append(words, "--"+l.flag+"="+l.value.Text)
		case l.value.Text == "true":
			words = append(words, "--"+l.flag+"="+l.yes)
		}
	}
	return words
}

var flagName = regexp.MustCompile(`--[a-z][a-z-]*`)

// Blame says in the words of the file what err says about the flags that Words
// made: keys for flags, and where the first of them stands. It wraps err.
func (t Task) Blame(err error) error {
	if err == nil {
		return nil
	}
	all := leaves(&t.Settings)
	at := t.Errorf
	found := false
	text := flagName.ReplaceAllStringFunc(err.Error(), func(flag string) string {
		i := slices.IndexFunc(all, func(l leaf) bool { return "--"+l.flag == flag })
		if i < 0 {
			r := t.rule(flag)
			if r == nil {
				return flag // none of the file's
			}
			if !found {
				found, at = true, r.Pattern.Errorf
			}
			return r.Kind
		}
		if l := all[i]; l.value.Given() && !found {
			found, at = true, l.value.Errorf
		}
		return all[i].path
	})
	return at("%w", blamed{text, err})
}

// rule returns the first rule that became a flag.
func (t Task) rule(flag string) *Rule {
	for i, r := range t.Filter.Rules {
		if "--"+strings.ReplaceAll(r.Kind, "_", "-") == flag {
			return &t.Filter.Rules[i]
		}
	}
	return nil
}

// blamed is an error in other words.
type blamed struct {
	text string
	err  error
}

func (b blamed) Error() string { return b.text }
func (b blamed) Unwrap() error { return b.err }

// Flags are the flags of `sluice sync` that keys turn into, but for rules, with
// the default of each; "" where doc says what holds.
func Flags() map[string]string {
	all := map[string]string{}
	for _, l := range leaves(&Settings{}) {
		if l.flag != "" {
			all[l.flag] = l.standard
		}
	}
	return all
}
