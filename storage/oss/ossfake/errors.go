package ossfake

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
)

// apiError is an answer of OSS that is not a success.
type apiError struct {
	status  int
	code    string
	message string
	ec      string // OSS's number of the case, where its support pages give one
	details []detail
}

// detail is a further element of the document.
type detail struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func refuse(status int, code, message string) *apiError {
	return &apiError{status: status, code: code, message: message}
}

// with adds an element to the document.
func (e *apiError) with(name, value string) *apiError {
	e.details = append(e.details, detail{xml.Name{Local: name}, value})
	return e
}

// numbered adds OSS's number of the case.
func (e *apiError) numbered(ec string) *apiError {
	e.ec = ec
	return e
}

func noSuchKey(key string) *apiError {
	return refuse(http.StatusNotFound, "NoSuchKey", "the object does not exist").with("Key", key)
}

func noSuchBucket(name string) *apiError {
	return refuse(http.StatusNotFound, "NoSuchBucket", "the bucket does not exist").with("BucketName", name)
}

func noSuchUpload(id string) *apiError {
	return refuse(http.StatusNotFound, "NoSuchUpload", "the upload was completed, aborted or never begun").with("UploadId", id)
}

func invalid(message string) *apiError {
	return refuse(http.StatusBadRequest, "InvalidArgument", message)
}

func preconditionFailed(condition string) *apiError {
	return refuse(http.StatusPreconditionFailed, "PreconditionFailed", "a condition does not hold").with("Condition", condition)
}

type errorDocument struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	RequestID string `xml:"RequestId"`
	HostID    string `xml:"HostId"`
	Details   []detail
	EC        string `xml:",omitempty"`
}

func (c *call) errorDocument(e *apiError) []byte {
	return marshal(errorDocument{
		Code: e.code, Message: e.message, RequestID: c.id, HostID: c.r.Host, Details: e.details, EC: e.ec,
	})
}

// fail answers with an error. Where an answer has no body (HEAD), OSS gives the
// document in a header.
func (c *call) fail(err error) {
	var e *apiError
	if !errors.As(err, &e) {
		e = refuse(http.StatusInternalServerError, "InternalError", err.Error())
	}
	h := c.w.Header()
	if e.ec != "" {
		h.Set("X-Oss-Ec", e.ec)
	}
	if e.status == http.StatusNotModified {
		c.w.WriteHeader(e.status)
		return
	}
	b := c.errorDocument(e)
	if c.r.Method == http.MethodHead {
		h.Set("X-Oss-Err", base64.StdEncoding.EncodeToString(b))
		c.w.WriteHeader(e.status)
		return
	}
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	c.w.WriteHeader(e.status)
	_, _ = c.w.Write(b) // a client that went away needs no answer
}
