package bus

import (
	"encoding/base64"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendEvent appends the wire form of an event to dst: one JSON object,
// fields that are empty left out. Text other than the key that is not valid
// UTF-8 is replaced by U+FFFD; a time outside the years 0 to 9999 is left out.
func AppendEvent(dst []byte, e *Event) []byte {
	dst = append(dst, '{')
	dst = appendVersion(dst)
	dst = appendText(dst, "task", e.Task)
	dst = appendText(dst, "op", string(e.Op))
	dst = appendKey(dst, e.Key)
	dst = appendEventBody(dst, e)
	dst = appendText(dst, "class", string(e.Class))
	dst = appendText(dst, "run", e.Run)
	dst = appendEventTail(dst, e)
	return append(dst, '}')
}

// AppendResults appends the wire form of a batch to dst. Task and run of the
// first result stand once at the top; a result repeats them only where it
// differs. The same holds for the event inside a result.
func AppendResults(dst []byte, batch []Result) []byte {
	var task, run string
	if len(batch) > 0 {
		task, run = batch[0].Task, batch[0].Run
	}
	dst = append(dst, '{')
	dst = appendVersion(dst)
	dst = appendText(dst, "task", task)
	dst = appendText(dst, "run", run)
	dst = append(dst, `,"results":[`...)
	for i := range batch {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendResult(dst, &batch[i], task, run)
	}
	return append(dst, ']', '}')
}

func appendResult(dst []byte, r *Result, task, run string) []byte {
	dst = append(dst, '{')
	dst = appendUint(dst, "seq", r.Seq)
	dst = appendOther(dst, "task", r.Task, task)
	dst = appendOther(dst, "run", r.Run, run)
	dst = appendText(dst, "op", string(r.Op))
	dst = appendKey(dst, r.Key)
	dst = appendText(dst, "class", string(r.Class))
	dst = appendText(dst, "kind", string(r.Kind))
	dst = appendText(dst, "outcome", string(r.Outcome))
	dst = appendText(dst, "reason", r.Reason)
	dst = appendInt(dst, "size", r.Size)
	dst = appendInt(dst, "moved", r.Moved)
	dst = appendText(dst, "src", r.Src)
	dst = appendText(dst, "dst", r.Dst)
	dst = appendFlag(dst, "unvouched", r.Unvouched)
	dst = appendText(dst, "lost", r.Lost)
	dst = appendText(dst, "cause", r.Cause)
	dst = appendText(dst, "error", r.Error)
	dst = appendInt(dst, "tries", int64(r.Tries))
	dst = appendTime(dst, "next_try", r.NextTry)
	if r.Event != nil {
		dst = appendInnerEvent(appendName(dst, "event"), r.Event, r.Task, r.Run)
	}
	dst = appendTime(dst, "at", r.At)
	return append(dst, '}')
}

func appendInnerEvent(dst []byte, e *Event, task, run string) []byte {
	dst = append(dst, '{')
	dst = appendOther(dst, "task", e.Task, task)
	dst = appendText(dst, "op", string(e.Op))
	dst = appendKey(dst, e.Key)
	dst = appendEventBody(dst, e)
	dst = appendText(dst, "class", string(e.Class))
	dst = appendOther(dst, "run", e.Run, run)
	dst = appendEventTail(dst, e)
	return append(dst, '}')
}

func appendEventBody(dst []byte, e *Event) []byte {
	dst = appendText(dst, "kind", string(e.Kind))
	dst = appendInt(dst, "size", e.Size)
	dst = appendTime(dst, "mtime", e.MTime)
	dst = appendText(dst, "etag", e.ETag)
	dst = appendUint(dst, "inode", e.Inode)
	dst = appendInt(dst, "ctime", e.CTime)
	return appendText(dst, "storage_class", e.StorageClass)
}

func appendEventTail(dst []byte, e *Event) []byte {
	dst = appendInt(dst, "tries", int64(e.Tries))
	dst = appendInt(dst, "waits", int64(e.Waits))
	return appendFlag(dst, "force", e.Force)
}

func appendVersion(dst []byte) []byte {
	return strconv.AppendInt(append(dst, `"v":`...), Version, 10)
}

// appendName writes a field's name, and the comma before it unless it is the
// first of its object.
func appendName(dst []byte, name string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

func appendText(dst []byte, name, s string) []byte {
	if s == "" {
		return dst
	}
	return appendString(appendName(dst, name), s)
}

// appendOther writes a value that differs from the one it would inherit.
func appendOther(dst []byte, name, s, inherited string) []byte {
	if s == inherited {
		return dst
	}
	return appendString(appendName(dst, name), s)
}

func appendKey(dst []byte, key string) []byte {
	if utf8.ValidString(key) {
		return appendText(dst, "key", key)
	}
	dst = append(appendName(dst, "key_b64"), '"')
	dst = base64.StdEncoding.AppendEncode(dst, []byte(key))
	return append(dst, '"')
}

func appendInt(dst []byte, name string, n int64) []byte {
	if n == 0 {
		return dst
	}
	return strconv.AppendInt(appendName(dst, name), n, 10)
}

func appendUint(dst []byte, name string, n uint64) []byte {
	if n == 0 {
		return dst
	}
	return strconv.AppendUint(appendName(dst, name), n, 10)
}

func appendFlag(dst []byte, name string, b bool) []byte {
	if !b {
		return dst
	}
	return append(appendName(dst, name), "true"...)
}

func appendTime(dst []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	t = t.UTC()
	if year := t.Year(); year < 0 || year > 9999 {
		return dst
	}
	dst = append(appendName(dst, name), '"')
	dst = t.AppendFormat(dst, time.RFC3339Nano)
	return append(dst, '"')
}

func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, "\ufffd"...)
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}
