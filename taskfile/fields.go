package taskfile

import (
	"reflect"
)

// field is a key of the format: a value, a section of keys, or the rules.
type field struct {
	key, doc string
	kind     kind
	flag     string // of `sluice sync`, whose words it turns into; "": none
	yes      string // what the flag of a bool takes for true; "": it is a bool too
	standard string // the default; "": there is none, and doc says what holds
	example  string
	section  reflect.Type // of its keys; nil: a value or the rules
	index    []int        // in the struct, as reflect has it
}

// isRules tells the list of patterns from values.
func (f field) isRules() bool { return f.section == nil && f.kind.name == "" }

// sample is a value that may stand there.
func (f field) sample() string {
	if f.example != "" {
		return f.example
	}
	return f.standard
}

// fields lists the keys of a struct in order; those of embedded ones stand
// among them.
func fields(t reflect.Type) (all []field) {
	for i := range t.NumField() {
		s := t.Field(i)
		if s.Anonymous {
			for _, f := range fields(s.Type) {
				f.index = append([]int{i}, f.index...)
				all = append(all, f)
			}
			continue
		}
		key := s.Tag.Get("key")
		if key == "" {
			continue
		}
		f := field{
			key: key, doc: s.Tag.Get("doc"), flag: s.Tag.Get("flag"), yes: s.Tag.Get("yes"),
			standard: s.Tag.Get("default"), example: s.Tag.Get("example"), index: []int{i},
		}
		switch {
		case s.Type.Kind() == reflect.Slice:
		case s.Type == reflect.TypeFor[Value]():
			f.kind = kindNamed(s.Tag.Get("kind"))
		default:
			f.section = s.Type
		}
		all = append(all, f)
	}
	return all
}

func keysOf(all []field) []string {
	keys := make([]string, len(all))
	for i, f := range all {
		keys[i] = f.key
	}
	return keys
}

// leaf is a value of a task or of settings, with its field and the path of keys
// to it, such as transfer.workers.
type leaf struct {
	field
	path  string
	value *Value
}

// leaves returns all values of a struct that v points to.
func leaves(v any) []leaf { return leavesOf(reflect.ValueOf(v).Elem(), "") }

func leavesOf(v reflect.Value, in string) (all []leaf) {
	for _, f := range fields(v.Type()) {
		at := v.FieldByIndex(f.index)
		switch {
		case f.section != nil:
			all = append(all, leavesOf(at, in+f.key+".")...)
		case !f.isRules():
			all = append(all, leaf{f, in + f.key, at.Addr().Interface().(*Value)})
		}
	}
	return all
}
