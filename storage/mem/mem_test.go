package mem_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/mem"
	"github.com/sluice-sync/sluice/storage/storagetest"
)

func TestConformance(t *testing.T) {
	for name, o := range map[string]mem.Options{
		"default": {}, "small pages": {PageSize: 7, MinPart: 1000, MaxPut: 16 << 20}, "page of one": {PageSize: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, n := mem.NewServer(o), 0
			storagetest.Run(t, storagetest.Harness{
				New: func(t *testing.T) storage.Bucket {
					n++
					b := s.Bucket(strconv.Itoa(n))
					if err := b.Create(t.Context()); err != nil {
						t.Fatal(err)
					}
					return b
				},
				Reopen: func(_ *testing.T, b storage.Bucket) storage.Bucket {
					return s.Bucket(strings.TrimPrefix(b.String(), "mem://"))
				},
				PageSize: o.PageSize,
				Thaw:     func(*testing.T, storage.Bucket) {}, // Options.RestoreTime is 0
			})
		})
	}
}

func TestNoBucket(t *testing.T) {
	ctx := t.Context()
	b := mem.NewServer(mem.Options{}).Bucket("later")
	put := func() error {
		_, err := b.Put(ctx, "k", strings.NewReader("x"), storage.PutOptions{Size: 1})
		return err
	}
	for name, call := range map[string]func() error{
		"check":  func() error { return b.Check(ctx) },
		"stat":   func() error { _, err := b.Stat(ctx, "k"); return err },
		"list":   func() error { _, err := b.List(storage.Range{}).Next(ctx); return err },
		"put":    put,
		"delete": func() error { return b.Delete(ctx, "k") },
		"upload": func() error { _, err := b.CreateUpload(ctx, "k", storage.UploadOptions{}); return err },
	} {
		if err := call(); !errors.Is(err, storage.ErrNoBucket) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := b.Create(ctx); err != nil {
		t.Fatal(err)
	}
	if err := put(); err != nil {
		t.Error(err)
	}
}

func TestClock(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	b := mem.New(mem.Options{Now: func() time.Time { return now }})
	o, err := b.Put(t.Context(), "k", strings.NewReader(""), storage.PutOptions{Meta: storage.Metadata{MTime: now.Add(-time.Hour)}})
	if err != nil || !o.ModTime.Equal(now) {
		t.Errorf("mod time %v, %v; want %v", o.ModTime, err, now)
	}
	if _, err := b.CreateUpload(t.Context(), "k", storage.UploadOptions{}); err != nil {
		t.Fatal(err)
	}
	if us, err := b.ListUploads(t.Context(), ""); err != nil || !us[0].Started.Equal(now) {
		t.Errorf("uploads %v, %v; want one of %v", us, err, now)
	}
}

// TestComplete is strict: what a real store would accept by mistake of the
// caller is refused.
func TestComplete(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts []string // as sent
		order []int    // as completed
		etag  string
	}{
		// The sum was made with Python's hashlib: md5(md5(abcd) + md5(e)).
		{"right", []string{"abcd", "e"}, []int{1, 2}, "aa933d75a4a9ae385721c4e8444e1eec-2"},
		{"out of order", []string{"abcd", "e"}, []int{2, 1}, ""},
		{"first only", []string{"abcd", "e"}, []int{1}, ""},
		{"second only", []string{"abcd", "e"}, []int{2}, ""},
		{"twice", []string{"abcd", "e"}, []int{1, 1}, ""},
		{"too small", []string{"ab", "cde"}, []int{1, 2}, ""},
		{"too large", []string{"abcde", ""}, []int{1, 2}, ""},
		{"too short in all", []string{"abcd", ""}, []int{1, 2}, ""},
		{"none", nil, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := t.Context()
			b := mem.New(mem.Options{MinPart: 3})
			id, err := b.CreateUpload(ctx, "k", storage.UploadOptions{Size: 5, PartSize: 4})
			if err != nil {
				t.Fatal(err)
			}
			var sent, parts []storage.Part
			for i, data := range c.parts {
				p, err := b.UploadPart(ctx, "k", id, i+1, strings.NewReader(data), storage.PartOptions{Size: int64(len(data))})
				if err != nil {
					t.Fatal(err)
				}
				sent = append(sent, p)
			}
			for _, n := range c.order {
				parts = append(parts, sent[n-1])
			}
			o, err := b.CompleteUpload(ctx, "k", id, parts)
			if c.etag == "" {
				if !errors.Is(err, storage.ErrInvalid) {
					t.Errorf("error %v, want %v", err, storage.ErrInvalid)
				}
				return
			}
			if err != nil || o.ETag != c.etag {
				t.Errorf("ETag %q, %v; want %q", o.ETag, err, c.etag)
			}
		})
	}
}

// TestRestore lets the time pass that a restore takes, and that of its copy.
func TestRestore(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b := mem.New(mem.Options{Now: func() time.Time { return now }, RestoreTime: time.Hour})
	if _, err := b.Put(ctx, "k", strings.NewReader("x"), storage.PutOptions{Size: 1, Meta: storage.Metadata{StorageClass: "GLACIER"}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Restore(ctx, "k", 1, ""); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		want  storage.Restored
		err   error
	}{
		{0, storage.Restored{Ongoing: true}, storage.ErrArchived},
		{59 * time.Minute, storage.Restored{Ongoing: true}, storage.ErrArchived},
		{time.Minute, storage.Restored{Until: now.Add(25 * time.Hour)}, nil},
		{24 * time.Hour, storage.Restored{}, storage.ErrArchived},
	} {
		now = now.Add(step.after)
		i, err := b.Stat(ctx, "k")
		if err != nil || i.Restored != step.want {
			t.Errorf("at %v: %+v, %v; want %+v", now, i.Restored, err, step.want)
		}
		if _, err := b.Open(ctx, "k", storage.ReadOptions{Length: -1}); !errors.Is(err, step.err) {
			t.Errorf("at %v: open: %v, want %v", now, err, step.err)
		}
	}
}

func TestMaxCopy(t *testing.T) {
	ctx := t.Context()
	b := mem.New(mem.Options{MaxCopy: 3})
	o, err := b.Put(ctx, "k", strings.NewReader("abcd"), storage.PutOptions{Size: 4})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.CopyFrom(ctx, b, o, "to", storage.CopyOptions{}); !errors.Is(err, storage.ErrTooLarge) {
		t.Errorf("error %v, want %v", err, storage.ErrTooLarge)
	}
	if b.CanCopyFrom(mem.New(mem.Options{})) {
		t.Error("claims to copy from another server")
	}
}
