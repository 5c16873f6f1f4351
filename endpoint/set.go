package endpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Sources is where endpoints are defined.
type Sources struct {
	ConfigPath     string // the config file; "": none
	ConfigOptional bool   // a config file that is not there is an empty one
	// SectionPath is a file of which only endpoints: is read; they replace those
	// of ConfigPath of the same name. "": none.
	SectionPath string
	ReadFile    func(path string) ([]byte, error)
	Environ     []string // NAME=value, as os.Environ
}

// Set is all endpoints that are known. It is immutable and safe for concurrent
// use.
type Set struct {
	entries map[string]*entry
}

// entry is an endpoint and where it was defined.
type entry struct {
	Endpoint
	where string
	err   error // a reference that leads nowhere
}

// Load reads all endpoints: those that are built in (s3 is Amazon S3 with the
// AWS tools' own credential chain, files and variables, oss is Aliyun OSS with
// the variables of Aliyun's tools), the config file's, the section's, and those
// of variables SLUICE_ENDPOINT_<NAME>. A later one of the same name replaces an earlier one.
// What is malformed fails here, used or not; an endpoint whose ${reference}
// leads nowhere, and a built-in one, fails when it is opened.
func Load(s Sources) (*Set, error) {
	environ := map[string]string{}
	for _, kv := range s.Environ {
		name, value, _ := strings.Cut(kv, "=")
		environ[name] = value
	}
	set := &Set{entries: builtIn(environ)}
	for _, c := range []configFile{{path: s.ConfigPath}, {path: s.SectionPath, section: true}} {
		if c.path == "" {
			continue
		}
		data, err := s.ReadFile(c.path)
		if err != nil && (c.section || !s.ConfigOptional || !errors.Is(err, fs.ErrNotExist)) {
			return nil, fmt.Errorf("the config file cannot be read: %w", err)
		}
		c.lookup, c.read = references(environ, s.ReadFile), s.ReadFile
		entries, err := c.parse(data)
		if err == nil {
			err = set.add(entries)
		}
		if err != nil {
			return nil, err
		}
	}
	entries, err := variables(environ)
	if err == nil {
		err = set.add(entries)
	}
	if err != nil {
		return nil, err
	}
	set.trustBundle(environ["AWS_CA_BUNDLE"])
	return set, nil
}

// trustBundle gives the endpoints that use the AWS tools' own credential chain
// their certificates too.
func (s *Set) trustBundle(path string) {
	for _, e := range s.entries {
		if e.Provider == "aws" && e.AccessKey.Reveal() == "" && e.CAFile == "" {
			e.CAFile = path
		}
	}
}

// variables reads the endpoints of the environment.
func variables(environ map[string]string) ([]*entry, error) {
	var entries []*entry
	for _, key := range slices.Sorted(maps.Keys(environ)) {
		name, ok := strings.CutPrefix(key, envPrefix)
		if !ok {
			continue
		}
		if err := CheckName(name); err != nil {
			return nil, fmt.Errorf("the variable %s: %w", key, err)
		}
		e, err := parseVariable(environ[key])
		if err != nil {
			return nil, fmt.Errorf("the variable %s: %w", key, err)
		}
		e.Name = CanonicalName(name)
		entries = append(entries, &entry{Endpoint: e, where: "the variable " + key})
	}
	return entries, nil
}

// add takes the endpoints of one source, in which a name may stand once.
func (s *Set) add(entries []*entry) error {
	seen := map[string]*entry{}
	for _, e := range entries {
		if other := seen[e.Name]; other != nil {
			return fmt.Errorf("%s: the endpoint %s is defined at %s too (capitals, - and _ make no difference)", e.where, e.Name, other.where)
		}
		seen[e.Name] = e
		s.entries[e.Name] = e
	}
	return nil
}

// Names returns the names of all endpoints in order.
func (s *Set) Names() []string { return slices.Sorted(maps.Keys(s.entries)) }

// Parse reads a location as the function Parse does and fails if its endpoint
// is not known.
func (s *Set) Parse(text, cwd string) (Location, error) {
	l, err := Parse(text, cwd)
	if err != nil {
		return Location{}, err
	}
	if !l.IsPath() {
		_, err = s.find(l.Endpoint)
	} else if name, _, ok := strings.Cut(text, ":"); ok && s.entries[CanonicalName(name)] != nil {
		err = fmt.Errorf("%q begins like the endpoint %s: write %s://bucket/prefix (or ./%s:… for a file of that name)", name+":…", name, name, name)
	}
	if err != nil {
		return Location{}, err
	}
	return l, nil
}

// find returns an endpoint or says which there are.
func (s *Set) find(name string) (*entry, error) {
	if e := s.entries[name]; e != nil {
		return e, nil
	}
	return nil, fmt.Errorf("%s:// is no known endpoint%s; known: %s (to define it: %s)",
		name, didYouMean(name, s.Names()), list(s.Names()), howToDefine(name))
}

// Inside is the function Inside, but takes two endpoints for one store if they
// have the same host and port. http and https on their usual ports are taken
// for the same too: it errs on the side of true.
func (s *Set) Inside(a, b Location) bool {
	a.Endpoint, b.Endpoint = s.store(a.Endpoint), s.store(b.Endpoint)
	return Inside(a, b)
}

// store returns what endpoints of one store share.
func (s *Set) store(name string) string {
	e := s.entries[name]
	if e == nil {
		return name
	}
	scheme, host, ok := strings.Cut(e.URL, "://")
	if !ok || e.Provider == ossProvider && strings.HasSuffix(host, ossDomain) {
		return e.Provider + "://" // buckets of AWS have one name space, and so have those of OSS
	}
	port := ":80"
	if scheme == "https" {
		port = ":443"
	}
	return strings.TrimSuffix(host, port) + "//"
}
