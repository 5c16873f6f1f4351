// Package servertest runs real servers (MinIO, nats-server) as child processes
// of a test, on loopback and free ports. Only tests import it.
package servertest

import (
	"bytes"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Binary returns the path of a server that `make tools` installed into
// .tools/bin. Without it the test is skipped on a laptop and fails under
// CI=true.
func Binary(t testing.TB, name string) string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(file), "..", "..", ".tools", "bin", name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed: run `make tools`", name)
	}
	t.Skipf("%s is not installed: run `make tools`", name)
	return ""
}

// The ports that are handed out lie below the range from which kernels take
// those of outgoing connections (from 32768 on Linux, 49152 elsewhere): any
// process could take one of these before the server binds it.
const (
	firstPort = 20_000
	endPort   = 32_000
)

var given struct {
	sync.Mutex
	ports map[int]bool
}

// FreePort returns a loopback port on which nobody listens. A process is given
// no port twice, so that one server may be restarted on its own while others
// start.
func FreePort(t testing.TB) int {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	for range 1000 {
		port := firstPort + rand.IntN(endPort-firstPort)
		if given.ports[port] {
			continue
		}
		l, err := net.Listen("tcp", Addr(port))
		if err != nil {
			continue
		}
		l.Close()
		if given.ports == nil {
			given.ports = map[int]bool{}
		}
		given.ports[port] = true
		return port
	}
	t.Fatalf("no free port from %d to %d in 1000 tries", firstPort, endPort-1)
	return 0
}

// Addr is host:port of a loopback port.
func Addr(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// Process is a running server. Its output is shown if the test fails.
type Process struct {
	cmd  *exec.Cmd
	out  syncBuffer
	done chan struct{}
}

// Start runs a command until the test ends or Kill is called, and returns when
// ready reports true (asked every 20 ms, for 60 s at most).
func Start(t testing.TB, ready func() bool, env []string, bin string, args ...string) *Process {
	t.Helper()
	p := &Process{cmd: exec.Command(bin, args...), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(p.done); _ = p.cmd.Wait() }()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(bin), p.out.String())
		}
	})
	for deadline := time.Now().Add(60 * time.Second); !ready(); {
		select {
		case <-p.done:
			t.Fatalf("%s ended at once:\n%s", filepath.Base(bin), p.out.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready after 60 s:\n%s", filepath.Base(bin), p.out.String())
		}
	}
	return p
}

// Kill ends the process with SIGKILL and waits for it. It may be called again.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Signal sends a signal, for instance SIGSTOP and SIGCONT.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
