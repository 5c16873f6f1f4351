package yamltree

import (
	"strings"
	"testing"
)

const text = `# a file
top: plain
list:
  - 0123
  - |
    two
    lines
  - [1, 2]
flow: {a: true, b: 1.50}
nested:
  key: 2026-01-02
empty:
only comments:
  # key: 1
`

// show writes a tree with the place of every node.
func show(b *strings.Builder, n Node, indent string) {
	if text, ok := n.Text(); ok {
		b.WriteString(indent + n.Where() + " " + strings.ReplaceAll(text, "\n", "|") + "\n")
		return
	}
	if items, ok := n.Items(); ok {
		for _, item := range items {
			show(b, item, indent+"- ")
		}
		return
	}
	if n.Null() {
		b.WriteString(indent + "null\n")
		return
	}
	pairs, err := n.Pairs("it")
	if err != nil {
		b.WriteString(indent + err.Error() + "\n")
	}
	for _, p := range pairs {
		b.WriteString(indent + p.At.Where() + " " + p.Key + "\n")
		show(b, p.Value, indent+"  ")
	}
}

func TestTree(t *testing.T) {
	doc, err := Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	show(&b, doc, "")
	want := `f:2:1 top
  f:2:6 plain
f:3:1 list
  - f:4:5 0123
  - f:5:5 two|lines
  - - f:8:6 1
  - - f:8:9 2
f:9:1 flow
  f:9:8 a
    f:9:11 true
  f:9:17 b
    f:9:20 1.50
f:10:1 nested
  f:11:3 key
    f:11:8 2026-01-02
f:12:1 empty
  null
f:13:1 only comments
  null
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestComplaints(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a: 1\nb: 2\na: 3\n", `f:3:1: the key "a" of it is there twice`},
		{"- 1\n", "f:1:1: it must be a mapping of keys to values"},
		{"a: \"SECRET", "f:1:4: is not YAML: could not find end character of double-quoted text"},
		{"a: SECRET: b\n", "f:1:4: is not YAML: mapping value is not allowed in this context"},
	} {
		doc, err := Parse("f", []byte(c.text))
		if err == nil {
			_, err = doc.Pairs("it")
		}
		if err == nil || err.Error() != c.want {
			t.Errorf("%q: got %v, want %s", c.text, err, c.want)
		}
	}
}

// FuzzTree: no file breaks the walk, and every node says where it is.
func FuzzTree(f *testing.F) {
	f.Add(text)
	f.Add("a: &x b\nc: *x\n<<: {d: !!int '1'}\n? [k]\n: v\n---\n...\n")
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := Parse("f", []byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Errorf("%v", err)
			}
			return
		}
		show(&strings.Builder{}, doc, "")
	})
}
