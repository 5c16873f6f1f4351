package storagetest

import (
	"bytes"
	"context"
	"io"
	"slices"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

var multipartTopics = []topic{
	{"complete", uploadComplete},
	{"resume", uploadResume},
	{"part again", partAgain},
	{"over an old object", uploadOverOld},
	{"metadata", uploadMetadata},
	{"bad bodies", badParts},
	{"canceled", partCanceled},
	{"one part", onePart},
}

// parts is an upload under test: three parts, the last one shorter where the
// part size allows it.
type parts struct {
	m    storage.Multipart
	b    storage.Bucket
	key  string
	id   string
	size int64 // of a part
	data []byte
	meta storage.Metadata
}

// newParts begins an upload, or ends the test where there are none.
func newParts(t *testing.T, h Harness, key string, seed uint64) (*parts, bool) {
	b := h.New(t)
	m, ok := storage.As[storage.Multipart](b)
	if !ok {
		return nil, false
	}
	p := &parts{m: m, b: b, key: key, size: h.partSize(b)}
	p.data = content(seed, int(2*p.size+(p.size+1)/2))
	p.create(t)
	return p, true
}

func (p *parts) create(t *testing.T) {
	t.Helper()
	var err error
	p.id, err = p.m.CreateUpload(t.Context(), p.key, storage.UploadOptions{Size: int64(len(p.data)), PartSize: p.size, Meta: p.meta})
	if err != nil || p.id == "" {
		t.Fatalf("create upload of %q: id %q, %v", p.key, p.id, err)
	}
}

// part returns the bytes of a part; numbers start at 1.
func (p *parts) part(n int) []byte {
	from := int64(n-1) * p.size
	return p.data[from:min(from+p.size, int64(len(p.data)))]
}

func (p *parts) send(t *testing.T, n int) storage.Part {
	t.Helper()
	return p.sendBytes(t, n, p.part(n))
}

func (p *parts) sendBytes(t *testing.T, n int, data []byte) storage.Part {
	t.Helper()
	got, err := p.m.UploadPart(t.Context(), p.key, p.id, n, body(data), storage.PartOptions{Size: int64(len(data))})
	if err != nil {
		t.Fatalf("part %d: %v", n, err)
	}
	if got.Number != n || got.Size != int64(len(data)) {
		t.Fatalf("part %d of %d bytes answered %+v", n, len(data), got)
	}
	return got
}

// held asks what the target has of the upload.
func (p *parts) held(t *testing.T) []storage.Part {
	t.Helper()
	ps, err := p.m.ListParts(t.Context(), p.key, p.id)
	if err != nil {
		t.Fatalf("list parts: %v", err)
	}
	return ps
}

func (p *parts) wantHeld(t *testing.T, want ...storage.Part) {
	t.Helper()
	if got := p.held(t); !slices.Equal(got, want) {
		t.Errorf("parts held: %+v, want %+v", got, want)
	}
}

// complete ends the upload with what the target says it holds.
func (p *parts) complete(t *testing.T) storage.Object {
	t.Helper()
	o, err := p.m.CompleteUpload(t.Context(), p.key, p.id, p.held(t))
	if err != nil {
		t.Fatalf("complete: %v", err)
	}
	if o.Key != p.key || o.Size != int64(len(p.data)) {
		t.Errorf("complete answered key %q, %d bytes; want %q, %d", o.Key, o.Size, p.key, len(p.data))
	}
	return o
}

// uploadComplete sends the parts out of order; nothing is visible before the end.
func uploadComplete(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "dir/k", 1)
	if !ok {
		return
	}
	p.wantHeld(t)
	three := p.send(t, 3)
	p.wantHeld(t, three)
	one := p.send(t, 1)
	p.wantHeld(t, one, three)
	two := p.send(t, 2)
	p.wantHeld(t, one, two, three)
	wantAbsent(t, p.b, p.key)
	wantKeys(t, p.b, storage.Range{})
	o := p.complete(t)
	wantContent(t, p.b, p.key, p.data)
	if got := list(t, p.b, storage.Range{})[0].TargetVersion(); got != o.TargetVersion() {
		t.Errorf("target version %q listed, %q by complete", got, o.TargetVersion())
	}
	wantContent(t, h.reopen(t, p.b), p.key, p.data)
}

// uploadResume continues in another process with the target's word on what
// need not be sent again.
func uploadResume(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "dir/k", 2)
	if !ok {
		return
	}
	sent := []storage.Part{p.send(t, 1), p.send(t, 3)}
	p.b = h.reopen(t, p.b)
	p.m, _ = storage.As[storage.Multipart](p.b)
	p.wantHeld(t, sent...)
	wantAbsent(t, p.b, p.key)
	p.send(t, 2)
	p.complete(t)
	wantContent(t, p.b, p.key, p.data)
}

func partAgain(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "k", 3)
	if !ok {
		return
	}
	p.sendBytes(t, 1, content(99, len(p.part(1))))
	three := p.send(t, 3)
	two := p.send(t, 2)
	one := p.send(t, 1)
	p.wantHeld(t, one, two, three)
	two = p.send(t, 2)
	p.wantHeld(t, one, two, three)
	p.complete(t)
	wantContent(t, p.b, p.key, p.data)
}

func uploadOverOld(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "k", 4)
	if !ok {
		return
	}
	old := content(5, 1000)
	put(t, p.b, p.key, old)
	for n := 1; n <= 3; n++ {
		p.send(t, n)
		wantContent(t, p.b, p.key, old)
	}
	p.complete(t)
	wantContent(t, p.b, p.key, p.data)
	wantKeys(t, p.b, storage.Range{}, p.key)
}

func uploadMetadata(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "k", 5)
	if !ok {
		return
	}
	f := p.b.Features()
	p.key = "with metadata"
	p.meta = someMetadata()
	if f.FileTree {
		p.meta.Mode, p.meta.HasMode = 0o640, true
	}
	p.create(t)
	for n := 1; n <= 3; n++ {
		p.send(t, n)
	}
	p.complete(t)
	i := stat(t, p.b, p.key)
	if f.Metadata {
		wantMetadata(t, i.Metadata, p.meta)
	}
	if f.MTimeGrain > 0 && i.ModTime.Sub(nanos).Abs() >= f.MTimeGrain {
		t.Errorf("mtime %v, want %v", i.ModTime, nanos)
	}
	if f.FileTree && (!i.HasMode || i.Mode != 0o640) {
		t.Errorf("mode %v %o, want 640", i.HasMode, i.Mode)
	}
}

// badParts: a part whose body failed is not held, nor does it spoil the others.
func badParts(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "k", 6)
	if !ok {
		return
	}
	one := p.send(t, 1)
	data := p.part(2)
	for name, r := range map[string]io.Reader{
		"short":                body(data[:len(data)-1]),
		"long":                 io.MultiReader(body(data), body([]byte("x"))),
		"failing at the start": failing{errBoom},
		"failing at the end":   io.MultiReader(body(data[:len(data)-1]), failing{errBoom}),
	} {
		_, err := p.m.UploadPart(t.Context(), p.key, p.id, 2, r, storage.PartOptions{Size: int64(len(data))})
		t.Run(name, func(t *testing.T) {
			wantBodyError(t, err)
			p.wantHeld(t, one)
		})
	}
	wantAbsent(t, p.b, p.key)
	p.send(t, 2)
	p.send(t, 3)
	p.complete(t)
	wantContent(t, p.b, p.key, p.data)
}

func partCanceled(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "k", 7)
	if !ok {
		return
	}
	data := p.part(1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stop := readFunc(func([]byte) (int, error) { cancel(); <-ctx.Done(); return 0, ctx.Err() })
	r := io.MultiReader(bytes.NewReader(data[:len(data)/2]), stop)
	_, err := p.m.UploadPart(ctx, p.key, p.id, 1, r, storage.PartOptions{Size: int64(len(data))})
	wantCanceled(t, err)
	p.wantHeld(t)
	for name, call := range map[string]func() error{
		"create": func() error {
			_, err := p.m.CreateUpload(ctx, "other", storage.UploadOptions{Size: 1, PartSize: 1})
			return err
		},
		"list parts":   func() error { _, err := p.m.ListParts(ctx, p.key, p.id); return err },
		"complete":     func() error { _, err := p.m.CompleteUpload(ctx, p.key, p.id, nil); return err },
		"abort":        func() error { return p.m.AbortUpload(ctx, p.key, p.id) },
		"list uploads": func() error { _, err := p.m.ListUploads(ctx, p.key); return err },
	} {
		t.Run(name, func(t *testing.T) { wantCanceled(t, call()) })
	}
	for n := 1; n <= 3; n++ {
		p.send(t, n)
	}
	p.complete(t)
	wantContent(t, p.b, p.key, p.data)
}

func onePart(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "small", 8)
	if !ok {
		return
	}
	p.key, p.data = "one", []byte("x")
	p.create(t)
	p.send(t, 1)
	p.complete(t)
	wantContent(t, p.b, "one", p.data)
}
