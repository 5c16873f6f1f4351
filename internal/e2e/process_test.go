package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything here may take before it counts as hanging.
const patience = 3 * time.Minute

// process is a sluice that runs beside the test.
type process struct {
	t        *testing.T
	args     string
	cmd      *exec.Cmd
	out, err growing
	ended    chan struct{}

	read int // bytes of out that are in seen
	seen []line
}

// growing is output that can be looked at while it is written.
type growing struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (g *growing) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.Write(p)
}

func (g *growing) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.String()
}

// start runs sluice until it ends, is killed or the test is over.
func (u *user) start(args ...string) *process {
	u.t.Helper()
	p := &process{t: u.t, args: strings.Join(args, " "), cmd: u.command(args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	if err := p.cmd.Start(); err != nil {
		u.t.Fatal(err)
	}
	go func() { defer close(p.ended); _ = p.cmd.Wait() }()
	u.t.Cleanup(p.kill)
	return p
}

// wait returns what the program left behind. One that hangs is asked for its
// goroutines.
func (p *process) wait() result {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.signal(syscall.SIGQUIT)
		<-p.ended
		p.t.Fatalf("sluice %s hangs:\n%s\n%s", p.args, tail(p.out.String()), p.err.String())
	}
	if strings.Contains(p.err.String(), "DATA RACE") {
		p.t.Errorf("sluice %s: %s", p.args, p.err.String())
	}
	return result{p.cmd.ProcessState.ExitCode(), p.out.String(), p.err.String()}
}

// summary waits for the end and returns the exit code with the last line, after
// checking them all.
func (p *process) summary() (int, line) {
	p.t.Helper()
	r := p.wait()
	all := lines(p.t, r.out)
	if len(all) == 0 || all[len(all)-1].Type != "summary" {
		p.t.Fatalf("sluice %s: exit %d without a summary:\n%s%s", p.args, r.code, tail(r.out), r.errOut)
	}
	return r.code, all[len(all)-1]
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// lines returns what has been printed so far, all checked.
func (p *process) lines() []line {
	p.t.Helper()
	s := p.out.String()[p.read:]
	s = s[:strings.LastIndexByte(s, '\n')+1]
	p.read += len(s)
	p.seen = append(p.seen, lines(p.t, s)...)
	return p.seen
}

// last is the newest line.
func (p *process) last() line {
	p.t.Helper()
	all := p.lines()
	if len(all) == 0 {
		return line{}
	}
	return all[len(all)-1]
}

// until waits for a line for which ok holds and returns it. It fails if the
// program ends before, or if it takes too long.
func (p *process) until(within time.Duration, what string, ok func(line) bool) line {
	p.t.Helper()
	at, over := 0, time.After(within)
	for {
		all := p.lines()
		for _, l := range all[at:] {
			if ok(l) {
				return l
			}
		}
		at = len(all)
		select {
		case <-p.ended:
			if len(p.lines()) == at {
				p.t.Fatalf("sluice %s ended without %s:\n%s%s", p.args, what, tail(p.out.String()), p.err.String())
			}
		case <-over:
			p.t.Fatalf("sluice %s: no %s within %s:\n%s%s", p.args, what, within, tail(p.out.String()), p.err.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func tail(s string) string {
	if len(s) > 3000 {
		return "…" + s[len(s)-3000:]
	}
	return s
}
