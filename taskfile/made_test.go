package taskfile

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestEveryKeyIsDescribed(t *testing.T) {
	flags := map[string]string{}
	for _, l := range leaves(&Task{}) {
		switch {
		case !strings.HasSuffix(l.doc, "."):
			t.Errorf("%s: the doc is no sentence: %q", l.path, l.doc)
		case l.sample() == "":
			t.Errorf("%s has neither a default nor an example", l.path)
		case l.standard == "" && !strings.Contains(l.doc, "Default: ") && !strings.Contains(l.doc, "Required."):
			t.Errorf("%s does not say its default", l.path)
		case l.flag != "" && flags[l.flag] != "":
			t.Errorf("%s and %s are one flag", l.path, flags[l.flag])
		}
		flags[l.flag] = l.path
		if l.kind.check != nil {
			if err := l.kind.check(l.sample()); err != nil {
				t.Errorf("%s: its sample: %v", l.path, err)
			}
		}
	}
}

func printed(t *testing.T, tpl Template) string {
	t.Helper()
	var b strings.Builder
	if err := tpl.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var place = regexp.MustCompile(FillIn + `[-A-Z]*`)

// TestTemplatesAreValid reads every template as printed, filled in, and with
// each commented line switched on alone.
func TestTemplatesAreValid(t *testing.T) {
	schema := decoded(t)
	for _, tpl := range Templates() {
		text := printed(t, tpl)
		_, err := Parse("f.yaml", "/", []byte(text))
		if err == nil || !strings.HasSuffix(err.Error(), ": fill in what stands here") {
			t.Errorf("%s: as printed: %v", tpl.Kind, err)
		}
		text = place.ReplaceAllString(text, "filled")
		lines := strings.Split(text, "\n")
		off := 0
		for i, l := range lines {
			if len(l) > 100 && !strings.Contains(l, "rules: ") {
				t.Errorf("%s: line %d has %d columns", tpl.Kind, i+1, len(l))
			}
			on := regexp.MustCompile(`^( *)#(\w)`).ReplaceAllString(l, "$1$2")
			if on == l {
				continue
			}
			off++
			try := slices.Clone(lines)
			try[i] = on
			if strings.Contains(on, "restore_tier") {
				try[i] += "\n" + strings.Replace(on, "restore_tier: Bulk", "archived: restore", 1)
			}
			valid(t, schema, tpl.Kind+" with "+on, strings.Join(try, "\n"))
		}
		if all := len(leaves(&Settings{})) + 1; off < all-4 || off > all {
			t.Errorf("%s shows %d keys that it does not set, of %d", tpl.Kind, off, all)
		}
		valid(t, schema, tpl.Kind, text)
	}
}

func valid(t *testing.T, schema map[string]any, what, text string) {
	t.Helper()
	if _, err := Parse("f.yaml", "/", []byte(text)); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if err := fits(schema, document(t, text), "file"); err != nil {
		t.Errorf("%s: the schema: %v", what, err)
	}
}

func decoded(t *testing.T) (schema map[string]any) {
	t.Helper()
	b, err := Schema()
	if err == nil {
		err = json.Unmarshal(b, &schema)
	}
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// document is a file as JSON has it.
func document(t *testing.T, text string) (v any) {
	t.Helper()
	b, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return v
}

func TestSchemaRefuses(t *testing.T) {
	schema := decoded(t)
	if err := fits(schema, document(t, good), "file"); err != nil {
		t.Errorf("the schema refuses a good file: %v", err)
	}
	for _, text := range []string{
		"defaults: {}", "tasks: []", "tasks: [{id: a, source: b}]", one("    x: 1\n"), one("    mode: full\n"),
		one("    transfer: {workers: a}\n"), one("    filter: {rules: [{include: a, exclude: b}]}\n"),
		one("    compare: {force: 1}\n"), "tasks: [{id: A_b, source: b, target: c}]", one("    object: {tags: all}\n"),
	} {
		if fits(schema, document(t, text), "file") == nil {
			t.Errorf("the schema takes %q", text)
		}
	}
}

// fits is as much of JSON Schema as Schema uses; other words in it fail.
func fits(schema map[string]any, v any, at string) error {
	for word, rule := range schema {
		ok := true
		switch word {
		case "$schema", "title", "description":
		case "type":
			ok = hasType(rule, v)
		case "enum":
			ok = slices.Contains(rule.([]any), v)
		case "pattern":
			ok = regexp.MustCompile(rule.(string)).MatchString(v.(string))
		case "minLength":
			s, is := v.(string)
			ok = !is || len(s) >= int(rule.(float64))
		case "maxLength":
			ok = len(v.(string)) <= int(rule.(float64))
		case "minimum":
			n, is := v.(float64)
			ok = !is || n >= rule.(float64)
		case "minItems", "minProperties":
			ok = v == nil || reflect.ValueOf(v).Len() >= int(rule.(float64))
		case "maxProperties":
			ok = reflect.ValueOf(v).Len() <= int(rule.(float64))
		case "items":
			list, _ := v.([]any)
			for i, item := range list {
				if err := fits(rule.(map[string]any), item, fmt.Sprintf("%s[%d]", at, i)); err != nil {
					return err
				}
			}
		case "required":
			m, _ := v.(map[string]any)
			for _, key := range rule.([]any) {
				_, there := m[key.(string)]
				ok = ok && there
			}
		case "properties", "additionalProperties":
			if err := fitsKeys(schema, v, at); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s: the word %s is not known to this test", at, word)
		}
		if !ok {
			return fmt.Errorf("%s: %v is against %s %v", at, v, word, rule)
		}
	}
	return nil
}

func fitsKeys(schema map[string]any, v any, at string) error {
	m, _ := v.(map[string]any)
	known, _ := schema["properties"].(map[string]any)
	for key, value := range m {
		s, ok := known[key].(map[string]any)
		if !ok {
			if s, ok = schema["additionalProperties"].(map[string]any); !ok {
				return fmt.Errorf("%s: the key %s is not known", at, key)
			}
		}
		if err := fits(s, value, at+"."+key); err != nil {
			return err
		}
	}
	return nil
}

func hasType(rule, v any) bool {
	names, ok := rule.([]any)
	if !ok {
		names = []any{rule}
	}
	is := "null"
	switch n := v.(type) {
	case string:
		is = "string"
	case bool:
		is = "boolean"
	case []any:
		is = "array"
	case map[string]any:
		is = "object"
	case float64:
		is = "number"
		if n == float64(int64(n)) && slices.Contains(names, any("integer")) {
			is = "integer"
		}
	}
	return slices.Contains(names, any(is))
}

func TestPageHasEveryKey(t *testing.T) {
	var b strings.Builder
	if err := Page(&b); err != nil {
		t.Fatal(err)
	}
	for _, l := range leaves(&Task{}) {
		row := fmt.Sprintf("| `%s` | %s | %s", l.key, l.kind.unit, l.doc)
		if !strings.Contains(b.String(), row) {
			t.Errorf("the page has no row %s", row)
		}
	}
}
