package precheck_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/filter"
	"github.com/sluice-sync/sluice/precheck"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/file"
	"github.com/sluice-sync/sluice/storage/mem"
	"github.com/sluice-sync/sluice/task"
)

// lab is two buckets in memory, with a few objects at the source.
type lab struct {
	t        *testing.T
	src, dst storage.Bucket
	precheck.Config
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, src: mem.New(mem.Options{}), dst: mem.New(mem.Options{})}
	l.Probe = true
	l.StateDir = "/state"
	l.put("a", 10)
	l.put("b/c", 20)
	l.put("d", 30)
	return l
}

func (l *lab) put(key string, size int, change ...func(*storage.Metadata)) {
	l.t.Helper()
	var m storage.Metadata
	for _, c := range change {
		c(&m)
	}
	if _, err := l.src.Put(l.t.Context(), key, strings.NewReader(strings.Repeat("x", size)), storage.PutOptions{Size: int64(size), Meta: m}); err != nil {
		l.t.Fatal(err)
	}
}

func inClass(class string) func(*storage.Metadata) {
	return func(m *storage.Metadata) { m.StorageClass = class }
}

func tagged(m *storage.Metadata) { m.Tags = map[string]string{"k": "v"} }

// toFiles makes the target a directory.
func (l *lab) toFiles() {
	l.t.Helper()
	l.dst = l.directory(filepath.Join(l.t.TempDir(), "target"))
	if err := l.dst.Create(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) directory(root string) storage.Bucket {
	l.t.Helper()
	b, err := file.Open(root, file.Options{})
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

func (l *lab) run() precheck.Report {
	l.t.Helper()
	c := l.Config
	c.Source, c.Target = l.src, l.dst
	return precheck.Run(l.t.Context(), c)
}

// is runs the checks and holds one item of them.
func (l *lab) is(id string, want precheck.Status, says string) {
	l.t.Helper()
	i := item(l.t, l.run(), id)
	if i.Status != want || !strings.Contains(i.Seen+" "+i.Mend, says) {
		l.t.Errorf("%+v\nwant %s with %q", i, want, says)
	}
	if bad := want == precheck.Warn || want == precheck.Fail; bad != (i.Mend != "") || i.Title == "" || i.Tried == "" || i.Seen == "" {
		l.t.Errorf("it does not say all that it should: %+v", i)
	}
}

func item(t *testing.T, r precheck.Report, id string) precheck.Item {
	t.Helper()
	n := slices.IndexFunc(r, func(i precheck.Item) bool { return i.ID == id })
	if n < 0 {
		t.Fatalf("no item %s", id)
	}
	return r[n]
}

// fails makes calls of a bucket fail.
func fails(b storage.Bucket, kind error, ops ...fault.Op) storage.Bucket {
	return fault.New(b, 1, fault.Rule{Ops: ops, Effect: fault.Fail, Err: kind})
}

// once makes a first call fail in passing.
func once(b storage.Bucket, kind error, ops ...fault.Op) storage.Bucket {
	return fault.New(b, 1, fault.Rule{Ops: ops, Effect: fault.Fail, Err: kind, Times: 1})
}

func free(n uint64) func() (uint64, error) { return func() (uint64, error) { return n, nil } }

var errPlain = errors.New("no such luck")

func (l *lab) missing() storage.Bucket { return l.directory(filepath.Join(l.t.TempDir(), "none")) }

// noClasses makes the target a store that does not tell its classes.
func (l *lab) noClasses(class string) {
	has := l.dst.Features()
	has.Classes = nil
	l.dst, l.Spec.Metadata.StorageClass = plain{l.dst, has}, class
}

// limited bounds the objects of the target.
func (l *lab) limited(most int64, inParts bool) {
	has := l.dst.Features()
	has.MaxPut, has.MaxPart = most, most
	if inParts {
		l.dst = sized{l.dst.(*mem.Bucket), has}
	} else {
		l.dst = plain{l.dst, has}
	}
}

func (l *lab) exclude(pattern string) {
	flt, err := filter.New(filter.Config{Rules: []filter.Rule{{Pattern: pattern}}})
	if err != nil {
		l.t.Fatal(err)
	}
	l.Spec.Filter = func(time.Time) (*filter.Filter, error) { return flt, nil }
}

func (l *lab) deletes(most, without string) {
	bound, err := task.ParseCap(most)
	if err != nil {
		l.t.Fatal(err)
	}
	l.Spec.Delete, l.Spec.MaxDelete = true, bound
	if without != "" {
		l.exclude(without)
	}
}
