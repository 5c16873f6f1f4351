package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/bus/natsbus"
	"github.com/sluice-sync/sluice/space"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/store"
	"github.com/sluice-sync/sluice/task"
)

// checkTimeout bounds the first look at each endpoint.
const checkTimeout = 9 * time.Second

func (a *app) syncCommand() *cobra.Command {
	f := &syncFlags{}
	cmd := &cobra.Command{
		Use:   "sync SRC DST",
		Short: "Copy what differs from SRC to DST, show progress, exit",
		Long: `Copy what differs from SRC to DST. Both are directories: a path, or
ENDPOINT://bucket/prefix. A SRC that is one file or one object is copied as that
one, into DST if DST is a directory or ends in "/". Interrupted or killed, the
same command resumes. Nothing is deleted unless --delete says so.`,
		Args: exactArgs(2, "SRC and DST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.given = givenFlags(cmd)
			return a.sync(cmd.Context(), f, args[0], args[1])
		},
	}
	f.register(cmd)
	return cmd
}

// sync runs one task in the foreground.
func (a *app) sync(ctx context.Context, f *syncFlags, srcArg, dstArg string) error {
	spec, err := f.spec()
	if err != nil {
		return err
	}
	log, closer, err := a.log.open(a.stderr)
	if err != nil {
		return err
	}
	defer closer.Close()
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
	if err := f.object.fits(ends.target); err != nil {
		return err
	}
	spec.Map = ends.keys
	if f.dryRun {
		return a.dryRun(ctx, f, name, spec, ends)
	}
	if err := ends.ready(ctx, f.create); err != nil {
		return err
	}
	sp, err := space.Open(root, name)
	if err != nil {
		return err
	}
	defer sp.Close()
	checked := make(chan error, 1) // while the disks are waited for
	if f.skipPrecheck || begun(sp) {
		checked <- nil
	} else {
		go func() { checked <- a.precheckStart(ctx, ends.precheck(spec, root, f.create), log) }()
	}
	refused := false
	err = a.runTask(ctx, taskRun{space: sp, spec: spec, ends: ends, bus: f.bus, out: f.out, log: log, name: name, before: func() error {
		if err := <-checked; err != nil {
			refused = true
			return err
		}
		return f.remember(sp, src.String(), dst.String())
	}})
	if refused {
		return firstError(err, sp.Remove())
	}
	return err
}

// taskRun is what it takes to run a task in this process.
type taskRun struct {
	name      string
	space     *space.Space
	spec      task.Spec
	ends      *ends
	bus       busFlags
	out       outputFlags
	log       *logrus.Logger
	retryOnly bool
	before    func() error // is called once, as soon as bus and state are open or cannot be; nil: nothing
}

// runTask opens bus and state, runs the task and shows it.
func (a *app) runTask(ctx context.Context, r taskRun) (err error) {
	st, b, err := openSpace(ctx, r.bus, r.space)
	if r.before != nil {
		err = firstError(r.before(), err)
	}
	if st == nil {
		return err
	}
	defer func() { err = firstError(err, b.Close(), st.Close()) }()
	if err != nil {
		return err
	}
	t := r.task(st, b)
	if !r.out.quiet && !r.out.json {
		fmt.Fprintf(a.stdout, "task %s: %s -> %s\n", r.name, r.ends.source, r.ends.target)
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	shown := make(chan error, 2)
	rep := a.reporter(r.out)
	go func() { shown <- follow(watch, t, rep, r.space) }()
	go func() { shown <- r.space.Serve(watch, atControlURL(r.space, control(t, st.Task(r.name)))) }()
	sum, err := t.Run(ctx)
	stop()
	err = firstError(err, <-shown, <-shown, r.space.WriteStatus(sum))
	rep.end(sum)
	if err == nil && sum.Failed+sum.FailedDeletes > 0 {
		return codeError(exitObjects)
	}
	return err
}

// task makes the task on its state and bus.
func (r taskRun) task(st *store.Store, b bus.Bus) *task.Task {
	entry := r.log.WithFields(logrus.Fields{"task": r.name, "component": "task"})
	r.spec.Manifest = r.ends.manifest
	return task.New(task.Config{
		Name: r.name, Spec: r.spec, Source: r.ends.source, Target: r.ends.target, Bus: b, Store: st,
		BootID: bootID(), FreeBytes: freeBytes(r.space.Dir), RetryOnly: r.retryOnly,
		Notify: func(l task.Level, msg string) {
			if l == task.Warn {
				entry.Warn(msg)
			} else {
				entry.Info(msg)
			}
		},
	})
}

// follow shows a task and keeps its snapshot on disk until ctx ends. The first
// one is written as soon as there is something to say.
func follow(ctx context.Context, t *task.Task, rep reporter, sp *space.Space) error {
	show, save := time.NewTicker(rep.interval()), time.NewTicker(time.Second)
	defer show.Stop()
	defer save.Stop()
	saved := false
	for {
		select {
		case <-show.C:
			s := t.Snapshot()
			rep.show(s)
			if !saved && s.Run != "" {
				saved = sp.WriteStatus(s) == nil
			}
		case <-save.C:
			// A full disk must not end the task: it pauses and goes on.
			if s := t.Snapshot(); s.Run != "" {
				_ = sp.WriteStatus(s)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *app) reporter(o outputFlags) reporter {
	switch f, isFile := a.stdout.(*os.File); {
	case o.json:
		return jsonReporter{a.stdout, o.interval}
	case o.quiet:
		return quietReporter{}
	case isFile && term.IsTerminal(int(f.Fd())):
		return newBarReporter(a.stdout, &meter{})
	default:
		return &lineReporter{out: a.stdout, every: o.interval, rate: &meter{}}
	}
}

// openSpace opens state and bus side by side: each waits for disks.
func openSpace(ctx context.Context, f busFlags, sp *space.Space) (*store.Store, bus.Bus, error) {
	var st *store.Store
	opened := make(chan error)
	go func() {
		var err error
		st, err = store.Open(sp.DBDir(), store.Options{})
		opened <- err
	}()
	b, err := openBus(ctx, f, sp)
	if stErr := <-opened; stErr != nil {
		if err == nil {
			_ = b.Close() // nothing was written
		}
		return nil, nil, stErr
	}
	if err != nil {
		_ = st.Close() // likewise
		return nil, nil, err
	}
	return st, b, nil
}

// openBus connects to --nats, or opens the space's own embedded server. Its
// store can be made anew from a listing, so one that is damaged is removed.
func openBus(ctx context.Context, f busFlags, sp *space.Space) (bus.Bus, error) {
	if f.url != "" {
		b, err := natsbus.Connect(ctx, natsbus.External{
			URL: f.url, CredsFile: f.creds, CAFile: f.ca, CertFile: f.cert, KeyFile: f.key, Name: "sluice " + sp.Name,
		})
		if err != nil {
			return nil, fmt.Errorf("NATS: %w", err)
		}
		return b, nil
	}
	b, err := natsbus.OpenEmbedded(ctx, natsbus.Embedded{Dir: sp.BusDir()})
	if err != nil {
		return nil, fmt.Errorf("embedded bus: %w", err)
	}
	return b, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// ready looks at both ends before anything is begun, and makes the target if
// that is asked for or it is a directory.
func (e *ends) ready(ctx context.Context, create bool) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := firstLook(ctx, e.source); err != nil {
		return e.early(ctx, "source", err)
	}
	err := firstLook(ctx, e.target)
	if errors.Is(err, storage.ErrNoBucket) && (create || e.target.Features().FileTree) {
		err = e.target.Create(ctx)
	}
	return e.early(ctx, "target", err)
}

// firstLook checks an endpoint. One that answers, but not as it should, is
// asked again: a passing error must not keep a task from its start.
func firstLook(ctx context.Context, b storage.Source) error {
	for try := 1; ; try++ {
		err := b.Check(ctx)
		if err == nil || try == 3 || !errors.Is(err, storage.ErrThrottled) && !errors.Is(err, storage.ErrBusy) {
			return err
		}
		select {
		case <-time.After(time.Duration(try) * 250 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// early words what went wrong before anything was begun.
func (e *ends) early(ctx context.Context, side string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s: %w", checkTimeout, err)
	}
	return earlyError{side, err}
}

// earlyError is what made a task not begin.
type earlyError struct {
	side string // source or target
	err  error
}

func (e earlyError) Error() string { return e.side + ": " + e.err.Error() }
func (e earlyError) Unwrap() error { return e.err }
