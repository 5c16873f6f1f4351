package bus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// scanner reads JSON once, from front to back, without building a tree. It
// accepts what encoding/json accepts, except text that is not UTF-8. A syntax
// error ends the reading; a value of the wrong type is noted, left out, and
// the reading goes on.
type scanner struct {
	b      []byte
	i      int
	depth  int
	syntax error
	value  error // the first value that could not be used
}

var (
	errSyntax = errors.New("not valid JSON")
	errDeep   = errors.New("JSON is nested too deep")
)

const maxDepth = 1000

func (s *scanner) fail(err error) {
	if s.syntax == nil {
		s.syntax = fmt.Errorf("%w at byte %d", err, s.i)
		s.i = len(s.b)
	}
}

func (s *scanner) note(name string, err error) {
	if s.value == nil {
		s.value = fmt.Errorf("field %q: %w", name, err)
	}
}

// err is what is wrong with the message as a whole, after its end was reached.
func (s *scanner) err() error {
	if s.peek(); s.syntax == nil && s.i < len(s.b) {
		s.fail(errSyntax)
	}
	if s.syntax != nil {
		return s.syntax
	}
	return s.value
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.i >= len(s.b) {
		return false
	}
	s.i++
	return true
}

// object calls field for each member; field must consume the value.
func (s *scanner) object(field func(name []byte)) {
	s.list('{', '}', func() {
		name, ok := s.text()
		if !ok || !s.take(':') {
			s.fail(errSyntax)
			return
		}
		field(name)
	})
}

// array calls element for each element; it must consume the value.
func (s *scanner) array(element func()) { s.list('[', ']', element) }

func (s *scanner) list(open, end byte, item func()) {
	if !s.take(open) {
		s.fail(errSyntax)
		return
	}
	if s.depth++; s.depth > maxDepth {
		s.fail(errDeep)
		return
	}
	defer func() { s.depth-- }()
	if s.take(end) {
		return
	}
	for s.syntax == nil {
		item()
		if s.take(end) {
			return
		}
		if !s.take(',') {
			s.fail(errSyntax)
		}
	}
}

// text reads a string. The answer may lie within the input.
func (s *scanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	start, ascii := s.i, true
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			t := s.b[start:s.i]
			s.i++
			return t, ascii || s.utf8(t)
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			return nil, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, false
}

// utf8 notes text that is not UTF-8: what it stands for is not known.
func (s *scanner) utf8(t []byte) bool {
	if !utf8.Valid(t) {
		s.note(string(bytes.ToValidUTF8(t, []byte("?"))), errors.New("text is not UTF-8"))
	}
	return true
}

// escaped finishes a string that has escapes, which are rare.
func (s *scanner) escaped(start int) ([]byte, bool) {
	for ; s.i < len(s.b); s.i++ {
		switch s.b[s.i] {
		case '\\':
			s.i++
		case '"':
			s.i++
			quoted := s.b[start-1 : s.i]
			var t string
			if err := json.Unmarshal(quoted, &t); err != nil {
				return nil, false
			}
			return []byte(t), s.utf8(quoted)
		}
	}
	return nil, false
}

// number reads a number's text, checking its grammar.
func (s *scanner) number() ([]byte, bool) {
	s.peek()
	start := s.i
	s.sign('-', '-')
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++
	} else if !s.digits() {
		return nil, false
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if !s.digits() {
			return nil, false
		}
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		s.i++
		s.sign('+', '-')
		if !s.digits() {
			return nil, false
		}
	}
	return s.b[start:s.i], true
}

func (s *scanner) sign(a, b byte) {
	if s.i < len(s.b) && (s.b[s.i] == a || s.b[s.i] == b) {
		s.i++
	}
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && s.b[s.i]-'0' <= 9 {
		s.i++
	}
	return s.i > start
}

func (s *scanner) word(w string) bool {
	s.peek()
	if !bytes.HasPrefix(s.b[s.i:], []byte(w)) {
		return false
	}
	s.i += len(w)
	return true
}

// skip passes over any value.
func (s *scanner) skip() {
	ok := false
	switch c := s.peek(); c {
	case '{':
		s.object(func([]byte) { s.skip() })
		return
	case '[':
		s.array(s.skip)
		return
	case '"':
		_, ok = s.text()
	case 't':
		ok = s.word("true")
	case 'f':
		ok = s.word("false")
	case 'n':
		ok = s.word("null")
	default:
		_, ok = s.number()
	}
	if !ok {
		s.fail(errSyntax)
	}
}

// usable tells whether a value of the wanted kind follows. Null is an absent
// value; any other is noted and passed over.
func (s *scanner) usable(name, kind string, ok bool) bool {
	if ok {
		return true
	}
	if s.peek() != 'n' {
		s.note(name, errors.New("not "+kind))
	}
	s.skip()
	return false
}

func (s *scanner) textField(name string) []byte {
	if !s.usable(name, "text", s.peek() == '"') {
		return nil
	}
	t, ok := s.text()
	if !ok {
		s.fail(errSyntax)
	}
	return t
}

func (s *scanner) boolField(name string) bool {
	c := s.peek()
	if s.usable(name, "true or false", c == 't' || c == 'f') {
		s.skip()
		return c == 't'
	}
	return false
}

func (s *scanner) numberField(name string) []byte {
	c := s.peek()
	if !s.usable(name, "a number", c == '-' || c-'0' <= 9) {
		return nil
	}
	n, ok := s.number()
	if !ok {
		s.fail(errSyntax)
		return nil
	}
	return n
}

func (s *scanner) intField(name string, bits int) int64 {
	t := s.numberField(name)
	if t == nil {
		return 0
	}
	n, err := strconv.ParseInt(string(t), 10, bits)
	if err != nil {
		s.note(name, err)
		return 0
	}
	return n
}

func (s *scanner) uintField(name string) uint64 {
	t := s.numberField(name)
	if t == nil {
		return 0
	}
	n, err := strconv.ParseUint(string(t), 10, 64)
	if err != nil {
		s.note(name, err)
		return 0
	}
	return n
}
