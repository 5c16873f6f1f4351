package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/sluice-sync/sluice/space"
	"github.com/sluice-sync/sluice/store"
)

func (a *app) failuresCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "failures",
		Short: "See, export and try again what failed",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var asJSON bool
	var limit int
	list := &cobra.Command{
		Use: "list TASK", Short: "List objects that failed or will be tried again", Args: exactArgs(1, "TASK"),
		RunE: func(_ *cobra.Command, args []string) error { return a.listFailures(args[0], asJSON, limit) },
	}
	list.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per failure (default off)")
	list.Flags().IntVar(&limit, "limit", 100, "how many rows to print (0: all)")
	var format, file string
	export := &cobra.Command{
		Use: "export TASK", Short: "Write all failures as JSON lines or CSV", Args: exactArgs(1, "TASK"),
		RunE: func(_ *cobra.Command, args []string) error { return a.exportFailures(args[0], format, file) },
	}
	export.Flags().StringVar(&format, "format", "jsonl", "jsonl or csv")
	export.Flags().StringVarP(&file, "output", "o", "", "`FILE` to write (default standard output)")
	var out outputFlags
	retry := &cobra.Command{
		Use: "retry TASK", Short: "Try everything again that was given up", Args: exactArgs(1, "TASK"),
		Long: `Try everything again that was given up. If the task runs, it does so now; if
not, this command runs it for the failed objects alone, with the options of its
last start.`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.retryFailures(cmd.Context(), args[0], out) },
	}
	out.register(retry)
	cmd.AddCommand(list, retry, export)
	return cmd
}

// failureRow is a failure as people and programs see it.
type failureRow struct {
	Key      string    `json:"key"`
	KeyBytes []byte    `json:"key_b64,omitempty"` // where the key is not valid UTF-8
	Op       string    `json:"op"`
	State    string    `json:"state"` // given_up or retrying
	Cause    string    `json:"cause"`
	Error    string    `json:"error"`
	Tries    int       `json:"tries"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	NextTry  time.Time `json:"next_try,omitzero"`
}

func toRow(f store.Failure) failureRow {
	r := failureRow{Key: f.Key, Op: f.Op, State: "given_up", Cause: f.Cause, Error: f.Error, Tries: f.Tries, First: f.First, Last: f.Last}
	if !validText(f.Key) {
		r.KeyBytes = []byte(f.Key)
	}
	if !f.GivenUp {
		r.State, r.NextTry = "retrying", f.NextTry
	}
	return r
}

const failuresPage = 1000

// failuresFrom returns a function that pages through a task's ledger, from the
// process that runs it or from the state on disk.
func (a *app) failuresFrom(name string) (next func(after string) ([]failureRow, error), done func(), err error) {
	root, err := a.stateRoot()
	if err != nil {
		return nil, nil, err
	}
	if name, err = a.taskName(root, []string{name}); err != nil {
		return nil, nil, err
	}
	s, err := space.Open(root, name)
	var used *space.InUseError
	if errors.As(err, &used) {
		c, at := space.Client(root, name), controlURL(name)
		return func(after string) ([]failureRow, error) { return fetchFailures(c, at, after) }, func() {}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	st, err := store.Open(s.DBDir(), store.Options{})
	if err != nil {
		s.Close()
		return nil, nil, err
	}
	return func(after string) ([]failureRow, error) { return failureRows(st.Task(s.Name), after) },
		func() { st.Close(); s.Close() }, nil
}

func failureRows(st *store.Task, after string) ([]failureRow, error) {
	fs, err := st.Failures(after, failuresPage)
	if err != nil {
		return nil, err
	}
	rows := make([]failureRow, 0, len(fs))
	for _, f := range fs {
		rows = append(rows, toRow(f))
	}
	return rows, nil
}

func fetchFailures(c *http.Client, at, after string) ([]failureRow, error) {
	resp, err := c.Get(at + "/failures?after=" + url.QueryEscape(after))
	if err != nil {
		return nil, fmt.Errorf("ask the running task: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask the running task: %s", resp.Status)
	}
	var rows []failureRow
	return rows, json.NewDecoder(resp.Body).Decode(&rows)
}

// eachFailure calls do for every failure in the order of keys, until do says stop.
func (a *app) eachFailure(name string, do func(failureRow) (bool, error)) error {
	next, done, err := a.failuresFrom(name)
	if err != nil {
		return err
	}
	defer done()
	for after := ""; ; {
		rows, err := next(after)
		if err != nil {
			return err
		}
		for _, r := range rows {
			after = r.Key
			if r.KeyBytes != nil {
				after = string(r.KeyBytes)
			}
			if more, err := do(r); err != nil || !more {
				return err
			}
		}
		if len(rows) < failuresPage {
			return nil
		}
	}
}

func (a *app) listFailures(name string, asJSON bool, limit int) error {
	n := 0
	w := tabwriter.NewWriter(a.stdout, 2, 8, 2, ' ', 0)
	enc := json.NewEncoder(a.stdout)
	err := a.eachFailure(name, func(r failureRow) (bool, error) {
		if limit > 0 && n == limit {
			fmt.Fprintf(a.stderr, "more follow; --limit 0 shows all\n")
			return false, nil
		}
		n++
		if asJSON {
			return true, enc.Encode(r)
		}
		if n == 1 {
			fmt.Fprintln(w, "STATE\tOP\tTRIES\tLAST\tCAUSE\tKEY\tERROR")
		}
		_, err := fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", r.State, r.Op, r.Tries, humanize.Time(r.Last), r.Cause, strconv.Quote(r.Key), r.Error)
		return true, err
	})
	if err != nil {
		return err
	}
	if n == 0 && !asJSON {
		fmt.Fprintln(a.stdout, "no failures")
	}
	return w.Flush()
}

func (a *app) exportFailures(name, format, file string) (err error) {
	if format != "jsonl" && format != "csv" {
		return usagef("--format %q: use jsonl or csv", format)
	}
	out := a.stdout
	if file != "" {
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return usagef("--output: %w", err)
		}
		defer func() {
			if cerr := f.Close(); err == nil {
				err = cerr
			}
		}()
		out = f
	}
	if format == "jsonl" {
		enc := json.NewEncoder(out)
		return a.eachFailure(name, func(r failureRow) (bool, error) { return true, enc.Encode(r) })
	}
	return a.exportCSV(name, out)
}

func (a *app) exportCSV(name string, out io.Writer) error {
	w := csv.NewWriter(out)
	if err := w.Write([]string{"key", "op", "state", "cause", "error", "tries", "first", "last", "next_try"}); err != nil {
		return err
	}
	err := a.eachFailure(name, func(r failureRow) (bool, error) {
		next := ""
		if !r.NextTry.IsZero() {
			next = r.NextTry.Format(time.RFC3339)
		}
		return true, w.Write([]string{r.Key, r.Op, r.State, r.Cause, r.Error, strconv.Itoa(r.Tries),
			r.First.Format(time.RFC3339), r.Last.Format(time.RFC3339), next})
	})
	w.Flush()
	if err == nil {
		err = w.Error()
	}
	return err
}
