// Package osspipe translates task files of oss_pipe
// (https://github.com/jiashiwen/oss_pipe, docs/reference_task_yml_cn.md) to
// task files of sluice, and says in words what means something else there.
//
// It must not know what a task does. Secrets of the old file are neither kept
// nor quoted.
package osspipe

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/sluice-sync/sluice/taskfile"
	"github.com/sluice-sync/sluice/yamltree"
)

// Translation is a task file of sluice.
type Translation struct {
	Notes []string // what changed its meaning or was left out, one a line
	text  string
}

// Write prints the task file.
func (t *Translation) Write(w io.Writer) error {
	_, err := io.WriteString(w, t.text)
	return err
}

// translator builds a translation.
type translator struct {
	id             string
	typed          bool // the file says what it is
	source, target *place
	attributes     yamltree.Node
	rules          []string
	notes          []string
	sections       map[string][]string // lines of filter, compare, transfer
	mode           []string            // lines
}

// Translate reads the text of the old file at path. What cannot be said as a
// task of sluice is refused, with file:line:column.
func Translate(path string, data []byte) (*Translation, error) {
	doc, err := yamltree.Parse(path, data)
	if err != nil {
		return nil, err
	}
	t := &translator{id: "oss-pipe", sections: map[string][]string{}, mode: []string{"mode: stock"}}
	if err := t.top(doc, "the file"); err != nil {
		return nil, err
	}
	switch {
	case !t.typed:
		return nil, doc.Errorf("the file has no type")
	case t.source == nil || t.target == nil:
		return nil, doc.Errorf("source and target are missing, or one of them is")
	}
	if !t.attributes.Null() {
		if err := t.attributesOf(); err != nil {
			return nil, err
		}
	}
	from, to, err := t.locations()
	if err != nil {
		return nil, err
	}
	out := &Translation{Notes: t.notes, text: t.write(path, from, to)}
	if _, err := taskfile.Parse("the translation", "/", []byte(out.text)); err != nil {
		return nil, err
	}
	return out, nil
}

func (t *translator) note(at yamltree.Node, format string, args ...any) {
	t.notes = append(t.notes, at.Where()+": "+fmt.Sprintf(format, args...))
}

// top reads the keys of the file; older files have most of them in task_desc.
func (t *translator) top(n yamltree.Node, what string) error {
	pairs, err := n.Pairs(what)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		text, _ := p.Value.Text()
		switch p.Key {
		case "type":
			t.typed, err = true, checkType(p.Value, strings.ToLower(text))
		case "task_desc":
			err = t.top(p.Value, p.Key)
		case "task_id":
			if t.id == "oss-pipe" && text != "" {
				t.id = idOf(text)
			}
		case "name":
			if text != "" {
				t.id = idOf(text)
			}
		case "source":
			t.source, err = readPlace(t, p)
		case "target":
			t.target, err = readPlace(t, p)
		case "attributes":
			t.attributes = p.Value
		case "check_option":
			t.note(p.At, "check_option is left out: it is about comparing")
		default:
			t.note(p.At, "%s is not known, and is left out", p.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkType takes transfers only.
func checkType(n yamltree.Node, kind string) error {
	switch strings.ReplaceAll(kind, "_", "") {
	case "transfer":
		return nil
	case "compare":
		return n.Errorf("compare is refused: comparing alone (check_option, exprirs_diff_scope) is not in this release, and a task would copy; " +
			"`sluice sync SRC DST --dry-run` lists what differs and changes nothing")
	case "deletebucket", "truncatebucket":
		return n.Errorf("%s is refused: sluice empties no buckets", kind)
	}
	return n.Errorf("type must be transfer")
}

// idOf makes the name of a task of what a person called it.
func idOf(text string) string {
	id := strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "-")
	if len(id) > 24 {
		id = strings.TrimRight(id[:24], "-")
	}
	if id == "" {
		return "oss-pipe"
	}
	return id
}

// write prints the file.
func (t *translator) write(path, from, to string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Translated from %s, a task file of oss_pipe.\n", quote(path))
	ends := append(t.source.endpoint(), t.target.endpoint()...)
	if len(ends) > 0 {
		b.WriteString("endpoints:\n")
	}
	for _, l := range ends {
		fmt.Fprintf(&b, "  %s\n", l)
	}
	fmt.Fprintf(&b, "tasks:\n  - id: %s\n    source: %s\n    target: %s\n", t.id, quote(from), quote(to))
	for _, l := range t.mode {
		fmt.Fprintf(&b, "    %s\n", l)
	}
	if len(t.rules) > 0 {
		t.sections["filter"] = append([]string{"rules:"}, append(t.rules, t.sections["filter"]...)...)
	}
	for _, name := range []string{"filter", "compare", "transfer"} {
		if lines := t.sections[name]; len(lines) > 0 {
			fmt.Fprintf(&b, "    %s:\n", name)
			for _, l := range lines {
				fmt.Fprintf(&b, "      %s\n", l)
			}
		}
	}
	return b.String()
}

// quote makes a string of YAML.
func quote(s string) string {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r > '~' {
			b, _ := json.Marshal(s) // a string of JSON is one of YAML
			return string(b)
		}
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
