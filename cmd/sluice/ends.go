package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sluice-sync/sluice/endpoint"
	"github.com/sluice-sync/sluice/filter"
	"github.com/sluice-sync/sluice/keymap"
	"github.com/sluice-sync/sluice/producers/manifest"
	"github.com/sluice-sync/sluice/space"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/limit"
	"github.com/sluice-sync/sluice/storage/retry"
)

// Requests in flight to one endpoint. Listings get slots of their own, so that
// copying cannot starve them, nor they the copying.
const (
	maxLists = 16
	maxParts = 16
)

// ends are the opened source and target of a task.
type ends struct {
	source   storage.Source
	target   storage.Bucket
	keys     keymap.Map
	manifest *manifest.Manifest // nil: both ends are listed
}

// endpointSet reads the endpoints file and the environment.
func (a *app) endpointSet() (*endpoint.Set, error) {
	path, asked := a.endpointsFile()
	set, err := endpoint.Load(endpoint.Sources{ConfigPath: path, ConfigOptional: !asked, SectionPath: a.taskFile, ReadFile: os.ReadFile, Environ: a.env})
	if err != nil {
		return nil, usageError{err}
	}
	return set, nil
}

// locations parses both and refuses pairs that would copy into themselves.
func (a *app) locations(src, dst string) (s, d endpoint.Location, err error) {
	set, err := a.endpointSet()
	if err != nil {
		return s, d, err
	}
	cwd, err := os.Getwd()
	if err != nil {
		return s, d, err
	}
	return locationsIn(set, cwd, src, dst)
}

// locationsIn is locations with the directory at which relative paths start.
func locationsIn(set *endpoint.Set, cwd, src, dst string) (s, d endpoint.Location, err error) {
	if s, err = set.Parse(src, cwd); err != nil {
		return s, d, usagef("SRC: %w", err)
	}
	if d, err = set.Parse(dst, cwd); err != nil {
		return s, d, usagef("DST: %w", err)
	}
	switch {
	case s.String() == d.String():
		return s, d, usagef("SRC and DST are the same place: %s", s)
	case set.Inside(s, d) && (s.IsPath() || s.Bucket == d.Bucket) && !isFile(s):
		return s, d, usagef("SRC and DST lie inside each other: %s and %s", s, d)
	}
	return s, d, nil
}

func isFile(l endpoint.Location) bool {
	if !l.IsPath() {
		return false
	}
	fi, err := os.Stat(l.Path)
	return err == nil && !fi.IsDir()
}

// open opens both ends with retries and limits around the drivers. A source
// that is one file or one object becomes its directory and a map of one key.
func (a *app) open(ctx context.Context, f *syncFlags, src, dst endpoint.Location, owner string) (*ends, error) {
	set, err := a.endpointSet()
	if err != nil {
		return nil, err
	}
	l := limits{f: f, by: map[string]*limit.Limits{}}
	if l.bw, err = f.newBandwidth(); err != nil {
		return nil, err
	}
	log, closer, err := a.log.open(a.stderr)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	opts := openOptions(owner, log)
	opts.Connections = f.workers + maxLists + maxParts
	openOne := func(loc endpoint.Location) (storage.Bucket, error) {
		b, err := set.Open(ctx, loc, opts)
		if err != nil {
			return nil, err
		}
		return retry.New(limit.New(b, l.of(loc)), retry.Config{}), nil
	}
	e := &ends{}
	dir, base, err := single(ctx, src, openOne)
	if err != nil {
		return nil, err
	}
	if base != "" {
		to := base
		if !dst.Slash && !isDir(ctx, dst, openOne) {
			if parent, name, ok := dst.Parent(); ok {
				dst, to = parent, name
			}
		}
		e.keys = keymap.Single(base, to)
	}
	if e.source, err = openOne(dir); err != nil {
		return nil, err
	}
	if e.target, err = openOne(dst); err != nil {
		return nil, err
	}
	if base != "" && f.fromManifest != "" {
		return nil, usagef("--from-manifest needs a SRC that is a directory; %s is one object", src)
	}
	e.manifest, err = f.openManifest(ctx, set, src, openOne)
	return e, err
}

// newBandwidth makes the bound that --bandwidth asks for; nil: none.
func (f *syncFlags) newBandwidth() (*limit.Bandwidth, error) {
	if f.bandwidth == "" {
		return nil, nil
	}
	n, err := filter.ParseSize(f.bandwidth)
	if err != nil || n < 1 {
		return nil, usagef("--bandwidth %q: use a number of bytes per second, such as 10MiB", f.bandwidth)
	}
	return limit.NewBandwidth(n), nil
}

// openOptions are those of every bucket that a command opens for owner. A
// warning is logged once for each place.
func openOptions(owner string, log *logrus.Logger) endpoint.OpenOptions {
	said := map[string]bool{}
	return endpoint.OpenOptions{Owner: owner, Proxy: http.ProxyFromEnvironment, Warn: func(msg string) {
		if !said[msg] {
			said[msg] = true
			log.Warn(msg)
		}
	}}
}

// limits hands out one set of limits per endpoint.
type limits struct {
	f  *syncFlags
	bw *limit.Bandwidth
	by map[string]*limit.Limits
}

func (l *limits) of(loc endpoint.Location) *limit.Limits {
	c := limit.Config{RequestsPerSecond: l.f.requests, Bandwidth: l.bw}
	if !loc.IsPath() {
		c.Lists, c.Parts = maxLists, maxParts
	}
	got := l.by[loc.Endpoint]
	if got == nil {
		got = limit.NewLimits(c)
		l.by[loc.Endpoint] = got
	}
	return got
}

// single tells whether a source is one file or one object: then dir is what it
// is in and base its key there, else dir is the source and base "".
func single(ctx context.Context, src endpoint.Location, open func(endpoint.Location) (storage.Bucket, error)) (dir endpoint.Location, base string, err error) {
	parent, name, ok := src.Parent()
	if src.Slash || !ok {
		return src, "", nil
	}
	if src.IsPath() {
		if isFile(src) {
			return parent, name, nil
		}
		return src, "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	up, err := open(parent)
	if err != nil {
		return src, "", err
	}
	if _, err := up.Stat(ctx, name); err != nil {
		return src, "", nil // no such object, or the check to come says what is wrong
	}
	b, err := open(src)
	if err != nil {
		return src, "", err
	}
	pages := b.List(storage.Range{})
	defer pages.Close()
	if _, err := pages.Next(ctx); err == io.EOF { //nolint:errorlint // only the bare one is the end
		return parent, name, nil
	}
	return src, "", nil // there is such a prefix too
}

// isDir tells whether a target for one file is a place to put it into.
func isDir(ctx context.Context, dst endpoint.Location, open func(endpoint.Location) (storage.Bucket, error)) bool {
	if dst.IsPath() {
		fi, err := os.Stat(dst.Path)
		return err == nil && fi.IsDir()
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	b, err := open(dst)
	if err != nil {
		return false
	}
	pages := b.List(storage.Range{})
	defer pages.Close()
	objs, err := pages.Next(ctx)
	return err == nil && len(objs) > 0
}

// givenFlags are the flags of a command as words that give the same again.
// Rules keep their order; files with patterns are read again.
func givenFlags(cmd *cobra.Command) []string {
	var words []string
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Changed && f.Value.Type() != ruleType {
			words = append(words, "--"+f.Name+"="+f.Value.String())
		}
	})
	return words
}

// started is what a space remembers of how its task was started.
type started struct {
	Source string   `json:"source"`
	Target string   `json:"target"`
	Flags  []string `json:"flags"`          // without the secrets of endpoints
	File   string   `json:"file,omitempty"` // the task file that it is a task of
}

func startFile(sp *space.Space) string { return filepath.Join(sp.Dir, "task.json") }

// remember keeps the command line for `failures retry`.
func (f *syncFlags) remember(sp *space.Space, src, dst string) error {
	flags := append([]string(nil), f.given...)
	for _, r := range f.rules {
		flags = append(flags, "--"+r.Flag+"="+r.Value)
	}
	b, err := json.Marshal(started{src, dst, flags, f.file})
	if err != nil {
		return err
	}
	return os.WriteFile(startFile(sp), b, 0o600)
}

// retryFailures lets the running task try again, or runs the task for the
// failed objects alone.
func (a *app) retryFailures(ctx context.Context, arg string, out outputFlags) error {
	root, err := a.stateRoot()
	if err != nil {
		return err
	}
	name, err := a.taskName(root, []string{arg})
	if err != nil {
		return err
	}
	sp, err := space.Open(root, name)
	var used *space.InUseError
	if errors.As(err, &used) {
		return a.askRetry(root, name)
	}
	if err != nil {
		return err
	}
	defer sp.Close()
	b, err := os.ReadFile(startFile(sp))
	if errors.Is(err, fs.ErrNotExist) {
		return usagef("task %s has never been started", name)
	}
	var was started
	if err == nil {
		err = json.Unmarshal(b, &was)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", startFile(sp), err)
	}
	f, err := parseFlags(was.Flags)
	if err != nil {
		return fmt.Errorf("%s: %w", startFile(sp), err)
	}
	a.taskFile = was.File
	return a.runAgain(ctx, f, sp, was, out)
}

// parseFlags reads words as `sluice sync` reads its flags.
func parseFlags(words []string) (*syncFlags, error) {
	f := &syncFlags{}
	cmd := &cobra.Command{}
	f.register(cmd)
	err := cmd.ParseFlags(words)
	f.given = givenFlags(cmd)
	return f, err
}

func (a *app) runAgain(ctx context.Context, f *syncFlags, sp *space.Space, was started, out outputFlags) error {
	spec, err := f.spec()
	if err != nil {
		return err
	}
	log, closer, err := a.log.open(a.stderr)
	if err != nil {
		return err
	}
	defer closer.Close()
	src, dst, err := a.locations(was.Source, was.Target)
	if err != nil {
		return err
	}
	e, err := a.open(ctx, f, src, dst, sp.Name)
	if err != nil {
		return err
	}
	spec.Map = e.keys
	if err := e.ready(ctx, false); err != nil {
		return err
	}
	return a.runTask(ctx, taskRun{space: sp, spec: spec, ends: e, bus: f.bus, out: out, log: log, name: sp.Name, retryOnly: true})
}

func (a *app) askRetry(root, name string) error {
	resp, err := space.Client(root, name).Post(controlURL(name)+"/failures/retry", "", nil)
	if err != nil {
		return fmt.Errorf("ask the running task: %w", err)
	}
	defer resp.Body.Close()
	var answer struct{ Retried int }
	if resp.StatusCode == http.StatusNotFound {
		return fmt.Errorf("task %s does not run, but others of its file do: wait for them", name)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the running task: %s", resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%d failed objects are tried again by the running task; `sluice status %s` shows it\n", answer.Retried, name)
	return nil
}
