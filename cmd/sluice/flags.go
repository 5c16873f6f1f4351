package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/filter"
	"github.com/sluice-sync/sluice/producers/list"
	"github.com/sluice-sync/sluice/task"
)

// syncFlags are the flags of `sluice sync` as given.
type syncFlags struct {
	// what takes part
	keyRange     string
	fromManifest string
	rules        []filter.Arg
	minSize      string
	maxSize      string
	newerThan    string
	olderThan    string
	// what counts as equal, what may be written
	update         bool
	ignoreExisting bool
	existing       bool
	sizeOnly       bool
	checksum       bool
	force          bool
	compare        string
	object         objectFlags
	// deletes
	delete    bool
	maxDelete string
	dryRun    bool
	// how
	workers      int
	partSize     string
	threshold    string
	bandwidth    string
	requests     float64
	retries      int
	giveUpAfter  time.Duration
	maxErrors    int64
	create       bool
	skipPrecheck bool
	bus          busFlags
	out          outputFlags
	given        []string // as words, to start the task alike again
	file         string   // the task file that says all this; "": the command line does
}

// busFlags choose the bus; without a URL it is the embedded one.
type busFlags struct {
	url, creds, ca, cert, key string
}

// outputFlags choose how progress is shown.
type outputFlags struct {
	json     bool
	quiet    bool
	interval time.Duration
}

func (f *syncFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.Var(&ruleFlag{&f.rules, "include"}, "include", "take `PATTERN` in: a glob, or re: and a regular expression; may be repeated, the last match wins (default all)")
	fs.Var(&ruleFlag{&f.rules, "exclude"}, "exclude", "leave `PATTERN` out; as --include (default nothing)")
	fs.Var(&ruleFlag{&f.rules, "exclude-from"}, "exclude-from", "read patterns from `FILE`, one a line, # for comments, + in front to include (default none)")
	fs.StringVar(&f.keyRange, "key-range", "", "only keys k of the source with A <= k < B in byte order, at both ends, as `A..B`; an empty A or B is no bound (default all keys)")
	fs.StringVar(&f.fromManifest, "from-manifest", "", "list nothing, look at the keys that `FILE` names, or an object ENDPOINT://bucket/key: a key a line, CSV (its name ends in .csv), or the manifest.json of an S3 Inventory; gzip or not (default none: list)")
	fs.StringVar(&f.minSize, "min-size", "", "only objects of at least `SIZE` bytes (k, M, G: powers of 1024; default no bound)")
	fs.StringVar(&f.maxSize, "max-size", "", "only objects of at most `SIZE` bytes (default no bound)")
	fs.StringVar(&f.newerThan, "newer-than", "", "only objects modified since `TIME`: an age (36h, 7d) or a date (2026-01-31, RFC 3339; default no bound)")
	fs.StringVar(&f.olderThan, "older-than", "", "only objects modified before `TIME` (default no bound)")

	fs.BoolVar(&f.update, "update", false, "leave objects alone that are at least as new at the target (default off)")
	fs.BoolVar(&f.ignoreExisting, "ignore-existing", false, "leave objects alone that exist at the target (default off)")
	fs.BoolVar(&f.existing, "existing", false, "only objects that exist at the target (default off)")
	fs.BoolVar(&f.sizeOnly, "size-only", false, "take equal sizes for equal objects (default off)")
	fs.BoolVar(&f.checksum, "checksum", false, "let only checksums decide, not times (default off)")
	fs.BoolVar(&f.force, "force", false, "copy everything, equal or not (default off)")

	fs.StringVar(&f.compare, "compare", "", "what else to compare of objects with equal bytes: `metadata` (default nothing)")
	f.object.register(cmd)

	fs.BoolVar(&f.delete, "delete", false, "delete objects of the target that the source does not hold (default off)")
	fs.StringVar(&f.maxDelete, "max-delete", "", "delete nothing if more than `N` objects or N% of the target would be deleted (default 10% of a target of more than 100 objects; none: no bound)")
	fs.BoolVar(&f.dryRun, "dry-run", false, "change nothing, print what would happen (default off)")

	fs.IntVar(&f.workers, "workers", 32, "small objects copied at once")
	fs.StringVar(&f.partSize, "part-size", "16MiB", "`SIZE` of the parts of large objects, raised where 10,000 parts would not do")
	fs.StringVar(&f.threshold, "multipart-threshold", "64MiB", "`SIZE` from which objects are sent in parts")
	fs.StringVar(&f.bandwidth, "bandwidth", "", "bytes per second through this machine in all, as `SIZE` (default no bound)")
	fs.Float64Var(&f.requests, "requests-per-second", 0, "requests per second to each endpoint (default 0: no bound)")
	fs.IntVar(&f.retries, "retries", 5, "tries per object before it is given up")
	fs.DurationVar(&f.giveUpAfter, "give-up-after", 10*time.Minute, "how long an endpoint may stay unusable before the task stops, resumable")
	fs.Int64Var(&f.maxErrors, "max-errors", 0, "stop, resumable, once `N` objects were given up (default 0: no bound)")
	fs.BoolVar(&f.create, "create-bucket", false, "make the target bucket if it is not there (default off)")
	fs.BoolVar(&f.skipPrecheck, "skip-precheck", false, "start a new task without the checks of sluice precheck (default off)")

	f.bus.register(cmd)
	f.out.register(cmd)
}

func (f *busFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.url, "nats", "", "`URL` of an external NATS server (default: the embedded one)")
	fs.StringVar(&f.creds, "nats-creds", "", "`FILE` with NATS credentials (default none)")
	fs.StringVar(&f.ca, "nats-ca", "", "`FILE` with the CA certificates of the NATS server (default the system's)")
	fs.StringVar(&f.cert, "nats-cert", "", "`FILE` with the client certificate for NATS (default none)")
	fs.StringVar(&f.key, "nats-key", "", "`FILE` with the key of --nats-cert (default none)")
}

func (f *outputFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.BoolVar(&f.json, "json", false, "print one JSON object per interval, the summary last (default off)")
	fs.BoolVar(&f.quiet, "quiet", false, "print nothing but errors (default off)")
	fs.DurationVar(&f.interval, "interval", 5*time.Second, "time between progress lines off a terminal and with --json")
}

const ruleType = "PATTERN"

// ruleFlag keeps includes and excludes in the order of the command line.
type ruleFlag struct {
	all  *[]filter.Arg
	flag string
}

func (r *ruleFlag) String() string { return "" }
func (r *ruleFlag) Type() string   { return ruleType }
func (r *ruleFlag) Set(v string) error {
	*r.all = append(*r.all, filter.Arg{Flag: r.flag, Value: v})
	return nil
}

// spec turns the flags into what the task needs.
func (f *syncFlags) spec() (task.Spec, error) {
	s := task.Spec{
		Rule: list.Rule{
			SizeOnly: f.sizeOnly, Checksum: f.checksum, Force: f.force, Update: f.update,
			IgnoreExisting: f.ignoreExisting, Existing: f.existing, Metadata: f.compare != "",
		},
		Delete: f.delete, Workers: f.workers, Tries: f.retries, GiveUpAfter: f.giveUpAfter, MaxErrors: f.maxErrors,
	}
	if err := f.check(); err != nil {
		return s, err
	}
	switch {
	case f.ignoreExisting:
		s.Overwrite = transfer.Never
	case f.update:
		s.Overwrite = transfer.IfNewer
	}
	var err error
	if s.Bounds, err = parseKeyRange(f.keyRange); err != nil {
		return s, err
	}
	if s.MaxDelete, err = task.ParseCap(f.maxDelete); err != nil {
		return s, usagef("--max-delete: %w", err)
	}
	if s.PartSize, err = sizeFlag("part-size", f.partSize, 1<<20); err != nil {
		return s, err
	}
	if s.Threshold, err = sizeFlag("multipart-threshold", f.threshold, 1<<20); err != nil {
		return s, err
	}
	if err := f.object.apply(&s); err != nil {
		return s, err
	}
	if err := f.selection(&s); err != nil {
		return s, err
	}
	return s, nil
}

// check refuses flags that contradict each other.
func (f *syncFlags) check() error {
	switch {
	case f.workers < 1 || f.workers > 4096:
		return usagef("--workers %d: use 1 to 4096", f.workers)
	case f.retries < 1:
		return usagef("--retries %d: use 1 or more", f.retries)
	case f.requests < 0:
		return usagef("--requests-per-second %v: use 0 or more", f.requests)
	case f.maxErrors < 0:
		return usagef("--max-errors %d: use 0 or more", f.maxErrors)
	case f.giveUpAfter <= 0:
		return usagef("--give-up-after %s: use more than 0s", f.giveUpAfter)
	case f.out.interval < 10*time.Millisecond:
		return usagef("--interval %s: use 10ms or more", f.out.interval)
	case f.ignoreExisting && f.existing:
		return usagef("--ignore-existing and --existing together leave nothing to do")
	case f.ignoreExisting && f.force:
		return usagef("--ignore-existing and --force contradict each other")
	case f.compare != "" && f.compare != "metadata":
		return usagef("--compare %s: use metadata", f.compare)
	case f.sizeOnly && f.checksum:
		return usagef("--size-only and --checksum contradict each other")
	case f.fromManifest != "" && f.delete:
		return usagef("--from-manifest and --delete contradict each other: what is extraneous only a listing tells")
	case f.maxDelete != "" && !f.delete:
		return usagef("--max-delete needs --delete")
	case (f.bus.cert == "") != (f.bus.key == ""):
		return usagef("--nats-cert and --nats-key go together")
	case f.bus.url == "" && f.bus != (busFlags{}):
		return usagef("--nats-creds, --nats-ca, --nats-cert and --nats-key need --nats")
	}
	return nil
}

func sizeFlag(name, v string, least int64) (int64, error) {
	n, err := filter.ParseSize(v)
	if err != nil {
		return 0, usagef("--%s: %w", name, err)
	}
	if n < least {
		return 0, usagef("--%s %s: use %d bytes or more", name, v, least)
	}
	return n, nil
}

// selection reads the rules and bounds now, so that a wrong one is refused at
// once, and lets the task resolve ages from the start of the run.
func (f *syncFlags) selection(s *task.Spec) error {
	rules, err := filter.ParseRules(f.rules, os.ReadFile)
	if err != nil {
		return usageError{err}
	}
	c := filter.Config{Rules: rules}
	for _, b := range []struct {
		name, text string
		into       *int64
	}{{"min-size", f.minSize, &c.MinSize}, {"max-size", f.maxSize, &c.MaxSize}} {
		if b.text == "" {
			continue
		}
		if *b.into, err = sizeFlag(b.name, b.text, 0); err != nil {
			return err
		}
		if *b.into == 0 && b.name == "max-size" {
			return usagef("--max-size 0: use 1 or more")
		}
	}
	at := func(start time.Time) (*filter.Filter, error) {
		c := c
		for _, b := range []struct {
			name, text string
			into       *time.Time
		}{{"newer-than", f.newerThan, &c.NewerThan}, {"older-than", f.olderThan, &c.OlderThan}} {
			if b.text == "" {
				continue
			}
			t, err := filter.ParseTimeOrAge(b.text, start)
			if err != nil {
				return nil, usagef("--%s: %w", b.name, err)
			}
			*b.into = t
		}
		flt, err := filter.New(c)
		if err != nil {
			return nil, usageError{err}
		}
		return flt, nil
	}
	flt, err := at(time.Now())
	if err != nil {
		return err
	}
	if flt.Empty() {
		return nil
	}
	s.Filter = at
	var text strings.Builder
	for _, r := range rules {
		fmt.Fprintf(&text, "%v%s ", r.Include, strconv.Quote(r.Pattern))
	}
	fmt.Fprintf(&text, "%d %d %s %s", c.MinSize, c.MaxSize, f.newerThan, f.olderThan)
	s.Selection = text.String()
	return nil
}
