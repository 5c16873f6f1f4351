package http1

import (
	"bufio"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

const (
	maxHead = 1 << 20  // status line and headers
	maxLine = 64 << 10 // one of them
)

// answer is a response and what it is made of, in one allocation.
type answer struct {
	http.Response
	values  [16]string // of the headers
	content body
}

// readHead reads a status line and headers, also of an answer 1xx.
func (c *conn) readHead(req *http.Request) (*answer, error) {
	if _, err := c.br.Peek(1); err != nil {
		return nil, failed("wait for the answer", err)
	}
	c.heard = true
	head, err := c.readBlock(maxHead)
	if err != nil {
		return nil, err
	}
	a := &answer{}
	a.Request = req
	if err := a.parse(head); err != nil {
		return nil, err
	}
	return a, nil
}

// readBlock reads lines up to an empty one, which is left out.
func (c *conn) readBlock(limit int) (string, error) {
	c.head = c.head[:0]
	for start := 0; ; { // of a line
		part, err := c.br.ReadSlice('\n')
		c.head = append(c.head, part...)
		switch {
		case len(c.head) > limit:
			return "", malformed("headers of more than %d bytes", limit)
		case len(c.head)-start > maxLine:
			return "", malformed("a line of more than %d bytes", maxLine)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return "", failed("read the answer", err)
		}
		if line := c.head[start:]; len(line) == 1 || len(line) == 2 && line[0] == '\r' {
			return string(c.head[:start]), nil
		}
		start = len(c.head)
	}
}

// cutLine takes the first line off.
func cutLine(s string) (line, rest string) {
	line, rest, _ = strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

// parse reads a status line and headers.
func (a *answer) parse(head string) error {
	line, rest := cutLine(head)
	proto, status, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(status, " ")
	switch proto {
	case "HTTP/1.1":
		a.ProtoMinor = 1
	case "HTTP/1.0":
	default:
		return malformed("%.40q", line)
	}
	a.Proto, a.ProtoMajor, a.Status = proto, 1, status
	n, err := strconv.ParseUint(code, 10, 16)
	if err != nil || len(code) != 3 || n < 100 || !isValue(status) {
		return malformed("status %.40q", line)
	}
	a.StatusCode = int(n)
	a.Header, err = parseHeader(rest, a.values[:])
	return err
}

// parseHeader reads header lines. The values are kept in strings as long as it
// has room.
func parseHeader(lines string, room []string) (http.Header, error) {
	h := make(http.Header, min(strings.Count(lines, "\n"), 256))
	for lines != "" {
		var line string
		line, lines = cutLine(lines)
		name, v, ok := strings.Cut(line, ":")
		if ok {
			name, ok = canonical(name)
		}
		if v = trim(v); !ok || !isValue(v) {
			return nil, malformed("header %.40q", line)
		}
		if old := h[name]; old != nil {
			h[name] = append(old, v)
		} else if len(room) > 0 {
			room[0] = v
			h[name], room = room[:1:1], room[1:]
		} else {
			h[name] = []string{v}
		}
	}
	return h, nil
}

// trim takes off outer blanks; strings.Trim takes five times as long.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// framing says where the body of an answer ends.
type framing struct {
	length  int64 // of the body; -1: unknown
	chunked bool
	none    bool // no body, whatever the length says
	last    bool // the connection cannot be used after it
}

func (a *answer) framing(method string) (framing, error) {
	h := a.Header
	f := framing{length: -1, last: a.ProtoMinor == 0 || hasToken(h["Connection"], "close")}
	a.Close = f.last
	var err error
	if v := h["Content-Length"]; len(v) > 0 {
		if f.length, err = contentLength(v); err != nil {
			return f, err
		}
		h["Content-Length"] = v[:1]
	}
	if v, ok := h["Transfer-Encoding"]; ok {
		if len(v) != 1 || !strings.EqualFold(v[0], "chunked") || a.ProtoMinor == 0 {
			return f, malformed("transfer encoding %.40q", v)
		}
		f.chunked = true
		f.last = f.last || f.length >= 0 // two ends: somebody on the way may take the other one
		delete(h, "Transfer-Encoding")
		a.TransferEncoding = []string{"chunked"}
	}
	switch {
	case method == http.MethodHead:
		f.none = true
	case a.StatusCode == http.StatusNoContent || a.StatusCode == http.StatusNotModified:
		f.none, f.length = true, 0
	case f.chunked:
		f.length = -1
		delete(h, "Content-Length")
	case f.length == 0:
		f.none = true
	case f.length < 0:
		f.last = true
	}
	a.ContentLength = f.length
	return f, nil
}

// contentLength reads a header that may be repeated, but not contradict itself.
func contentLength(v []string) (int64, error) {
	for _, other := range v[1:] {
		if other != v[0] {
			return 0, malformed("lengths %.80q", v)
		}
	}
	n, err := strconv.ParseUint(v[0], 10, 63)
	if err != nil {
		return 0, malformed("length %.40q", v[0])
	}
	return int64(n), nil
}

// answer makes a head into a response. whole says that the request was written
// to its end before.
func (c *conn) answer(req *http.Request, a *answer, whole bool) (*http.Response, error) {
	f, err := a.framing(req.Method)
	if err != nil {
		c.release(false)
		return nil, err
	}
	keep := whole && !f.last && !req.Close && !hasToken(req.Header["Connection"], "close")
	if f.none {
		a.Body = http.NoBody
		c.release(keep)
		return &a.Response, nil
	}
	a.content.start(c, f, keep)
	a.content.req = req
	a.Body = &a.content
	return &a.Response, nil
}
