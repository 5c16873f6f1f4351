package taskfile

import (
	"encoding/json"
	"reflect"
)

// Schema is the JSON Schema (draft 2020-12) of a task file, for editors. It
// holds forms and keys; what goes together is checked by `sluice run`.
func Schema() ([]byte, error) {
	endpoint := map[string]any{"type": "object", "required": []string{"provider"}}
	b, err := json.MarshalIndent(map[string]any{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"title":                "sluice task file",
		"type":                 "object",
		"required":             []string{"tasks"},
		"additionalProperties": false,
		"properties": map[string]any{
			"endpoints": map[string]any{"type": []string{"object", "null"}, "description": endpointsDoc, "additionalProperties": endpoint},
			"defaults":  described(object(reflect.TypeFor[Settings](), nil), defaultsDoc),
			"tasks": map[string]any{
				"type": "array", "minItems": 1, "description": tasksDoc,
				"items": object(reflect.TypeFor[Task](), []string{"id", "source", "target"}),
			},
		},
	}, "", "  ")
	return append(b, '\n'), err
}

// object is the schema of a struct. A section whose lines are all commented
// out has no value.
func object(t reflect.Type, required []string) map[string]any {
	properties := map[string]any{}
	for _, f := range fields(t) {
		properties[f.key] = described(schemaOf(f), f.doc)
	}
	o := map[string]any{"type": []string{"object", "null"}, "additionalProperties": false, "properties": properties}
	if required != nil {
		o["type"], o["required"] = "object", required
	}
	return o
}

func schemaOf(f field) map[string]any {
	switch {
	case f.section != nil:
		return object(f.section, nil)
	case f.isRules():
		rule := map[string]any{}
		for _, key := range ruleKeys() {
			rule[key] = map[string]any{"type": []string{"string", "number"}, "minLength": 1}
		}
		return map[string]any{"type": []string{"array", "null"}, "items": map[string]any{
			"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false, "properties": rule,
		}}
	}
	s := map[string]any{}
	for k, v := range f.kind.schema {
		s[k] = v
	}
	return s
}

func described(s map[string]any, doc string) map[string]any {
	s["description"] = doc
	return s
}
