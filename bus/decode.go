package bus

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// VersionError tells that a message was written by a later release. What could
// be read comes with it.
type VersionError struct{ Version int64 }

func (e *VersionError) Error() string {
	return fmt.Sprintf("message has version %d, this release reads up to %d", e.Version, Version)
}

// ErrFormat marks a message that is not of the documented form.
var ErrFormat = errors.New("malformed message")

// Decoder reads messages. It remembers the last task, run, storage class and
// losses, which are mostly the same, so as not to keep a copy with each event. The zero value is ready;
// one goroutine uses it at a time.
type Decoder struct{ task, run, class, lost string }

// Event reads an event. Unknown fields are ignored. The error is a
// *VersionError or wraps ErrFormat; the event then holds what could be read.
func (d *Decoder) Event(data []byte) (Event, error) {
	s := scanner{b: data}
	var e Event
	version := d.event(&s, &e)
	return e, check(&s, version)
}

// Results reads a batch, with errors as Event has them.
func (d *Decoder) Results(data []byte) ([]Result, error) {
	s := scanner{b: data}
	var version int64
	var batch []Result
	var task, run string
	at, late := -1, false // where the list is, and whether what it inherits came after it
	s.object(func(name []byte) {
		switch string(name) {
		case "v":
			version = s.intField("v", 64)
		case "task":
			task, late = same(&d.task, s.textField("task")), at >= 0
		case "run":
			run, late = same(&d.run, s.textField("run")), at >= 0
		case "results":
			s.peek()
			at = s.i
			batch = d.list(&s, task, run)
		default:
			s.skip()
		}
	})
	if late && s.syntax == nil {
		batch = d.list(&scanner{b: data, i: at}, task, run)
	}
	return batch, check(&s, version)
}

func (d *Decoder) list(s *scanner, task, run string) (batch []Result) {
	if !s.usable("results", "a list", s.peek() == '[') {
		return nil
	}
	s.array(func() {
		batch = append(batch, Result{Task: task, Run: run})
		d.result(s, &batch[len(batch)-1])
	})
	return batch
}

func check(s *scanner, version int64) error {
	err := s.err()
	switch {
	case s.syntax == nil && version > Version:
		return &VersionError{version}
	case err != nil:
		return fmt.Errorf("%w: %w", ErrFormat, err)
	case version < 1:
		return fmt.Errorf("%w: no version", ErrFormat)
	}
	return nil
}

func (d *Decoder) event(s *scanner, e *Event) (version int64) {
	s.object(func(name []byte) {
		switch string(name) {
		case "v":
			version = s.intField("v", 64)
		case "task":
			e.Task = same(&d.task, s.textField("task"))
		case "op":
			e.Op = op(s.textField("op"))
		case "key":
			e.Key = string(s.textField("key"))
		case "key_b64":
			e.Key = keyB64(s)
		case "kind":
			e.Kind = kind(s.textField("kind"))
		case "size":
			e.Size = s.intField("size", 64)
		case "mtime":
			e.MTime = timeField(s, "mtime")
		case "etag":
			e.ETag = string(s.textField("etag"))
		case "inode":
			e.Inode = s.uintField("inode")
		case "ctime":
			e.CTime = s.intField("ctime", 64)
		case "storage_class":
			e.StorageClass = same(&d.class, s.textField("storage_class"))
		case "class":
			e.Class = class(s.textField("class"))
		case "run":
			e.Run = same(&d.run, s.textField("run"))
		case "tries":
			e.Tries = int(s.intField("tries", 32))
		case "waits":
			e.Waits = int(s.intField("waits", 32))
		case "force":
			e.Force = s.boolField("force")
		default:
			s.skip()
		}
	})
	return version
}

func (d *Decoder) result(s *scanner, r *Result) {
	if !s.usable("results", "an object", s.peek() == '{') {
		return
	}
	inner := -1 // the event is read last: it inherits
	s.object(func(name []byte) {
		switch string(name) {
		case "seq":
			r.Seq = s.uintField("seq")
		case "task":
			r.Task = same(&d.task, s.textField("task"))
		case "run":
			r.Run = same(&d.run, s.textField("run"))
		case "op":
			r.Op = op(s.textField("op"))
		case "key":
			r.Key = string(s.textField("key"))
		case "key_b64":
			r.Key = keyB64(s)
		case "class":
			r.Class = class(s.textField("class"))
		case "kind":
			r.Kind = kind(s.textField("kind"))
		case "event":
			s.peek()
			inner = s.i
			s.skip()
		case "at":
			r.At = timeField(s, "at")
		case "next_try":
			r.NextTry = timeField(s, "next_try")
		default:
			d.resultOutcome(s, r, name)
		}
	})
	if inner < 0 || s.syntax != nil {
		return
	}
	es := scanner{b: s.b, i: inner, value: s.value}
	if es.usable("event", "an object", es.peek() == '{') {
		r.Event = &Event{Task: r.Task, Run: r.Run}
		d.event(&es, r.Event)
	}
	s.value = es.value
}

// resultOutcome reads the fields that only results have.
func (d *Decoder) resultOutcome(s *scanner, r *Result, name []byte) {
	switch string(name) {
	case "outcome":
		r.Outcome = outcome(s.textField("outcome"))
	case "reason":
		r.Reason = string(s.textField("reason"))
	case "size":
		r.Size = s.intField("size", 64)
	case "moved":
		r.Moved = s.intField("moved", 64)
	case "src":
		r.Src = string(s.textField("src"))
	case "dst":
		r.Dst = string(s.textField("dst"))
	case "unvouched":
		r.Unvouched = s.boolField("unvouched")
	case "lost":
		r.Lost = same(&d.lost, s.textField("lost"))
	case "cause":
		r.Cause = string(s.textField("cause"))
	case "error":
		r.Error = string(s.textField("error"))
	case "tries":
		r.Tries = int(s.intField("tries", 32))
	default:
		s.skip()
	}
}

func keyB64(s *scanner) string {
	t := s.textField("key_b64")
	key, err := base64.StdEncoding.AppendDecode(nil, t)
	if err != nil {
		s.note("key_b64", err)
		return ""
	}
	return string(key)
}

func timeField(s *scanner, name string) time.Time {
	t := s.textField(name)
	if t == nil {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, string(t))
	if err != nil {
		s.note(name, err)
		return time.Time{}
	}
	return at.UTC()
}

// same returns the remembered string if it is the same text.
func same(last *string, t []byte) string {
	if *last != string(t) {
		*last = string(t)
	}
	return *last
}

// The following return constants for the values that this release writes.

func op(t []byte) Op {
	switch Op(t) {
	case OpPut:
		return OpPut
	case OpDelete:
		return OpDelete
	}
	return Op(t)
}

func class(t []byte) Class {
	for _, c := range Classes {
		if string(c) == string(t) {
			return c
		}
	}
	return Class(t)
}

func kind(t []byte) Kind {
	switch Kind(t) {
	case KindDir:
		return KindDir
	case KindSymlink:
		return KindSymlink
	}
	return Kind(t)
}

func outcome(t []byte) Outcome {
	switch Outcome(t) {
	case Copied:
		return Copied
	case Skipped:
		return Skipped
	case Deleted:
		return Deleted
	case Retrying:
		return Retrying
	case GivenUp:
		return GivenUp
	}
	return Outcome(t)
}
