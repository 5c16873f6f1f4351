// Command bench compares sluice with rclone and mc on this machine, three
// times in turn, and prints docs/benchmarks.md. Servers run as child processes
// on loopback with their drives on tmpfs; another one answers S3 requests at
// no cost, so that the client's own cost shows.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

func main() {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "free-server":
			serveFree(os.Args[2])
		case "oss-double":
			serveOSS(os.Args[2])
		}
	}
	var o options
	only := flag.String("only", "", "run only the rows whose name matches this regular expression")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds; medians are printed")
	flag.StringVar(&o.dir, "dir", "/dev/shm", "directory for data, on tmpfs")
	flag.IntVar(&o.million, "million", 1_000_000, "objects of the large listings")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if o.only, err = regexp.Compile(*only); err == nil {
		err = bench(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	only    *regexp.Regexp
	rounds  int
	dir     string
	million int
}

// bench runs all rows and prints the page.
func bench(ctx context.Context, o options) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(o.dir, "sluice-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	b := &lab{options: o, ctx: ctx, dir: work, bin: filepath.Join(root, "bin", "sluice"), tools: filepath.Join(root, ".tools", "bin")}
	defer b.stop()
	if err := b.start(); err != nil {
		return err
	}
	fmt.Printf("# Benchmarks\n\nPrinted by `make bench`; do not edit.\n\n%s\n", b.machine())
	fmt.Printf("Each cell: wall s / client CPU s / peak RSS MB, the median of %d rounds in turn. "+
		"The ratios are sluice's medians over the peer's.\n\n", o.rounds)
	fmt.Println("| work | sluice | peer | peer's figures | wall ratio | CPU ratio | RSS ratio |\n|---|---|---|---|---|---|---|")
	for _, r := range b.rows() {
		if !o.only.MatchString(r.name) {
			continue
		}
		if err := b.row(r); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// machine says on what and with which versions the figures were made.
func (b *lab) machine() string {
	cpu := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for l := range strings.Lines(string(info)) {
			if v, ok := strings.CutPrefix(l, "model name"); ok {
				cpu = strings.TrimSpace(strings.TrimLeft(v, "\t :"))
				break
			}
		}
	}
	first := func(name string, args ...string) string {
		out, err := exec.Command(name, args...).Output()
		if err != nil {
			return err.Error()
		}
		l, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return l
	}
	return fmt.Sprintf("- machine: %d × %s, %s/%s, shared and noisy: read the ratios\n- date: %s\n- sluice: %s\n- rclone: %s, `--transfers 32 --checkers 32`\n- mc: %s\n- command: `make bench`\n",
		runtime.NumCPU(), cpu, runtime.GOOS, runtime.GOARCH, time.Now().UTC().Format("2006-01-02"),
		first(b.bin, "--version"), first(filepath.Join(b.tools, "rclone"), "version"), first(filepath.Join(b.tools, "mc"), "--version"))
}
