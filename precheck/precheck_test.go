package precheck_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/precheck"
	"github.com/sluice-sync/sluice/producers/list"
	"github.com/sluice-sync/sluice/producers/manifest"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/mem"
)

func TestItems(t *testing.T) {
	for id, all := range looks {
		for _, c := range all {
			t.Run(id+"/"+c.what, func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				c.change(l)
				l.is(id, c.want, c.says)
			})
		}
	}
}

// TestEveryItemIsTested: each comes out well in one look and badly in another.
func TestEveryItemIsTested(t *testing.T) {
	for _, i := range newLab(t).run() {
		good, bad := 0, 0
		for _, c := range looks[i.ID] {
			switch c.want {
			case precheck.Pass:
				good++
			case precheck.Warn, precheck.Fail:
				bad++
			}
		}
		if good == 0 || bad == 0 {
			t.Errorf("%s is tested with %d good looks and %d bad ones", i.ID, good, bad)
		}
	}
}

// TestNothingIsLeft: whatever fails, neither an object nor an upload stays, and
// nothing that was there is touched. What may not be removed is named.
func TestNothingIsLeft(t *testing.T) {
	ops := []fault.Op{
		fault.Put, fault.Stat, fault.CreateUpload, fault.UploadPart, fault.Tags, fault.Check, fault.ListUploads,
	}
	for _, op := range ops {
		for effect, name := range map[fault.Effect]string{fault.Fail: "fails", fault.Lose: "loses its answer"} {
			for n, rule := range map[string]fault.Rule{"denied": {Err: storage.ErrDenied}, "busy": {Err: storage.ErrBusy}, "busy once": {Err: storage.ErrBusy, Times: 1}} {
				t.Run(fmt.Sprintf("%s %s %s", op, name, n), func(t *testing.T) {
					t.Parallel()
					l := newLab(t)
					target := l.dst
					if _, err := target.Put(t.Context(), "old", strings.NewReader("old"), storage.PutOptions{Size: 3}); err != nil {
						t.Fatal(err)
					}
					rule.Ops, rule.Effect = []fault.Op{op}, effect
					l.dst = fault.New(target, 1, rule)
					l.run()
					wantKeys(t, target, "old")
					up, _ := storage.As[storage.Multipart](target)
					if left, err := up.ListUploads(t.Context(), ""); err != nil || len(left) > 0 {
						t.Errorf("uploads %v, %v", left, err)
					}
				})
			}
		}
	}
}

// TestWhatIsLeftIsNamed: credentials that write and may not delete.
func TestWhatIsLeftIsNamed(t *testing.T) {
	l := newLab(t)
	target := l.dst
	l.dst = fails(target, storage.ErrDenied, fault.Delete)
	i := item(t, l.run(), "target.delete")
	keys := keysOf(t, target)
	if len(keys) != 2 {
		t.Errorf("left are %q, want an object and one with a tag", keys)
	}
	for _, key := range keys {
		if !slices.Contains(strings.FieldsFunc(i.Mend, func(r rune) bool { return r == ' ' || r == ',' }), key) {
			t.Errorf("%s is not named: %+v", key, i)
		}
	}
}

func wantKeys(t *testing.T, b storage.Bucket, want ...string) {
	t.Helper()
	if keys := keysOf(t, b); !slices.Equal(keys, want) {
		t.Errorf("it holds %q, want %q", keys, want)
	}
}

func keysOf(t *testing.T, b storage.Bucket) (keys []string) {
	t.Helper()
	pages := b.List(storage.Range{})
	defer pages.Close()
	for {
		page, err := pages.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return keys
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page {
			keys = append(keys, o.Key)
		}
	}
}

// TestDryRunWritesNothing counts what is asked of the target.
func TestDryRunWritesNothing(t *testing.T) {
	l := newLab(t)
	l.Probe = false
	l.dst = fault.New(l.dst, 1, fault.Rule{
		Ops: []fault.Op{fault.Put, fault.CreateUpload, fault.UploadPart, fault.Delete, fault.AbortUpload, fault.Create}, Effect: fault.Fail,
	})
	l.run()
	if hits := l.dst.(*fault.Bucket).Hits()[0]; hits > 0 {
		t.Errorf("%d writes in a dry run", hits)
	}
}

// TestDeepLooksAtAll: what is behind the first page is found by a deep look
// only, and a look that is not deep lists one page.
func TestDeepLooksAtAll(t *testing.T) {
	l := newLab(t)
	l.src = mem.New(mem.Options{PageSize: 4})
	for n := range 10 {
		l.put(fmt.Sprintf("k%d", n), 1)
	}
	l.put("z//z", 1)
	l.toFiles()
	source := l.src
	pages := func() int {
		l.src = fault.New(source, 1, fault.Rule{Ops: []fault.Op{fault.List}})
		l.is("keys", map[bool]precheck.Status{false: precheck.Pass, true: precheck.Warn}[l.Deep], "")
		return l.src.(*fault.Bucket).Hits()[0]
	}
	if n := pages(); n != 1 {
		t.Errorf("%d pages were listed", n)
	}
	l.Deep = true
	if n := pages(); n != 4 {
		t.Errorf("deep: %d pages were listed, want 3 and the end", n)
	}
}

// TestBoundsAndManifests: what does not take part is not looked at.
func TestBoundsAndManifests(t *testing.T) {
	sizes := func(l *lab) string {
		l.limited(1, false)
		return item(l.t, l.run(), "sizes").Seen
	}
	for bounds, want := range map[list.Bounds]string{
		{}:                        `3 of them, the first is "a" (10 bytes)`,
		{From: "b/c"}:             `2 of them, the first is "b/c" (20 bytes)`,
		{From: "b/c", To: "d"}:    `1 of them, the first is "b/c" (20 bytes)`,
		{From: "b", To: "e"}:      `2 of them, the first is "b/c" (20 bytes)`,
		{From: "a0", To: "a1"}:    "at most 1 bytes",
		{From: "", To: "b/c\x00"}: `2 of them, the first is "a" (10 bytes)`,
	} {
		l := newLab(t)
		l.Spec.Bounds = bounds
		if got := sizes(l); got != want {
			t.Errorf("%+v: %s, want %s", bounds, got, want)
		}
	}
	l := newLab(t)
	named := mem.New(mem.Options{})
	text := "d\ngone\n"
	if _, err := named.Put(t.Context(), "keys", strings.NewReader(text), storage.PutOptions{Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	var err error
	if l.Spec.Manifest, err = manifest.Open(t.Context(), manifest.Config{Source: named, Key: "keys"}); err != nil {
		t.Fatal(err)
	}
	if got, want := sizes(l), `1 of them, the first is "d" (30 bytes)`; got != want {
		t.Errorf("of a manifest: %s, want %s", got, want)
	}
}

// TestStatus: the worst counts.
func TestStatus(t *testing.T) {
	of := func(all ...precheck.Status) (r precheck.Report) {
		for _, s := range all {
			r = append(r, precheck.Item{Status: s})
		}
		return r
	}
	for want, r := range map[precheck.Status]precheck.Report{
		precheck.Pass: of(precheck.Pass, precheck.Skipped), precheck.Warn: of(precheck.Warn, precheck.Pass),
		precheck.Fail: of(precheck.Warn, precheck.Fail, precheck.Pass),
	} {
		if got := r.Status(); got != want {
			t.Errorf("%v is %s, want %s", r, got, want)
		}
	}
}

// TestCancelled: a check that is cut short ends soon and leaves nothing.
func TestCancelled(t *testing.T) {
	l := newLab(t)
	target := l.dst
	stall := func(op fault.Op) fault.Rule { return fault.Rule{Ops: []fault.Op{op}, Effect: fault.Stall, Times: 1} }
	l.dst = fault.New(target, 1, stall(fault.Stat), stall(fault.UploadPart), stall(fault.Tags))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	c := l.Config
	c.Source, c.Target = l.src, l.dst
	precheck.Run(ctx, c)
	wantKeys(t, target)
}
