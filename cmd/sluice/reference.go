package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// referenceCommand prints docs/reference.md from the commands themselves.
func (a *app) referenceCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reference", Short: "Print the reference page of all commands", Hidden: true, Args: exactArgs(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprint(a.stdout, "# Reference\n\nMade by `make generated` from the commands; do not edit.\n\n")
			root := cmd.Root()
			fmt.Fprintf(a.stdout, "%s\n\n## Flags of every command\n\n", root.Long)
			a.referenceFlags(root.PersistentFlags())
			a.referenceOf(root)
			return nil
		},
	}
}

func (a *app) referenceOf(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if c.HasAvailableSubCommands() {
			a.referenceOf(c)
			continue
		}
		fmt.Fprintf(a.stdout, "## sluice %s\n\n%s.\n\n", strings.TrimPrefix(c.CommandPath(), "sluice "), c.Short)
		fmt.Fprintf(a.stdout, "    %s\n\n", c.UseLine())
		if c.Long != "" {
			fmt.Fprintf(a.stdout, "%s\n\n", c.Long)
		}
		a.referenceFlags(c.LocalNonPersistentFlags())
	}
}

func (a *app) referenceFlags(fs *pflag.FlagSet) {
	rows := 0
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || f.Name == "version" {
			return
		}
		if rows == 0 {
			fmt.Fprint(a.stdout, "| flag | meaning |\n|---|---|\n")
		}
		rows++
		unit, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if unit != "" {
			name += " " + unit
		}
		if !strings.Contains(usage, "default") {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(a.stdout, "| `%s` | %s |\n", name, strings.ReplaceAll(usage, "|", "\\|"))
	})
	if rows > 0 {
		fmt.Fprintln(a.stdout)
	}
}
