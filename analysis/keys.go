package analysis

import (
	"strings"
	"unicode/utf8"
)

// flaw is what makes a key hard to hold for some places.
type flaw uint16

const (
	notUTF8 flaw = 1 << iota
	controls
	doubleSlash
	leadingSlash
	trailingSlash
	dotName
	longName
	longKey
)

// flawNames are the names of the flaws in reports, in the order of their bits.
var flawNames = [...]string{
	"not_utf8", "control_characters", "double_slash", "leading_slash", "trailing_slash", "dot_name", "long_name", "long_key",
}

const (
	maxName = 255    // bytes of one name on Linux, macOS and Windows file systems
	maxKey  = 1024   // bytes of a key on S3 and OSS
	maxExt  = 1 + 11 // bytes of an extension with its dot: what is longer is part of a name
)

// looked is what one pass over a key finds.
type looked struct {
	first, second int // where the first two slashes are; -1: none
	last          int // where the last slash is; -1: none
	dot           int // where the last dot is; -1: none
	flaws         flaw
}

// look passes over a key once. Most bytes are letters and digits, which stand
// above the slash and below DEL.
func look(key string) looked {
	l := looked{first: -1, second: -1, last: -1, dot: -1}
	high := false
	for i := range len(key) {
		c := key[i]
		if '/' < c && c < 0x7f {
			continue
		}
		switch {
		case c == '/':
			l.slash(key, i)
		case c == '.':
			l.dot = i
		case c < ' ' || c == 0x7f:
			l.flaws |= controls
		case c >= 0x80:
			high = true
		}
	}
	l.name(key[l.last+1:])
	if l.first == 0 {
		l.flaws |= leadingSlash
	}
	if l.last >= 0 && l.last == len(key)-1 {
		l.flaws |= trailingSlash
	}
	if len(key) > maxKey {
		l.flaws |= longKey
	}
	if high && !utf8.ValidString(key) {
		l.flaws |= notUTF8
	}
	return l
}

// slash takes note of a slash and of the name before it.
func (l *looked) slash(key string, i int) {
	if i > 0 && l.last == i-1 {
		l.flaws |= doubleSlash
	}
	l.name(key[l.last+1 : i])
	l.last = i
	if l.first < 0 {
		l.first = i
	} else if l.second < 0 {
		l.second = i
	}
}

// name looks at one component of a key.
func (l *looked) name(s string) {
	if len(s) > maxName {
		l.flaws |= longName
	}
	if s == "." || s == ".." {
		l.flaws |= dotName
	}
}

// extension returns what follows the last dot of the last name, with the dot
// and in small letters; "" if it has none, or a dot in front only.
func (l looked) extension(key string) string {
	if l.dot <= l.last+1 || len(key)-l.dot > maxExt || l.dot == len(key)-1 {
		return ""
	}
	return strings.ToLower(key[l.dot:])
}
