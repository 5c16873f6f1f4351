package list

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/keymap"
	"github.com/sluice-sync/sluice/storage"
)

// f is a file or object of a size and a body that differ with the number.
func f(key string, n int) storage.Object {
	return storage.Object{Key: key, Size: int64(n % 10), ETag: md5Of(n), ModTime: at(time.Duration(n) * time.Hour)}
}

func of(k storage.Kind, key string) storage.Object {
	return storage.Object{Key: key, Kind: k, ModTime: at(0)}
}

// TestMerge compares small places; differences are written "op key reason".
func TestMerge(t *testing.T) {
	dir, link, fifo, blind := storage.KindDir, storage.KindSymlink, storage.KindSpecial, storage.KindUnreadable
	for _, tc := range []struct {
		name     string
		src, dst *place
		change   func(*Config)
		want     string // differences
		skipped  string
	}{
		{"nothing at all", store(), store(), nil, "", "map[]"},
		{"all new", store(f("a", 1), f("b", 2)), store(), nil, "copy a absent; copy b absent", "map[]"},
		{"source gone", store(), store(f("a", 1)), nil, "delete a extraneous", "map[]"},
		{"some of each", store(f("a", 1), f("c", 3), f("d", 4)), store(f("b", 2), f("c", 3), f("d", 14), f("e", 5)), nil,
			"copy a absent; delete b extraneous; update d checksum; delete e extraneous", "map[equal:1]"},
		{"order of a-b, a/b, a0", store(f("a-b", 1), f("a/b", 2), f("a0", 3)), store(f("a-b", 1), f("a0", 3)), nil, "copy a/b absent", "map[equal:2]"},
		{"no deletes", store(), store(f("a", 1)), func(c *Config) { c.Deletes = false }, "", "map[]"},
		{"filtered is neither found nor extraneous", store(f("a", 1), f("b", 2)), store(f("a", 9), f("b", 9), f("c", 9)),
			func(c *Config) { c.Select = func(o *storage.Object) bool { return false } }, "delete c extraneous", "map[]"},
		{"key rules guard", store(), store(f("a", 1), f("b", 2)),
			func(c *Config) { c.KeyRules = func(k string) bool { return k == "b" } }, "delete b extraneous", "map[]"},
		{"existing", store(f("a", 1), f("b", 2)), store(f("b", 3)), func(c *Config) { c.Rule.Existing = true }, "update b size", "map[absent_at_target:1]"},
		{"ignore existing", store(f("a", 1), f("b", 2)), store(f("b", 3)), func(c *Config) { c.Rule.IgnoreExisting = true }, "copy a absent", "map[exists:1]"},
		{"what a store cannot hold", tree(of(dir, "d/"), of(link, "l"), of(fifo, "p")), store(), nil, "", "map[directory:1 special:1 symlink:1]"},
		{"a store's keys of that name are not extraneous", tree(of(dir, "d/"), of(link, "l")), store(f("d/", 10), f("l", 1)), nil, "", "map[directory:1 symlink:1]"},
		{"file tree to file tree", tree(of(dir, "d/"), of(dir, "e/"), of(fifo, "p"), of(link, "x")), tree(of(dir, "e/")), nil,
			"copy d/ absent; copy x absent", "map[equal:1 special:1]"},
		{"empty directory that has entries there", tree(of(dir, "d/")), tree(f("d/x", 1)), nil, "delete d/x extraneous", "map[equal:1]"},
		{"a name that only begins alike", tree(of(dir, "d/")), tree(f("d0", 1)), nil, "copy d/ absent; delete d0 extraneous", "map[]"},
		{"empty directory there that has entries here", tree(f("d/x", 1)), tree(of(dir, "d/")), nil, "copy d/x absent", "map[]"},
		{"empty directory there, nothing here", tree(f("a", 1)), tree(f("a", 1), of(dir, "d/")), nil, "delete d/ extraneous", "map[equal:1]"},
		{"special and unreadable there are left alone", tree(), tree(of(fifo, "p"), of(blind, "x/")), nil, "", "map[]"},
		{"unreadable here", tree(of(blind, "x/")), store(), nil, "copy x/ unreadable", "map[]"},
		{"placeholder to absent directory", store(f("d/", 10)), tree(), nil, "copy d/ absent", "map[]"},
		{"placeholder to directory", store(f("d/", 10), f("e/", 10)), tree(of(dir, "d/"), f("e/1", 1)), nil, "delete e/1 extraneous", "map[equal:2]"},
		{"an object in a directory's place", store(f("d/", 11)), tree(of(dir, "d/")), nil, "update d/ kind", "map[]"},
		{"placeholder at the target of a directory here", tree(f("d/x", 1)), store(f("d/", 10), f("e/", 10)), nil, "delete e/ extraneous; copy d/x absent", "map[]"},
		{"file in a link's place", tree(f("l", 1)), tree(of(link, "l")), nil, "update l kind", "map[]"},
		{"hostile keys", store(f("\x00", 1), f("\xff\xfe", 2), f("a\nb", 3), f("../x", 4)), store(f("\xff\xfe", 2)), nil,
			"copy \x00 absent; copy ../x absent; copy a\nb absent", "map[equal:1]"},
		{"single key", store(f("a", 1), f("b", 2)), store(f("x", 1), f("y", 3)), func(c *Config) { c.Map = keymap.Single("b", "y") }, "update b size", "map[]"},
		{"single key, equal", store(f("b", 2)), store(f("b", 7), f("y", 2)), func(c *Config) { c.Map = keymap.Single("b", "y") }, "", "map[equal:1]"},
		{"single key, gone", store(f("a", 2)), store(f("y", 2)), func(c *Config) { c.Map = keymap.Single("b", "y") }, "delete y extraneous", "map[]"},
	} {
		for pageSize := range 3 {
			t.Run(fmt.Sprintf("%s/%d", tc.name, pageSize+1), func(t *testing.T) {
				tc.src.pageSize, tc.dst.pageSize = pageSize+1, 3-pageSize
				var got []string
				cfg := Config{Task: "t", Run: testRun, Source: tc.src, Target: tc.dst, Deletes: true, Diff: func(d Difference) {
					got = append(got, fmt.Sprintf("%s %s %s", d.Op, d.Key, d.Reason))
				}}
				if tc.change != nil {
					tc.change(&cfg)
				}
				totals, err := New(cfg).Run(context.Background(), 0)
				if err != nil {
					t.Fatal(err)
				}
				want := strings.Split(tc.want, "; ")
				if tc.want == "" {
					want = nil
				}
				slices.Sort(want)
				slices.Sort(got) // pages decide in which order looks end
				if !slices.Equal(got, want) {
					t.Errorf("differences %q, want %q", got, want)
				}
				if fmt.Sprint(totals.Skipped) != tc.skipped {
					t.Errorf("skipped %v, want %v", totals.Skipped, tc.skipped)
				}
				cfg.Diff, cfg.State = nil, newMemory()
				out := &outlet{}
				cfg.Publish = out.publish
				real, err := New(cfg).Run(context.Background(), 0)
				if err != nil || fmt.Sprint(real) != fmt.Sprint(totals) {
					t.Errorf("dry %+v, real %+v, %v", totals, real, err)
				}
				if int64(len(out.events)) != totals.Published || int64(len(cfg.State.(*memory).cands)) != totals.Candidates {
					t.Errorf("%d events, %v candidates: %+v", len(out.events), cfg.State.(*memory).cands, totals)
				}
			})
		}
	}
}

// A directory whose entries all lie in the next range is seen there.
func TestDirectoryAcrossRanges(t *testing.T) {
	state := newMemory()
	left := &keyRange{id: 0, last: "d/5"}
	right := &keyRange{id: 1, pos: "d/5"}
	state.cursors[0] = map[string][]byte{left.name(): left.encode(nil), right.name(): right.encode(nil)}
	src, dst := store(f("d/", 10)), tree(f("d/7", 1))
	out := &outlet{}
	totals, err := New(Config{Run: testRun, Source: src, Target: dst, State: state, Publish: out.publish}).Run(context.Background(), 0)
	if err != nil || totals.Skipped["equal"] != 1 || totals.Published != 0 {
		t.Errorf("%+v %v", totals, err)
	}
}

// Looks decide what listings cannot, and their answers are remembered.
func TestLooks(t *testing.T) {
	big := func(n int) storage.Object {
		o := f("k", n)
		o.Size, o.ETag = 5, o.ETag+"-2"
		return o
	}
	file := storage.Object{Key: "k", Size: 5, ModTime: at(time.Hour + 7), Inode: 3, CTime: 4}
	crc := func(b byte) []storage.Checksum { return []storage.Checksum{{Algorithm: "CRC32C", Value: []byte{b}}} }
	type info = storage.Info
	meta := func(t time.Time) info { return info{Metadata: storage.Metadata{MTime: t}} }
	for _, tc := range []struct {
		name     string
		src, dst *place
		si, di   info
		rule     Rule
		want     string // reason of the event; "" for none
		why      string // of the skip
	}{
		{name: "kept time of a file", src: tree(file), dst: store(big(9)), di: meta(file.ModTime), why: "equal"},
		{name: "kept time in seconds", src: tree(file), dst: store(big(9)), di: meta(at(time.Hour)), why: "equal"},
		{name: "another kept time", src: tree(file), dst: store(big(9)), di: meta(file.ModTime.Add(1)), want: "mtime"},
		{name: "no kept time", src: tree(file), dst: store(big(9)), want: "mtime"},
		{name: "copy of a listing's time", src: store(big(1)), dst: store(big(9)), di: meta(at(time.Hour)), why: "equal"},
		{name: "copy of a copy", src: store(big(1)), dst: store(big(9)), si: meta(at(7)), di: meta(at(7)), why: "equal"},
		{name: "copy of another copy", src: store(big(1)), dst: store(big(9)), si: meta(at(7)), di: meta(at(8)), want: "mtime"},
		{name: "store to file, kept time", src: store(big(1)), dst: tree(file), si: meta(file.ModTime), why: "equal"},
		{name: "same digest", src: store(big(1)), dst: store(big(9)), si: info{Checksums: crc(1)}, di: info{Checksums: crc(1)}, why: "equal"},
		{name: "other digest", src: store(big(1)), dst: store(big(9)), si: info{Checksums: crc(1)}, di: info{Checksums: crc(2)}, want: "mtime"},
		{name: "checksum ignores times", src: store(big(1)), dst: store(big(9)), si: meta(at(7)), di: meta(at(7)), rule: Rule{Checksum: true}, want: "checksum"},
		{name: "checksum by digest", src: store(big(1)), dst: store(big(9)), si: info{Checksums: crc(1)}, di: info{Checksums: crc(1)}, rule: Rule{Checksum: true}, why: "equal"},
		{name: "update, kept time newer", src: tree(file), dst: store(big(9)), di: meta(at(2 * time.Hour)), rule: Rule{Update: true}, why: "newer_at_target"},
		{name: "update, kept time older", src: tree(file), dst: store(big(9)), di: meta(at(0)), rule: Rule{Update: true}, want: "mtime"},
		{name: "update, upload newer", src: tree(file), dst: store(big(9)), rule: Rule{Update: true}, why: "newer_at_target"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.src.infos["k"], tc.dst.infos["k"] = tc.si, tc.di
			var got []string
			cfg := Config{Run: testRun, Source: tc.src, Target: tc.dst, Rule: tc.rule, Diff: func(d Difference) { got = append(got, d.Reason) }}
			totals, err := New(cfg).Run(context.Background(), 0)
			if err != nil || strings.Join(got, ",") != tc.want || tc.why != "" && totals.Skipped[tc.why] != 1 {
				t.Fatalf("%q %+v %v", got, totals, err)
			}
			cfg.Diff, cfg.State, cfg.Publish = nil, newMemory(), (&outlet{}).publish
			if _, err := New(cfg).Run(context.Background(), 0); err != nil {
				t.Fatal(err)
			}
			if tc.why != "equal" || tc.rule.Checksum {
				return
			}
			before := tc.src.stats + tc.dst.stats
			totals, err = New(cfg).Run(context.Background(), 1)
			if err != nil || totals.Skipped["equal"] != 1 || tc.src.stats+tc.dst.stats != before {
				t.Errorf("asked again: %+v %v", totals, err)
			}
		})
	}
}

func TestChecksumReadsFiles(t *testing.T) {
	hello := "5d41402abc4b2a76b9719d911017c592"
	file := storage.Object{Key: "k", Size: 5, ModTime: at(0)}
	object := storage.Object{Key: "k", Size: 5, ETag: hello, ModTime: at(99)}
	for _, tc := range []struct {
		src, dst *place
		body     string
		want     int64
	}{
		{tree(file), store(object), "hello", 0},
		{tree(file), store(object), "hallo", 1},
		{store(object), tree(file), "hello", 0},
		{store(object), tree(file), "hallo", 1},
		{tree(file), tree(file), "hello", 1}, // the other file is empty
	} {
		if tc.src.features.FileTree {
			tc.src.bodies["k"] = tc.body
		} else {
			tc.dst.bodies["k"] = tc.body
		}
		totals, err := New(Config{Source: tc.src, Target: tc.dst, Rule: Rule{Checksum: true}, Diff: func(Difference) {}}).Run(context.Background(), 0)
		if err != nil || totals.Published != tc.want {
			t.Errorf("%q: %+v %v", tc.body, totals, err)
		}
	}
}

func TestLinksAreComparedByText(t *testing.T) {
	src, dst := tree(of(storage.KindSymlink, "a"), of(storage.KindSymlink, "b")), tree(of(storage.KindSymlink, "a"), of(storage.KindSymlink, "b"))
	src.links["a"], dst.links["a"], src.links["b"], dst.links["b"] = "x", "x", "x", "y"
	out := &outlet{}
	totals, err := New(Config{Run: testRun, Source: src, Target: dst, State: newMemory(), Publish: out.publish}).Run(context.Background(), 0)
	if err != nil || !slices.Equal(out.keys(), []string{"b"}) || out.events["b"].Kind != bus.KindSymlink || totals.Skipped["equal"] != 1 {
		t.Errorf("%+v %+v %v", out.events, totals, err)
	}
}

// One object that cannot be looked at is published; an endpoint that cannot be
// reached ends the run.
func TestFailedLooks(t *testing.T) {
	file := storage.Object{Key: "k", Size: 5, ModTime: at(0)}
	object := storage.Object{Key: "k", Size: 5, ETag: "x-2", ModTime: at(99)}
	for kind, endpoint := range map[error]bool{storage.ErrDenied: false, storage.ErrNotFound: false, storage.ErrUnavailable: true, storage.ErrThrottled: true} {
		dst := store(object)
		dst.statErr = map[string]error{"k": &storage.Error{Op: "stat", Key: "k", Kind: kind}}
		out := &outlet{}
		totals, err := New(Config{Run: testRun, Source: tree(file), Target: dst, State: newMemory(), Publish: out.publish}).Run(context.Background(), 0)
		if endpoint != errors.Is(err, kind) || endpoint != (len(out.events) == 0) || !endpoint && totals.Published != 1 {
			t.Errorf("%v: %+v %v", kind, totals, err)
		}
	}
}

// A listing that fails midway ends the run, loses nothing that was found and
// takes nothing that was not listed for absent.
func TestListingFailsMidway(t *testing.T) {
	objects := space("uuid", 3000)
	for failAt := 1; failAt <= 30; failAt += 3 {
		src, dst := store(objects...), store(objects...)
		src.pageSize, dst.pageSize = 100, 130
		src.failAt = failAt
		state := newMemory()
		cfg := Config{Run: testRun, Source: src, Target: dst, State: state, Deletes: true, Publish: (&outlet{}).publish}
		if _, err := New(cfg).Run(context.Background(), 0); !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("request %d: %v", failAt, err)
		}
		totals, err := New(cfg).Run(context.Background(), 0)
		if err != nil || totals.Candidates != 0 || len(state.cands) != 0 || totals.Skipped["equal"] != int64(len(objects)) {
			t.Errorf("request %d: %+v %v", failAt, totals, err)
		}
	}
}

// unordered is a listing that yields its pages as they are.
type unordered struct {
	*place
	keys []string
}

func (u unordered) List(storage.Range) storage.Pages { return &unorderedPages{keys: u.keys} }

type unorderedPages struct{ keys []string }

func (p *unorderedPages) Next(context.Context) ([]storage.Object, error) {
	o := []storage.Object{f(p.keys[0], 1)}
	p.keys = p.keys[1:]
	return o, nil
}

func (p *unorderedPages) Close() error { return nil }

func TestOutOfOrderIsAnError(t *testing.T) {
	for _, keys := range [][]string{{"a", "a"}, {"b", "a"}, {"a-b", "a/b", "a0", "a."}} {
		for side := range 2 {
			cfg := Config{Source: store(), Target: store(), Diff: func(Difference) {}}
			if side == 0 {
				cfg.Source = unordered{store(), keys}
			} else {
				cfg.Target = unordered{store(), keys}
			}
			if _, err := New(cfg).Run(context.Background(), 0); !errors.Is(err, ErrOrder) {
				t.Errorf("%q: %v", keys, err)
			}
		}
	}
}

// Unreadable directories are counted in every pass, selected or not; one that
// was given up is not published again.
func TestUnreadable(t *testing.T) {
	state, out := newMemory(), &outlet{}
	cfg := Config{Run: testRun, Source: tree(of(storage.KindUnreadable, "x/")), Target: tree(of(storage.KindUnreadable, "y/")), State: state, Deletes: true, Publish: out.publish}
	totals, err := New(cfg).Run(context.Background(), 0)
	if err != nil || totals.Unreadable != 1 || totals.TargetUnreadable != 1 || totals.Published != 1 || out.events["x/"].Kind != bus.KindUnreadable {
		t.Errorf("%+v %v", totals, err)
	}
	state.rows["x/"] = Row{Run: testRun, Outcome: string(bus.GivenUp)}
	if totals, err = New(cfg).Run(context.Background(), 1); err != nil || totals.Unreadable != 1 || totals.Published+totals.Republished != 0 {
		t.Errorf("%+v %v", totals, err)
	}
	cfg.Select = func(*storage.Object) bool { return false }
	if totals, err = New(cfg).Run(context.Background(), 2); err != nil || totals.Unreadable != 1 || totals.Published != 0 {
		t.Errorf("%+v %v", totals, err)
	}
}

// Under --ignore-existing a closing pass still follows what this run wrote itself.
func TestClosingPassFollowsOwnWrites(t *testing.T) {
	old, now := f("k", 1), f("k", 21)
	state, out := newMemory(), &outlet{}
	state.rows["k"] = Row{Run: testRun, Outcome: string(bus.Copied), Src: old.Version(), Dst: old.TargetVersion()}
	cfg := Config{Run: testRun, Source: store(now), Target: store(old), Rule: Rule{IgnoreExisting: true}, State: state, Publish: out.publish}
	if totals, err := New(cfg).Run(context.Background(), 1); err != nil || totals.Republished != 1 {
		t.Errorf("%+v %v", totals, err)
	}
	cfg.Target = store(f("k", 31))
	if totals, err := New(cfg).Run(context.Background(), 2); err != nil || totals.Republished != 0 {
		t.Errorf("somebody else's: %+v %v", totals, err)
	}
}

func TestProgressRunsAheadOfResults(t *testing.T) {
	var l *Lister
	published := int64(0)
	cfg := Config{Run: testRun, Source: store(space("uuid", 2000)...), Target: store(), State: newMemory()}
	cfg.Publish = func(_ context.Context, evs []bus.Event) error {
		published += int64(len(evs))
		if p := l.Progress(); p.Totals.Published < published || p.Complete || p.Ranges != 1 {
			return fmt.Errorf("%d published, progress %+v", published, p)
		}
		return nil
	}
	l = New(cfg)
	totals, err := l.Run(context.Background(), 0)
	if p := l.Progress(); err != nil || !p.Complete || p.Ranges != 0 || p.Source != 2000 || p.Totals.Published != totals.Published {
		t.Errorf("%+v %+v %v", p, totals, err)
	}
}

// Cancelled while it publishes, a pass ends soon and can go on.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	out := &outlet{}
	cfg := Config{Run: testRun, Source: store(space("uuid", 5000)...), Target: store(), State: newMemory()}
	cfg.Publish = func(ctx context.Context, _ []bus.Event) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	if _, err := New(cfg).Run(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	cfg.Publish = out.publish
	totals, err := New(cfg).Run(context.Background(), 0)
	if err != nil || totals.Published != 5000 || len(out.events) != 5000 {
		t.Errorf("%+v, %d events, %v", totals, len(out.events), err)
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestUnreadableCursorIsAnError(t *testing.T) {
	for name, rec := range map[string][]byte{"000000": {9}, "000001": nil, "x": (&keyRange{}).encode(nil)} {
		state := newMemory()
		state.cursors[0] = map[string][]byte{name: bytes.Clone(rec)}
		if _, err := New(Config{Source: store(), Target: store(), State: state}).Run(context.Background(), 0); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
