// Package yamltree reads YAML as a tree whose every node knows its line and
// column. Nothing is decoded: values stay as they were written, so that sizes,
// ages and keys mean what a reader of the file sees, and no complaint quotes a
// value, which may be a secret. Anchors, aliases and tags are not followed.
//
// It must not know what the file is about.
package yamltree

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/sluice-sync/sluice/suggest"
)

// Node is a value of a file, or the name of a key.
type Node struct {
	path string
	node ast.Node
}

// Pair is one key of a mapping.
type Pair struct {
	Key   string
	At    Node // the key itself
	Value Node
}

// Parse returns the one document of a file; a file without any is an error.
// path is what complaints call it.
func Parse(path string, data []byte) (Node, error) {
	docs, err := Documents(path, data)
	if err != nil {
		return Node{}, err
	}
	switch len(docs) {
	case 0:
		return Node{}, fmt.Errorf("%s: the file is empty", path)
	case 1:
		return docs[0], nil
	}
	return Node{}, docs[1].Errorf("a second document: write one per file")
}

// Documents returns all documents of a file, those without any text left out.
func Documents(path string, data []byte) ([]Node, error) {
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntax(path, err)
	}
	var docs []Node
	for _, d := range file.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType {
			docs = append(docs, Node{path, d.Body})
		}
	}
	return docs, nil
}

// syntax keeps of the parser's error what holds nothing of the file.
func syntax(path string, err error) error {
	var y yaml.Error
	if !errors.As(err, &y) {
		return errors.New(path + ": is not YAML")
	}
	msg := y.GetMessage()
	if strings.ContainsAny(msg, "\"\n") {
		msg = "this cannot be read"
	}
	return at(path, y.GetToken(), "is not YAML: "+msg)
}

func at(path string, t *token.Token, msg string) error {
	if t == nil || t.Position == nil {
		return fmt.Errorf("%s: %s", path, msg)
	}
	return fmt.Errorf("%s:%d:%d: %s", path, t.Position.Line, t.Position.Column, msg)
}

// Errorf makes an error that begins with file:line:column. It wraps as
// fmt.Errorf does.
func (n Node) Errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", n.Where(), fmt.Errorf(format, args...))
}

// Where is file:line:column, or the file alone if no more is known.
func (n Node) Where() string {
	if p := n.position(); p != nil {
		return fmt.Sprintf("%s:%d:%d", n.path, p.Line, p.Column)
	}
	return n.path
}

// Line is Where without the column.
func (n Node) Line() string {
	if p := n.position(); p != nil {
		return fmt.Sprintf("%s:%d", n.path, p.Line)
	}
	return n.path
}

// position is where the text of a node begins, nil if nobody knows.
func (n Node) position() *token.Position {
	if n.node == nil {
		return nil
	}
	t := n.node.GetToken()
	if m, ok := n.node.(*ast.MappingValueNode); ok {
		t = m.Key.GetToken() // the token of a pair is its colon
	}
	if m, ok := n.node.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		t = m.Values[0].Key.GetToken()
	}
	if t == nil {
		return nil
	}
	return t.Position
}

// Null tells whether there is no value.
func (n Node) Null() bool { return n.node == nil || n.node.Type() == ast.NullType }

// Pairs returns the keys of a mapping in order. A key that is there twice is
// an error, and so is anything but a mapping; what names the node in them.
func (n Node) Pairs(what string) ([]Pair, error) {
	var values []*ast.MappingValueNode
	switch m := n.node.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	default:
		return nil, n.Errorf("%s must be a mapping of keys to values", what)
	}
	seen := map[string]bool{}
	pairs := make([]Pair, 0, len(values))
	for _, v := range values {
		key, ok := v.Key.(ast.Node)
		if !ok || key.GetToken() == nil {
			return nil, n.Errorf("%s has a key that is not a word", what)
		}
		p := Pair{key.GetToken().Value, Node{n.path, key}, Node{n.path, v.Value}}
		if seen[p.Key] {
			return nil, p.At.Errorf("the key %q of %s is there twice", p.Key, what)
		}
		seen[p.Key] = true
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// Items returns the values of a list.
func (n Node) Items() (items []Node, ok bool) {
	s, ok := n.node.(*ast.SequenceNode)
	if !ok {
		return nil, false
	}
	for _, v := range s.Values {
		items = append(items, Node{n.path, v})
	}
	return items, true
}

// Text returns one plain value as it was written; false if it is empty, a
// list or a mapping.
func (n Node) Text() (string, bool) {
	switch v := n.node.(type) {
	case *ast.StringNode:
		return v.Value, v.Value != ""
	case *ast.LiteralNode:
		s := strings.TrimSpace(v.Value.Value)
		return s, s != ""
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return v.GetToken().Value, true
	}
	return "", false
}

// Unknown complains about a key that is none of those known, and names the one
// that was probably meant.
func (p Pair) Unknown(what string, known []string) error {
	if s := suggest.Closest(p.Key, known); s != "" {
		return p.At.Errorf("unknown key %q in %s; did you mean %s?", p.Key, what, s)
	}
	return p.At.Errorf("unknown key %q in %s; known: %s", p.Key, what, strings.Join(known, ", "))
}
