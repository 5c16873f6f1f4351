package storagetest

import (
	"slices"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

var uploadTopics = []topic{
	{"abort", uploadAbort},
	{"complete twice", completeTwice},
	{"complete the wrong parts", completeWrong},
	{"no such upload", noUpload},
	{"list", uploadList},
	{"two of one key", twoOfOneKey},
	{"sweep", sweep},
}

// wantGone says that nothing can be done with an upload any more.
func (p *parts) wantGone(t *testing.T) {
	t.Helper()
	_, err := p.m.ListParts(t.Context(), p.key, p.id)
	wantError(t, p.b, err, p.key, storage.ErrNoUpload)
	_, err = p.m.UploadPart(t.Context(), p.key, p.id, 1, body(p.part(1)), storage.PartOptions{Size: int64(len(p.part(1)))})
	wantError(t, p.b, err, p.key, storage.ErrNoUpload)
	_, err = p.m.CompleteUpload(t.Context(), p.key, p.id, []storage.Part{{Number: 1, Size: p.size, ETag: "0123456789abcdef0123456789abcdef"}})
	wantError(t, p.b, err, p.key, storage.ErrNoUpload)
	if err := p.m.AbortUpload(t.Context(), p.key, p.id); err != nil {
		t.Errorf("aborting an upload that is gone: %v", err)
	}
	if us, err := p.m.ListUploads(t.Context(), p.key); err != nil || len(us) > 0 {
		t.Errorf("uploads of %q: %+v, %v; want none", p.key, us, err)
	}
}

func uploadAbort(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "dir/k", 1)
	if !ok {
		return
	}
	p.send(t, 1)
	if err := p.m.AbortUpload(t.Context(), p.key, p.id); err != nil {
		t.Fatalf("abort: %v", err)
	}
	p.wantGone(t)
	wantAbsent(t, p.b, p.key)
	wantKeys(t, p.b, storage.Range{})
}

func completeTwice(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "k", 2)
	if !ok {
		return
	}
	for n := 1; n <= 3; n++ {
		p.send(t, n)
	}
	held := p.held(t)
	p.complete(t)
	_, err := p.m.CompleteUpload(t.Context(), p.key, p.id, held)
	wantError(t, p.b, err, p.key, storage.ErrNoUpload)
	p.wantGone(t)
	wantContent(t, p.b, p.key, p.data)
}

// completeWrong names parts that were not sent: an error, and nothing visible.
func completeWrong(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "k", 3)
	if !ok {
		return
	}
	one, three := p.send(t, 1), p.send(t, 3)
	invented := storage.Part{Number: 2, Size: p.size, ETag: "0123456789abcdef0123456789abcdef"}
	for name, ps := range map[string][]storage.Part{
		"not sent": {one, invented, three},
		"none":     {},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := p.m.CompleteUpload(t.Context(), p.key, p.id, ps)
			wantError(t, p.b, err, p.key, storage.ErrInvalid, storage.ErrCorrupt)
			wantAbsent(t, p.b, p.key)
		})
	}
	p.wantHeld(t, one, three)
	p.send(t, 2)
	p.complete(t)
	wantContent(t, p.b, p.key, p.data)
}

func noUpload(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "k", 4)
	if !ok {
		return
	}
	real := p.id
	if err := p.m.AbortUpload(t.Context(), p.key, real); err != nil {
		t.Fatal(err)
	}
	p.wantGone(t)
	for _, id := range []string{"nonsense", "../../x", real + "x"} {
		p.id = id
		_, err := p.m.ListParts(t.Context(), p.key, p.id)
		wantError(t, p.b, err, p.key, storage.ErrNoUpload)
		if err := p.m.AbortUpload(t.Context(), p.key, p.id); err != nil {
			t.Errorf("aborting %q, which never was: %v", id, err)
		}
	}
}

// uploadList asks for the uploads of exactly one key.
func uploadList(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "k", 5)
	if !ok {
		return
	}
	began := map[string]string{"k": p.id}
	for _, key := range []string{"k2", "k-3", "kk", "j"} {
		p.key = key
		p.create(t)
		began[key] = p.id
	}
	put(t, p.b, "k9", []byte("no upload"))
	for _, b := range []storage.Bucket{p.b, h.reopen(t, p.b)} {
		m, _ := storage.As[storage.Multipart](b)
		for key, id := range began {
			us, err := m.ListUploads(t.Context(), key)
			if err != nil || len(us) != 1 || us[0].Key != key || us[0].ID != id {
				t.Errorf("uploads of %q: %+v, %v; want %q", key, us, err, id)
			} else if age := time.Since(us[0].Started); age.Abs() > time.Hour {
				t.Errorf("upload of %q started %v ago", key, age)
			}
		}
		if us, err := m.ListUploads(t.Context(), "k9"); err != nil || len(us) > 0 {
			t.Errorf("uploads of a key without: %+v, %v", us, err)
		}
		all, err := m.ListUploads(t.Context(), "")
		if err != nil || len(all) != len(began) {
			t.Errorf("all uploads: %+v, %v; want %d", all, err, len(began))
		}
		for _, u := range all {
			if began[u.Key] != u.ID {
				t.Errorf("upload %+v was never begun", u)
			}
		}
	}
}

// twoOfOneKey are independent; the one completed last is what stays.
func twoOfOneKey(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "k", 6)
	if !ok {
		return
	}
	q := *p
	q.data = content(7, len(p.data))
	q.create(t)
	if p.id == q.id {
		t.Fatalf("two uploads share the id %q", p.id)
	}
	ids := []string{}
	us, err := p.m.ListUploads(t.Context(), "k")
	for _, u := range us {
		ids = append(ids, u.ID)
	}
	if err != nil || len(ids) != 2 || !slices.Contains(ids, p.id) || !slices.Contains(ids, q.id) {
		t.Errorf("uploads of k: %q, %v; want %q and %q", ids, err, p.id, q.id)
	}
	for n := 1; n <= 3; n++ {
		p.send(t, n)
		q.send(t, n)
	}
	q.complete(t)
	wantContent(t, p.b, "k", q.data)
	p.complete(t)
	wantContent(t, p.b, "k", p.data)
}

// sweep keeps the uploads that will be resumed and all objects.
func sweep(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "kept", 8)
	if !ok {
		return
	}
	s, ok := storage.As[storage.Sweeper](p.b)
	if !ok {
		return
	}
	put(t, p.b, "object", []byte("stays"))
	q := *p
	q.key = "swept"
	q.create(t)
	p.send(t, 1)
	q.send(t, 1)
	if _, err := s.Sweep(t.Context(), map[string]bool{p.id: true}); err != nil {
		t.Fatalf("sweep: %v", err)
	}
	q.wantGone(t)
	wantContent(t, p.b, "object", []byte("stays"))
	p.send(t, 2)
	p.send(t, 3)
	p.complete(t)
	wantContent(t, p.b, "kept", p.data)
}
