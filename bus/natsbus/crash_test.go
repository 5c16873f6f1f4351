package natsbus

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/bus"
)

// childDir makes the test binary a victim: it publishes into this directory,
// writing the last acknowledged sequence to standard output, until it is killed.
const childDir = "NATSBUS_TEST_CHILD"

func victim(dir string) error {
	ctx := context.Background()
	b, err := OpenEmbedded(ctx, Embedded{Dir: dir})
	if err != nil {
		return err
	}
	s, _, err := b.Open(ctx, "t", bus.StreamOptions{})
	if err != nil {
		return err
	}
	c, err := s.Events(ctx, bus.ClassScan)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		last, err := s.PublishEvents(ctx, numbered(i*100, 100, bus.ClassScan))
		if err != nil {
			return err
		}
		digest, err := s.Mark(ctx, last)
		if err != nil {
			return err
		}
		fmt.Println("published", i, last, digest)
		if i >= ackedBatches {
			continue
		}
		got, err := c.Fetch(ctx, 100)
		if err != nil {
			return err
		}
		for _, d := range got {
			if err := d.Token.Ack(); err != nil {
				return err
			}
		}
		if err := s.Trim(ctx, bus.Retain{}); err != nil {
			return err
		}
	}
}

// ackedBatches is up to where the victim acks and trims.
const ackedBatches = 20

func numbered(from, n int, class bus.Class) []bus.Event {
	events := make([]bus.Event, n)
	for i := range events {
		events[i] = bus.Event{Task: "t", Op: bus.OpPut, Key: strconv.Itoa(from + i), Class: class}
	}
	return events
}

// TestKilledPublisher: what was acknowledged is there after kill -9, in order.
func TestKilledPublisher(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 8 {
		dir := t.TempDir()
		batches := killAfter(t, dir, 1+random.IntN(3*ackedBatches))
		checkPublished(t, dir, batches)
	}
}

type published struct {
	i      int
	last   uint64
	digest string
}

func killAfter(t *testing.T, dir string, batches int) []published {
	cmd := exec.Command(os.Args[0], "-test.run", "^$")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	var all []published
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var p published
		if _, err := fmt.Sscanf(lines.Text(), "published %d %d %s", &p.i, &p.last, &p.digest); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if all = append(all, p); len(all) == 1 {
			checkLock(t, dir, cmd.Process.Pid)
		}
		if len(all) == batches {
			cmd.Process.Kill() // what it publishes until it is dead is read below
		}
	}
	if len(all) < batches {
		t.Fatalf("the child ended after %d batches", len(all))
	}
	return all
}

// checkLock: a second process is refused and told whom to blame.
func checkLock(t *testing.T, dir string, pid int) {
	_, err := OpenEmbedded(t.Context(), Embedded{Dir: dir})
	var held *InUseError
	if !errors.As(err, &held) || !errors.Is(err, ErrInUse) || held.PID != pid || held.Dir != dir {
		t.Errorf("opening a directory that process %d has: %v", pid, err)
	}
}

func checkPublished(t *testing.T, dir string, batches []published) {
	b := embed(t, dir)
	defer b.Close()
	s, fresh, err := b.Open(t.Context(), "t", bus.StreamOptions{AckWait: 100 * time.Millisecond})
	if err != nil || fresh {
		t.Fatalf("fresh %v, %v", fresh, err)
	}
	want := map[string]bool{}
	for _, p := range batches {
		digest, err := s.Mark(t.Context(), p.last)
		trimmed := p.i < ackedBatches && digest == ""
		if err != nil || digest != p.digest && !trimmed {
			t.Fatalf("batch %d ended at %d: digest %q, %v", p.i, p.last, digest, err)
		}
		for _, e := range numbered(p.i*100, 100, "") {
			if p.i >= ackedBatches {
				want[e.Key] = true
			}
		}
	}
	checkAll(t, s, want)
	if last, err := s.PublishEvents(t.Context(), numbered(0, 1, bus.ClassLive)); err != nil || last <= batches[len(batches)-1].last {
		t.Errorf("sequence %d after %d, %v", last, batches[len(batches)-1].last, err)
	}
}

// checkAll fetches until all wanted keys have come.
func checkAll(t *testing.T, s bus.Streams, want map[string]bool) {
	c, err := s.Events(t.Context(), bus.ClassScan)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for len(want) > 0 {
		got, err := c.Fetch(ctx, 1000)
		if err != nil {
			t.Fatalf("%d events are missing: %v", len(want), err)
		}
		for _, d := range got {
			delete(want, d.Event.Key)
			if err := d.Token.Ack(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestDamagedStore: whatever was done to the files, the bus opens or fails
// within bounded time, and what it lost it does not hide: Open says fresh, or
// Mark says lost or has another digest, or the events are there.
func TestDamagedStore(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	template := t.TempDir()
	last, digest := fill(t, template)
	damages := map[string]func(path string, data []byte) error{
		"deleted":   func(path string, _ []byte) error { return os.Remove(path) },
		"emptied":   func(path string, _ []byte) error { return os.Truncate(path, 0) },
		"cut":       func(path string, data []byte) error { return os.Truncate(path, random.Int64N(int64(len(data)+1))) },
		"bit flips": func(path string, data []byte) error { return os.WriteFile(path, flip(random, data), 0o600) },
	}
	for name, damage := range damages {
		for _, file := range files(t, template) {
			t.Run(name+"/"+filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file), func(t *testing.T) {
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(template)); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir, file)
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := damage(path, data); err != nil {
					t.Fatal(err)
				}
				checkDamaged(t, dir, last, digest)
			})
		}
	}
	t.Run("directory deleted", func(t *testing.T) {
		b := embed(t, filepath.Join(t.TempDir(), "gone"))
		defer b.Close()
		if _, fresh, err := b.Open(t.Context(), "t", bus.StreamOptions{}); err != nil || !fresh {
			t.Error(fresh, err)
		}
	})
}

func fill(t *testing.T, dir string) (last uint64, digest string) {
	b := embed(t, dir)
	defer b.Close()
	s, _, err := b.Open(t.Context(), "t", bus.StreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if last, err = s.PublishEvents(t.Context(), numbered(0, 500, bus.ClassScan)); err != nil {
		t.Fatal(err)
	}
	if digest, err = s.Mark(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	return last, digest
}

func files(t *testing.T, dir string) (all []string) {
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && path != "lock" && (!strings.Contains(path, "obs") || strings.Contains(path, "scan")) {
			all = append(all, path)
		}
		return err
	})
	if err != nil || len(all) < 6 {
		t.Fatal(all, err)
	}
	return all
}

func flip(random *rand.Rand, data []byte) []byte {
	for range min(len(data), 8) {
		data[random.IntN(len(data))] ^= 1 << random.IntN(8)
	}
	return data
}

// checkDamaged: nothing tells the bus that the state of a consumer claims more
// than was acked, or that the server passes over messages it cannot read.
// Whoever waits for what was published then finds the bus idle.
func checkDamaged(t *testing.T, dir string, last uint64, digest string) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	b, err := OpenEmbedded(ctx, Embedded{Dir: dir})
	if err != nil {
		t.Log("refused:", err)
		return
	}
	defer b.Close()
	s, fresh, err := b.Open(ctx, "t", bus.StreamOptions{AckWait: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if fresh {
		return
	}
	now, err := s.Mark(ctx, last)
	if err != nil {
		t.Log("mark:", err)
		return
	}
	if now != digest {
		t.Logf("mark: the event at %d is another one", last)
		if now == "" {
			t.Error("what was never trimmed is said to be")
		}
		return
	}
	want := map[string]bool{}
	for _, e := range numbered(0, 500, "") {
		want[e.Key] = true
	}
	drain(t, s, want)
}

// drain takes what comes until all wanted keys have come or the bus is idle.
func drain(t *testing.T, s bus.Streams, want map[string]bool) {
	c, err := s.Events(t.Context(), bus.ClassScan)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for end := time.Now().Add(30 * time.Second); len(want) > 0; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		got, err := c.Fetch(ctx, 1000)
		cancel()
		for _, d := range got {
			delete(want, d.Event.Key)
			_ = d.Token.Ack()
		}
		if err == nil {
			continue
		}
		st, err := s.State(t.Context())
		switch {
		case err != nil:
			t.Fatal(err)
		case st.Pending[bus.ClassScan]+st.Unacked[bus.ClassScan] == 0:
			t.Logf("%d events were passed over", len(want))
			return
		case time.Now().After(end):
			t.Fatalf("%d events are missing, and yet %+v", len(want), st)
		}
	}
}
