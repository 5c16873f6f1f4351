package endpoint

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// Location names a directory: one of this machine's file systems, or a prefix
// of a bucket. Whether it was written with a "/" at its end makes no difference
// to what it names. The zero Location names nothing.
type Location struct {
	Path string // absolute and clean; "" for a bucket

	Endpoint string // the endpoint's name, as CanonicalName makes it; "" for a path
	Bucket   string
	Prefix   string // without the "/" at its end; "" is the whole bucket

	// Slash tells that it was written as a directory: with a "/" at its end, or
	// as a whole bucket. It takes no part in String.
	Slash bool
}

// Parse reads a location as people write it: a path, or
// ENDPOINT://bucket/prefix. Relative paths start at cwd, which must be
// absolute. Only the form is looked at; whether the endpoint is known is asked
// by Set.Parse. Nothing in a prefix is decoded: it is the key's bytes.
func Parse(s, cwd string) (Location, error) {
	return parse(s, cwd, runtime.GOOS == "windows")
}

func parse(s, cwd string, windows bool) (Location, error) {
	switch {
	case s == "":
		return Location{}, errors.New("an empty location: write a path, or ENDPOINT://bucket/prefix")
	case strings.IndexByte(s, 0) >= 0:
		return Location{}, errors.New("a location cannot hold a NUL byte")
	case s == "~" || strings.HasPrefix(s, "~/"):
		return Location{}, fmt.Errorf("%q: the shell did not replace ~ by your home directory; write the path out (or ./%s for a directory of that name)", s, s)
	}
	if scheme, rest, ok := strings.Cut(s, "://"); ok && !strings.ContainsAny(scheme, `/\`) {
		return parseBucket(scheme, rest)
	}
	if name, rest, ok := strings.Cut(s, ":"); ok && !windows {
		if isLetter(name) && rest != "" && strings.IndexByte(`/\`, rest[0]) >= 0 {
			return Location{}, fmt.Errorf("%q is a path of Windows, and this is another system (for a file of that name write ./%s)", s, s)
		}
		if CheckName(name) == nil && strings.HasPrefix(rest, "/") {
			return Location{}, fmt.Errorf("%q has one slash too few: did you mean %s://bucket/prefix? (for a file of that name write ./%s:/…)", name+":/…", name, name)
		}
	}
	path := s
	if !filepath.IsAbs(path) {
		path = filepath.Join(cwd, path)
	}
	last := s[strings.LastIndexAny(s, separators(windows))+1:]
	return Location{Path: filepath.Clean(path), Slash: last == "" || last == "." || last == ".."}, nil
}

func separators(windows bool) string {
	if windows {
		return `/\`
	}
	return "/"
}

func isLetter(s string) bool {
	return len(s) == 1 && ('a' <= s[0]|0x20 && s[0]|0x20 <= 'z')
}

// parseBucket reads what stands before and behind "://". Its errors do not
// repeat what could be a password written where none belongs.
func parseBucket(scheme, rest string) (Location, error) {
	switch strings.ToLower(scheme) {
	case "http", "https":
		return Location{}, fmt.Errorf("%s:// is no endpoint: give the store a name (%s) and write NAME://bucket/prefix", scheme, howToDefine("NAME"))
	case "file":
		return Location{}, errors.New("file:// is no endpoint: write the path itself, as in /data")
	}
	if err := CheckName(scheme); err != nil {
		return Location{}, fmt.Errorf("the endpoint before :// in a location: %w", err)
	}
	l := Location{Endpoint: CanonicalName(scheme)}
	at := l.Endpoint + "://"
	l.Bucket, l.Prefix, _ = strings.Cut(rest, "/")
	if l.Bucket == "" {
		return Location{}, fmt.Errorf("%s names no bucket: write %sbucket/prefix", at, at)
	}
	if strings.ContainsAny(l.Bucket, "@:") {
		return Location{}, fmt.Errorf("%s…: a location holds no credentials and no host: put them into the endpoint (%s) and write %sbucket/prefix", at, howToDefine(l.Endpoint), at)
	}
	if !isBucketName(l.Bucket) {
		return Location{}, fmt.Errorf("%s: %q cannot be the name of a bucket: it is made of letters, digits, '.', '-' and '_'", at, l.Bucket)
	}
	if l.Prefix == "" {
		l.Slash = true
		return l, nil
	}
	l.Prefix, l.Slash = strings.CutSuffix(l.Prefix, "/")
	for part := range strings.SplitSeq(l.Prefix, "/") {
		switch part {
		case "":
			return Location{}, fmt.Errorf("%s%s: the prefix has two slashes in a row: write one", at, l.Bucket)
		case ".", "..":
			return Location{}, fmt.Errorf("%s%s: the prefix has a component %q, which object stores do not resolve: write the prefix out", at, l.Bucket, part)
		}
	}
	return l, nil
}

func isBucketName(s string) bool {
	for i := range len(s) {
		if !isWord(s[i]) && s[i] != '.' {
			return false
		}
	}
	return s != "." && s != ".." && len(s) <= 255
}

// IsPath tells a path of this machine from a bucket.
func (l Location) IsPath() bool { return l.Path != "" }

// String is the one canonical form: Parse reads it back to an equal location
// but for Slash.
func (l Location) String() string {
	if l.IsPath() {
		return l.Path
	}
	s := l.Endpoint + "://" + l.Bucket
	if l.Prefix != "" {
		s += "/" + l.Prefix
	}
	return s
}

// Parent splits off the last component, for a source that turns out to be one
// file or one object. ok is false at the root of a bucket or a file system.
func (l Location) Parent() (dir Location, base string, ok bool) {
	dir = l
	dir.Slash = true
	if l.IsPath() {
		dir.Path, base = filepath.Dir(l.Path), filepath.Base(l.Path)
		return dir, base, dir.Path != l.Path
	}
	if i := strings.LastIndexByte(l.Prefix, '/'); i >= 0 {
		dir.Prefix, base = l.Prefix[:i], l.Prefix[i+1:]
	} else {
		dir.Prefix, base = "", l.Prefix
	}
	return dir, base, base != ""
}

// Inside tells whether the two locations are the same or one lies in the
// other, by their names: symbolic links and second names of one endpoint are
// not seen through.
func Inside(a, b Location) bool {
	if a.IsPath() != b.IsPath() {
		return false
	}
	if a.IsPath() {
		sep := string(filepath.Separator)
		return within(a.Path, b.Path, sep) || within(b.Path, a.Path, sep)
	}
	return a.Endpoint == b.Endpoint && a.Bucket == b.Bucket &&
		(within(a.Prefix, b.Prefix, "/") || within(b.Prefix, a.Prefix, "/"))
}

// within tells whether name is dir or something below it.
func within(dir, name, sep string) bool {
	return dir == "" || dir == name || strings.HasPrefix(name, strings.TrimSuffix(dir, sep)+sep)
}
