package precheck

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// The two sides, as items are named.
const (
	source = "source"
	target = "target"
)

const (
	mendCredentials = "check access key, secret key, session token and region, and the clock of this machine"
	mendBucket      = "check the name; --create-bucket makes a target bucket"
	mendWait        = "if it does not pass by itself: check the network, and --requests-per-second"
)

// A request that was signed so long before or after the store's time is refused:
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
// (RequestTimeTooSkewed), and the same of OSS. A third of it is worth a word.
const (
	skewRefused = 15 * time.Minute
	skewWarned  = 5 * time.Minute
)

// endLook is what a place answered.
type endLook struct {
	err      error // of Check
	took     time.Duration
	hasClock bool
	clockErr error
	skew     time.Duration // its clock is so far ahead of ours
}

// lookTime bounds the first look at a place: a person waits for it.
const lookTime = 9 * time.Second

// lookAt asks a place whether it is there, and the time, at once.
func (c *Config) lookAt(ctx context.Context, b storage.Source) (l endLook) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	told := make(chan struct{})
	go func() {
		defer close(told)
		l.hasClock, l.skew, l.clockErr = c.skew(ctx, b)
	}()
	start := c.Now()
	err := b.Check(ctx)
	took := c.Now().Sub(start)
	<-told
	l.err, l.took = err, took
	return l
}

// skew compares the place's clock with ours, at the middle of the request.
func (c *Config) skew(ctx context.Context, b storage.Source) (has bool, ahead time.Duration, err error) {
	clock, has := storage.As[storage.Clock](b)
	if !has {
		return false, 0, nil
	}
	start := c.Now()
	at, err := clock.ServerTime(ctx)
	if err != nil {
		return true, 0, err
	}
	end := c.Now()
	at = at.Add(time.Second / 2) // its fraction is cut off
	return true, at.Sub(start.Add(end.Sub(start) / 2)), nil
}

// answered tells whether the error of a Check is one that the place gave.
func answered(err error) bool {
	switch kind, _ := storage.KindOf(err); kind {
	case storage.ErrCredentials, storage.ErrDenied, storage.ErrNoBucket: //nolint:errorlint // KindOf hands out bare sentinels
		return true
	}
	return err == nil
}

func reachable(side string, b storage.Source, l *endLook, warnings []string, creates bool) Item {
	k := check{side + ".reachable", side + " answers", "one key was asked for"}
	if b.Features().FileTree {
		k.tried = "the directory was opened"
	}
	switch {
	case errors.Is(l.err, storage.ErrNoBucket) && creates:
		return k.pass("is not there yet: the task makes it")
	case errors.Is(l.err, storage.ErrNoBucket) && side == source:
		return k.fail(l.err.Error(), "check the name of the source")
	case !answered(l.err):
		if isTLS(l.err) {
			return k.fail(l.err.Error(), "name the certificates to trust by ca_file of the endpoint, and check the host in its url")
		}
		if errors.Is(l.err, storage.ErrUnavailable) {
			return k.fail(l.err.Error(), "check the address of the endpoint, the network and the proxy")
		}
		return k.refused(l.err, "check the url of the endpoint, its provider and path_style")
	case errors.Is(l.err, storage.ErrNoBucket):
		return k.refused(l.err, "")
	case len(warnings) > 0:
		return k.warn(strings.Join(warnings, "; "), "give ca_file in the place of insecure_skip_verify")
	}
	return k.pass(fmt.Sprintf("an answer within %s", l.took.Round(time.Millisecond/10)))
}

// isTLS tells whether a connection failed for its certificate or protocol.
func isTLS(err error) bool {
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(x509.UnknownAuthorityError)) ||
		errors.As(err, new(x509.HostnameError)) || errors.As(err, new(tls.RecordHeaderError)) || errors.As(err, new(tls.AlertError))
}

func credentials(side string, b storage.Source, l *endLook) Item {
	k := check{side + ".credentials", side + " takes the credentials", "one key was asked for"}
	switch {
	case b.Features().FileTree:
		return k.skip("a directory")
	case errors.Is(l.err, storage.ErrCredentials):
		return k.fail(l.err.Error(), mendCredentials)
	case !answered(l.err):
		return k.skip("no answer")
	}
	return k.pass("accepted")
}

func clock(side string, l *endLook) Item {
	k := check{side + ".clock", side + " has the same time", "the date of an answer was compared with the clock of this machine"}
	ahead := "behind"
	if l.skew > 0 {
		ahead = "ahead"
	}
	seen := fmt.Sprintf("its clock is %s %s", l.skew.Abs().Truncate(time.Second), ahead)
	const mend = "set the clock of this machine, best by NTP"
	switch {
	case !l.hasClock:
		return k.skip("it has no clock of its own")
	case l.clockErr != nil:
		return k.skip("no answer with a date: " + l.clockErr.Error())
	case l.skew.Abs() >= skewRefused:
		return k.fail(seen+"; stores refuse signatures from 15 min on", mend)
	case l.skew.Abs() >= skewWarned:
		return k.warn(seen+"; stores refuse signatures from 15 min on", mend)
	}
	return k.pass(seen)
}

func targetList(l *looks) Item {
	k := check{"target.list", "target can be listed", "one key was asked for"}
	switch {
	case l.target.err == nil:
		return k.pass("listed")
	case errors.Is(l.target.err, storage.ErrDenied):
		return k.fail(l.target.err.Error(), mendList)
	}
	return k.skip(noAnswer(&l.target))
}

// noAnswer says why nothing more was asked of a place.
func noAnswer(l *endLook) string {
	switch {
	case errors.Is(l.err, storage.ErrNoBucket):
		return "it is not there yet"
	case answered(l.err):
		return "it refused to answer"
	}
	return "no answer"
}
