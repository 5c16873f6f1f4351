package s3xml

import "strings"

// Fault is an S3 error document.
type Fault struct {
	Code    string
	Message string
	Region  string // where the bucket is, in answers to a request of a wrong region
}

// Error returns the code and the message, which hold no secrets. (Other parts
// of an error document may: they are not kept.)
func (f *Fault) Error() string {
	if f.Message == "" || f.Message == f.Code {
		return f.Code
	}
	return f.Code + ": " + strings.Join(strings.Fields(f.Message), " ")
}

// ParseFault decodes an <Error> document; ok is false if doc is none.
func ParseFault(doc []byte) (f *Fault, ok bool) {
	var s scanner
	s.reset(doc)
	t, err := s.next()
	if err != nil || string(s.name) != "Error" {
		return nil, false
	}
	f, ok = parseFault(&s, t).(*Fault) //nolint:errorlint // it is never wrapped
	return f, ok
}

// parseFault reads the children of <Error> and returns a *Fault, or what is
// wrong with the document.
func parseFault(s *scanner, t token) error {
	f := &Fault{}
	for t != tokEmpty {
		child, err := s.next()
		if err != nil {
			return err
		}
		if child == tokEnd {
			break
		}
		field := f.field(string(s.name))
		if field == nil {
			err = s.skip(child)
		} else {
			var b []byte
			b, err = s.leaf(child)
			*field = string(b[:min(len(b), 1000)])
		}
		if err != nil {
			return err
		}
	}
	return f
}

func (f *Fault) field(name string) *string {
	switch name {
	case "Code":
		return &f.Code
	case "Message":
		return &f.Message
	case "Region":
		return &f.Region
	}
	return nil
}
