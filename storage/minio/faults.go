package minio

import (
	"io"
	"net/http"
	"time"

	"github.com/sluice-sync/sluice/storage/s3wire"
	"github.com/sluice-sync/sluice/storage/s3xml"
)

// faults makes every answer that says an error one, before minio-go reads it:
// of an answer minio-go keeps neither Retry-After nor what it does not know.
type faults struct{ http.RoundTripper }

func (f faults) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := f.RoundTripper.RoundTrip(req)
	if err != nil || resp.StatusCode < http.StatusBadRequest {
		return resp, err
	}
	doc, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what can be read says more than that it broke off
	resp.Body.Close()
	fault := s3wire.FaultOf(resp, time.Now())
	if x, ok := s3xml.ParseFault(doc); ok {
		fault.Code, fault.Message = x.Code, x.Message
		if x.Region != "" {
			fault.Region = x.Region
		}
	}
	return nil, fault
}
