package taskfile

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/filter"
	"github.com/sluice-sync/sluice/suggest"
)

// kind is a form of value.
type kind struct {
	name    string
	unit    string   // in words, for people
	choices []string // all there are; nil: many
	check   func(text string) error
	schema  map[string]any // of JSON Schema, for editors
}

// kindNamed returns a kind of the tags. An unknown one is a fault of this
// package's own structs.
func kindNamed(name string) kind {
	k, ok := kinds()[name]
	if !ok {
		panic("no kind " + name)
	}
	k.name = name
	if k.choices != nil && k.check == nil {
		k.check = oneOf(k.choices)
	}
	return k
}

func kinds() map[string]kind {
	word := map[string]any{"type": "string", "minLength": 1}
	return map[string]kind{
		"text": {unit: "text", schema: word},
		"id":   {unit: "a word", check: checkID, schema: map[string]any{"type": "string", "pattern": idForm, "maxLength": maxID}},
		"bool": {unit: "true or false", choices: []string{"true", "false"}, schema: map[string]any{"type": "boolean"}},
		"mode": {unit: "stock", choices: []string{"stock"}, check: checkMode, schema: enum("stock")},
		"tags": {unit: "keep or drop", choices: []string{"keep", "drop"}, schema: enum("keep", "drop")},
		"archived": {unit: "fail, skip or restore", choices: []string{"fail", "skip", "restore"},
			schema: enum("fail", "skip", "restore")},
		"count":  {unit: "a whole number", check: checkCount, schema: map[string]any{"type": "integer", "minimum": 0}},
		"number": {unit: "a number", check: checkNumber, schema: map[string]any{"type": "number", "minimum": 0}},
		"size": {unit: "bytes; k, M, G, T: powers of 1024", check: checkSize,
			schema: map[string]any{"type": []string{"string", "integer"}, "minimum": 0, "minLength": 1}},
		"time":     {unit: "an age such as 36h, 7d, 2w, or a date such as 2026-01-31, RFC 3339", check: checkTime, schema: word},
		"duration": {unit: "h, m, s, as in 10m or 1h30m", check: checkDuration, schema: word},
		"cap": {unit: "objects, N%, or none",
			schema: map[string]any{"type": []string{"string", "integer"}, "minimum": 0, "minLength": 1}},
	}
}

func enum(words ...string) map[string]any { return map[string]any{"enum": words} }

// The name of a task becomes part of names of directories and streams.
const (
	idForm = `^[a-z0-9]+(-[a-z0-9]+)*$`
	maxID  = 24
)

func checkID(text string) error {
	if len(text) > maxID || !regexp.MustCompile(idForm).MatchString(text) {
		return fmt.Errorf("must be 1 to %d small letters, digits and single dashes between them", maxID)
	}
	return nil
}

// checkMode refuses what is to come in so many words.
func checkMode(text string) error {
	switch text {
	case "stock":
		return nil
	case "full", "incremental":
		return fmt.Errorf("%s (following changes) is not in this release: use stock, and run the file again to catch up", text)
	}
	return oneOf([]string{"stock"})(text)
}

func oneOf(choices []string) func(string) error {
	return func(text string) error {
		if slices.Contains(choices, text) {
			return nil
		}
		if c := suggest.Closest(text, choices); c != "" && len(choices) > 1 {
			return fmt.Errorf("must be %s; did you mean %s?", strings.Join(choices, " or "), c)
		}
		return errors.New("must be " + strings.Join(choices, " or "))
	}
}

func checkCount(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return errors.New("must be a whole number such as 16")
	}
	return nil
}

func checkNumber(text string) error {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0 || math.IsInf(n, 0) || math.IsNaN(n) {
		return errors.New("must be a number such as 100 or 0.5")
	}
	return nil
}

func checkSize(text string) error {
	_, err := filter.ParseSize(text)
	return err
}

func checkTime(text string) error {
	_, err := filter.ParseTimeOrAge(text, time.Now())
	return err
}

func checkDuration(text string) error {
	if d, err := time.ParseDuration(text); err != nil || d <= 0 {
		return errors.New("must be a time such as 10m or 1h30m")
	}
	return nil
}
