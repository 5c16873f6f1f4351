// Package matrix copies objects with every property from every kind of place to
// every kind of place, by a whole task over the embedded bus, and reads them
// back by independent means.
package matrix

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-sync/sluice/bus/natsbus"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/retry"
	"github.com/sluice-sync/sluice/store"
	"github.com/sluice-sync/sluice/task"
)

func TestMatrix(t *testing.T) {
	all := kinds(t)
	for _, from := range all {
		for _, to := range all {
			t.Run(from.name+" to "+to.name, func(t *testing.T) { copyAll(t, from.open(t), to.open(t)) })
		}
	}
}

// copyAll copies 200 objects and looks at each, copies again, which moves
// nothing, and deletes what the source has lost.
func copyAll(t *testing.T, src, dst place) {
	all := objects()
	var refused int64
	for _, o := range all {
		if src.refuses(o.key) {
			continue
		}
		if err := src.put(held(o, src.holds)); err != nil {
			t.Fatalf("put %q at the source: %v", o.key, err)
		}
		if dst.refuses(o.key) {
			refused++
		}
	}
	run := runner(t, src.bucket, dst.bucket)
	first := run(task.Spec{MaxDelete: task.DefaultCap(), Tries: 1})
	if first.Failed != refused || first.Copied == 0 || first.Pending != 0 {
		t.Errorf("first run: %+v; the target refuses %d keys", first, refused)
	}
	look(t, all, src, dst)
	again := run(task.Spec{MaxDelete: task.DefaultCap(), Tries: 1})
	if again.Copied != 0 || again.Failed != refused || again.Skipped != first.Copied {
		t.Errorf("second run: %+v; the first one copied %d", again, first.Copied)
	}
	var rest []object
	for i, o := range all {
		if i%4 != 0 {
			rest = append(rest, o)
		} else if !src.refuses(o.key) {
			if err := src.remove(o.key); err != nil {
				t.Fatal(err)
			}
		}
	}
	unlimited, _ := task.ParseCap("none")
	gone := run(task.Spec{Delete: true, MaxDelete: unlimited, Tries: 1})
	if gone.Deleted == 0 || gone.Copied != 0 {
		t.Errorf("run with deletes: %+v", gone)
	}
	look(t, rest, src, dst)
	for i, o := range all {
		if i%4 == 0 && !src.refuses(o.key) && !dst.refuses(o.key) {
			if _, err := dst.get(o.key); err == nil {
				t.Errorf("%q is still at the target", o.key)
			}
		}
	}
}

func look(t *testing.T, all []object, src, dst place) {
	t.Helper()
	for _, o := range all {
		if src.refuses(o.key) || dst.refuses(o.key) {
			continue
		}
		got, err := dst.get(o.key)
		if err != nil {
			t.Errorf("get %q from the target: %v", o.key, err)
			continue
		}
		for _, d := range differences(got, expect(o, src.holds, dst.holds)) {
			t.Errorf("%.60q: %s", o.key, d)
		}
	}
}

// runner runs a task on one state and one embedded bus, as the command does.
func runner(t *testing.T, src, dst storage.Bucket) func(task.Spec) task.Snapshot {
	dir := t.TempDir()
	for _, d := range []string{"bus", "db"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return func(spec task.Spec) task.Snapshot {
		t.Helper()
		ctx := context.Background()
		st, err := store.Open(filepath.Join(dir, "db"), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := natsbus.OpenEmbedded(ctx, natsbus.Embedded{Dir: filepath.Join(dir, "bus")})
		if err != nil {
			t.Fatal(err)
		}
		sum, err := task.New(task.Config{
			Name: "t", Spec: spec, Source: retry.New(src, retry.Config{}), Target: retry.New(dst, retry.Config{}), Bus: b, Store: st, BootID: "boot", Notify: func(task.Level, string) {},
		}).Run(ctx)
		if err := errors.Join(err, b.Close(), st.Close()); err != nil {
			t.Fatal(err)
		}
		return sum
	}
}
