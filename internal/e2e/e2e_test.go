// Package e2e runs the built program as its users do, against directories and
// real MinIO servers, kills it, and compares what came of it by other means
// than its own code.
package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sluice is the program under test, built once.
var sluice string

// envBinary hands it to a test that runs again in a process of its own.
const envBinary = "SLUICE_E2E_BINARY"

// atOnce is how many tests run beside each other: they wait far more than they
// compute.
const atOnce = "6"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		_ = flag.Set("test.parallel", atOnce)
	}
	if sluice = os.Getenv(envBinary); sluice != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "sluice-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := buildSluice(dir); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		return 1
	}
	return m.Run()
}

// buildSluice makes a program that any user of the machine may run.
func buildSluice(dir string) error {
	sluice = filepath.Join(dir, "sluice")
	args := []string{"build", "-o", sluice}
	if underRace {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "../../cmd/sluice")...)
	build.Stderr = os.Stderr
	return errors.Join(build.Run(), os.Chmod(dir, 0o755))
}

// user is somebody with a home directory of their own who runs commands.
type user struct {
	t   *testing.T
	env []string
	as  *syscall.SysProcAttr // nil: as who runs the tests
}

func newUser(t *testing.T, env ...string) *user {
	home := t.TempDir()
	return &user{t: t, env: append([]string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "SLUICE_STATE=" + filepath.Join(home, "state"), "TMPDIR=" + home,
	}, env...)}
}

// in is the same person within a subtest.
func (u *user) in(t *testing.T) *user { return &user{t, u.env, u.as} }

func (u *user) state() string { return filepath.Join(strings.TrimPrefix(u.env[0], "HOME="), "state") }

// result is what a command left behind.
type result struct {
	code        int
	out, errOut string
}

func (u *user) command(args ...string) *exec.Cmd {
	cmd := exec.Command(sluice, args...)
	cmd.Env, cmd.SysProcAttr = u.env, u.as
	return cmd
}

// run runs sluice to its end.
func (u *user) run(args ...string) result {
	u.t.Helper()
	return u.start(args...).wait()
}

// ok runs sluice and fails the test if it does not exit 0.
func (u *user) ok(args ...string) result {
	u.t.Helper()
	r := u.run(args...)
	if r.code != 0 {
		u.t.Fatalf("sluice %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.errOut)
	}
	return r
}

// line is what the tests need of a JSON line.
type line struct {
	Type           string
	Op             string // of a dry run's difference
	Key            string //
	Reason         string //
	Why            string // of a pause
	Resumed        bool
	Task           string
	State          string
	Found          int64
	Copied         int64
	Skipped        int64
	Pending        int64
	Restoring      int64
	Failed         int64
	Deleted        int64
	Bytes          int64
	BytesMoved     int64 `json:"bytes_moved"`
	Seconds        float64
	SkippedReasons map[string]int64 `json:"skipped_reasons"`
	Unvouched      int64
}

// lines parses JSON lines and checks in each that the counts add up.
func lines(t *testing.T, out string) []line {
	t.Helper()
	var all []line
	sc := bufio.NewScanner(strings.NewReader(out))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var l line
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			t.Fatalf("not JSON: %q: %v", sc.Text(), err)
		}
		if l.Found != l.Copied+l.Skipped+l.Pending+l.Failed {
			t.Errorf("found is not the sum: %s", sc.Text())
		}
		all = append(all, l)
	}
	return all
}

// sync runs `sluice sync --json` and returns the summary.
func (u *user) sync(args ...string) line {
	u.t.Helper()
	r := u.ok(append([]string{"sync", "--json"}, args...)...)
	all := lines(u.t, r.out)
	last := all[len(all)-1]
	if last.Type != "summary" || last.State != "done" || last.Pending != 0 {
		u.t.Fatalf("the last line is no summary of a done task: %s", r.out)
	}
	return last
}

// killed runs sluice and kills it with SIGKILL after a while. It returns the
// exit code if the program ended before that, else -1, and what it printed.
func (u *user) killed(after time.Duration, args ...string) (code int, out string) {
	u.t.Helper()
	code, out, err := u.killedAfter(after, args...)
	if err != nil {
		u.t.Fatal(err)
	}
	return code, out
}

// killedAfter is killed for any goroutine.
func (u *user) killedAfter(after time.Duration, args ...string) (code int, out string, err error) {
	cmd := u.command(args...)
	var buf, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &buf, &errOut
	if err := cmd.Start(); err != nil {
		return 0, "", err
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
	_ = cmd.Wait()
	timer.Stop()
	if code = cmd.ProcessState.ExitCode(); code > 0 || strings.Contains(errOut.String(), "DATA RACE") {
		return code, "", fmt.Errorf("exit %d: %s", code, errOut.String())
	}
	// The line that was being written may be cut.
	if s := buf.String(); code < 0 {
		return code, s[:strings.LastIndexByte(s, '\n')+1], nil
	}
	return code, buf.String(), nil
}

// write makes a file with its parents.
func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// writePattern makes a file of n bytes that depend on a seed.
func writePattern(t *testing.T, path string, seed, n int64) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, pattern(seed, n)); err != nil {
		t.Fatal(err)
	}
}

// sameTree compares two directories with diff(1).
func sameTree(t *testing.T, a, b string) {
	t.Helper()
	if out, err := exec.Command("diff", "-r", "--no-dereference", a, b).CombinedOutput(); err != nil {
		t.Errorf("diff -r: %v\n%s", err, head(string(out)))
	}
}

func head(s string) string {
	if len(s) > 2000 {
		return s[:2000] + "…"
	}
	return s
}

// pattern is a reader of n bytes that depend on their position and a seed.
func pattern(seed int64, n int64) io.Reader { return &patternReader{seed: uint64(seed), left: n} }

type patternReader struct {
	seed, pos uint64
	left      int64
}

func (r *patternReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), r.left))
	for i := range n {
		x := (r.pos + uint64(i)) * 0x9e3779b97f4a7c15
		p[i] = byte(x>>56) ^ byte(r.seed)
	}
	r.pos += uint64(n)
	r.left -= int64(n)
	return n, nil
}

// differs compares two streams and returns the first offset at which they
// differ; -1 if they do not.
func differs(a, b io.Reader) (int64, error) {
	x, y := bufio.NewReaderSize(a, 1<<16), bufio.NewReaderSize(b, 1<<16)
	for at := int64(0); ; at++ {
		p, ep := x.ReadByte()
		q, eq := y.ReadByte()
		if ep == io.EOF && eq == io.EOF {
			return -1, nil
		}
		if ep != nil && ep != io.EOF {
			return at, ep
		}
		if p != q || (ep == nil) != (eq == nil) {
			return at, nil
		}
	}
}
