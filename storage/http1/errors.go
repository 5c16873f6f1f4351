package http1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// failure is an error of a connection and what was under way.
type failure struct {
	what string
	err  error
}

func (f *failure) Error() string { return "http1: " + f.what + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// Timeout and Temporary make it a net.Error.
func (f *failure) Timeout() bool   { return isTimeout(f.err) }
func (f *failure) Temporary() bool { return f.Timeout() }

// failed names what was under way, unless err does. The bare io.EOF of a
// connection is never the end of what was to come.
func failed(what string, err error) error {
	var f *failure
	switch {
	case errors.As(err, &f):
		return err
	case isEOF(err):
		err = io.ErrUnexpectedEOF
	}
	return &failure{what, err}
}

// isEOF tells the good end of a reader from a failure that wraps an io.EOF.
func isEOF(err error) bool { return err == io.EOF } //nolint:errorlint // see above

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func isBodyError(err error) bool {
	var b *bodyError
	return errors.As(err, &b)
}

// bodyError is a failure of the body that a request brought along.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "http1: body of the request: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// cause prefers the end of the context to what it has led to.
func cause(ctx context.Context, err error) error {
	ended := ctx.Err()
	if ended == nil && isTimeout(err) { // a dial may see the deadline a moment earlier
		if at, ok := ctx.Deadline(); ok && !time.Now().Before(at) {
			ended = context.DeadlineExceeded
		}
	}
	if ended == nil {
		return err
	}
	if why := context.Cause(ctx); why != nil && !errors.Is(why, ended) {
		return fmt.Errorf("%w: %w", ended, why)
	}
	return ended
}

// malformed is an answer that is not HTTP/1.1.
func malformed(form string, args ...any) error {
	return &failure{"malformed answer", fmt.Errorf(form, args...)}
}
