package s3xml

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

var (
	errTruncated = errors.New("xml: the document ends early")
	errSyntax    = errors.New("xml: syntax error")
)

// maxDepth bounds nesting; listings need four levels.
const maxDepth = 32

type token uint8

const (
	tokEnd   token = iota // </name>
	tokStart              // <name>
	tokEmpty              // <name/>
	tokEOF                // after the root element
)

// scanner splits a document held in memory into tags and the text before them.
// It knows as much XML as stores send: no document type, no own entities.
type scanner struct {
	doc  []byte
	at   int
	open [maxDepth]span // names of the open elements, with their prefixes
	deep int
	done bool // the root element is closed

	name []byte // local name of the last tag that opened
	text []byte // text between the last two tags; valid until the next call
	buf  []byte // holds text that had to be put together
}

type span struct{ from, to int }

func (s *scanner) reset(doc []byte) {
	s.doc, s.at, s.deep, s.done = doc, 0, 0, false
}

// next moves past the next tag.
func (s *scanner) next() (token, error) {
	s.text, s.buf = nil, s.buf[:0]
	for {
		rest := s.doc[s.at:]
		i := bytes.IndexByte(rest, '<')
		if i < 0 {
			if s.done && blank(rest) {
				s.at = len(s.doc)
				return tokEOF, nil
			}
			return tokEOF, errTruncated
		}
		if i > 0 {
			if err := s.addText(rest[:i]); err != nil {
				return tokEOF, err
			}
		}
		s.at += i + 1
		if s.at >= len(s.doc) {
			return tokEOF, errTruncated
		}
		switch s.doc[s.at] {
		case '?':
			if _, err := s.until("?>"); err != nil {
				return tokEOF, err
			}
		case '!':
			if err := s.bang(); err != nil {
				return tokEOF, err
			}
		case '/':
			return tokEnd, s.endTag()
		default:
			return s.startTag()
		}
	}
}

// until moves past the next mark and returns what came before it.
func (s *scanner) until(mark string) ([]byte, error) {
	i := bytes.Index(s.doc[s.at:], []byte(mark))
	if i < 0 {
		return nil, errTruncated
	}
	b := s.doc[s.at : s.at+i]
	s.at += i + len(mark)
	return b, nil
}

// bang moves past a comment or a CDATA section, whose text it keeps.
func (s *scanner) bang() error {
	rest := s.doc[s.at:]
	switch {
	case bytes.HasPrefix(rest, []byte("!--")):
		s.at += len("!--")
		_, err := s.until("-->")
		return err
	case bytes.HasPrefix(rest, []byte("![CDATA[")):
		s.at += len("![CDATA[")
		b, err := s.until("]]>")
		if err == nil {
			s.keep(b)
		}
		return err
	}
	return errSyntax
}

func (s *scanner) startTag() (token, error) {
	if s.done || s.deep == 0 && !blank(s.text) {
		return tokEOF, errSyntax
	}
	from, i := s.at, s.at
	for i < len(s.doc) && !endsName[s.doc[i]] {
		i++
	}
	name := span{from, i}
	if from == i {
		return tokEOF, errSyntax
	}
	for i < len(s.doc) && s.doc[i] != '>' { // attributes, whose values may hold '>'
		if q := s.doc[i]; q == '"' || q == '\'' {
			n := bytes.IndexByte(s.doc[i+1:], q)
			if n < 0 {
				return tokEOF, errTruncated
			}
			i += n + 1
		}
		i++
	}
	if i >= len(s.doc) {
		return tokEOF, errTruncated
	}
	s.at = i + 1
	s.name = local(s.doc[name.from:name.to])
	if s.doc[i-1] == '/' {
		s.done = s.deep == 0
		return tokEmpty, nil
	}
	if s.deep == maxDepth {
		return tokEOF, errSyntax
	}
	s.open[s.deep] = name
	s.deep++
	return tokStart, nil
}

func (s *scanner) endTag() error {
	if s.at++; s.deep == 0 {
		return errSyntax
	}
	s.deep--
	s.done = s.deep == 0
	o := s.open[s.deep]
	want := s.doc[o.from:o.to]
	if end := s.at + len(want); end < len(s.doc) && s.doc[end] == '>' && bytes.Equal(s.doc[s.at:end], want) {
		s.at = end + 1
		return nil
	}
	b, err := s.until(">")
	if err != nil {
		return err
	}
	if !bytes.Equal(bytes.TrimRight(b, " \t\r\n"), want) {
		return fmt.Errorf("%w: <%s> is closed by </%s>", errSyntax, clip(want), clip(b))
	}
	return nil
}

// leaf returns the text of the element that t opened, without that of its
// children. It is valid until the next call.
func (s *scanner) leaf(t token) ([]byte, error) {
	if t == tokEmpty {
		return nil, nil
	}
	t, err := s.next()
	if err != nil || t == tokEnd {
		return s.text, err
	}
	var all []byte
	for ; err == nil && t != tokEnd; t, err = s.next() {
		all = append(all, s.text...)
		if err = s.skip(t); err != nil {
			return nil, err
		}
	}
	return append(all, s.text...), err
}

// skip moves past the end of the element that t opened.
func (s *scanner) skip(t token) error {
	if t == tokEmpty {
		return nil
	}
	for depth := 1; depth > 0; {
		t, err := s.next()
		if err != nil {
			return err
		}
		switch t {
		case tokStart:
			depth++
		case tokEnd:
			depth--
		}
	}
	return nil
}

// addText keeps text with its entities decoded.
func (s *scanner) addText(b []byte) error {
	if bytes.IndexByte(b, '&') < 0 && bytes.IndexByte(b, '\r') < 0 {
		s.keep(b)
		return nil
	}
	s.buf = append(s.buf[:0], s.text...)
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '&':
			n := bytes.IndexByte(b[i:min(len(b), i+16)], ';')
			if n < 0 {
				return errSyntax
			}
			var err error
			if s.buf, err = appendEntity(s.buf, b[i+1:i+n]); err != nil {
				return err
			}
			i += n
		case '\r': // line ends are \n; a \r that is meant comes as &#13;
			if i+1 == len(b) || b[i+1] != '\n' {
				s.buf = append(s.buf, '\n')
			}
		default:
			s.buf = append(s.buf, c)
		}
	}
	s.text = s.buf
	return nil
}

// keep adds text as it is; a single piece is not copied.
func (s *scanner) keep(b []byte) {
	if len(s.text) == 0 {
		s.text = b
		return
	}
	s.buf = append(append(s.buf[:0], s.text...), b...)
	s.text = s.buf
}

// appendEntity decodes what stands between & and ;. It takes control
// characters, which XML 1.0 forbids but keys may hold.
func appendEntity(dst, e []byte) ([]byte, error) {
	switch string(e) {
	case "lt":
		return append(dst, '<'), nil
	case "gt":
		return append(dst, '>'), nil
	case "amp":
		return append(dst, '&'), nil
	case "quot", "#34": // both are around every ETag
		return append(dst, '"'), nil
	case "apos":
		return append(dst, '\''), nil
	}
	if len(e) < 2 || e[0] != '#' {
		return nil, errSyntax
	}
	digits, base := string(e[1:]), 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n == 0 || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return nil, errSyntax
	}
	return utf8.AppendRune(dst, rune(n)), nil
}

var endsName = [256]bool{' ': true, '\t': true, '\r': true, '\n': true, '/': true, '>': true, '<': true, '"': true, '\'': true}

// local takes the namespace prefix off.
func local(name []byte) []byte {
	return name[bytes.IndexByte(name, ':')+1:]
}

func blank(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	return len(bytes.TrimLeft(b, " \t\r\n")) == 0
}

func clip(b []byte) []byte { return b[:min(len(b), 40)] }
