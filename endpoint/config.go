package endpoint

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// configFile reads the config file. It walks the syntax tree and decodes
// nothing itself, so that every complaint knows its line and column, numbers
// and dates among the secrets stay as written, and no message quotes a value.
type configFile struct {
	path    string
	section bool // of a file that holds other things too
	lookup  func(reference string) (string, error)
	read    func(path string) ([]byte, error)
}

// at says where a complaint belongs.
func (c *configFile) at(t *token.Token, format string, args ...any) error {
	if t == nil || t.Position == nil {
		return fmt.Errorf(c.path+": "+format, args...)
	}
	return fmt.Errorf("%s:%d:%d: "+format, append([]any{c.path, t.Position.Line, t.Position.Column}, args...)...)
}

// parse returns the endpoints of a file. An endpoint that refers to a variable
// or file that is not there is kept with that error: others may be used.
func (c *configFile) parse(data []byte) ([]*entry, error) {
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, c.syntax(err)
	}
	var entries []*entry
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentType {
			continue
		}
		known := []string{"endpoints"}
		if c.section {
			known = nil
		}
		top, err := c.mapping(doc.Body, "the file", known)
		if err != nil {
			return nil, err
		}
		for _, kv := range top {
			if kv.Key.GetToken().Value != "endpoints" || kv.Value.Type() == ast.NullType {
				continue
			}
			named, err := c.mapping(kv.Value, "endpoints", nil)
			if err != nil {
				return nil, err
			}
			for _, kv := range named {
				e, err := c.endpoint(kv)
				if err != nil {
					return nil, err
				}
				entries = append(entries, e)
			}
		}
	}
	return entries, nil
}

// syntax keeps of the parser's error what holds nothing of the file.
func (c *configFile) syntax(err error) error {
	var y yaml.Error
	if !errors.As(err, &y) {
		return errors.New(c.path + ": is not YAML")
	}
	msg := y.GetMessage()
	if strings.ContainsAny(msg, `"`) {
		msg = "this cannot be read"
	}
	return c.at(y.GetToken(), "is not YAML: %s", msg)
}

// mapping returns the pairs of a mapping; known lists its keys if they are fixed.
func (c *configFile) mapping(n ast.Node, what string, known []string) ([]*ast.MappingValueNode, error) {
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		return nil, c.at(n.GetToken(), "%s must be a mapping of keys to values", what)
	}
	seen := map[string]bool{}
	for _, kv := range pairs {
		key := kv.Key.GetToken()
		switch {
		case seen[key.Value]:
			return nil, c.at(key, "the key %q of %s is there twice", key.Value, what)
		case known != nil && !slices.Contains(known, key.Value):
			return nil, c.at(key, "unknown key %q in %s%s", key.Value, what, hint(key.Value, known))
		}
		seen[key.Value] = true
	}
	return pairs, nil
}

func hint(key string, known []string) string {
	if s := didYouMean(key, known); s != "" {
		return s
	}
	return "; known: " + list(known)
}

func (c *configFile) endpoint(kv *ast.MappingValueNode) (*entry, error) {
	key := kv.Key.GetToken()
	if err := CheckName(key.Value); err != nil {
		return nil, c.at(key, "%q: %w", key.Value, err)
	}
	e := &entry{where: fmt.Sprintf("%s:%d", c.path, key.Position.Line)}
	e.Name = CanonicalName(key.Value)
	pairs, err := c.mapping(kv.Value, "the endpoint "+key.Value, keys())
	if err != nil {
		return nil, err
	}
	for _, kv := range pairs {
		name := kv.Key.GetToken()
		text, ok := scalar(kv.Value)
		if !ok {
			return nil, c.at(kv.Value.GetToken(), "%s must be one value, not empty (for text with special characters use 'quotes')", name.Value)
		}
		value, isRef, err := c.resolve(name.Value, text)
		if err == nil {
			err = e.set(name.Value, value)
		}
		if path, ok := referredFile(text); ok && err == nil && e.key(name.Value) != nil {
			*e.key(name.Value) = fileSecret(value, path, c.read)
		}
		if err != nil {
			err = c.at(kv.Value.GetToken(), "endpoint %s: %w", key.Value, err)
			if !isRef {
				return nil, err
			}
			e.err = errors.Join(e.err, err)
		}
	}
	if e.err == nil {
		if err := e.check(); err != nil {
			return nil, c.at(key, "endpoint %s: %w", key.Value, err)
		}
	}
	return e, nil
}

// resolve replaces a value that is one reference; isRef tells whether it is.
func (c *configFile) resolve(key, text string) (value string, isRef bool, err error) {
	inner, ok := strings.CutPrefix(text, "${")
	if ok {
		inner, ok = strings.CutSuffix(inner, "}")
	}
	if !ok {
		if strings.Contains(text, "${") && key != "secret_key" && key != "access_key" && key != "session_token" {
			return "", false, fmt.Errorf("%s: a ${reference} must be the whole value", key)
		}
		return text, false, nil
	}
	if value, err = c.lookup(inner); err != nil {
		return "", true, fmt.Errorf("%s: %w", key, err)
	}
	return value, true, nil
}

// scalar returns the text of a plain value as it was written.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, n.Value != ""
	case *ast.LiteralNode:
		s := strings.TrimSpace(n.Value.Value)
		return s, s != ""
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// referredFile returns the path in ${file:…}.
func referredFile(text string) (path string, ok bool) {
	if path, ok = strings.CutPrefix(text, "${file:"); ok {
		path, ok = strings.CutSuffix(path, "}")
	}
	return path, ok
}

// references returns a lookup of what stands between "${" and "}": the name of
// a variable, or file: and an absolute path.
func references(environ map[string]string, readFile func(string) ([]byte, error)) func(string) (string, error) {
	return func(ref string) (string, error) {
		path, isFile := strings.CutPrefix(ref, "file:")
		switch {
		case isFile && !filepath.IsAbs(path):
			return "", errors.New("${file:…} needs an absolute path")
		case isFile:
			return readText(path, readFile)
		case !isVariable(ref):
			return "", errors.New("a reference is ${VARIABLE} or ${file:/path}")
		case environ[ref] == "":
			return "", fmt.Errorf("the environment variable %s is not set or empty", ref)
		}
		return environ[ref], nil
	}
}

func isVariable(s string) bool {
	for i := range len(s) {
		if !isWord(s[i]) || s[i] == '-' {
			return false
		}
	}
	return s != "" && (s[0] < '0' || s[0] > '9')
}
