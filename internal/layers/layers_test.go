// Package layers holds the directions of imports: a test reads every file of
// the module, so that a ban holds on every platform and for every build tag,
// also where the linter is not run.
package layers

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sluice-sync/sluice/"

// levels order the packages that make up the program: a package may import
// what stands on a lower level, and of its own level only what is inside it.
var levels = []struct {
	paths []string
	what  string
}{
	{[]string{"storage", "suggest"}, "the contract, and words"},
	{[]string{"storage/dialect", "storage/s3xml", "storage/http1", "storage/crc64ecma", "filter", "keymap", "metadata", "analysis", "yamltree", "bus"}, "tables, formats and pure decisions"},
	{[]string{"storage/s3wire", "storage/fault", "storage/retry", "storage/limit", "bus/natsbus", "bus/membus", "store", "space", "taskfile", "taskfile/osspipe"}, "decorators, protocols, state"},
	{[]string{"storage/file", "storage/mem", "storage/minio", "storage/s3", "storage/oss"}, "drivers"},
	{[]string{"endpoint"}, "the registry of drivers"},
	{[]string{"producers/list", "producers/manifest", "consumers/transfer"}, "engines"},
	{[]string{"task"}, "one job"},
	{[]string{"precheck"}, "the look before a task"},
	{[]string{"cmd/sluice"}, "flags and words"},
}

// bans are imports that the levels would allow, and why they are wrong all the
// same. A path stands for itself and all below it.
var bans = []struct {
	in, not, why string
	except       string
}{
	{in: "storage", not: module + "bus", why: "a bucket does not know what carries events"},
	{in: "storage", not: module + "filter", why: "a bucket lists all it has; selecting is the lister's"},
	{in: "storage", not: module + "keymap", why: "a bucket knows its own keys only"},
	{in: "bus", not: module + "storage", why: "the bus does not know what an event means"},
	{in: "bus", not: module + "store", why: "the bus and the state are rebuilt from each other, never in one step"},
	{in: "storage/http1", not: module, why: "a connection does not know what travels on it"},
	{in: "store", not: module, why: "what the state holds is opaque to it"},
	{in: "space", not: module, why: "a space does not know what a task does"},
	{in: "endpoint", not: module + "bus", why: "opening a bucket needs no bus"},
	{in: "producers", not: module + "store", why: "engines declare the state they need themselves"},
	{in: "consumers", not: module + "store", why: "engines declare the state they need themselves"},
	{in: "producers", not: module + "consumers", why: "engines meet on the bus"},
	{in: "consumers", not: module + "producers", why: "engines meet on the bus"},
	{in: "producers", not: module + "endpoint", why: "engines get their buckets opened"},
	{in: "consumers", not: module + "endpoint", why: "engines get their buckets opened"},
	{in: "producers", not: module + "bus/natsbus", why: "engines know the contract, not the bus behind it"},
	{in: "consumers", not: module + "bus/natsbus", why: "engines know the contract, not the bus behind it"},
	{in: "task", not: module + "bus/natsbus", why: "a task gets its bus opened"},
	{in: "task", not: module + "endpoint", why: "a task gets its buckets opened"},
	{in: "task", not: module + "space", why: "a task does not know where its state lies"},
	{in: ".", not: "github.com/nats-io", except: "bus/natsbus", why: "one package speaks NATS"},
	{in: ".", not: "github.com/cockroachdb/pebble", except: "store", why: "one package knows the database"},
	{in: ".", not: "github.com/aws", except: "storage/s3", why: "one driver knows this SDK"},
	{in: ".", not: "github.com/aliyun", except: "storage/oss", why: "one driver knows this SDK"},
	{in: ".", not: "github.com/sirupsen/logrus", except: "cmd", why: "errors are returned; the logger lives in cmd"},
	{in: ".", not: "github.com/spf13", except: "cmd", why: "flags live in cmd"},
	{in: ".", not: "github.com/vbauerster/mpb", except: "cmd", why: "the terminal lives in cmd"},
}

// imported is one import of one file outside of tests.
type imported struct{ file, pkg, path string }

func TestImportsPointDown(t *testing.T) {
	all := imports(t, filepath.Join("..", ".."))
	if len(all) < 300 {
		t.Fatalf("only %d imports found", len(all))
	}
	for _, i := range all {
		to, ours := strings.CutPrefix(i.path, module)
		from, level := levelOf(i.pkg)
		if !ours || level == "" {
			continue
		}
		at, what := levelOf(to)
		switch {
		case what == "":
			t.Errorf("%s imports %s, which has no level here", i.file, to)
		case at > from, at == from && !within(to, i.pkg) && !within(i.pkg, to):
			t.Errorf("%s (%s) imports %s (%s): imports point down", i.file, level, to, what)
		}
	}
}

func TestBans(t *testing.T) {
	for _, i := range imports(t, filepath.Join("..", "..")) {
		if within(i.pkg, "internal") {
			continue // benchmarks and servers of tests: nothing of the program imports them
		}
		for _, b := range bans {
			if within(i.pkg, b.in) && !(b.except != "" && within(i.pkg, b.except)) && within(i.path, strings.TrimSuffix(b.not, "/")) {
				t.Errorf("%s imports %s: %s", i.file, i.path, b.why)
			}
		}
	}
}

// Every package has a place in levels, so that a new one cannot be forgotten.
func TestEveryPackageHasALevel(t *testing.T) {
	suites := map[string]bool{"storage/storagetest": true, "storage/oss/ossfake": true, "bus/bustest": true, "producers": true, "consumers": true}
	seen := map[string]bool{}
	for _, i := range imports(t, filepath.Join("..", "..")) {
		if seen[i.pkg] || within(i.pkg, "internal") || suites[i.pkg] {
			continue
		}
		seen[i.pkg] = true
		if _, what := levelOf(i.pkg); what == "" {
			t.Errorf("%s has no level", i.pkg)
		}
	}
}

func levelOf(pkg string) (int, string) {
	for n, l := range levels {
		for _, p := range l.paths {
			if p == pkg {
				return n, l.what
			}
		}
	}
	return 0, ""
}

// within tells whether a path is another one or below it.
func within(path, in string) bool {
	return in == "." || path == in || strings.HasPrefix(path, in+"/")
}

func imports(t *testing.T, root string) (all []imported) {
	t.Helper()
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "testdata" || strings.HasPrefix(name, ".") && path != root) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(fset, path, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			all = append(all, imported{filepath.ToSlash(rel), filepath.ToSlash(filepath.Dir(rel)), p})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
