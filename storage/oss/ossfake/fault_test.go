package ossfake_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-sync/sluice/storage/oss/ossfake"
)

// TestEffects: what a client sees of a rule's effect, and what was done.
func TestEffects(t *testing.T) {
	copying := headers{"X-Oss-Copy-Source": "/" + bkt + "/old"}
	for name, x := range map[string]struct {
		rule   ossfake.Rule
		method string
		key    string
		header headers
		body   string
		status int // 0: no answer
		code   string
		read   string // of the answer to GET
		broken bool   // the answer's body
		stored string // under "new"
	}{
		"fail": {ossfake.Rule{Effect: ossfake.Fail, Status: 503, Code: "ServiceUnavailable"},
			"PUT", "new", nil, "bytes", 503, "ServiceUnavailable", "", false, ""},
		"hang up": {ossfake.Rule{Effect: ossfake.Hangup},
			"PUT", "new", nil, "bytes", 0, "", "", false, ""},
		"lose": {ossfake.Rule{Effect: ossfake.Lose},
			"PUT", "new", nil, "bytes", 0, "", "", false, "bytes"},
		"lose with an answer": {ossfake.Rule{Effect: ossfake.Lose, Status: 500, Code: "InternalError"},
			"PUT", "new", nil, "bytes", 500, "InternalError", "", false, "bytes"},
		"error in a 200": {ossfake.Rule{Effect: ossfake.FailInOK, Code: "InternalError"},
			"PUT", "new", copying, "", 200, "", "", false, ""},
		"cut answer": {ossfake.Rule{Effect: ossfake.Cut, Bytes: 4},
			"GET", "old", nil, "", 200, "", "0123", true, ""},
		"cut beyond the end": {ossfake.Rule{Effect: ossfake.Cut, Bytes: 10},
			"GET", "old", nil, "", 200, "", "0123456789", false, ""},
		"cut request": {ossfake.Rule{Effect: ossfake.Cut, Bytes: 2},
			"PUT", "new", nil, "bytes", 0, "", "", false, ""},
		"flip in an answer": {ossfake.Rule{Effect: ossfake.Flip, Bytes: 4},
			"GET", "old", nil, "", 200, "", "0123556789", false, ""},
		"flip in a request": {ossfake.Rule{Effect: ossfake.Flip, Bytes: 2},
			"PUT", "new", nil, "bytes", 200, "", "", false, "byues"},
		"flip that a digest shows": {ossfake.Rule{Effect: ossfake.Flip, Bytes: 2},
			"PUT", "new", headers{"Content-Md5": md5Of("bytes")}, "bytes", 400, "InvalidDigest", "", false, ""},
		"none": {ossfake.Rule{},
			"PUT", "new", nil, "bytes", 200, "", "", false, "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := start(t, ossfake.Options{})
			ok(t, s.Put(bkt, "old", []byte("0123456789"), ""))
			x.rule.Times = 1
			s.Inject(x.rule)
			r := send(c, x.method, x.key, nil, x.header, x.body)
			equal(t, "status", r.status, x.status)
			equal(t, "code", r.code, x.code)
			equal(t, "broken", r.err != nil, x.broken || x.status == 0)
			if x.method == "GET" {
				equal(t, "bytes", r.body, x.read)
			}
			if x.rule.Effect == ossfake.FailInOK {
				equal(t, "document", strings.Contains(r.body, "<Error><Code>InternalError</Code>"), true)
			}
			o, _ := s.Object(bkt, "new")
			equal(t, "stored", string(o.Data), x.stored)
			want(t, send(c, "PUT", "new", nil, nil, "again"), 200, "")
		})
	}
}

// TestFailInComplete: the SDK takes such an answer for a success, which is why
// a driver must look at the document.
func TestFailInComplete(t *testing.T) {
	s, c := start(t, ossfake.Options{})
	b := must(c.Bucket(bkt))(t)
	im := must(b.InitiateMultipartUpload("k"))(t)
	p := must(b.UploadPart(im, strings.NewReader("x"), 1, 1))(t)
	s.Inject(ossfake.Rule{Ops: []ossfake.Op{ossfake.CompleteMultipartUpload}, Effect: ossfake.FailInOK, Code: "InternalError", Times: 1})
	r := send(c, "POST", "k", params{"uploadId": im.UploadID}, nil, document(1, p.ETag))
	want(t, r, 200, "")
	_, found := s.Object(bkt, "k")
	equal(t, "completed", found, false)
	must(b.CompleteMultipartUpload(im, []oss.UploadPart{p}))(t)
}

// TestRules: which requests a rule hits.
func TestRules(t *testing.T) {
	s, c := start(t, ossfake.Options{})
	fail := func(r ossfake.Rule, status int) ossfake.Rule {
		r.Effect, r.Status, r.Code = ossfake.Fail, status, "Injected"
		return r
	}
	s.Inject(
		fail(ossfake.Rule{Ops: []ossfake.Op{ossfake.PutObject}, Match: func(k string) bool { return k == "k" }, After: 1, Times: 2}, 500),
		fail(ossfake.Rule{Ops: []ossfake.Op{ossfake.PutObject, ossfake.HeadObject}, Times: 2}, 503),
	)
	var got []int
	for _, r := range []struct{ method, key string }{
		{"PUT", "other"}, {"PUT", "k"}, {"PUT", "k"}, {"GET", "k"}, {"PUT", "k"}, {"PUT", "k"}, {"HEAD", "k"},
	} {
		got = append(got, send(c, r.method, r.key, nil, nil, "").status)
	}
	for i, status := range []int{503, 503, 500, 404, 500, 200, 200} {
		equal(t, "status", got[i], status)
	}
	counts := s.Counts()
	equal(t, "puts", counts[ossfake.PutObject], 5)
	equal(t, "heads", counts[ossfake.HeadObject], 1)
	s.ResetCounts()
	equal(t, "operations", len(s.Counts()), 0)
}

// TestWait: a request waits until its channel is closed, or its client goes away.
func TestWait(t *testing.T) {
	s, c := start(t, ossfake.Options{})
	arrived := make(chan struct{}, 1)
	hold := func(gate chan struct{}) {
		s.Inject(ossfake.Rule{Ops: []ossfake.Op{ossfake.PutObject}, Wait: gate, Match: func(string) bool {
			arrived <- struct{}{}
			return true
		}})
	}
	b := must(c.Bucket(bkt))(t)
	done := make(chan error, 1)
	gate := make(chan struct{})
	hold(gate)
	go func() { done <- b.PutObject("k", strings.NewReader("x")) }()
	<-arrived
	_, found := s.Object(bkt, "k")
	equal(t, "stored", found, false)
	close(gate)
	ok(t, <-done)
	_, found = s.Object(bkt, "k")
	equal(t, "stored", found, true)

	hold(make(chan struct{}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- b.PutObject("k", strings.NewReader("x"), oss.WithContext(ctx)) }()
	<-arrived
	cancel()
	if err := <-done; err == nil {
		t.Error("answered")
	}
}

// TestClose: a request that is held does not hold up the end of the test.
func TestClose(t *testing.T) {
	done := make(chan error, 1)
	t.Run("server", func(t *testing.T) {
		s, c := start(t, ossfake.Options{})
		arrived := make(chan struct{}, 1)
		s.Inject(ossfake.Rule{Wait: make(chan struct{}), Match: func(string) bool {
			arrived <- struct{}{}
			return true
		}})
		b := must(c.Bucket(bkt))(t)
		go func() { done <- b.PutObject("k", strings.NewReader("x")) }()
		<-arrived
	})
	if err := <-done; err == nil {
		t.Error("answered")
	}
}

// TestStall: the first bytes come and then nothing until the client goes away.
func TestStall(t *testing.T) {
	s, c := start(t, ossfake.Options{})
	ok(t, s.Put(bkt, "k", []byte("0123456789"), ""))
	s.Inject(ossfake.Rule{Effect: ossfake.Stall, Bytes: 3})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := must(c.Bucket(bkt))(t)
	r := must(b.GetObject("k", oss.WithContext(ctx)))(t)
	defer r.Close()
	first := make([]byte, 3)
	must(io.ReadFull(r, first))(t)
	equal(t, "bytes", string(first), "012")
	cancel()
	if _, err := r.Read(first); err == nil {
		t.Error("more bytes came")
	}
}

// TestThrottle: requests beyond the rate are refused until the clock moves on.
func TestThrottle(t *testing.T) {
	clock := newClock()
	s, c := start(t, ossfake.Options{Now: clock.now})
	s.Throttle(10, 3)
	for range 3 {
		want(t, send(c, "GET", "", nil, nil, ""), 200, "")
	}
	want(t, send(c, "GET", "", nil, nil, ""), 503, "TotalQpsLimitExceeded")
	clock.add(100 * time.Millisecond)
	want(t, send(c, "GET", "", nil, nil, ""), 200, "")
	want(t, send(c, "GET", "", nil, nil, ""), 503, "TotalQpsLimitExceeded")
	s.Throttle(0, 0)
	want(t, send(c, "GET", "", nil, nil, ""), 200, "")
}
