package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sluice-sync/sluice/analysis"
	"github.com/sluice-sync/sluice/storage"
)

var blessAnalysis = flag.Bool("bless-analysis", false, "write the golden files of sluice analyze anew")

// shelf is a place that can only be listed.
type shelf struct {
	storage.Source
	has     storage.Features
	objects []storage.Object
	fails   error // in place of the end
}

func (s *shelf) String() string             { return "store://shelf" }
func (s *shelf) Features() storage.Features { return s.has }

func (s *shelf) List(r storage.Range) storage.Pages {
	rest := slices.DeleteFunc(slices.Clone(s.objects), func(o storage.Object) bool {
		return o.Key <= r.After || r.Last != "" && o.Key > r.Last
	})
	return &shelfPages{s, rest}
}

type shelfPages struct {
	s    *shelf
	rest []storage.Object
}

func (p *shelfPages) Next(ctx context.Context) ([]storage.Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(p.rest) == 0 && p.s.fails != nil {
		return nil, p.s.fails
	}
	if len(p.rest) == 0 {
		return nil, io.EOF
	}
	n := min(len(p.rest), p.s.has.PageSize)
	page := p.rest[:n]
	p.rest = p.rest[n:]
	return page, nil
}

func (p *shelfPages) Close() error { return nil }

var analyzedAt = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// mixedShelf holds something of everything that an analysis shows.
func mixedShelf() *shelf {
	s := &shelf{has: storage.Features{CheapRanges: true, Tags: true, PageSize: 100, Classes: []storage.Class{
		{Name: "STANDARD"}, {Name: "GLACIER", Tier: storage.TierArchive},
	}}}
	for i := range 2000 {
		s.objects = append(s.objects, storage.Object{
			Key:  fmt.Sprintf("photos/2026-%02d/IMG_%05d.%s", i%12+1, i, []string{"jpg", "JPG", "xmp"}[i%3]),
			Size: int64(i*i) * 3, ModTime: analyzedAt.Add(-time.Duration(i) * 13 * time.Hour), Class: "STANDARD",
		})
	}
	for i := range 30 {
		s.objects = append(s.objects, storage.Object{
			Key: fmt.Sprintf("backup/2019/disk%02d.tar", i), Size: int64(i) << 28, ModTime: analyzedAt.AddDate(-7, 0, i), Class: "GLACIER",
		})
	}
	for _, o := range []storage.Object{
		{Key: "README"}, {Key: "a//b", Size: 5}, {Key: "tab\there", Size: 1}, {Key: "stray\xff.txt", Size: 2}, {Key: "empty/"}, {Key: "later", Size: 1, ModTime: analyzedAt.AddDate(0, 2, 0)},
		{Key: "a/" + strings.Repeat("long", 70), Size: 7}, {Key: "link", Kind: storage.KindSymlink}, {Key: "none/", Kind: storage.KindDir},
		{Key: "pipe", Kind: storage.KindSpecial}, {Key: "shut/", Kind: storage.KindUnreadable},
	} {
		if o.ModTime.IsZero() {
			o.ModTime = analyzedAt.AddDate(-1, 0, 0)
		}
		s.objects = append(s.objects, o)
	}
	slices.SortFunc(s.objects, func(a, b storage.Object) int { return strings.Compare(a.Key, b.Key) })
	return s
}

var assumedUsually = analysis.Assumed{Rate: 100 << 20, Latency: 50 * time.Millisecond, Workers: 32, PartSize: 16 << 20, Threshold: 64 << 20}

// analyzed looks through a shelf.
func analyzed(t *testing.T, s *shelf, sample int64, selects func(*storage.Object) bool) (analysisLine, error) {
	t.Helper()
	if selects == nil {
		selects = func(*storage.Object) bool { return true }
	}
	look := &survey{
		src: s, selects: selects, show: func(analysis.Count) {},
		counter: analysis.New(analysis.Config{Now: analyzedAt, Features: s.has, Scattered: sample > 0 && s.has.CheapRanges}),
	}
	err := look.run(t.Context(), sample)
	l := newAnalysis(look, err, assumedUsually)
	l.At, l.Seconds = analyzedAt, 1.5
	return l, err
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *blessAnalysis {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-bless-analysis writes it anew); got\n%s", path, got)
	}
}

func TestAnalysisIsPrinted(t *testing.T) {
	all, err := analyzed(t, mixedShelf(), 0, nil)
	if err != nil || !all.Complete {
		t.Fatalf("complete %v, %v", all.Complete, err)
	}
	sample, err := analyzed(t, mixedShelf(), 640, nil)
	if err != nil {
		t.Fatal(err)
	}
	none, err := analyzed(t, &shelf{}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		l     analysisLine
		width int
	}{"analyze.txt": {all, 80}, "analyze-wide.txt": {all, 120}, "analyze-sample.txt": {sample, 80}, "analyze-none.txt": {none, 80}} {
		var b strings.Builder
		analysisText{&b, c.width}.print(c.l)
		golden(t, name, b.String())
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > c.width {
				t.Errorf("%s: a line of %d columns: %s", name, n, line)
			}
		}
	}
	js, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, js, "", " "); err != nil {
		t.Fatal(err)
	}
	golden(t, "analyze.json", b.String()+"\n")
	if js, err := json.Marshal(none); err != nil || bytes.Contains(js, []byte("null")) {
		t.Errorf("nothing as %s, %v", js, err)
	}
}

func TestSampleSaysThatItIsOne(t *testing.T) {
	for _, c := range []struct {
		n, keys int64
		cheap   bool
		places  int // at least; 0: it is no sample
	}{
		{n: 10, keys: 10, cheap: true, places: 10}, {n: 640, keys: 640, cheap: true, places: 64}, {n: 10_000, keys: 2041, cheap: true},
		{n: 10, keys: 10, places: 1}, {n: 250, keys: 250, places: 1}, {n: 2041, keys: 2041}, {n: 10_000, keys: 2041}, {keys: 2041},
	} {
		s := mixedShelf()
		s.has.CheapRanges = c.cheap
		l, err := analyzed(t, s, c.n, nil)
		switch {
		case err != nil || l.Keys != c.keys || l.Complete != (c.places == 0) || (l.Sample == nil) != (c.places == 0):
			t.Errorf("%+v: %d keys, complete %v, sample %v, %v", c, l.Keys, l.Complete, l.Sample, err)
		case c.places > 0 && (l.Sample.Places < c.places || c.places == 1 && l.Sample.Places != 1):
			t.Errorf("%+v: %d places", c, l.Sample.Places)
		}
	}
}

func TestWhatWasCountedBeforeAnErrorStands(t *testing.T) {
	s := mixedShelf()
	s.fails = errors.New("the store went away")
	l, err := analyzed(t, s, 0, nil)
	if !errors.Is(err, s.fails) || l.Complete || l.Sample != nil || l.Why != s.fails.Error() || l.Keys != 2041 {
		t.Errorf("%v: complete %v, why %q, %d keys", err, l.Complete, l.Why, l.Keys)
	}
}

func TestFilterOfAnAnalysis(t *testing.T) {
	l, err := analyzed(t, mixedShelf(), 0, func(o *storage.Object) bool { return strings.HasSuffix(o.Key, ".tar") })
	if err != nil || l.Objects != 30 || l.Keys != 2041 || !l.Selected {
		t.Errorf("%d objects of %d keys, filtered %v, %v", l.Objects, l.Keys, l.Selected, err)
	}
}
