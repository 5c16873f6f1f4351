package taskfile

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/sluice-sync/sluice/filter"
	"github.com/sluice-sync/sluice/yamltree"
)

// FillIn marks a place of a template that a person has to fill in.
const FillIn = "FILL-IN"

// MaxBytes bounds a task file: more than a thousand tasks with every key.
const MaxBytes = 1 << 20

// topKeys are those of the file itself.
func topKeys() []string { return []string{"endpoints", "defaults", "tasks"} }

// Parse reads the text of the file at path; relative paths in it start at dir.
// Errors begin with
// file:line:column and name the allowed words; none quotes a value of
// endpoints, of which only the form is looked at here.
func Parse(path, dir string, data []byte) (*File, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%s: has more than %d bytes", path, MaxBytes)
	}
	doc, err := yamltree.Parse(path, data)
	if err != nil {
		return nil, err
	}
	if err := filled(doc); err != nil {
		return nil, err
	}
	top, err := doc.Pairs("the file")
	if err != nil {
		return nil, err
	}
	f := &File{}
	var standard Settings
	var tasks yamltree.Node
	for _, p := range top {
		switch p.Key {
		case "endpoints":
		case "defaults":
			err = read(reflect.ValueOf(&standard).Elem(), p.Value, "defaults")
		case "tasks":
			tasks = p.Value
		default:
			err = p.Unknown("the file", topKeys())
		}
		if err != nil {
			return nil, err
		}
	}
	items, ok := tasks.Items()
	switch {
	case tasks.Null():
		return nil, doc.Errorf("tasks are missing: a list of tasks, each with id, source and target")
	case !ok:
		return nil, tasks.Errorf("tasks must be a list: write each task behind a dash")
	case len(items) == 0:
		return nil, tasks.Errorf("tasks is an empty list")
	}
	seen := map[string]Task{}
	for _, item := range items {
		t := Task{at: item, dir: dir}
		if err := t.read(item, standard); err != nil {
			return nil, err
		}
		if other, twice := seen[t.ID.Text]; twice {
			return nil, t.ID.Errorf("the id %s is that of another task too, at %s", t.ID.Text, other.ID.at.Where())
		}
		seen[t.ID.Text] = t
		f.Tasks = append(f.Tasks, t)
	}
	return f, nil
}

// read fills a task in.
func (t *Task) read(n yamltree.Node, standard Settings) error {
	if err := read(reflect.ValueOf(t).Elem(), n, "a task"); err != nil {
		return err
	}
	for _, must := range []struct {
		key string
		Value
	}{{"id", t.ID}, {"source", t.Source}, {"target", t.Target}} {
		if !must.Given() {
			return n.Errorf("the task has no %s", must.key)
		}
	}
	t.inherit(standard)
	return nil
}

// inherit takes what the task does not say itself from the defaults. Rules are
// one value: a task's own replace all of them. What goes only with a setting
// that this task has not is left out.
func (t *Task) inherit(standard Settings) {
	own, all := leaves(&t.Settings), leaves(&standard)
	for i, l := range own {
		if !l.value.Given() {
			*l.value = *all[i].value
		}
	}
	if t.Filter.Rules == nil {
		t.Filter.Rules = standard.Filter.Rules
	}
	if t.Delete.Enabled.Text != "true" && t.Delete.MaxDelete == standard.Delete.MaxDelete {
		t.Delete.MaxDelete = Value{}
	}
	if t.Object.Archived.Text != "restore" && t.Object.RestoreTier == standard.Object.RestoreTier {
		t.Object.RestoreTier = Value{}
	}
}

// read fills a struct of the format from a mapping.
func read(into reflect.Value, n yamltree.Node, what string) error {
	if n.Null() {
		return nil // a section of which every line is commented out
	}
	pairs, err := n.Pairs(what)
	if err != nil {
		return err
	}
	all := fields(into.Type())
	for _, p := range pairs {
		f, ok := find(all, p.Key)
		if !ok {
			return unknown(p, what, keysOf(all))
		}
		at := into.FieldByIndex(f.index)
		switch {
		case f.section != nil:
			err = read(at, p.Value, f.key)
		case f.isRules():
			var rules []Rule
			rules, err = readRules(p)
			at.Set(reflect.ValueOf(rules))
		default:
			var v Value
			v, err = readValue(f, p.Value)
			at.Set(reflect.ValueOf(v))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func find(all []field, key string) (field, bool) {
	for _, f := range all {
		if f.key == key {
			return f, true
		}
	}
	return field{}, false
}

// unknown says of keys that are to come that they are.
func unknown(p yamltree.Pair, what string, known []string) error {
	switch p.Key {
	case "prefix_map", "verify", "schedule", "audit":
		return p.At.Errorf("%s is not in this release", p.Key)
	}
	return p.Unknown(what, known)
}

func readValue(f field, n yamltree.Node) (Value, error) {
	text, ok := n.Text()
	if !ok {
		return Value{}, n.Errorf("%s must be one value, not empty (for text with special characters use 'quotes')", f.key)
	}
	if f.kind.check != nil {
		if err := f.kind.check(text); err != nil {
			return Value{}, n.Errorf("%s: %w", f.key, err)
		}
	}
	return Value{text, n}, nil
}

// readRules reads a list of mappings of one key each.
func readRules(p yamltree.Pair) ([]Rule, error) {
	rules := []Rule{}
	items, ok := p.Value.Items()
	if !ok && !p.Value.Null() {
		return nil, p.Value.Errorf("rules must be a list, such as - exclude: '*.tmp'")
	}
	for _, item := range items {
		pairs, err := item.Pairs("a rule")
		if err != nil {
			return nil, err
		}
		if len(pairs) != 1 {
			return nil, item.Errorf("a rule has one key: put each behind a dash of its own, so that their order is plain")
		}
		r, err := readRule(pairs[0])
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func ruleKeys() []string { return []string{"include", "exclude", "exclude_from"} }

func readRule(p yamltree.Pair) (Rule, error) {
	if p.Key != "include" && p.Key != "exclude" && p.Key != "exclude_from" {
		return Rule{}, p.Unknown("a rule", ruleKeys())
	}
	text, ok := p.Value.Text()
	if !ok {
		return Rule{}, p.Value.Errorf("%s must be one pattern, not empty (in 'quotes' if it begins with *)", p.Key)
	}
	if p.Key != "exclude_from" {
		if _, err := filter.New(filter.Config{Rules: []filter.Rule{{Pattern: text}}}); err != nil {
			return Rule{}, p.Value.Errorf("%s: %w", p.Key, err)
		}
	}
	return Rule{p.Key, Value{text, p.Value}}, nil
}

// filled fails at the first place of a template that is still to be filled in.
func filled(n yamltree.Node) error {
	if text, ok := n.Text(); ok {
		if strings.Contains(text, FillIn) {
			return n.Errorf("fill in what stands here")
		}
		return nil
	}
	if items, ok := n.Items(); ok {
		for _, item := range items {
			if err := filled(item); err != nil {
				return err
			}
		}
		return nil
	}
	pairs, err := n.Pairs("it")
	if err != nil {
		return nil // whoever reads it says what it must be
	}
	for _, p := range pairs {
		if err := filled(p.Value); err != nil {
			return err
		}
	}
	return nil
}
