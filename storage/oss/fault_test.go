package oss_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/oss"
	"github.com/sluice-sync/sluice/storage/oss/ossfake"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

func wantKind(t *testing.T, err, kind error) {
	t.Helper()
	if got, _ := storage.KindOf(err); err == nil || !errors.Is(got, kind) {
		t.Errorf("error %v, want kind %v", err, kind)
	}
	if err != nil && strings.Contains(err.Error(), "SECRET") {
		t.Errorf("the error tells a secret: %v", err)
	}
}

// bucket opens and creates a bucket at a double.
func bucket(t *testing.T, s *ossfake.Server, c oss.Config) *oss.Bucket {
	t.Helper()
	c.Endpoint, c.Bucket = s.URL, "bucket"
	b := open(t, c)
	if err := b.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, b *oss.Bucket, key string, data []byte) storage.Object {
	t.Helper()
	o, err := b.Put(t.Context(), key, bytes.NewReader(data), storage.PutOptions{Size: int64(len(data))})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func read(t *testing.T, b *oss.Bucket, key string) ([]byte, error) {
	t.Helper()
	r, err := b.Open(t.Context(), key, storage.ReadOptions{Length: -1})
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	return io.ReadAll(r.Body)
}

// calls are one of each kind that goes its own way: over s3wire, and over the
// SDK with and without options.
func calls(t *testing.T, b *oss.Bucket) map[string]error {
	t.Helper()
	ctx := t.Context()
	errs := map[string]error{"check": b.Check(ctx), "create": b.Create(ctx)}
	_, errs["stat"] = b.Stat(ctx, "k")
	_, errs["uploads"] = b.ListUploads(ctx, "k")
	id, err := b.CreateUpload(ctx, "k", storage.UploadOptions{})
	errs["create upload"] = err
	if err == nil {
		errs["abort"] = b.AbortUpload(ctx, "k", id)
	}
	return errs
}

// TestDamage: bytes that change on the way are noticed.
func TestDamage(t *testing.T) {
	s := serve(t, ossfake.Options{})
	b := bucket(t, s, oss.Config{})
	for _, size := range []int{100, 300 << 10} {
		data := bytes.Repeat([]byte("x"), size)
		s.Inject(ossfake.Rule{Ops: []ossfake.Op{ossfake.PutObject, ossfake.UploadPart}, Effect: ossfake.Flip, Bytes: size / 2})
		_, err := b.Put(t.Context(), "k", bytes.NewReader(data), storage.PutOptions{Size: int64(size)})
		wantKind(t, err, storage.ErrCorrupt)
		id, err := b.CreateUpload(t.Context(), "k", storage.UploadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.UploadPart(t.Context(), "k", id, 1, bytes.NewReader(data), storage.PartOptions{Size: int64(size)})
		wantKind(t, err, storage.ErrCorrupt)

		s.Inject()
		put(t, b, "k", data)
		s.Inject(ossfake.Rule{Ops: []ossfake.Op{ossfake.GetObject}, Effect: ossfake.Cut, Bytes: size / 2})
		got, err := read(t, b, "k")
		wantKind(t, err, storage.ErrUnavailable)
		if !bytes.HasPrefix(data, got) {
			t.Error("yielded other bytes")
		}
	}
}

// TestChecksum: what is read comes with the CRC64 of the whole object, also of
// one made of parts, and for a stretch of it.
func TestChecksum(t *testing.T) {
	b := bucket(t, serve(t, ossfake.Options{}), oss.Config{})
	data := bytes.Repeat([]byte("0123456789"), 30<<10)
	put(t, b, "whole", data)
	id, err := b.CreateUpload(t.Context(), "parts", storage.UploadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var parts []storage.Part
	for n, part := range [][]byte{data[:200<<10], data[200<<10:]} {
		p, err := b.UploadPart(t.Context(), "parts", id, n+1, bytes.NewReader(part), storage.PartOptions{Size: int64(len(part))})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	o, err := b.CompleteUpload(t.Context(), "parts", id, parts)
	if err != nil {
		t.Fatal(err)
	}
	if _, plain := o.PlainMD5(); plain {
		t.Errorf("the ETag %s of parts is taken for an MD5", o.ETag)
	}
	want := crc64.Checksum(data, crc64.MakeTable(crc64.ECMA))
	for _, key := range []string{"whole", "parts"} {
		r, err := b.Open(t.Context(), key, storage.ReadOptions{Offset: 5, Length: 10})
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if c := r.Info.Checksums; len(c) != 1 || c[0].Algorithm != "CRC64ECMA" || binary.BigEndian.Uint64(c[0].Value) != want {
			t.Errorf("%s: checksums %v, want %x", key, c, want)
		}
	}
}

// TestErrorInSuccess: copies and Complete may fail behind a status of 200.
func TestErrorInSuccess(t *testing.T) {
	s := serve(t, ossfake.Options{})
	b := bucket(t, s, oss.Config{})
	from := put(t, b, "from", make([]byte, 100))
	id, err := b.CreateUpload(t.Context(), "to", storage.UploadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.UploadPart(t.Context(), "to", id, 1, strings.NewReader("part"), storage.PartOptions{Size: 4})
	if err != nil {
		t.Fatal(err)
	}
	s.Inject(ossfake.Rule{Ops: []ossfake.Op{ossfake.CopyObject, ossfake.UploadPartCopy, ossfake.CompleteMultipartUpload}, Effect: ossfake.FailInOK, Code: "InternalError"})
	_, err = b.CopyFrom(t.Context(), b, from, "copy", storage.CopyOptions{})
	wantKind(t, err, storage.ErrBusy)
	_, err = b.CopyPart(t.Context(), b, from, 0, 100, "to", id, 2)
	wantKind(t, err, storage.ErrBusy)
	_, err = b.CompleteUpload(t.Context(), "to", id, []storage.Part{p})
	wantKind(t, err, storage.ErrBusy)
	s.Inject()
	for _, key := range []string{"copy", "to"} {
		_, err := b.Stat(t.Context(), key)
		wantKind(t, err, storage.ErrNotFound)
	}
}

// TestLostAnswer: after a Complete whose answer was lost, the upload is gone and
// the object is there.
func TestLostAnswer(t *testing.T) {
	s := serve(t, ossfake.Options{})
	b := bucket(t, s, oss.Config{})
	id, err := b.CreateUpload(t.Context(), "k", storage.UploadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.UploadPart(t.Context(), "k", id, 1, strings.NewReader("part"), storage.PartOptions{Size: 4})
	if err != nil {
		t.Fatal(err)
	}
	s.Inject(ossfake.Rule{Ops: []ossfake.Op{ossfake.CompleteMultipartUpload}, Effect: ossfake.Lose, Times: 1})
	_, err = b.CompleteUpload(t.Context(), "k", id, []storage.Part{p})
	wantKind(t, err, storage.ErrUnavailable)
	_, err = b.CompleteUpload(t.Context(), "k", id, []storage.Part{p})
	wantKind(t, err, storage.ErrNoUpload)
	if got, err := read(t, b, "k"); string(got) != "part" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestUnderstood: an answer that is no answer of OSS is no success.
func TestUnderstood(t *testing.T) {
	for name, answer := range map[string]string{"nothing": "", "broken off": "<CopyObjectResult><ETag>", "a page": "<html></html>"} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(w, answer)
			}))
			defer s.Close()
			b := open(t, oss.Config{Endpoint: s.URL, Bucket: "bucket"})
			obj := storage.Object{Key: "from", Size: 5, ETag: "e"}
			_, err := b.CopyFrom(t.Context(), b, obj, "to", storage.CopyOptions{})
			wantKind(t, err, storage.ErrBusy)
			_, err = b.CopyPart(t.Context(), b, obj, 0, 5, "to", "id", 1)
			wantKind(t, err, storage.ErrBusy)
			_, err = b.CompleteUpload(t.Context(), "to", "id", []storage.Part{{Number: 1, Size: 5, ETag: "e"}})
			wantKind(t, err, storage.ErrBusy)
			_, err = b.CreateUpload(t.Context(), "to", storage.UploadOptions{})
			wantKind(t, err, storage.ErrBusy)
			_, err = b.ListParts(t.Context(), "to", "id")
			wantKind(t, err, storage.ErrBusy)
			_, err = b.ListUploads(t.Context(), "to")
			wantKind(t, err, storage.ErrBusy)
		})
	}
}

// TestEndpointErrors: what the store says of a whole endpoint is the same kind
// of error whichever way a call goes.
func TestEndpointErrors(t *testing.T) {
	for name, c := range map[string]struct {
		o    ossfake.Options
		c    oss.Config
		rule *ossfake.Rule
		kind error
	}{
		"throttled":         {rule: &ossfake.Rule{Effect: ossfake.Fail, Status: 503, Code: "QpsLimitExceeded"}, kind: storage.ErrThrottled},
		"busy":              {rule: &ossfake.Rule{Effect: ossfake.Fail, Status: 500, Code: "InternalError"}, kind: storage.ErrBusy},
		"hangs up":          {rule: &ossfake.Rule{Effect: ossfake.Hangup}, kind: storage.ErrUnavailable},
		"V1 refused":        {o: ossfake.Options{NoV1: true}, c: oss.Config{SignV1: true}, kind: storage.ErrCredentials},
		"clock":             {o: ossfake.Options{AuthNow: func() time.Time { return time.Now().Add(time.Hour) }}, kind: storage.ErrCredentials},
		"no such key":       {c: oss.Config{Keys: s3wire.StaticKeys(s3wire.Keys{Access: "other", Secret: "SKSECRET"})}, kind: storage.ErrCredentials},
		"wrong secret":      {c: oss.Config{Keys: s3wire.StaticKeys(s3wire.Keys{Access: "AK", Secret: "wrong"})}, kind: storage.ErrCredentials},
		"no keys":           {c: oss.Config{Keys: func(context.Context) (s3wire.Keys, error) { return s3wire.Keys{}, errors.New("none") }}, kind: storage.ErrCredentials},
		"only in the host":  {o: ossfake.Options{Addressing: ossfake.VirtualOnly}, kind: storage.ErrNoBucket},
		"disabled, by code": {rule: &ossfake.Rule{Effect: ossfake.Fail, Status: 403, Code: "UserDisable"}, kind: storage.ErrCredentials},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, c.o)
			if c.rule != nil {
				s.Inject(*c.rule)
			}
			c.c.Endpoint, c.c.Bucket = s.URL, "bucket"
			for call, err := range calls(t, open(t, c.c)) {
				t.Log(call)
				wantKind(t, err, c.kind)
			}
		})
	}
}

// TestRotation: temporary keys that have expired are an error of the endpoint,
// and calls go on as soon as Keys gives new ones.
func TestRotation(t *testing.T) {
	clock := newClock()
	s := ossfake.Start(t, ossfake.Options{AuthNow: clock.now, Credentials: []ossfake.Credential{
		{ID: "STS.1", Secret: "SECRET1", Token: "TOKEN-SECRET1", Expires: clock.now().Add(time.Minute)},
		{ID: "STS.2", Secret: "SECRET2", Token: "TOKEN-SECRET2", Expires: clock.now().Add(time.Hour)},
	}})
	var n atomic.Int64
	n.Store(1)
	b := bucket(t, s, oss.Config{Keys: func(context.Context) (s3wire.Keys, error) {
		n := n.Load()
		return s3wire.Keys{Access: fmt.Sprintf("STS.%d", n), Secret: fmt.Sprintf("SECRET%d", n), Session: fmt.Sprintf("TOKEN-SECRET%d", n)}, nil
	}})
	put(t, b, "k", nil)
	id, err := b.CreateUpload(t.Context(), "k", storage.UploadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	clock.add(2 * time.Minute)
	for call, err := range calls(t, b) {
		t.Log(call)
		wantKind(t, err, storage.ErrCredentials)
	}
	n.Store(2)
	for call, err := range calls(t, b) {
		if err != nil {
			t.Errorf("%s with new keys: %v", call, err)
		}
	}
	if _, err := b.ListParts(t.Context(), "k", id); err != nil {
		t.Error(err)
	}
}

// TestCanceledKeys: a call that was cancelled while it waited for keys says so.
func TestCanceledKeys(t *testing.T) {
	b := open(t, oss.Config{Endpoint: "http://127.0.0.1:1", Bucket: "bucket", Keys: func(ctx context.Context) (s3wire.Keys, error) {
		<-ctx.Done()
		return s3wire.Keys{}, ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Stat(ctx, "k")
	_, errSDK := b.ListParts(ctx, "k", "id")
	for _, err := range []error{err, errSDK, b.Create(ctx)} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want that of the context", err)
		}
	}
}

// TestCreate: a bucket that exists is success if it can be used.
func TestCreate(t *testing.T) {
	s := serve(t, ossfake.Options{})
	taken := ossfake.Rule{Ops: []ossfake.Op{ossfake.PutBucket}, Effect: ossfake.Fail, Status: 409, Code: "BucketAlreadyExists"}
	s.Inject(taken)
	b := open(t, oss.Config{Endpoint: s.URL, Bucket: "bucket"})
	wantKind(t, b.Create(t.Context()), storage.ErrExists)
	s.Inject()
	if err := b.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Inject(taken)
	if err := b.Create(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestUnsigned: without keys requests are not signed, and no call panics.
func TestUnsigned(t *testing.T) {
	var signed atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			signed.Add(1)
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code></Error>")
	}))
	defer s.Close()
	b, err := oss.Open(oss.Config{Endpoint: s.URL, Region: "cn-hangzhou", Bucket: "bucket"})
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, b.Check(t.Context()), storage.ErrDenied)
	_, err = b.Stat(t.Context(), "k")
	wantKind(t, err, storage.ErrDenied)
	if n := signed.Load(); n != 0 {
		t.Errorf("%d requests were signed", n)
	}
	_, err = b.CreateUpload(t.Context(), "k", storage.UploadOptions{})
	wantKind(t, err, storage.ErrDenied)
}

// TestPaging: uploads and parts come in more than one answer.
func TestPaging(t *testing.T) {
	b := bucket(t, serve(t, ossfake.Options{}), oss.Config{Prefix: "d"})
	const n = 1001
	var id string
	for range n {
		var err error
		if id, err = b.CreateUpload(t.Context(), "k", storage.UploadOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		if _, err := b.UploadPart(t.Context(), "k", id, i+1, strings.NewReader("x"), storage.PartOptions{Size: 1}); err != nil {
			t.Fatal(err)
		}
	}
	parts, err := b.ListParts(t.Context(), "k", id)
	if err != nil || len(parts) != n || parts[n-1].Number != n {
		t.Errorf("%d parts, %v; want %d", len(parts), err, n)
	}
	for _, key := range []string{"k", ""} {
		ups, err := b.ListUploads(t.Context(), key)
		if err != nil || len(ups) != n {
			t.Errorf("%d uploads of %q, %v; want %d", len(ups), key, err, n)
		}
	}
}

// TestCopyReach: copies stay within a store and an account.
func TestCopyReach(t *testing.T) {
	s := serve(t, ossfake.Options{})
	b := bucket(t, s, oss.Config{})
	for name, c := range map[string]struct {
		c    oss.Config
		want bool
	}{
		"another bucket":  {oss.Config{Endpoint: s.URL, Bucket: "other"}, true},
		"another account": {oss.Config{Endpoint: s.URL, Bucket: "other", Account: "other"}, false},
		"another region":  {oss.Config{Endpoint: s.URL, Bucket: "other", Region: "cn-beijing"}, false},
		"another store":   {oss.Config{Endpoint: "http://127.0.0.1:1", Bucket: "other"}, false},
	} {
		if got := b.CanCopyFrom(open(t, c.c)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	_, err := b.CopyFrom(t.Context(), b, storage.Object{Key: "k", Size: 1<<30 + 1, ETag: "e"}, "to", storage.CopyOptions{})
	wantKind(t, err, storage.ErrTooLarge)
}
