package endpoint

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluice-sync/sluice/yamltree"
)

// configFile reads the config file. It decodes nothing itself, so that every
// complaint knows its line and column, numbers and dates among the secrets stay
// as written, and no message quotes a value.
type configFile struct {
	path    string
	section bool // of a file that holds other things too
	lookup  func(reference string) (string, error)
	read    func(path string) ([]byte, error)
}

// parse returns the endpoints of a file. An endpoint that refers to a variable
// or file that is not there is kept with that error: others may be used.
func (c *configFile) parse(data []byte) ([]*entry, error) {
	docs, err := yamltree.Documents(c.path, data)
	if err != nil {
		return nil, err
	}
	var entries []*entry
	for _, doc := range docs {
		if doc.Null() {
			continue
		}
		top, err := doc.Pairs("the file")
		if err != nil {
			return nil, err
		}
		for _, p := range top {
			switch {
			case p.Key == "endpoints":
				named, err := c.endpoints(p.Value)
				if err != nil {
					return nil, err
				}
				entries = append(entries, named...)
			case !c.section:
				return nil, p.Unknown("the file", []string{"endpoints"})
			}
		}
	}
	return entries, nil
}

func (c *configFile) endpoints(n yamltree.Node) ([]*entry, error) {
	if n.Null() {
		return nil, nil
	}
	named, err := n.Pairs("endpoints")
	if err != nil {
		return nil, err
	}
	var entries []*entry
	for _, p := range named {
		e, err := c.endpoint(p)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (c *configFile) endpoint(named yamltree.Pair) (*entry, error) {
	if err := CheckName(named.Key); err != nil {
		return nil, named.At.Errorf("%q: %w", named.Key, err)
	}
	e := &entry{where: named.At.Line()}
	e.Name = CanonicalName(named.Key)
	pairs, err := named.Value.Pairs("the endpoint " + named.Key)
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		if !slices.Contains(keys(), p.Key) {
			return nil, p.Unknown("the endpoint "+named.Key, keys())
		}
		text, ok := p.Value.Text()
		if !ok {
			return nil, p.Value.Errorf("%s must be one value, not empty (for text with special characters use 'quotes')", p.Key)
		}
		value, isRef, err := c.resolve(p.Key, text)
		if err == nil {
			err = e.set(p.Key, value)
		}
		if path, ok := referredFile(text); ok && err == nil && e.key(p.Key) != nil {
			*e.key(p.Key) = fileSecret(value, path, c.read)
		}
		if err != nil {
			err = p.Value.Errorf("endpoint %s: %w", named.Key, err)
			if !isRef {
				return nil, err
			}
			e.err = errors.Join(e.err, err)
		}
	}
	if e.err == nil {
		if err := e.check(); err != nil {
			return nil, named.At.Errorf("endpoint %s: %w", named.Key, err)
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
