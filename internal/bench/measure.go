package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// tool is one way of doing the work of a row.
type tool struct {
	name string
	cmd  func() []string
	// reset brings the target back to where the work is still to be done.
	reset func() error
}

// row is one line of work.
type row struct {
	name    string
	prepare func() error
	ours    []tool // variants of sluice
	peers   []tool
	done    func() error // frees what prepare made
	perItem int          // objects, to print CPU per object; 0: no
}

// cost is what one run cost.
type cost struct{ wall, cpu, rss float64 }

// measure runs a command and returns its cost; a failing command is an error.
func (b *lab) measure(args []string) (cost, error) {
	cmd := exec.CommandContext(b.ctx, args[0], args[1:]...)
	cmd.Env = b.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	err := cmd.Start()
	peak := make(chan float64, 1)
	if err == nil {
		ended := make(chan struct{})
		go func() { peak <- watchRSS(cmd.Process.Pid, ended) }()
		err = cmd.Wait()
		close(ended)
	} else {
		peak <- 0
	}
	c := cost{wall: time.Since(start).Seconds(), rss: <-peak}
	if err != nil {
		return c, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, tail(out.String()))
	}
	c.cpu = cmd.ProcessState.UserTime().Seconds() + cmd.ProcessState.SystemTime().Seconds()
	return c, nil
}

// watchRSS returns the peak resident size of a process in MB. It is read from
// /proc while the process lives: what wait4 tells includes the memory of the
// parent that forked it.
func watchRSS(pid int, ended <-chan struct{}) (mb float64) {
	path := fmt.Sprintf("/proc/%d/status", pid)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if b, err := os.ReadFile(path); err == nil {
			if _, rest, ok := strings.Cut(string(b), "VmHWM:"); ok {
				var kb float64
				if _, err := fmt.Sscan(rest, &kb); err == nil {
					mb = max(mb, kb/1024)
				}
			}
		}
		select {
		case <-tick.C:
		case <-ended:
			return mb
		}
	}
}

func tail(s string) string {
	if len(s) > 1500 {
		return "…" + s[len(s)-1500:]
	}
	return s
}

// row runs all tools of a row in turn and prints its lines.
func (b *lab) row(r row) error {
	fmt.Fprintln(os.Stderr, r.name)
	if err := r.prepare(); err != nil {
		return err
	}
	all := append(append([]tool(nil), r.ours...), r.peers...)
	costs := make([][]cost, len(all))
	for range b.rounds {
		for i, t := range all {
			if err := t.reset(); err != nil {
				return fmt.Errorf("%s: reset: %w", t.name, err)
			}
			c, err := b.measure(t.cmd())
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			fmt.Fprintf(os.Stderr, "  %-20s %6.2f s %6.2f s CPU %4.0f MB\n", t.name, c.wall, c.cpu, c.rss)
			costs[i] = append(costs[i], c)
		}
	}
	for i, t := range r.ours {
		mine := median(costs[i])
		name := r.name
		if t.name != "sluice" {
			name += ", " + strings.TrimPrefix(t.name, "sluice ")
		}
		if r.perItem > 0 {
			name += fmt.Sprintf(" (%.3f ms of CPU per object)", 1000*mine.cpu/float64(r.perItem))
		}
		if len(r.peers) == 0 {
			fmt.Printf("| %s | %s | | | | | |\n", name, mine)
		}
		for j, p := range r.peers {
			peer := median(costs[len(r.ours)+j])
			fmt.Printf("| %s | %s | %s | %s | %.2f | %.2f | %.2f |\n", name, mine, p.name, peer,
				mine.wall/peer.wall, mine.cpu/peer.cpu, mine.rss/peer.rss)
		}
	}
	if r.done != nil {
		return r.done()
	}
	return nil
}

func (c cost) String() string { return fmt.Sprintf("%.2f / %.2f / %.0f", c.wall, c.cpu, c.rss) }

func median(cs []cost) cost {
	mid := func(get func(cost) float64) float64 {
		v := make([]float64, 0, len(cs))
		for _, c := range cs {
			v = append(v, get(c))
		}
		sort.Float64s(v)
		return v[len(v)/2]
	}
	return cost{mid(func(c cost) float64 { return c.wall }), mid(func(c cost) float64 { return c.cpu }), mid(func(c cost) float64 { return c.rss })}
}

// path is a file or directory of the lab.
func (b *lab) path(parts ...string) string {
	return filepath.Join(append([]string{b.dir}, parts...)...)
}
