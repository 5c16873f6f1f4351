package storagetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

var concurrentTopics = []topic{
	{"writes to one key", writesToOneKey},
	{"parts", partsTogether},
	{"everything", everythingAtOnce},
}

// writesToOneKey: whoever reads sees one of the objects written, whole.
func writesToOneKey(t *testing.T, h Harness) {
	b := h.New(t)
	const writers, rounds = 6, 5
	var versions [][]byte
	for i := range writers {
		versions = append(versions, content(uint64(i), 1000+i*50_000))
	}
	put(t, b, "k", versions[0])
	one := func(data []byte) bool {
		return slices.ContainsFunc(versions, func(v []byte) bool { return bytes.Equal(v, data) })
	}
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	for _, v := range versions {
		writing.Go(func() {
			for range rounds {
				o, err := b.Put(t.Context(), "k", body(v), storage.PutOptions{Size: int64(len(v))})
				if err != nil || o.Size != int64(len(v)) {
					t.Errorf("put: %d bytes of %d, %v", o.Size, len(v), err)
				}
			}
		})
	}
	for range 2 {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				data, _, err := read(t.Context(), b, "k", whole)
				if err != nil {
					wantKind(t, err, storage.ErrNotFound, storage.ErrChanged, storage.ErrUnavailable)
				} else if !one(data) {
					t.Errorf("read %d bytes that nobody wrote", len(data))
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	data, _, err := read(t.Context(), b, "k", whole)
	if err != nil || !one(data) {
		t.Errorf("in the end %d bytes that nobody wrote, or %v", len(data), err)
	}
	wantKeys(t, b, storage.Range{}, "k")
}

func partsTogether(t *testing.T, h Harness) {
	p, ok := newParts(t, h, "k", 1)
	if !ok {
		return
	}
	var wg sync.WaitGroup
	for n := 1; n <= 3; n++ {
		for range 2 { // each part twice at a time, with the same bytes
			wg.Go(func() {
				data := p.part(n)
				got, err := p.m.UploadPart(t.Context(), p.key, p.id, n, body(data), storage.PartOptions{Size: int64(len(data))})
				if err != nil || got.Number != n {
					t.Errorf("part %d: %+v, %v", n, got, err)
				}
			})
		}
	}
	wg.Wait()
	p.complete(t)
	wantContent(t, p.b, "k", p.data)
}

// everythingAtOnce has many workers, each with keys of its own, while others
// list and stat; then the bucket holds exactly what it should.
func everythingAtOnce(t *testing.T, h Harness) {
	b := h.New(t)
	const workers, rounds = 8, 6
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			if err := workAlone(t, b, w, rounds); err != nil {
				t.Errorf("worker %d: %v", w, err)
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range rounds {
				if _, err := listing(t.Context(), b, storage.Range{}); err != nil {
					t.Errorf("list: %v", err)
				}
				if err := b.Check(t.Context()); err != nil {
					t.Errorf("check: %v", err)
				}
			}
		})
	}
	wg.Wait()
	var want []string
	for w := range workers {
		for r := range rounds {
			if r%2 == 0 {
				want = append(want, fmt.Sprintf("shared/w%d-%d", w, r))
			}
		}
	}
	wantKeys(t, b, storage.Range{}, want...)
}

// workAlone writes and reads keys that no other worker touches, and deletes
// every second one.
func workAlone(t *testing.T, b storage.Bucket, w, rounds int) error {
	ctx := t.Context()
	for r := range rounds {
		key := fmt.Sprintf("shared/w%d-%d", w, r)
		data := content(uint64(w*100+r), 100+r*1000)
		o := storage.PutOptions{Size: int64(len(data)), Meta: storage.Metadata{User: map[string]string{"w": "1"}}}
		if _, err := b.Put(ctx, key, body(data), o); err != nil {
			return err
		}
		if _, err := b.Stat(ctx, key); err != nil {
			return err
		}
		got, _, err := read(ctx, b, key, storage.ReadOptions{Offset: 10, Length: 50})
		if err != nil {
			return err
		}
		if !bytes.Equal(got, data[10:60]) {
			return fmt.Errorf("%q holds other bytes", key)
		}
		if r%2 == 0 {
			continue
		}
		if err := b.Delete(ctx, key); err != nil {
			return err
		}
		if _, err := b.Stat(ctx, key); !errors.Is(err, storage.ErrNotFound) {
			return errors.Join(fmt.Errorf("%q is still there after delete", key), err)
		}
	}
	return nil
}
