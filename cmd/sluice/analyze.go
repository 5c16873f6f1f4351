package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sluice-sync/sluice/analysis"
	"github.com/sluice-sync/sluice/endpoint"
	"github.com/sluice-sync/sluice/filter"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/limit"
	"github.com/sluice-sync/sluice/storage/retry"
	"github.com/sluice-sync/sluice/task"
)

// analyzeFlags are the flags of `sluice analyze`.
type analyzeFlags struct {
	sync    syncFlags // what takes part, and the settings that a copy has by default
	sample  int64
	rate    string
	latency time.Duration
	json    bool
}

func (a *app) analyzeCommand() *cobra.Command {
	f := &analyzeFlags{}
	cmd := &cobra.Command{
		Use:   "analyze SRC",
		Short: "Show what a place holds, and what a copy of it would take",
		Long: `List SRC, a directory (a path, or ENDPOINT://bucket/prefix), and show its objects
and bytes by size, age, storage class, prefix and extension, its largest objects,
and the keys that some places cannot hold. Then say with which flags to copy it,
and how long that takes at a given rate. Nothing is read but the listing.

Interrupted, it shows what was counted so far and exits with 130.`,
		Args: exactArgs(1, "SRC"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.analyze(cmd.Context(), f, args[0]) },
	}
	sync := &cobra.Command{}
	f.sync.register(sync)
	fs := cmd.Flags()
	for _, name := range []string{"include", "exclude", "exclude-from", "min-size", "max-size", "newer-than", "older-than", "requests-per-second"} {
		fs.AddFlag(sync.Flags().Lookup(name))
	}
	fs.Int64Var(&f.sample, "sample", 0, "look at about `N` keys, from many places of a store or the first ones of a file system (default 0: all keys)")
	fs.StringVar(&f.rate, "rate", "100MiB", "bytes per second, as `SIZE`, at which the time of a copy is reckoned")
	fs.DurationVar(&f.latency, "latency", 50*time.Millisecond, "how long a small object takes besides its bytes, for the time of a copy")
	fs.BoolVar(&f.json, "json", false, "print one JSON object (default off)")
	return cmd
}

// analyze lists a place and shows what it holds.
func (a *app) analyze(ctx context.Context, f *analyzeFlags, arg string) error {
	spec, err := f.sync.spec()
	if err != nil {
		return err
	}
	assumed, err := f.assumed(spec)
	if err != nil {
		return err
	}
	start := time.Now()
	selects := func(*storage.Object) bool { return true }
	if spec.Filter != nil {
		flt, err := spec.Filter(start)
		if err != nil {
			return err
		}
		selects = flt.Object
	}
	src, err := a.openToList(ctx, f, arg)
	if err != nil {
		return err
	}
	progress := a.listingProgress(start)
	s := &survey{
		src: src, selects: selects, show: progress.show,
		counter: analysis.New(analysis.Config{Now: start, Features: src.Features(), Scattered: f.sample > 0 && src.Features().CheapRanges}),
	}
	err = s.run(ctx, f.sample)
	progress.end()
	if s.keys == 0 && err != nil {
		return err
	}
	out := newAnalysis(s, err, assumed)
	out.Seconds = time.Since(start).Seconds()
	if printErr := a.printAnalysis(f, out); printErr != nil {
		return printErr
	}
	if err != nil && ctx.Err() != nil {
		fmt.Fprintln(a.stderr, "sluice: interrupted; this is what was counted so far")
		return codeError(exitInterrupted)
	}
	return err
}

// assumed is what the time of a copy is reckoned with.
func (f *analyzeFlags) assumed(spec task.Spec) (analysis.Assumed, error) {
	rate, err := filter.ParseSize(f.rate)
	switch {
	case err != nil || rate < 1:
		return analysis.Assumed{}, usagef("--rate %q: use a number of bytes per second, such as 100MiB", f.rate)
	case f.latency < time.Microsecond:
		return analysis.Assumed{}, usagef("--latency %s: use 1µs or more", f.latency)
	case f.sample < 0:
		return analysis.Assumed{}, usagef("--sample %d: use 0 or more", f.sample)
	}
	return analysis.Assumed{
		Rate: rate, Latency: f.latency, Workers: int64(spec.Workers), PartSize: spec.PartSize, Threshold: spec.Threshold,
	}, nil
}

// openToList opens a directory, with retries and limits around the driver, and
// looks whether it is there.
func (a *app) openToList(ctx context.Context, f *analyzeFlags, arg string) (storage.Source, error) {
	set, err := a.endpointSet()
	if err != nil {
		return nil, err
	}
	cwd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	loc, err := set.Parse(arg, cwd)
	if err != nil {
		return nil, usagef("SRC: %w", err)
	}
	log, closer, err := a.log.open(a.stderr)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	l, opts := limits{f: &f.sync, by: map[string]*limit.Limits{}}, openOptions("analyze", log)
	open := func(loc endpoint.Location) (storage.Bucket, error) {
		b, err := set.Open(ctx, loc, opts)
		if err != nil {
			return nil, err
		}
		return retry.New(limit.New(b, l.of(loc)), retry.Config{}), nil
	}
	dir, base, err := single(ctx, loc, open)
	if err != nil {
		return nil, err
	}
	if base != "" {
		return nil, usagef("%s is one object: analyze the directory it is in, %s", loc, dir)
	}
	e := &ends{}
	if e.source, err = open(loc); err != nil {
		return nil, err
	}
	first, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return e.source, e.early(first, "source", firstLook(first, e.source))
}

// analysisLine is an analysis as programs see it.
type analysisLine struct {
	Type     string      `json:"type"` // "analysis"
	Source   string      `json:"source"`
	At       time.Time   `json:"at"` // when the listing began
	Seconds  float64     `json:"seconds"`
	Complete bool        `json:"complete"` // all keys were looked at
	Why      string      `json:"why,omitempty"`
	Keys     int64       `json:"keys"`               // looked at, whatever they are and whether selected or not
	Sample   *sampleLine `json:"sample,omitempty"`   // then figures are those of the sample
	Selected bool        `json:"filtered,omitempty"` // a filter left some out
	*analysis.Report
	Advice *analysis.Advice `json:"advice,omitempty"` // none without objects
	Flags  []string         `json:"flags"`            // what to give `sluice sync` besides its defaults
	Notes  []string         `json:"notes"`
}

// sampleLine says where a sample was taken.
type sampleLine struct {
	Places int `json:"places"` // 1: the first keys
}

func newAnalysis(s *survey, err error, assumed analysis.Assumed) analysisLine {
	l := analysisLine{
		Type: "analysis", Source: s.src.String(), Complete: err == nil && s.whole, Keys: s.keys,
		Selected: s.passedOver > 0, Report: s.counter.Report(), Flags: []string{},
	}
	if !s.whole && err == nil {
		l.Sample = &sampleLine{Places: s.places}
	}
	if err != nil {
		l.Why = err.Error()
	}
	assumed.Part = !l.Complete
	if l.Objects > 0 {
		advice := l.Advise(assumed)
		l.Advice, l.Flags = &advice, adviceFlags(advice)
	}
	l.Notes = analysisNotes(l.Report, s.src.Features())
	return l
}

func (a *app) printAnalysis(f *analyzeFlags, l analysisLine) error {
	if f.json {
		return json.NewEncoder(a.stdout).Encode(l)
	}
	var b strings.Builder
	analysisText{&b, a.width()}.print(l)
	_, err := fmt.Fprint(a.stdout, b.String())
	return err
}

// Columns that a text is laid out for: what a terminal has, within reason.
const (
	usualWidth = 80
	leastWidth = 60
	mostWidth  = 140
)

func (a *app) width() int {
	f, isFile := a.stdout.(*os.File)
	if !isFile {
		return usualWidth
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return usualWidth
	}
	return min(max(columns, leastWidth), mostWidth)
}
