package storage

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// The kinds of error, by what a caller can do. A driver wraps what its SDK
// says once, at its edge, in an *Error of one of these; test with errors.Is.
var (
	ErrNotFound    = errors.New("not found")                   // no such object: it is gone
	ErrChanged     = errors.New("changed")                     // another version than the one asked for: look again
	ErrExists      = errors.New("already exists")              // a condition or a directory forbids the write
	ErrDenied      = errors.New("access denied")               // this object: report it
	ErrInvalidKey  = errors.New("key cannot be held")          // terminal for this key
	ErrTooLarge    = errors.New("too large")                   // terminal for this object
	ErrArchived    = errors.New("archived")                    // must be restored before it can be read
	ErrCorrupt     = errors.New("bytes damaged on the way")    // read or write again
	ErrNoUpload    = errors.New("no such multipart upload")    // start over
	ErrUnsupported = errors.New("not supported")               // the place cannot do that
	ErrInvalid     = errors.New("refused as invalid")          // terminal for this request
	ErrBusy        = errors.New("answered with an error")      // a passing fault of one request: try again
	ErrThrottled   = errors.New("throttled")                   // endpoint: slow down
	ErrUnavailable = errors.New("unreachable")                 // endpoint: network, timeout, 5xx
	ErrCredentials = errors.New("credentials refused")         // endpoint: keys, signature, clock
	ErrNoSpace     = errors.New("no space left")               // endpoint: full disk or quota
	ErrNoBucket    = errors.New("no such bucket or directory") // endpoint
)

// kinds in the order in which KindOf looks for them.
var kinds = []struct {
	err  error
	name string
}{
	{ErrNotFound, "not_found"}, {ErrChanged, "changed"}, {ErrExists, "exists"},
	{ErrDenied, "denied"}, {ErrInvalidKey, "invalid_key"}, {ErrTooLarge, "too_large"},
	{ErrArchived, "archived"}, {ErrCorrupt, "corrupt"}, {ErrNoUpload, "no_upload"},
	{ErrUnsupported, "unsupported"}, {ErrInvalid, "invalid"}, {ErrBusy, "busy"}, {ErrThrottled, "throttled"},
	{ErrUnavailable, "unavailable"}, {ErrCredentials, "credentials"}, {ErrNoSpace, "no_space"},
	{ErrNoBucket, "no_bucket"},
}

// Error is a failed operation on a bucket.
type Error struct {
	Op         string        // "list", "stat", "open", "read", "put", "delete", "complete", …
	Key        string        // "" for operations on the bucket
	Place      string        // the bucket's String(), so that the message says which side
	Kind       error         // one of the sentinels
	RetryAfter time.Duration // what the endpoint asked for; 0: nothing
	Err        error         // the cause; may be nil
}

// Error says what, where and why in one line; keys are quoted.
func (e *Error) Error() string {
	s := e.Op
	if e.Key != "" {
		s += " " + strconv.Quote(e.Key)
	}
	if e.Place != "" {
		s += " at " + e.Place
	}
	s += ": " + e.Kind.Error()
	if e.Err != nil {
		if c := e.Err.Error(); c != e.Kind.Error() {
			s += ": " + c
		}
	}
	return s
}

// Unwrap makes errors.Is see the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// KindOf returns the sentinel an error is of and a short stable name for ledgers
// and metrics; nil and "canceled" for a cancelled context; nil and "other" for
// anything else.
func KindOf(err error) (kind error, name string) {
	var e *Error
	if errors.As(err, &e) {
		for _, k := range kinds {
			if e.Kind == k.err {
				return k.err, k.name
			}
		}
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.err, k.name
		}
	}
	if errors.Is(err, context.Canceled) {
		return nil, "canceled"
	}
	return nil, "other"
}

// IsEndpoint tells whether an error says something about the whole endpoint
// (unreachable, throttled, credentials, no space, bucket gone), so that other
// objects would fail alike, and not about the one object.
func IsEndpoint(err error) bool {
	switch k, _ := KindOf(err); k {
	case ErrThrottled, ErrUnavailable, ErrCredentials, ErrNoSpace, ErrNoBucket:
		return true
	}
	return false
}

// IsTransient tells whether trying the same thing again soon may succeed
// without anybody doing something about it.
func IsTransient(err error) bool {
	switch k, _ := KindOf(err); k {
	case ErrThrottled, ErrUnavailable, ErrCorrupt, ErrBusy:
		return true
	}
	return false
}
