package s3wire

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/s3xml"
)

// Fault is a request that the store answered with an error.
type Fault struct {
	Status     int
	Code       string // of the store; "" where the answer had no document
	Message    string
	Number     string        // of OSS, which numbers its cases; ""
	Region     string        // where the bucket is, if it is elsewhere
	RetryAfter time.Duration // what the store asked for; 0: nothing
	Date       time.Time     // of the answer; zero: it names none
}

func (f *Fault) Error() string {
	s := (&s3xml.Fault{Code: f.Code, Message: f.Message}).Error()
	if f.Region != "" && f.elsewhere() {
		s += fmt.Sprintf(" (the bucket is in region %q: set that region)", f.Region)
	}
	if s == "" {
		s = http.StatusText(f.Status)
	}
	if f.Number != "" {
		return fmt.Sprintf("%s (HTTP %d, EC %s)", s, f.Status, f.Number)
	}
	return fmt.Sprintf("%s (HTTP %d)", s, f.Status)
}

func (f *Fault) elsewhere() bool {
	switch f.Code {
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException":
		return true
	}
	return f.Status == http.StatusMovedPermanently || f.Status == http.StatusBadRequest && f.Code == ""
}

// readFault reads and closes an answer that is no success.
func readFault(resp *http.Response, now time.Time) *Fault {
	doc, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what can be read says more than that it broke off
	resp.Body.Close()
	if v := first(resp.Header, "X-Oss-Err"); v != "" && len(doc) == 0 { // OSS answers HEAD so
		doc, _ = base64.StdEncoding.DecodeString(v)
	}
	f := FaultOf(resp, now)
	if x, ok := s3xml.ParseFault(doc); ok {
		f.Code, f.Message = x.Code, x.Message
		if x.Region != "" {
			f.Region = x.Region
		}
	}
	return f
}

// FaultOf reads what the headers of an answer say; the SDKs read the rest.
func FaultOf(resp *http.Response, now time.Time) *Fault {
	h := resp.Header
	date, _ := http.ParseTime(h.Get("Date")) // zero if there is none
	return &Fault{
		Date: date, Status: resp.StatusCode, Number: h.Get("X-Oss-Ec"), Region: h.Get("X-Amz-Bucket-Region"), RetryAfter: retryAfter(h, now),
		Code: h.Get("X-Minio-Error-Code"), Message: h.Get("X-Minio-Error-Desc"), // answers to HEAD
	}
}

// retryAfter reads seconds or a date, an hour at most.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	d := time.Duration(0)
	if n, err := strconv.Atoi(v); err == nil {
		d = time.Duration(min(max(n, 0), 3600)) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), time.Hour)
}

// kind maps what a store says to what a caller can do.
func (f *Fault) kind(op, key string) error {
	switch {
	case f.Code == "XMinioInvalidResourceName" && aboutUpload(op): // an id that cannot be one
		return storage.ErrNoUpload
	case f.Code == "InvalidObjectState" && op == "restore": // it is no archived object
		return storage.ErrInvalid
	case f.Code == "AccessDenied" && strings.Contains(f.Message, "specified endpoint"): // OSS: the bucket is in another region
		return storage.ErrNoBucket
	case f.Code == "AccessDenied" && strings.HasPrefix(f.Number, "0002-"): // OSS: all of them are about the signature
		return storage.ErrCredentials
	}
	if k := codeKind(f.Code); k != nil {
		return k
	}
	if f.Code == "BadRequest" && strings.Contains(f.Message, "chunked encoding") { // MinIO; our frames are right when they leave
		return storage.ErrCorrupt
	}
	switch f.Status {
	case http.StatusNotFound:
		if key == "" {
			return storage.ErrNoBucket
		}
		return storage.ErrNotFound
	case http.StatusUnauthorized:
		return storage.ErrCredentials
	case http.StatusForbidden:
		return storage.ErrDenied
	case http.StatusPreconditionFailed, http.StatusNotModified:
		return storage.ErrChanged
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return storage.ErrThrottled
	case http.StatusInsufficientStorage:
		return storage.ErrNoSpace
	case http.StatusRequestEntityTooLarge:
		return storage.ErrTooLarge
	case http.StatusMovedPermanently:
		return storage.ErrNoBucket
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return storage.ErrUnsupported
	case http.StatusConflict, http.StatusRequestTimeout, http.StatusTemporaryRedirect:
		return storage.ErrBusy
	}
	if f.Status >= 500 || f.Status/100 == 2 { // an error document behind a 200
		return storage.ErrBusy
	}
	return storage.ErrInvalid
}

func aboutUpload(op string) bool {
	switch op {
	case "upload part", "copy part", "list parts", "complete", "abort":
		return true
	}
	return false
}

// codeKind is the table of the error codes of S3 and OSS, which mean the same
// where they have the same name; nil for codes whose status says enough.
// OSS: "HTTP status codes" 403, 409 and 503, and the API references.
func codeKind(code string) error {
	switch code {
	case "NoSuchKey", "NoSuchVersion":
		return storage.ErrNotFound
	case "NoSuchBucket", "PermanentRedirect", "InvalidBucketName", "IllegalLocationConstraintException", "SecondLevelDomainForbidden":
		return storage.ErrNoBucket
	case "NoSuchUpload":
		return storage.ErrNoUpload
	case "AccessDenied", "AllAccessDisabled", "AccountProblem", "MethodNotAllowed", "FileImmutable":
		return storage.ErrDenied
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "ExpiredToken", "InvalidToken",
		"TokenRefreshRequired", "AuthorizationHeaderMalformed", "InvalidSecurity", "NotSignedUp",
		"SecurityTokenExpired", "InvalidSecurityToken", "AccessKeyIdAndSecurityTokenNotMatch", "UserDisable",
		"InDebt", "InDebtOverdue", "AbnormalBucketOwnerStatus":
		return storage.ErrCredentials
	case "SlowDown", "SlowDownRead", "SlowDownWrite", "Throttling", "ThrottlingException", "RequestLimitExceeded",
		"TooManyRequests", "BandwidthLimitExceeded", "ServiceUnavailable", "ServerBusy", "Busy", "QpsLimitExceeded",
		"TotalQpsLimitExceeded", "MetaOperationQpsLimitExceeded", "ActiveRequestLimitExceeded",
		"DownloadTrafficRateLimitExceeded", "UploadTrafficRateLimitExceeded":
		return storage.ErrThrottled
	case "InternalError", "OperationAborted", "ConditionalRequestConflict", "RequestTimeout", "OperationTimedOut",
		"IncompleteBody", "XMinioServerNotInitialized", "XMinioReadQuorum", "XMinioWriteQuorum":
		return storage.ErrBusy
	case "PreconditionFailed":
		return storage.ErrChanged
	case "InvalidObjectState", "ObjectNotInActiveTierError": // the latter of copies at Amazon
		return storage.ErrArchived
	case "EntityTooLarge", "MaxMessageLengthExceeded":
		return storage.ErrTooLarge
	case "KeyTooLongError", "KeyTooLong", "InvalidURI", "InvalidObjectName", "XMinioInvalidObjectName", "XMinioInvalidResourceName":
		return storage.ErrInvalidKey
	case "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "InsufficientStorage":
		return storage.ErrNoSpace
	case "BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch",
		"InvalidChunkSizeError", "MalformedTrailerError":
		return storage.ErrCorrupt
	case "XMinioObjectExistsAsDirectory", "XMinioParentIsObject", "BucketAlreadyExists", "FileAlreadyExists":
		return storage.ErrExists
	case "NotImplemented":
		return storage.ErrUnsupported
	case "ObjectAlreadyInActiveTierError", "InvalidStorageClass":
		return storage.ErrInvalid
	}
	return nil
}

// keysError is a failure to get credentials.
type keysError struct{ err error }

func (e *keysError) Error() string { return e.err.Error() }
func (e *keysError) Unwrap() error { return e.err }

// bodyError is a failure of the body that a caller gave: it says nothing about
// the store.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// Fail wraps what failed: a *Fault, an error of the body, of the context or of
// the network. What is wrapped already stays as it is. ctx is the caller's.
func (c *Client) Fail(ctx context.Context, op, key string, err error) error {
	var known *storage.Error
	var body *bodyError
	var fault *Fault
	var keys *keysError
	e := &storage.Error{Op: op, Key: key, Place: c.Place, Err: err}
	switch {
	case errors.As(err, &body):
		return fmt.Errorf("%s %q at %s: %w", op, key, c.Place, body)
	case errors.As(err, &known):
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		e.Kind, e.Err = context.Canceled, nil
	case errors.As(err, &fault):
		e.Kind, e.RetryAfter, e.Err = fault.kind(op, key), fault.RetryAfter, fault
	case errors.As(err, &keys):
		e.Kind = storage.ErrCredentials
	default:
		e.Kind = storage.ErrUnavailable
	}
	return e
}

// fail is Fail with a kind that the caller knows.
func (c *Client) fail(op, key string, kind error, form string, args ...any) error {
	return &storage.Error{Op: op, Key: key, Place: c.Place, Kind: kind, Err: fmt.Errorf(form, args...)}
}
