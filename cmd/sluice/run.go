package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/precheck"
	"github.com/sluice-sync/sluice/space"
	"github.com/sluice-sync/sluice/store"
	"github.com/sluice-sync/sluice/task"
)

// runFlags are the flags of `sluice run`.
type runFlags struct {
	only         []string
	skipPrecheck bool
	bus          busFlags
	out          outputFlags
	given        []string // those of each task, as words
}

func (a *app) runCommand() *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run FILE",
		Short: "Run every task of a task file, together",
		Long: `Run every task of a task file, together, show progress, exit. "sluice template"
prints files to begin with; docs/taskfile.md says what may stand in one. A task
that fails does not stop the others. Interrupted or killed, the same command
resumes. Exit code: 130 interrupted, else the worst of the tasks': 2, 1, 4, 3, 0.`,
		Args: exactArgs(1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, w := range givenFlags(cmd) {
				if strings.HasPrefix(w, "--nats") {
					f.given = append(f.given, w)
				}
			}
			return a.run(cmd.Context(), f, args[0])
		},
	}
	fs := cmd.Flags()
	fs.StringSliceVar(&f.only, "only", nil, "run only the task `ID`; may be repeated (default all)")
	fs.BoolVar(&f.skipPrecheck, "skip-precheck", false, "start new tasks without the checks of sluice precheck (default off)")
	f.bus.register(cmd)
	f.out.register(cmd)
	return cmd
}

// run runs the tasks of a file in one space, on one bus and one store.
func (a *app) run(ctx context.Context, f *runFlags, path string) (err error) {
	all, err := a.plan(f, path)
	if err != nil {
		return err
	}
	some, err := selected(all, f.only)
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
	sp, err := space.Open(root, space.Name(a.taskFile, ""))
	if err != nil {
		return err
	}
	defer sp.Close()
	st, b, err := openSpace(ctx, f.bus, sp)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, b.Close(), st.Close()) }()
	r := &fileRun{app: a, flags: f, root: root, space: sp, store: st, bus: b, log: log}
	for _, p := range all {
		l := &lane{planned: p}
		r.lanes = append(r.lanes, l)
		if !slices.Contains(some, p) {
			continue
		}
		if l.space, err = sp.Task(p.name); err != nil {
			return err
		}
		defer l.space.Close()
	}
	return r.run(ctx)
}

// fileRun is a task file that is being run.
type fileRun struct {
	app   *app
	flags *runFlags
	root  string
	space *space.Space
	store *store.Store
	bus   bus.Bus
	log   *logrus.Logger
	lanes []*lane
}

// lane is one task of the file.
type lane struct {
	*planned
	space   *space.Space              // nil: left out by --only
	running atomic.Pointer[task.Task] // nil before it begins and once it has been seen to end

	// Of whoever shows the lanes, once the lane has been sent as ended.
	sum task.Snapshot
	err error
}

// run runs all lanes to their ends and says what failed.
func (r *fileRun) run(ctx context.Context) error {
	var lanes []*lane
	for _, l := range r.lanes {
		if l.space != nil {
			lanes = append(lanes, l)
		}
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- r.space.Serve(watch, r.control()) }()
	ended := make(chan *lane)
	for _, l := range lanes {
		go func() {
			l.sum, l.err = r.work(ctx, l)
			ended <- l
		}()
	}
	err := r.show(lanes, ended)
	stop()
	err = firstError(err, <-served)
	return firstError(r.outcome(lanes), err)
}

// work runs one task.
func (r *fileRun) work(ctx context.Context, l *lane) (task.Snapshot, error) {
	e, err := r.begin(ctx, l)
	if err != nil {
		state := task.StateHalted
		if interrupted(err) {
			state = task.StateInterrupted
		}
		s := l.blank("summary", state)
		s.Why = err.Error()
		return s, err
	}
	t := taskRun{space: l.space, spec: l.spec, ends: e, log: r.log, name: l.name}.task(r.store, r.bus)
	l.running.Store(t)
	return t.Run(ctx)
}

// blank is the snapshot of a task that has not begun.
func (l *lane) blank(kind, state string) task.Snapshot {
	return task.Snapshot{Type: kind, Task: l.name, Source: l.src.String(), Target: l.dst.String(), State: state, At: time.Now()}
}

// begin opens the ends of a task and looks at both.
func (r *fileRun) begin(ctx context.Context, l *lane) (*ends, error) {
	e, err := r.app.open(ctx, l.flags, l.src, l.dst, l.name)
	if err != nil {
		return nil, err
	}
	if err := l.flags.object.fits(e.target); err != nil {
		return nil, l.Blame(err)
	}
	l.spec.Map = e.keys
	if err := e.ready(ctx, l.flags.create); err != nil {
		return nil, err
	}
	_, err = os.Stat(startFile(l.space))
	if first := errors.Is(err, os.ErrNotExist); first && !r.flags.skipPrecheck {
		if err := r.precheck(ctx, l, e); err != nil {
			return nil, err
		}
	}
	return e, l.flags.remember(l.space, l.src.String(), l.dst.String())
}

// precheck checks a task before its first start.
func (r *fileRun) precheck(ctx context.Context, l *lane, e *ends) error {
	report, err := runPrecheck(ctx, e.precheck(l.spec, r.root, l.flags.create))
	if err != nil {
		return err
	}
	entry := r.log.WithFields(logrus.Fields{"task": l.name, "component": "precheck"})
	for _, i := range report.Of(precheck.Warn) {
		entry.Warnf("%s: %s; to mend it: %s", i.Title, oneLine(i.Seen), i.Mend)
	}
	var failed []error
	for _, i := range report.Of(precheck.Fail) {
		failed = append(failed, fmt.Errorf("%s: %s; to mend it: %s", i.Title, oneLine(i.Seen), i.Mend))
	}
	if failed == nil {
		return nil
	}
	return fmt.Errorf("the precheck failed (--skip-precheck starts all the same): %w", errors.Join(failed...))
}

// control answers about every task of the file, also about those left out.
func (r *fileRun) control() http.Handler {
	mux := http.NewServeMux()
	for _, l := range r.lanes {
		mux.HandleFunc("/"+l.name+"/", func(w http.ResponseWriter, req *http.Request) {
			http.StripPrefix("/"+l.name, control(l.running.Load(), r.store.Task(l.name))).ServeHTTP(w, req)
		})
	}
	return mux
}

// show shows the lanes until all have ended, and keeps their snapshots on disk.
func (r *fileRun) show(lanes []*lane, ended <-chan *lane) (err error) {
	b := r.app.board(r.flags.out, filepath.Base(r.space.Dir), lanes)
	show, save := time.NewTicker(b.interval()), time.NewTicker(time.Second)
	defer show.Stop()
	defer save.Stop()
	done := map[*lane]bool{}
	looks := func() (all []look) {
		for _, l := range lanes {
			at := look{lane: l, ended: done[l]}
			if t := l.running.Load(); at.ended {
				at.Snapshot = l.sum
			} else if t != nil {
				at.Snapshot = t.Snapshot()
			} else {
				at.Snapshot = l.blank("progress", task.StateRunning)
			}
			all = append(all, at)
		}
		return all
	}
	for len(done) < len(lanes) {
		select {
		case <-show.C:
			b.show(looks())
		case <-save.C:
			for _, at := range looks() {
				// A full disk must not end the task: it pauses and goes on.
				if !at.ended && at.Run != "" {
					_ = at.lane.space.WriteStatus(at.Snapshot)
				}
			}
		case l := <-ended:
			done[l] = true
			l.running.Store(nil)
			err = firstError(err, l.space.WriteStatus(l.sum))
			b.end(look{l, l.sum, true})
		}
	}
	b.close(looks())
	return err
}

// outcome says what went wrong with each lane, and returns the worst.
func (r *fileRun) outcome(lanes []*lane) error {
	order := []int{exitOK, exitObjects, exitMaxErrors, exitFailed, exitUsage}
	worst, stopped := exitOK, false
	for _, l := range lanes {
		code := exitOK
		switch {
		case l.err != nil && interrupted(l.err):
			stopped = true
		case l.err != nil:
			code = report(r.app.stderr, fmt.Errorf("task %s: %w", l.ID.Text, l.err))
		case l.sum.Failed+l.sum.FailedDeletes > 0:
			code = exitObjects
		}
		if slices.Index(order, code) > slices.Index(order, worst) {
			worst = code
		}
	}
	switch {
	case stopped:
		return task.ErrInterrupted
	case worst != exitOK:
		return codeError(worst)
	}
	return nil
}

func interrupted(err error) bool {
	return errors.Is(err, task.ErrInterrupted) || errors.Is(err, context.Canceled)
}
