package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/sluice-sync/sluice/filter"
	"github.com/sluice-sync/sluice/storage"
)

// uploadsFlags choose uploads and how they are printed.
type uploadsFlags struct {
	all       bool
	olderThan string
	json      bool
}

func (a *app) uploadsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "uploads",
		Short: "See and abort multipart uploads that are not finished",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := &uploadsFlags{}
	list := &cobra.Command{
		Use: "list TASK | SRC DST | LOCATION", Short: "List unfinished uploads at a target", Args: uploadsArgs,
		Long: `List the unfinished uploads that a task, or all tasks with a target in LOCATION,
remember, with what the target holds of them: it is paid for until they are
finished or aborted. Of a task that runs, and with --all, the target alone is
asked. A LOCATION has a "/" or a ":" in it, or is "."; a TASK has not.`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.listUploads(cmd.Context(), f, args) },
	}
	abort := &cobra.Command{
		Use: "abort TASK | SRC DST | LOCATION", Short: "Abort unfinished uploads at a target", Args: uploadsArgs,
		Long: `Abort what "uploads list" with the same arguments shows; the task sends those
objects anew when it runs next. Uploads of a task that runs are its own: then
nothing is aborted. --all needs --older-than, as others may be working on those.`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.abortUploads(cmd.Context(), f, args) },
	}
	for _, c := range []*cobra.Command{list, abort} {
		c.Flags().BoolVar(&f.all, "all", false, "all uploads below the target, also of other tools (default off)")
		c.Flags().StringVar(&f.olderThan, "older-than", "", "only uploads begun before `TIME`: an age (36h, 7d) or a date (default no bound)")
		c.Flags().BoolVar(&f.json, "json", false, "print one JSON object per upload (default off)")
	}
	cmd.AddCommand(list, abort)
	return cmd
}

func uploadsArgs(_ *cobra.Command, args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return usagef("want TASK, SRC DST, or LOCATION")
	}
	return nil
}

// before returns the time before which uploads were begun; zero: no bound.
func (f *uploadsFlags) before(now time.Time) (time.Time, error) {
	if f.olderThan == "" {
		return time.Time{}, nil
	}
	t, err := filter.ParseTimeOrAge(f.olderThan, now)
	if err != nil {
		return time.Time{}, usagef("--older-than: %w", err)
	}
	return t, nil
}

// What can be said of an upload.
const (
	uploadOpen    = "open"    // at the target
	uploadGone    = "gone"    // remembered, but the target has none: finished, aborted or never begun
	uploadAborted = "aborted" // by this command
	uploadForgot  = "forgot"  // it was gone, and is remembered no more
)

// uploadRow is an upload as people and programs see it.
type uploadRow struct {
	State    string    `json:"state"`
	Task     string    `json:"task,omitempty"` // whose it is, if that is known
	Target   string    `json:"target"`         // Key is relative to it
	Key      string    `json:"key"`
	KeyBytes []byte    `json:"key_b64,omitempty"` // where the key is not valid UTF-8
	ID       string    `json:"id,omitempty"`
	Started  time.Time `json:"started"`
	Parts    int       `json:"parts"`
	Bytes    int64     `json:"bytes"`          // of these parts
	Size     int64     `json:"size,omitempty"` // of the whole object, if it is known
}

func (a *app) listUploads(ctx context.Context, f *uploadsFlags, args []string) error {
	found, err := a.findUploads(ctx, f, args, false)
	if err != nil {
		return err
	}
	defer found.close()
	if f.json {
		return a.printUploads(found.rows())
	}
	if len(found.uploads) == 0 {
		fmt.Fprintln(a.stdout, "no unfinished uploads")
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 2, 8, 2, ' ', 0)
	fmt.Fprintln(w, "STATE\tBEGUN\tPARTS\tBYTES\tOF\tTASK\tKEY\tID")
	for _, r := range found.rows() {
		of := "?"
		if r.Size > 0 {
			of = size(r.Size)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", r.State, humanize.Time(r.Started), r.Parts, size(r.Bytes), of, r.Task, strconv.Quote(r.Key), r.ID)
	}
	return w.Flush()
}

func (a *app) printUploads(rows []uploadRow) error {
	enc := json.NewEncoder(a.stdout)
	for _, r := range rows {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// abortUploads aborts one upload after the other. One that the target will not
// abort is said, and the others go on; an endpoint that fails ends it.
func (a *app) abortUploads(ctx context.Context, f *uploadsFlags, args []string) error {
	if f.all && f.olderThan == "" {
		return usagef("abort --all needs --older-than: uploads that others are working on are among them")
	}
	found, err := a.findUploads(ctx, f, args, true)
	if err != nil {
		return err
	}
	defer found.close()
	failed := false
	for _, u := range found.uploads {
		err := u.abort(ctx)
		if err != nil && (storage.IsEndpoint(err) || ctx.Err() != nil) {
			return err
		}
		if err != nil {
			failed = true
			fmt.Fprintf(a.stderr, "sluice: %v\n", err)
			continue
		}
		if err := a.printAborted(f, u.row); err != nil {
			return err
		}
	}
	if len(found.uploads) == 0 && !f.json {
		fmt.Fprintln(a.stdout, "no unfinished uploads")
	}
	if failed {
		return codeError(exitObjects)
	}
	return nil
}

func (a *app) printAborted(f *uploadsFlags, r uploadRow) error {
	if f.json {
		return a.printUploads([]uploadRow{r})
	}
	if r.State == uploadForgot {
		_, err := fmt.Fprintf(a.stdout, "forgot %q at %s, begun %s: nothing of it was there\n", r.Key, r.Target, humanize.Time(r.Started))
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "aborted %q at %s: %d parts, %s, begun %s, id %s\n", r.Key, r.Target, r.Parts, size(r.Bytes), humanize.Time(r.Started), r.ID)
	return err
}
