package s3fake_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/internal/s3fake"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

func read(ctx context.Context, b storage.Bucket, key string, o storage.ReadOptions) (string, error) {
	r, err := b.Open(ctx, key, o)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	return string(data), err
}

// TestReads: a store that breaks what it promises about reads is found out,
// and no byte of another version or another place is ever yielded.
func TestReads(t *testing.T) {
	const first, second = "0123456789", "abcdefghij"
	stretch := storage.ReadOptions{Offset: 2, Length: 3}
	whole := storage.ReadOptions{Length: -1}
	rest := storage.ReadOptions{Offset: 4, Length: -1}
	nothing := storage.ReadOptions{Offset: 10, Length: 0}
	for name, c := range map[string]struct {
		habits  s3fake.Options
		changed bool // the object, after it was looked at
		read    storage.ReadOptions
		kind    error
	}{
		"Range ignored":               {s3fake.Options{IgnoresRange: true}, false, stretch, storage.ErrUnsupported},
		"Range ignored, the rest":     {s3fake.Options{IgnoresRange: true}, false, rest, storage.ErrUnsupported},
		"If-Match honoured":           {s3fake.Options{}, true, whole, storage.ErrChanged},
		"If-Match ignored":            {s3fake.Options{IgnoresIfMatch: true}, true, whole, storage.ErrChanged},
		"If-Match ignored, a stretch": {s3fake.Options{IgnoresIfMatch: true}, true, stretch, storage.ErrChanged},
		"If-Match ignored, no bytes":  {s3fake.Options{IgnoresIfMatch: true}, true, nothing, storage.ErrChanged},
		"both ignored":                {s3fake.Options{IgnoresIfMatch: true, IgnoresRange: true}, true, whole, storage.ErrChanged},
		"broken off":                  {s3fake.Options{Truncate: 4}, false, whole, storage.ErrUnavailable},
		"broken off, a stretch":       {s3fake.Options{Truncate: 2}, false, stretch, storage.ErrUnavailable},
		"archived":                    {s3fake.Options{Classes: glacier()}, false, whole, storage.ErrArchived},
		"archived, a stretch":         {s3fake.Options{Classes: glacier()}, false, stretch, storage.ErrArchived},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, d driver) {
				var m storage.Metadata
				if c.habits.Classes != nil {
					m.StorageClass = "GLACIER"
				}
				b, _ := d.bucket(t, "minio", c.habits)
				put(t, b, "k", first, m)
				was, err := b.Stat(t.Context(), "k")
				if err != nil {
					t.Fatal(err)
				}
				if c.changed {
					put(t, b, "k", second, m)
				}
				c.read.Want = &was.Object
				got, err := read(t.Context(), b, "k", c.read)
				wantKind(t, "read", err, c.kind)
				if !strings.HasPrefix(first[c.read.Offset:], got) {
					t.Errorf("yielded %q", got)
				}
			})
		})
	}
}

func glacier() []storage.Class {
	return []storage.Class{{Name: "STANDARD"}, {Name: "GLACIER", Tier: storage.TierArchive}}
}

// TestListings: a listing that goes round in a circle ends with an error that
// says where, and one of another version is not taken for a short one.
func TestListings(t *testing.T) {
	for name, c := range map[string]struct {
		provider string
		encode   bool // ask for encoded keys though the row says not to
		habits   s3fake.Options
		says     string
	}{
		"a marker that loops":       {"obs", true, s3fake.Options{ListV1Only: true, LoopingMarker: true}, `"k-0" comes after "k-6"`},
		"the same, not encoded":     {"obs", false, s3fake.Options{ListV1Only: true, LoopingMarker: true}, ""},
		"V1 where V2 was asked for": {"jd", false, s3fake.Options{ListV1Only: true}, "continuation token"},
		"V1 where V1 is":            {"cos", false, s3fake.Options{ListV1Only: true, VirtualOnly: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, d driver) {
				server := s3fake.New(t, c.habits)
				server.Bucket("bucket")
				r := row(t, c.provider)
				r.EncodeKeys = r.EncodeKeys || c.encode
				b, err := d.open(place{server: server, row: r, bucket: "bucket"})
				if err != nil {
					t.Fatal(err)
				}
				for i := range pageSize + 2 {
					put(t, b, "k-"+string('0'+rune(i)), "x", storage.Metadata{})
				}
				count := 0
				p := b.List(storage.Range{})
				for err == nil {
					var page []storage.Object
					page, err = p.Next(t.Context())
					count += len(page)
				}
				switch {
				case c.says == "" && (err != io.EOF || count != pageSize+2):
					t.Errorf("%d keys, %v", count, err)
				case c.says != "" && (err == io.EOF || !strings.Contains(err.Error(), c.says)):
					t.Errorf("ends with %v, want an error that says %q", err, c.says)
				}
			})
		})
	}
}

// call is one request of each kind that a driver makes.
type call struct {
	name string
	make func(context.Context, storage.Bucket) error
}

func calls(was storage.Object, upload string, parts []storage.Part) []call {
	multipart := func(b storage.Bucket) storage.Multipart { m, _ := storage.As[storage.Multipart](b); return m }
	return []call{
		{"check", func(ctx context.Context, b storage.Bucket) error { return b.Check(ctx) }},
		{"stat", func(ctx context.Context, b storage.Bucket) error { _, err := b.Stat(ctx, was.Key); return err }},
		{"read", func(ctx context.Context, b storage.Bucket) error {
			_, err := read(ctx, b, was.Key, storage.ReadOptions{Length: -1})
			return err
		}},
		{"put", func(ctx context.Context, b storage.Bucket) error {
			_, err := b.Put(ctx, "new", strings.NewReader("x"), storage.PutOptions{Size: 1})
			return err
		}},
		{"create bucket", func(ctx context.Context, b storage.Bucket) error { return b.Create(ctx) }},
		{"create upload", func(ctx context.Context, b storage.Bucket) error {
			_, err := multipart(b).CreateUpload(ctx, "new", storage.UploadOptions{})
			return err
		}},
		{"list uploads", func(ctx context.Context, b storage.Bucket) error {
			_, err := multipart(b).ListUploads(ctx, "")
			return err
		}},
		{"list parts", func(ctx context.Context, b storage.Bucket) error {
			_, err := multipart(b).ListParts(ctx, "up", upload)
			return err
		}},
		{"copy", func(ctx context.Context, b storage.Bucket) error {
			c, _ := storage.As[storage.Copier](b)
			_, err := c.CopyFrom(ctx, b, was, "new", storage.CopyOptions{})
			return err
		}},
		{"copy part", func(ctx context.Context, b storage.Bucket) error {
			c, _ := storage.As[storage.PartCopier](b)
			_, err := c.CopyPart(ctx, b, was, 0, was.Size, "up", upload, 2)
			return err
		}},
		{"complete", func(ctx context.Context, b storage.Bucket) error {
			_, err := multipart(b).CompleteUpload(ctx, "up", upload, parts)
			return err
		}},
		{"abort", func(ctx context.Context, b storage.Bucket) error { return multipart(b).AbortUpload(ctx, "up", upload) }},
		{"delete", func(ctx context.Context, b storage.Bucket) error { return b.Delete(ctx, was.Key) }},
	}
}

// prepared opens a bucket with an object and an upload of one part.
func prepared(t *testing.T, d driver, p place) (storage.Bucket, []call) {
	t.Helper()
	p.server.Bucket("bucket")
	p.bucket = "bucket"
	b, err := d.open(p)
	if err != nil {
		t.Fatal(err)
	}
	was := put(t, b, "k", "0123456789", storage.Metadata{})
	m, _ := storage.As[storage.Multipart](b)
	id, err := m.CreateUpload(t.Context(), "up", storage.UploadOptions{Size: 1, PartSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	part, err := m.UploadPart(t.Context(), "up", id, 1, strings.NewReader("x"), storage.PartOptions{Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	return b, calls(was, id, []storage.Part{part})
}

// TestSlowDown: too many requests are ErrThrottled with what the store asks
// for, whichever request it was, and nothing has happened.
func TestSlowDown(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		now := time.Now()
		server := s3fake.New(t, s3fake.Options{Now: func() time.Time { return now }})
		b, all := prepared(t, d, place{server: server, row: row(t, "minio")})
		server.Change(func(o *s3fake.Options) { o.Rate = 1 })
		for _, c := range all {
			err := c.make(t.Context(), b)
			wantKind(t, c.name, err, storage.ErrThrottled)
			var e *storage.Error
			if !errors.As(err, &e) || e.RetryAfter != time.Second {
				t.Errorf("%s: %v, want one that asks to wait for 1 s", c.name, err)
			}
		}
		server.Change(func(o *s3fake.Options) { o.Rate = 0 })
		for _, c := range all {
			if err := c.make(t.Context(), b); c.name != "abort" && err != nil {
				t.Errorf("%s, later: %v", c.name, err)
			}
		}
	})
}

// TestKeysThatExpire: expired keys are the endpoint's fault, not the object's,
// and new ones are taken up without opening anything again.
func TestKeysThatExpire(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		now := time.Now()
		server := s3fake.New(t, s3fake.Options{Now: func() time.Time { return now }, Keys: []s3fake.Key{
			{Access: "old", Secret: "old-secret", Session: "old-token", Expires: now.Add(time.Hour)},
			{Access: "new", Secret: "new-secret", Session: "new-token"},
		}})
		keys := s3wire.Keys{Access: "old", Secret: "old-secret", Session: "old-token"}
		b, all := prepared(t, d, place{server: server, row: row(t, "minio"),
			keys: func(context.Context) (s3wire.Keys, error) { return keys, nil }})
		now = now.Add(time.Hour)
		for _, c := range all {
			if c.name == "stat" { // an answer to HEAD holds no code, and its 400 may mean anything
				continue
			}
			err := c.make(t.Context(), b)
			wantKind(t, c.name+" with expired keys", err, storage.ErrCredentials)
			if err != nil && strings.Contains(err.Error(), "old-") {
				t.Errorf("%s tells a secret: %v", c.name, err)
			}
		}
		keys = s3wire.Keys{Access: "new", Secret: "new-secret", Session: "new-token"}
		for _, c := range all {
			if err := c.make(t.Context(), b); err != nil {
				t.Errorf("%s with new keys: %v", c.name, err)
			}
		}
	})
}

// TestErrorBehind200: an error that comes as success is one, and has left
// nothing behind.
func TestErrorBehind200(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		server := s3fake.New(t, s3fake.Options{ErrorBehind200: true})
		b, all := prepared(t, d, place{server: server, row: row(t, "minio")})
		for _, c := range all {
			switch c.name {
			case "copy", "copy part", "complete":
				wantKind(t, c.name, c.make(t.Context(), b), storage.ErrBusy)
			}
		}
		wantAbsent(t, b, "up")
		wantAbsent(t, b, "new")
	})
}

// TestDenied: one prefix that may not be touched says nothing about the rest.
func TestDenied(t *testing.T) {
	each(t, func(t *testing.T, d driver) {
		server := s3fake.New(t, s3fake.Options{})
		b, all := prepared(t, d, place{server: server, row: row(t, "minio")})
		server.Change(func(o *s3fake.Options) { o.Denied = "new" })
		for _, c := range all {
			err := c.make(t.Context(), b)
			switch c.name {
			case "put", "copy", "create upload":
				if wantKind(t, c.name, err, storage.ErrDenied); storage.IsEndpoint(err) {
					t.Errorf("%s: %v is about the endpoint", c.name, err)
				}
			default:
				if err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
			}
		}
	})
}
