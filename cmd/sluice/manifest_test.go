package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/producers/list"
	"github.com/sluice-sync/sluice/task"
)

func TestParseKeyRange(t *testing.T) {
	for s, want := range map[string]list.Bounds{
		"": {}, "a..b": {From: "a", To: "b"}, "a..": {From: "a"}, "..b": {To: "b"}, "a/1.2..a/1.3": {From: "a/1.2", To: "a/1.3"},
	} {
		if got, err := parseKeyRange(s); err != nil || got != want {
			t.Errorf("%q is %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"a", "..", "b..a", "a..a", "a..b..c", "a...b", "a.b"} {
		if got, err := parseKeyRange(s); err == nil {
			t.Errorf("%q is %+v", s, got)
		}
	}
}

// tree writes files, each with its name in it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const inventoryJSON = `{"fileFormat": "CSV", "fileSchema": "Bucket, Key, IsLatest", "files": [{"key": "inv/b/id/data/1.csv"}]}`

// The files of an inventory that was fetched are found, in its own order of
// directories and beside manifest.json; through a symbolic link, too.
func TestFetchedInventory(t *testing.T) {
	const data = `"b","a%2Fx","true"` + "\n" + `"b","a%2Fx","false"` + "\n" + `"b","gone","true"` + "\n"
	src := tree(t, map[string]string{"a/x": "x", "y": "y"})
	for _, files := range []map[string]string{
		{"2026/manifest.json": inventoryJSON, "data/1.csv": data},
		{"2026/manifest.json": inventoryJSON, "2026/1.csv": data},
	} {
		p := newPerson(t, nil)
		dir, dst := tree(t, files), t.TempDir()
		link := filepath.Join(t.TempDir(), "link.json")
		if err := os.Symlink(filepath.Join(dir, "2026", "manifest.json"), link); err != nil {
			t.Fatal(err)
		}
		for _, dry := range []bool{true, false} {
			args := []string{"sync", "--json", "--from-manifest", link, src, dst}
			if dry {
				args = append(args, "--dry-run")
			}
			out := p.ok(args...)
			all := strings.Split(strings.TrimSpace(out), "\n")
			var s task.Snapshot
			if err := json.Unmarshal([]byte(all[len(all)-1]), &s); err != nil {
				t.Fatal(err)
			}
			if s.Found != 2 || s.Copied+s.Pending != 1 || s.SkippedReasons["gone"] != 1 || !dry && s.Manifest.Versions != 1 {
				t.Errorf("dry %t: %+v", dry, s)
			}
			if _, err := os.Stat(filepath.Join(dst, "a", "x")); (err == nil) == dry {
				t.Errorf("dry %t: %v", dry, err)
			}
		}
	}
}

func TestManifestRefused(t *testing.T) {
	p := newPerson(t, nil)
	src := tree(t, map[string]string{"a": "a", "lone/manifest.json": inventoryJSON, "bad.json": "a", "keys": "a"})
	dst := t.TempDir()
	in := func(name string) string { return filepath.Join(src, name) }
	p.refused(exitUsage, "--delete", "sync", "--delete", "--from-manifest", in("keys"), src, dst)
	p.refused(exitUsage, "one object", "sync", "--from-manifest", in("keys"), in("a"), dst)
	p.refused(exitUsage, "not a directory", "sync", "--from-manifest", src+"/", src, dst)
	p.refused(exitUsage, "nobody", "sync", "--from-manifest", "nobody://b/keys", src, dst)
	p.refused(exitFailed, "manifest", "sync", "--from-manifest", in("none"), src, dst)
	p.refused(exitFailed, "no manifest.json", "sync", "--from-manifest", in("bad.json"), src, dst)
	p.refused(exitFailed, "../data", "sync", "--from-manifest", in("lone/manifest.json"), src, dst)
	p.refused(exitFailed, "../data", "sync", "--dry-run", "--from-manifest", in("lone/manifest.json"), src, dst)
	p.refused(exitUsage, "--key-range", "sync", "--key-range", "b..a", src, dst)
}

// The failed objects of a task with a manifest are tried again from any
// directory.
func TestRetryKnowsTheManifest(t *testing.T) {
	p := newPerson(t, nil)
	src, dst := tree(t, map[string]string{"a": "a", "keys": "a\n"}), t.TempDir()
	t.Chdir(src)
	p.ok("sync", "--from-manifest", "keys", src, dst)
	t.Chdir(t.TempDir())
	var name string
	for _, e := range must(os.ReadDir(p.state))(t) {
		name = e.Name()
	}
	p.ok("failures", "retry", name)
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
