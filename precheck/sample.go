package precheck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-sync/sluice/filter"
	"github.com/sluice-sync/sluice/producers/list"
	"github.com/sluice-sync/sluice/producers/manifest"
	"github.com/sluice-sync/sluice/storage"
)

// finding counts the objects that have a trait, and keeps the first of them.
type finding struct {
	n   int64
	key string
	why string
}

func (f *finding) add(key, why string) {
	if f.n++; f.n == 1 {
		f.key, f.why = key, why
	}
}

func (f finding) String() string {
	s := fmt.Sprintf("%d of them, the first is %s", f.n, strconv.Quote(f.key))
	if f.why != "" {
		s += " (" + f.why + ")"
	}
	return s
}

// sample is what was seen of the objects that take part. Its size does not grow
// with their number.
type sample struct {
	flt       *filter.Filter // nil: all take part
	only      string         // the one key that takes part; "": no such bound
	bounds    list.Bounds
	manifest  *manifest.Manifest // nil: the source is listed
	src, dst  storage.Features
	targetKey func(string) (string, bool)
	largest   int64 // object that the target can hold, bytes; 0: no limit
	holds     func(ctx context.Context, key string) error

	err        error // what ended the listing early, or kept it from beginning
	whole      bool  // nothing was left out
	listed     int64 // entries, also those that take no part
	objects    int64
	bytes      int64
	smallest   []storage.Object // that can be read, up to readTries, none of them empty
	unreadable finding          // directories
	archived   finding
	class      finding // of another tier at the target
	invalid    finding // keys
	folded     finding // differ from another key in capitals only
	clash      finding // lie below an object
	large      finding

	above []string // objects whose names the present key begins with
	seed  maphash.Seed
	seen  map[uint64]struct{} // hashes of keys without capitals
}

func newSample(c *Config) *sample {
	s := &sample{bounds: c.Spec.Bounds, manifest: c.Spec.Manifest, src: c.Source.Features(), dst: c.Target.Features(), targetKey: c.Spec.Map.Target}
	if c.Spec.Filter != nil {
		s.flt, s.err = c.Spec.Filter(c.Now())
	}
	s.only, _, _ = c.Spec.Map.Only()
	_, inParts := storage.As[storage.Multipart](c.Target)
	s.largest = largest(s.dst, inParts)
	s.holds = keyCheck(c.Target)
	if s.dst.FileTree {
		s.seed, s.seen = maphash.MakeSeed(), map[uint64]struct{}{}
	}
	return s
}

// largest is the size of the largest object that a place can hold; 0: no limit.
func largest(f storage.Features, inParts bool) int64 {
	switch {
	case !inParts || f.MaxPut <= 0:
		return max(f.MaxPut, 0)
	case f.MaxPart <= 0 || f.MaxParts <= 0:
		return 0
	}
	return max(f.MaxPut, f.MaxPart*int64(f.MaxParts))
}

// keyCheck returns what tells, without a request, whether a place can hold a key.
// What decorators do, such as waiting for a turn, is for requests.
func keyCheck(b storage.Bucket) func(context.Context, string) error {
	plain := storage.Undecorated(b)
	if k, ok := plain.(interface{ CheckKey(op, key string) error }); ok {
		return func(_ context.Context, key string) error { return k.CheckKey("put", key) }
	}
	if !b.Features().FileTree {
		return func(context.Context, string) error { return nil }
	}
	return func(ctx context.Context, key string) error {
		if _, err := plain.Stat(ctx, key); errors.Is(err, storage.ErrInvalidKey) {
			return err
		}
		return nil
	}
}

// add looks at one entry.
func (s *sample) add(ctx context.Context, o *storage.Object) {
	if o.Key < s.bounds.From || s.bounds.To != "" && o.Key >= s.bounds.To {
		return
	}
	s.listed++
	key, ok := s.targetKey(o.Key)
	if !ok || s.flt != nil && !s.flt.Object(o) {
		return
	}
	if o.Kind == storage.KindUnreadable {
		s.unreadable.add(o.Key, "")
	}
	if o.Kind != storage.KindFile {
		return
	}
	s.objects++
	s.bytes += o.Size
	if s.src.Archived(o.Class) {
		s.archived.add(o.Key, o.Class)
	} else if o.Size > 0 {
		s.keepSmall(o)
	}
	if _, same := s.dst.ClassFrom(s.src, o.Class); !same {
		s.class.add(o.Key, o.Class)
	}
	if err := s.holds(ctx, key); err != nil {
		s.invalid.add(o.Key, cause(err))
	}
	if s.largest > 0 && o.Size > s.largest {
		s.large.add(o.Key, fmt.Sprintf("%d bytes", o.Size))
	}
	if s.dst.FileTree {
		s.fold(o.Key, key)
		s.nest(o.Key, key)
	}
}

// keepSmall keeps the smallest objects.
func (s *sample) keepSmall(o *storage.Object) {
	i, _ := slices.BinarySearchFunc(s.smallest, o.Size, func(a storage.Object, size int64) int { return cmp.Compare(a.Size, size) })
	if i == readTries {
		return
	}
	s.smallest = slices.Insert(s.smallest, i, *o)
	s.smallest = s.smallest[:min(len(s.smallest), readTries)]
}

// foldMost bounds the keys whose capitals are compared: about 40 MB.
const foldMost = 1 << 20

// fold notes a key that differs from an earlier one in capitals only.
func (s *sample) fold(key, at string) {
	h := maphash.String(s.seed, strings.ToLower(at))
	switch _, twice := s.seen[h]; {
	case twice:
		s.folded.add(key, "")
	case len(s.seen) < foldMost:
		s.seen[h] = struct{}{}
	}
}

// nest notes an object below another object: a file cannot be a directory too.
// Where keys come in order, whatever a key lies below has come shortly before.
func (s *sample) nest(key, at string) {
	for len(s.above) > 0 && !strings.HasPrefix(at, s.above[len(s.above)-1]) {
		s.above = s.above[:len(s.above)-1]
	}
	for _, a := range s.above {
		if strings.HasPrefix(at[len(a):], "/") {
			s.clash.add(key, "below the object "+strconv.Quote(a))
			break
		}
	}
	s.above = append(s.above, at)
}

// cause is what is wrong with a key, without the operation and the key again.
func cause(err error) string {
	var e *storage.Error
	if errors.As(err, &e) && e.Err != nil {
		return e.Err.Error()
	}
	return err.Error()
}

// of says what was looked at.
func (s *sample) of() string {
	what := "object"
	if s.objects != 1 {
		what += "s"
	}
	if s.whole {
		return fmt.Sprintf("all %d %s of the source", s.objects, what)
	}
	return fmt.Sprintf("the first %d %s of the source (--deep looks at all)", s.objects, what)
}
