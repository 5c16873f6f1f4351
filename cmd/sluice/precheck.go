package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/precheck"
	"github.com/sluice-sync/sluice/space"
)

// precheckTimeout bounds the checks that do not list the whole source.
const precheckTimeout = 30 * time.Second

func (a *app) precheckCommand() *cobra.Command {
	f := &syncFlags{}
	var deep bool
	cmd := &cobra.Command{
		Use:   "precheck SRC DST",
		Short: "Check what would make a sync of SRC to DST fail",
		Long: `Check, before the first byte, what would make "sluice sync SRC DST" with the
same flags fail: endpoints, credentials, clocks, rights, keys, sizes, space, the
bus, deletes. Objects named .sluice-precheck-… are written to the target and
removed again, unless --dry-run is given. Of the source one page is listed, or
all with --deep. Exit code 1 if an item fails; a warning is none.`,
		Args: exactArgs(2, "SRC and DST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.precheck(cmd.Context(), f, deep, args[0], args[1])
		},
	}
	f.register(cmd)
	fs := cmd.Flags()
	fs.BoolVar(&deep, "deep", false, "look at every object of the source, not at one page of them (default off)")
	for name, usage := range map[string]string{
		"json": "print the checklist as one JSON object (default off)", "quiet": "print only what fails (default off)",
		"dry-run": "write nothing, not even objects that are removed again (default off)",
	} {
		fs.Lookup(name).Usage = usage
	}
	fs.Lookup("interval").Hidden, fs.Lookup("skip-precheck").Hidden = true, true
	return cmd
}

// precheck prints the checklist of a sync.
func (a *app) precheck(ctx context.Context, f *syncFlags, deep bool, srcArg, dstArg string) error {
	spec, err := f.spec()
	if err != nil {
		return err
	}
	root, err := a.stateRoot()
	if err != nil {
		return err
	}
	src, dst, err := a.locations(srcArg, dstArg)
	if err != nil {
		return err
	}
	name := space.Name(src.String(), dst.String())
	ends, err := a.open(ctx, f, src, dst, name)
	if err != nil {
		return err
	}
	spec.Map = ends.keys
	c := ends.precheck(spec, root, f.create)
	c.Deep = deep
	if f.dryRun {
		c.Probe, c.StateWritable = false, nil
	}
	if f.bus.url != "" {
		c.Bus = func(ctx context.Context) (bus.Bus, error) { return openBus(ctx, f.bus, &space.Space{Name: name}) }
	}
	if c.SourceWarnings, err = a.openingWarnings(ctx, src); err != nil {
		return err
	}
	if c.TargetWarnings, err = a.openingWarnings(ctx, dst); err != nil {
		return err
	}
	report, err := runPrecheck(ctx, c)
	if err != nil {
		return err
	}
	if err := a.printPrecheck(f.out, precheckLine{
		Type: "precheck", Task: name, Source: ends.source.String(), Target: ends.target.String(), Status: report.Status(), Items: report,
	}); err != nil {
		return err
	}
	if report.Status() == precheck.Fail {
		return codeError(exitFailed)
	}
	return nil
}

// runPrecheck ends within bounded time, but for a look at all objects.
func runPrecheck(ctx context.Context, c precheck.Config) (precheck.Report, error) {
	bounded := ctx
	if !c.Deep {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, precheckTimeout)
		defer cancel()
	}
	report := precheck.Run(bounded, c)
	return report, ctx.Err()
}

// precheckLine is the checklist as programs see it.
type precheckLine struct {
	Type   string          `json:"type"` // "precheck"
	Task   string          `json:"task"`
	Source string          `json:"source"`
	Target string          `json:"target"`
	Status precheck.Status `json:"status"` // the worst of the items
	Items  precheck.Report `json:"items"`
}

func (a *app) printPrecheck(o outputFlags, l precheckLine) error {
	if o.json {
		return json.NewEncoder(a.stdout).Encode(l)
	}
	items := l.Items
	if o.quiet {
		items = items.Of(precheck.Fail)
	} else {
		fmt.Fprintf(a.stdout, "%s -> %s\n", l.Source, l.Target)
	}
	w := tabwriter.NewWriter(a.stdout, 2, 8, 2, ' ', 0)
	for _, i := range items {
		seen := oneLine(i.Seen)
		if i.Status != precheck.Skipped {
			seen = oneLine(i.Tried) + ": " + seen
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", i.Status, i.Title, seen)
		if i.Mend != "" {
			fmt.Fprintf(w, "\t\tto mend it: %s\n", i.Mend)
		}
	}
	return w.Flush()
}

// oneLine keeps a joined error, and a key with a tab in it, from breaking the table.
func oneLine(s string) string { return strings.NewReplacer("\n", ": ", "\t", " ").Replace(s) }

// precheckStart checks a task before its first start, while its space is owned:
// a second start would sweep away what is written for the check. Warnings are logged; what
// fails is said, and the task must not be started.
func (a *app) precheckStart(ctx context.Context, c precheck.Config, log *logrus.Logger) error {
	report, err := runPrecheck(ctx, c)
	if err != nil {
		return err
	}
	entry := log.WithField("component", "precheck")
	for _, i := range report.Of(precheck.Warn) {
		entry.Warnf("%s: %s; to mend it: %s", i.Title, oneLine(i.Seen), i.Mend)
	}
	failed := report.Of(precheck.Fail)
	if len(failed) == 0 {
		return nil
	}
	fmt.Fprintln(a.stderr, "sluice: the precheck failed, and nothing was begun; --skip-precheck starts all the same")
	for _, i := range failed {
		fmt.Fprintf(a.stderr, "  fail: %s: %s\n    to mend it: %s\n", i.Title, oneLine(i.Seen), i.Mend)
	}
	return codeError(exitFailed)
}
