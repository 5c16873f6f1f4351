package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/sluice-sync/sluice/space"
	"github.com/sluice-sync/sluice/task"
)

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [TASK | SRC DST]",
		Short: "Show what tasks do or did last",
		Long: `Show the last snapshot of one task, or of all tasks of this state directory. A
task that runs now replaces its snapshot each second. TASK is a name or the
start of one.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 2 {
				return usagef("want no argument, TASK, or SRC DST")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.status(args, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per task (default off)")
	return cmd
}

// statusLine is a snapshot with who runs it.
type statusLine struct {
	task.Snapshot
	PID int `json:"pid"` // 0: nobody runs it
}

func (a *app) status(args []string, asJSON bool) error {
	root, err := a.stateRoot()
	if err != nil {
		return err
	}
	var names []string
	if len(args) == 0 {
		names, err = space.Names(root)
	} else {
		var name string
		name, err = a.taskName(root, args)
		names = []string{name}
	}
	if err != nil {
		return err
	}
	lines := make([]statusLine, 0, len(names))
	for _, n := range names {
		l := statusLine{Snapshot: task.Snapshot{Task: n}}
		if l.PID, err = space.Status(root, n, &l.Snapshot); err != nil {
			return fmt.Errorf("task %s: %w", n, err)
		}
		if l.PID == 0 && (l.State == task.StateRunning || l.State == task.StatePaused || l.State == "") {
			l.State, l.Why = "killed", "the same command resumes"
		}
		lines = append(lines, l)
	}
	switch {
	case asJSON:
		for _, l := range lines {
			if err := json.NewEncoder(a.stdout).Encode(l); err != nil {
				return err
			}
		}
	case len(args) > 0:
		a.statusDetail(lines[0])
	default:
		a.statusTable(lines)
	}
	return nil
}

func (a *app) statusTable(lines []statusLine) {
	if len(lines) == 0 {
		fmt.Fprintln(a.stdout, "no tasks yet; `sluice sync SRC DST` starts one")
		return
	}
	w := tabwriter.NewWriter(a.stdout, 2, 8, 2, ' ', 0)
	fmt.Fprintln(w, "TASK\tSTATE\tFOUND\tCOPIED\tSKIPPED\tPENDING\tFAILED\tDELETED\tBYTES\tLAST LOOK")
	for _, l := range lines {
		at := "never"
		if !l.At.IsZero() {
			at = humanize.Time(l.At)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Task, l.State, humanize.Comma(l.Found),
			humanize.Comma(l.Copied), humanize.Comma(l.Skipped), humanize.Comma(l.Pending), humanize.Comma(l.Failed),
			humanize.Comma(l.Deleted), size(l.Bytes), at)
	}
	_ = w.Flush()
}

func (a *app) statusDetail(l statusLine) {
	w := tabwriter.NewWriter(a.stdout, 2, 8, 2, ' ', 0)
	row := func(k, v string) {
		if v != "" {
			fmt.Fprintf(w, "%s\t%s\n", k, v)
		}
	}
	state := l.State
	if l.PID != 0 {
		state = fmt.Sprintf("%s (pid %d)", state, l.PID)
	}
	row("task", l.Task)
	row("source", l.Source)
	row("target", l.Target)
	row("state", state)
	row("why", l.Why)
	row("phase", l.Phase)
	row("run", l.Run)
	row("found", humanize.Comma(l.Found))
	row("copied", humanize.Comma(l.Copied))
	row("skipped", humanize.Comma(l.Skipped))
	for _, why := range sortedKeys(l.SkippedReasons) {
		row("  "+skipWords(why), humanize.Comma(l.SkippedReasons[why]))
	}
	row("pending", humanize.Comma(l.Pending))
	row("failed", humanize.Comma(l.Failed))
	row("deleted", humanize.Comma(l.Deleted))
	row("bytes", fmt.Sprintf("%s of %s", size(l.Bytes), size(l.BytesFound)))
	if !l.At.IsZero() {
		row("as of", l.At.Format(time.RFC3339))
	}
	_ = w.Flush()
}

// taskName finds a task by TASK or by SRC DST.
func (a *app) taskName(root string, args []string) (string, error) {
	if len(args) == 1 {
		name, err := space.Find(root, args[0])
		if errors.Is(err, space.ErrNone) {
			return "", usageError{err}
		}
		return name, err
	}
	src, dst, err := a.locations(args[0], args[1])
	if err != nil {
		return "", err
	}
	return space.Find(root, space.Name(src.String(), dst.String()))
}

func (a *app) forgetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "forget TASK | SRC DST",
		Short: "Remove a task's state; nothing at source or target changes",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usagef("want TASK, or SRC DST")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := a.stateRoot()
			if err != nil {
				return err
			}
			name, err := a.taskName(root, args)
			if err != nil {
				return err
			}
			s, err := space.Open(root, name)
			if err != nil {
				return err
			}
			if err := forget(cmd.Context(), s); err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "forgot %s\n", name)
			return nil
		},
	}
}

// forget removes a space, or what one of several tasks has in it.
func forget(ctx context.Context, s *space.Space) error {
	if !s.Shared() {
		return s.Remove()
	}
	st, b, err := openSpace(ctx, busFlags{}, s)
	if err != nil {
		return err
	}
	err = firstError(st.Forget(s.Name), b.Remove(ctx, s.Name))
	if err = firstError(err, b.Close(), st.Close()); err != nil {
		return err
	}
	return s.Remove()
}
