package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sluice-sync/sluice/suggest"
	"github.com/sluice-sync/sluice/taskfile"
	"github.com/sluice-sync/sluice/taskfile/osspipe"
)

func (a *app) templateCommand() *cobra.Command {
	var out, from string
	cmd := &cobra.Command{
		Use:   "template [KIND]",
		Short: "Print a task file to fill in, or translate one of oss_pipe",
		Long: `Print a task file of a kind, with every key explained, to fill in and give to
"sluice run". Without KIND, list the kinds. With --from-oss-pipe, translate a task
file of oss_pipe; what changes its meaning is said on standard error, and secrets
become references to variables of the environment.`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 1, len(args) == 1 && from != "":
				return usagef("want one KIND, or --from-oss-pipe FILE")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case from != "":
				return a.translate(from, out)
			case len(args) == 0 && out != "":
				return usagef("--output needs KIND")
			case len(args) == 0:
				return a.templateKinds()
			}
			return a.template(args[0], out)
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "`FILE` to write, which must not be there yet (default standard output)")
	cmd.Flags().StringVar(&from, "from-oss-pipe", "", "task `FILE` of oss_pipe to translate (default none)")
	return cmd
}

func (a *app) templateKinds() error {
	w := tabwriter.NewWriter(a.stdout, 2, 8, 2, ' ', 0)
	for _, t := range taskfile.Templates() {
		fmt.Fprintf(w, "%s\t%s\n", t.Kind, t.What)
	}
	return w.Flush()
}

func (a *app) template(kind, out string) error {
	var kinds []string
	for _, t := range taskfile.Templates() {
		if t.Kind == kind {
			return a.writeNew(out, t.Write)
		}
		kinds = append(kinds, t.Kind)
	}
	if c := suggest.Closest(kind, kinds); c != "" {
		return usagef("there is no template %q; did you mean %s?", kind, c)
	}
	return usagef("there is no template %q; `sluice template` lists them", kind)
}

// writeNew writes to a file that is not there yet, or to standard output.
func (a *app) writeNew(path string, write func(io.Writer) error) error {
	if path == "" {
		return write(a.stdout)
	}
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return usagef("--output: %s is there already, and may have been filled in; remove it first", path)
	}
	if err != nil {
		return usagef("--output: %w", err)
	}
	_, err = f.Write(b.Bytes())
	return firstError(err, f.Close())
}

// translate prints a task file of oss_pipe as one of sluice.
func (a *app) translate(from, out string) error {
	data, err := readTaskFile(from)
	if err != nil {
		return usagef("--from-oss-pipe: %w", err)
	}
	t, err := osspipe.Translate(from, data)
	if err != nil {
		return usageError{err}
	}
	if err := a.writeNew(out, t.Write); err != nil {
		return err
	}
	for _, n := range t.Notes {
		fmt.Fprintf(a.stderr, "%s\n", n)
	}
	return nil
}

// taskfileCommand prints the pages that `make generated` keeps.
func (a *app) taskfileCommand() *cobra.Command {
	return &cobra.Command{
		Use: "taskfile page|schema", Short: "Print the reference page or the JSON Schema of task files", Hidden: true,
		Args: exactArgs(1, "page or schema"),
		RunE: func(_ *cobra.Command, args []string) error {
			switch args[0] {
			case "page":
				return taskfile.Page(a.stdout)
			case "schema":
				b, err := taskfile.Schema()
				if err == nil {
					_, err = a.stdout.Write(b)
				}
				return err
			}
			return usagef("want page or schema")
		},
	}
}
