package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/space"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/store"
	"github.com/sluice-sync/sluice/task"
)

// Exit codes, as the reference documents them.
const (
	exitOK          = 0
	exitFailed      = 1   // could not run, or gave up; the same command resumes
	exitUsage       = 2   // the command line is wrong
	exitObjects     = 3   // finished, but some objects failed
	exitMaxErrors   = 4   // stopped by --max-errors
	exitInterrupted = 130 // interrupted; the state is saved
)

// usageError is a wrong command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// codeError carries an exit code whose words have been said already.
type codeError int

func (e codeError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// report says an error in one line with a hint where one helps, and returns
// the exit code. It is the only place that does.
func report(w io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	var code codeError
	if errors.As(err, &code) {
		return int(code)
	}
	if errors.Is(err, task.ErrInterrupted) || errors.Is(err, context.Canceled) {
		fmt.Fprintln(w, "sluice: interrupted; the same command resumes")
		return exitInterrupted
	}
	// Joined errors come in lines.
	fmt.Fprintf(w, "sluice: %s\n", strings.ReplaceAll(err.Error(), "\n", ": "))
	if h := hint(err); h != "" {
		fmt.Fprintf(w, "  %s\n", h)
	}
	var usage usageError
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, task.ErrMaxErrors):
		return exitMaxErrors
	}
	return exitFailed
}

// hint says what to do about an error; "" if its own words are all there is.
func hint(err error) string {
	var used *space.InUseError
	var usage usageError
	var early earlyError
	switch {
	case errors.As(err, &usage):
		return "`sluice help` and `sluice help sync` say what is possible"
	case errors.As(err, &used):
		return "wait for it, or stop it; `sluice status` shows what it does"
	case errors.Is(err, task.ErrMaxErrors):
		return "`sluice failures list TASK` says what failed; the same command resumes"
	case errors.Is(err, task.ErrDeletesHeld):
		return "nothing was deleted; raise --max-delete if this is meant"
	case errors.Is(err, storage.ErrNoBucket) && errors.As(err, &early) && early.side == "source":
		return "check the name of the source"
	case errors.Is(err, storage.ErrNoBucket):
		return "check the name; --create-bucket makes a target bucket"
	case errors.Is(err, storage.ErrCredentials):
		return "check access key, secret key, region and the clock of this machine"
	case errors.Is(err, storage.ErrDenied):
		return "the credentials are good, but may not do this"
	case errors.Is(err, storage.ErrNoSpace), errors.Is(err, bus.ErrNoDisk), errors.Is(err, store.ErrNoSpace):
		return "make room; the same command resumes"
	case errors.Is(err, transfer.ErrGaveUp), errors.Is(err, storage.ErrUnavailable):
		return "check the address and the network; the same command resumes"
	}
	return ""
}
