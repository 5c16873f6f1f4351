package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sluice-sync/sluice/space"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/task"
	"github.com/sluice-sync/sluice/taskfile"
)

// fileLab is a directory with a task file and sources.
type fileLab struct {
	*person
	dir, file string
}

func newFileLab(t *testing.T, text string) *fileLab {
	l := &fileLab{person: newPerson(t, nil), dir: t.TempDir()}
	l.file = l.path("tasks.yaml")
	l.write(text)
	return l
}

func (l *fileLab) path(name string) string { return filepath.Join(l.dir, name) }

func (l *fileLab) write(text string) {
	l.t.Helper()
	if err := os.WriteFile(l.file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// fill makes small files in a directory.
func (l *fileLab) fill(dir string, n int) {
	l.t.Helper()
	if err := os.MkdirAll(l.path(dir), 0o755); err != nil {
		l.t.Fatal(err)
	}
	for i := range n {
		if err := os.WriteFile(filepath.Join(l.path(dir), fmt.Sprintf("%04d", i)), []byte(dir), 0o644); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *fileLab) holds(dir string, n int) {
	l.t.Helper()
	if ents, err := os.ReadDir(l.path(dir)); err != nil || len(ents) != n {
		l.t.Errorf("%s holds %d files, want %d: %v", dir, len(ents), n, err)
	}
}

// at is where the state of a task is.
func (l *fileLab) at(id string) string { return space.Name(l.file, "") + "/" + space.Name(id, l.file) }

func (l *fileLab) copied(id string) int64 {
	var s task.Snapshot
	_, _ = space.Status(l.state, l.at(id), &s)
	return s.Copied
}

// lines parses what --json printed.
func (l *fileLab) lines(out string) (all []taskLine) {
	l.t.Helper()
	for line := range strings.Lines(out) {
		var s taskLine
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			l.t.Fatalf("%q: %v", line, err)
		}
		all = append(all, s)
	}
	return all
}

const twoTasks = `
tasks:
  - id: one
    source: a
    target: to/a
  - id: two
    source: b
    target: to/b
    filter: {rules: [{exclude: '/000*'}]}
`

func TestRunEveryTask(t *testing.T) {
	l := newFileLab(t, twoTasks)
	l.fill("a", 30)
	l.fill("b", 20)
	all := l.lines(l.ok("run", "--json", l.file))
	last := all[len(all)-1]
	if last.Type != "total" || last.ID != "" || last.State != task.StateDone || last.Found != 40 || last.Copied != 40 {
		t.Errorf("the total is %+v", last)
	}
	for id, n := range map[string]int64{"one": 30, "two": 10} {
		i := slices.IndexFunc(all, func(s taskLine) bool { return s.ID == id && s.Type == "summary" })
		if i < 0 || all[i].Copied != n || all[i].Task != space.Name(id, l.file) || all[i].State != task.StateDone {
			t.Errorf("%s: %+v", id, all)
		}
	}
	l.holds("to/a", 30)
	l.holds("to/b", 10)

	out := l.ok("run", l.file, "--only", "two")
	if !strings.Contains(out, "two: done: found 10, copied 0, skipped 10") || strings.Contains(out, "task one") || !strings.Contains(out, "total: done: found 10") {
		t.Errorf("--only prints\n%s", out)
	}
	if out := l.ok("run", l.file, "--quiet"); out != "" {
		t.Errorf("--quiet prints %q", out)
	}
	if out := l.ok("status"); !strings.Contains(out, space.Name("one", l.file)) || !strings.Contains(out, space.Name("two", l.file)) {
		t.Errorf("status prints\n%s", out)
	}
	if out := l.ok("status", "two"); !strings.Contains(out, l.path("to/b")) {
		t.Errorf("status two prints\n%s", out)
	}
	// Both tasks of the space are looked at, and neither is in the other's way.
	if out := l.ok("uploads", "abort", l.path("to")); !strings.Contains(out, "no unfinished uploads") {
		t.Errorf("uploads prints\n%s", out)
	}
	l.ok("forget", "one")
	if out := l.ok("status"); strings.Contains(out, "one-") {
		t.Errorf("one is not forgotten:\n%s", out)
	}
	l.ok("forget", "two")
	if ents, _ := os.ReadDir(l.state); len(ents) != 0 {
		t.Errorf("state is left: %v", ents)
	}
}

func TestRunGoesOnWithoutTheTaskThatFails(t *testing.T) {
	l := newFileLab(t, twoTasks+"  - {id: three, source: none, target: to/c}\n")
	l.fill("a", 3)
	l.fill("b", 20)
	// A directory in the way of a file.
	if err := os.MkdirAll(l.path("to/a/0001/in"), 0o755); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := l.run("run", l.file)
	if code != exitFailed || !strings.Contains(errOut, "sluice: task three: source: ") || !strings.Contains(errOut, "name of the source") {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
	for _, says := range []string{"one: done: found 3, copied 2, skipped 0, pending 0, failed 1", "two: done: found 10, copied 10", "three: halted", "total: halted: found 13"} {
		if !strings.Contains(out, says) {
			t.Errorf("no %q in\n%s", says, out)
		}
	}
	if out := l.ok("status", "three"); !strings.Contains(out, "no such bucket or directory") {
		t.Errorf("the status does not say why:\n%s", out)
	}

	// One object of one failed: 3, and the ledger works by the name of the task.
	l.write(twoTasks)
	if code, _, errOut := l.run("run", l.file); code != exitObjects {
		t.Errorf("exit %d\n%s", code, errOut)
	}
	if out := l.ok("failures", "list", "one"); !strings.Contains(out, `"0001"`) {
		t.Errorf("the ledger of one:\n%s", out)
	}
	if out := l.ok("failures", "list", "two"); !strings.Contains(out, "no failures") {
		t.Errorf("the ledger of two:\n%s", out)
	}
	if out := l.ok("failures", "export", "one"); !strings.Contains(out, `"0001"`) {
		t.Errorf("the export of one:\n%s", out)
	}
	if err := os.RemoveAll(l.path("to/a/0001")); err != nil {
		t.Fatal(err)
	}
	l.ok("failures", "retry", "one")
	l.holds("to/a", 3)
}

func TestRunRefusesWrongFiles(t *testing.T) {
	const head = "tasks:\n  - id: a\n    source: a\n    target: to/a\n"
	l := newFileLab(t, "")
	l.fill("a", 1)
	for _, c := range []struct{ text, want string }{
		{head + "    filter: {rules: [{exclud: x}]}\n", `:5:23: unknown key "exclud" in a rule; did you mean exclude?`},
		{head + "    compare: {size_only: true, checksum: true}\n", ":5:26: compare.size_only and compare.checksum contradict each other"},
		{head + "    transfer:\n      workers: 0\n", ":6:16: transfer.workers 0: use 1 to 4096"},
		{head + "    transfer: {part_size: 100k}\n", ":5:27: transfer.part_size 100k: use 1048576 bytes or more"},
		{head + "    transfer: {bandwidth: 0}\n", `:5:27: transfer.bandwidth "0": use a number of bytes per second, such as 10MiB`},
		{head + "    delete: {max_delete: 5}\n", ":5:26: delete.max_delete needs delete.enabled"},
		{head + "    delete: {enabled: true, max_delete: 200%}\n", `:5:41: delete.max_delete: "200%" is not a share from 0% to 100%`},
		{head + "    object: {expires: later}\n", ":5:23: object.expires later: use keep, drop, a date such as 2030-01-31 or a time from now on such as +30d"},
		{head + "    filter: {rules: [{exclude_from: none}]}\n", ":5:37: exclude_from: open " + l.path("none") + ": no such file or directory"},
		{"tasks: [{id: a, source: a, target: 'nix://b'}]\n", ":1:36: target: nix:// is no known endpoint"},
		{"tasks: [{id: a, source: a, target: a/b}]\n", ":1:9: task a: source and target lie inside each other"},
		{"endpoints: {xx: {provider: minoi}}\n" + head, ":1:28: endpoint xx: provider is unknown; did you mean minio?"},
		{head + "    delete: {enabled: true}\n  - {id: b, source: b, target: to/a/in}\n",
			":5:23: task a would delete at " + l.path("to/a") + " what task b writes to " + l.path("to/a/in")},
	} {
		l.write(c.text)
		l.refused(exitUsage, l.file+c.want, "run", l.file)
	}
	l.refused(exitUsage, "the task file cannot be read", "run", l.path("none.yaml"))
	l.write(head)
	l.refused(exitUsage, "--only b: the file has the tasks a", "run", l.file, "--only", "b")
	l.refused(exitUsage, "--interval 1ms", "run", l.file, "--interval", "1ms")
	if ents, _ := os.ReadDir(l.state); len(ents) != 0 {
		t.Errorf("a wrong file left state: %v", ents)
	}
}

// TestRunKilledAndResumed kills a process that runs two tasks, asks for its
// tasks from outside while it runs, and lets the same command end its work.
func TestRunKilledAndResumed(t *testing.T) {
	asChild(t)
	l := newFileLab(t, `
defaults: {transfer: {bandwidth: 2MiB, workers: 2}}
tasks:
  - {id: one, source: a, target: to/a}
  - {id: two, source: b, target: to/b}
`)
	for _, dir := range []string{"a", "b"} {
		l.fill(dir, 0)
		for i := range 60 {
			if err := os.WriteFile(filepath.Join(l.path(dir), fmt.Sprint(i)), bytes.Repeat([]byte{byte(i)}, 100<<10), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	child := l.start("run", l.file)
	until(t, "copies of both tasks", func() bool { return l.copied("one") > 5 && l.copied("two") > 5 })
	l.refused(exitFailed, fmt.Sprintf("another process (pid %d)", child.Process.Pid), "run", l.file)
	if out := l.ok("failures", "list", "one"); !strings.Contains(out, "no failures") {
		t.Errorf("the ledger of a running task:\n%s", out)
	}
	if out := l.ok("failures", "retry", "two"); !strings.Contains(out, "0 failed objects") {
		t.Errorf("the retry of a running task:\n%s", out)
	}
	if out := l.ok("status", "one"); !strings.Contains(out, fmt.Sprintf("running (pid %d)", child.Process.Pid)) {
		t.Errorf("the status of a running task:\n%s", out)
	}
	if err := child.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	if out := l.ok("status", "two"); !strings.Contains(out, "killed") {
		t.Errorf("the status of a killed task:\n%s", out)
	}
	all := l.lines(l.ok("run", "--json", l.file))
	for _, s := range all {
		if s.Type == "summary" && (!s.Resumed || s.Found != 60 || s.Copied != 60 || s.BytesMoved > 56*100<<10) {
			t.Errorf("%s did not go on where it was: %+v", s.ID, s.Snapshot)
		}
	}
	for _, dir := range []string{"a", "b"} {
		l.holds("to/"+dir, 60)
		for i := range 60 {
			got, err := os.ReadFile(filepath.Join(l.path("to/"+dir), fmt.Sprint(i)))
			if err != nil || !bytes.Equal(got, bytes.Repeat([]byte{byte(i)}, 100<<10)) {
				t.Errorf("%s/%d differs: %v", dir, i, err)
			}
		}
	}
}

func TestRunInterruptedDrainsAll(t *testing.T) {
	l := newFileLab(t, "defaults: {transfer: {bandwidth: 1MiB, workers: 1}}"+strings.Replace(twoTasks, "    filter: {rules: [{exclude: '/000*'}]}\n", "", 1))
	for _, dir := range []string{"a", "b"} {
		l.fill(dir, 0)
		for i := range 40 {
			if err := os.WriteFile(filepath.Join(l.path(dir), fmt.Sprint(i)), make([]byte, 100<<10), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errOut bytes.Buffer
	code := make(chan int)
	go func() {
		a := &app{stdout: &out, stderr: &errOut, env: l.env}
		cmd := a.command()
		cmd.SetArgs([]string{"run", l.file})
		code <- report(&errOut, cmd.ExecuteContext(ctx))
	}()
	until(t, "a first copy of both", func() bool { return l.copied("one") > 1 && l.copied("two") > 1 })
	cancel()
	if got := <-code; got != exitInterrupted || strings.Count(errOut.String(), "interrupted") != 1 {
		t.Errorf("exit %d: %s", got, errOut.String())
	}
	for _, says := range []string{"one: interrupted: found", "two: interrupted: found", "total: interrupted: found"} {
		if !strings.Contains(out.String(), says) {
			t.Errorf("no %q in\n%s", says, out.String())
		}
	}
	if s := l.ok("status"); strings.Count(s, "interrupted") != 2 {
		t.Errorf("status:\n%s", s)
	}
}

func TestRunOnlyLeavesOthersOut(t *testing.T) {
	asChild(t)
	l := newFileLab(t, "defaults: {transfer: {bandwidth: 1MiB, workers: 1}}"+twoTasks)
	l.fill("a", 0)
	for i := range 40 {
		if err := os.WriteFile(filepath.Join(l.path("a"), fmt.Sprint(i)), make([]byte, 100<<10), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	child := l.start("run", l.file, "--only", "one")
	until(t, "a first copy", func() bool { return l.copied("one") > 1 })
	// A task of the file that is left out is not running, and its ledger is known.
	if out := l.ok("status"); strings.Contains(out, "two-") {
		t.Errorf("a task that never ran is listed:\n%s", out)
	}
	resp, err := space.Client(l.state, l.at("two")).Post("http://space/"+space.Name("two", l.file)+"/failures/retry", "", nil)
	if err != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("retry of a task that is left out: %v %v", resp, err)
	}
	if err == nil {
		resp.Body.Close()
	}
	_ = child.Process.Kill()
}

// TestKeysAreFlags holds the format against the flags of sync: each flag is a
// key or has a reason not to be, and their defaults are the same.
func TestKeysAreFlags(t *testing.T) {
	no := map[string]string{
		"dry-run": "of one look", "skip-precheck": "of one start", "json": "how it is shown", "quiet": "how it is shown",
		"interval": "how it is shown", "nats": "of the process", "nats-creds": "of the process", "nats-ca": "of the process",
		"nats-cert": "of the process", "nats-key": "of the process", "from-manifest": "not yet a key", "key-range": "not yet a key",
		"include": "a rule", "exclude": "a rule", "exclude-from": "a rule",
	}
	keys := taskfile.Flags()
	cmd := &cobra.Command{}
	(&syncFlags{}).register(cmd)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		standard, isKey := keys[f.Name]
		_, isNo := no[f.Name]
		switch {
		case isKey == isNo:
			t.Errorf("--%s is a key: %v, and has a reason not to be: %v", f.Name, isKey, isNo)
		case isKey && standard != "" && f.DefValue != standard && f.Name != "compare":
			t.Errorf("--%s is %q by default, its key %q", f.Name, f.DefValue, standard)
		}
		delete(keys, f.Name)
	})
	for name := range keys {
		t.Errorf("there is a key for --%s, which is no flag", name)
	}
}

func TestOutcomeIsTheWorst(t *testing.T) {
	for _, c := range []struct {
		errs []error
		want int
	}{
		{[]error{nil, nil}, exitOK},
		{[]error{nil, codeError(exitObjects)}, exitObjects},
		{[]error{codeError(exitObjects), task.ErrMaxErrors}, exitMaxErrors},
		{[]error{task.ErrMaxErrors, storage.ErrUnavailable}, exitFailed},
		{[]error{storage.ErrUnavailable, usagef("no such class")}, exitUsage},
		{[]error{usagef("no such class"), task.ErrInterrupted}, exitInterrupted},
	} {
		for range 2 {
			r := &fileRun{app: &app{stderr: &bytes.Buffer{}}}
			var lanes []*lane
			for _, err := range c.errs {
				lanes = append(lanes, &lane{planned: &planned{}, err: err})
			}
			if code := report(&bytes.Buffer{}, r.outcome(lanes)); code != c.want {
				t.Errorf("%v: exit %d, want %d", c.errs, code, c.want)
			}
			slices.Reverse(c.errs)
		}
	}
}

func TestBoards(t *testing.T) {
	one, two := &lane{planned: &planned{}}, &lane{planned: &planned{}}
	one.ID.Text, two.ID.Text = "one", "two"
	start := time.Unix(1e9, 0)
	at := func(sec int, l *lane, found, copied int64, state string) look {
		return look{l, task.Snapshot{Run: "r", State: state, Listed: true, At: start.Add(time.Duration(sec) * time.Second),
			Found: found, Copied: copied, Pending: found - copied, Seconds: float64(sec)}, state != task.StateRunning}
	}
	var out bytes.Buffer
	b := &lineBoard{out: &out, file: "f", rates: map[*lane]*meter{}}
	b.show([]look{at(1, one, 10, 5, task.StateRunning), at(1, two, 10, 10, task.StateDone)})
	b.end(at(1, two, 10, 10, task.StateDone))
	b.close([]look{at(2, one, 10, 10, task.StateDone), at(1, two, 10, 10, task.StateDone)})
	for _, says := range []string{"one: 50% 5/10 objects", "total: 75% 15/20 objects", "two: done: found 10, copied 10", "total: done: found 20, copied 20"} {
		if !strings.Contains(out.String(), says) {
			t.Errorf("no %q in\n%s", says, out.String())
		}
	}
	if strings.Contains(out.String(), "two: 100%") {
		t.Errorf("a task that has ended is in progress:\n%s", out.String())
	}
	out.Reset()
	bars := newBarBoard(&out, "f", []*lane{one, two})
	bars.show([]look{at(1, one, 10, 5, task.StateRunning)})
	bars.end(at(1, two, 10, 10, task.StateDone))
	bars.close([]look{at(2, one, 10, 5, task.StateHalted), at(1, two, 10, 10, task.StateDone)})
	if !strings.Contains(out.String(), "one: halted: found 10") || !strings.Contains(out.String(), "total: halted: found 20") {
		t.Errorf("the bars end with\n%s", out.String())
	}
}
