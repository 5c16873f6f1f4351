// Command sluice moves objects between object stores and file systems.
//
// This package is wiring and words for people. Flags, environment variables,
// exit codes, the terminal and the logger live only here. It must not know
// object bytes, retry arithmetic or key encoding.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := interruptible()
	defer stop()
	app := &app{stdout: os.Stdout, stderr: os.Stderr, env: os.Environ()}
	err := app.command().ExecuteContext(ctx)
	code := report(app.stderr, err)
	stop()
	os.Exit(code)
}

// interruptible ends its context at the first SIGINT or SIGTERM, and the
// process at the second.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, ok := <-ch; !ok {
			return
		}
		fmt.Fprintln(os.Stderr, "sluice: stopping; once more stops at once")
		cancel()
		if _, ok := <-ch; ok {
			os.Exit(exitInterrupted)
		}
	}()
	done := false
	return ctx, func() {
		if !done {
			done = true
			signal.Stop(ch)
			close(ch)
			cancel()
		}
	}
}

// app is what all commands share.
type app struct {
	stdout, stderr io.Writer
	env            []string

	stateDir  string
	endpoints string
	taskFile  string // whose endpoints: are known too; "": none
	log       logFlags
}

func (a *app) getenv(name string) string {
	for i := len(a.env) - 1; i >= 0; i-- {
		if k, v, _ := strings.Cut(a.env[i], "="); k == name {
			return v
		}
	}
	return ""
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "sluice",
		Short: "Move objects between object stores and file systems, and prove it",
		Long: `sluice copies what differs from one place to another, survives being killed at
any point, and says what it did. A place is a path or ENDPOINT://bucket/prefix.

Exit codes: 0 all done; 1 could not run or gave up, the same command resumes;
2 wrong usage; 3 finished, but objects failed; 4 stopped by --max-errors;
130 interrupted, the same command resumes.`,
		Version: version, SilenceErrors: true, SilenceUsage: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(flagError)
	fs := root.PersistentFlags()
	fs.StringVar(&a.stateDir, "state-dir", "", "`DIR` that keeps the state of tasks (default $SLUICE_STATE, else $XDG_STATE_HOME/sluice, else ~/.local/state/sluice)")
	fs.StringVar(&a.endpoints, "endpoints", "", "`FILE` that names endpoints (default $XDG_CONFIG_HOME/sluice/config.yaml)")
	fs.StringVar(&a.log.level, "log-level", "warn", "what is logged: error, warn, info or debug")
	fs.StringVar(&a.log.format, "log-format", "text", "how logs look: text or json")
	fs.StringVar(&a.log.file, "log-file", "", "`FILE` that logs are appended to (default standard error)")
	root.AddCommand(a.syncCommand(), a.runCommand(), a.templateCommand(), a.precheckCommand(), a.statusCommand(), a.failuresCommand(), a.analyzeCommand(), a.uploadsCommand(), a.forgetCommand(), a.providersCommand(), a.referenceCommand(), a.taskfileCommand())
	root.CompletionOptions.HiddenDefaultCmd = true
	return root
}

func unknownCommand(cmd *cobra.Command, name string) error {
	cmd.SuggestionsMinimumDistance = 2
	if s := cmd.SuggestionsFor(name); len(s) > 0 {
		return usagef("there is no command %q; did you mean %s?", name, strings.Join(s, " or "))
	}
	return usagef("there is no command %q", name)
}

// stateRoot is the directory that holds the spaces of all tasks.
func (a *app) stateRoot() (string, error) {
	dir := a.stateDir
	if dir == "" {
		dir = a.getenv("SLUICE_STATE")
	}
	if dir == "" {
		if x := a.getenv("XDG_STATE_HOME"); x != "" {
			dir = filepath.Join(x, "sluice")
		} else if h := a.getenv("HOME"); h != "" {
			dir = filepath.Join(h, ".local", "state", "sluice")
		} else if c, err := os.UserCacheDir(); err == nil {
			dir = filepath.Join(c, "sluice-state")
		} else {
			return "", errors.New("no home directory: say with --state-dir where the state goes")
		}
	}
	return filepath.Abs(dir)
}

// endpointsFile is the path of the endpoints file and whether it was asked for.
func (a *app) endpointsFile() (path string, asked bool) {
	if a.endpoints != "" {
		return a.endpoints, true
	}
	if x := a.getenv("XDG_CONFIG_HOME"); x != "" {
		return filepath.Join(x, "sluice", "config.yaml"), false
	}
	if h := a.getenv("HOME"); h != "" {
		return filepath.Join(h, ".config", "sluice", "config.yaml"), false
	}
	return "", false
}

// exactArgs is cobra's rule with words of our own.
func exactArgs(n int, want string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("want %s, got %d arguments", want, len(args))
		}
		return nil
	}
}
