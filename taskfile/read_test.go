package taskfile

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const good = `# nightly
endpoints:
  archive: {provider: minio, url: "http://h:9000", access_key: "${K}", secret_key: "${S}"}
defaults:
  filter:
    rules:
      - exclude: '*.tmp'
    max_size: 5GiB
  delete: {max_delete: 10%}
  transfer:
    workers: 8
    bandwidth: 100MiB
tasks:
  - id: photos
    source: photos
    target: archive://photos
    mode: stock
    compare: {metadata: true, checksum: true}
    delete:
      enabled: true
    object: {expires: +30d, archived: restore, restore_tier: Bulk}
    transfer: {workers: 64, give_up_after: 1h30m, requests_per_second: 0.5}
  - id: documents-2026
    source: /data/documents
    target: archive://documents
    filter:
      rules:
        - include: "2026/**"
        - exclude_from: rules/drop.txt
        - exclude_from: /etc/drop.txt
      newer_than: 2026-01-31
    compare:
      # metadata: true
`

func TestParse(t *testing.T) {
	f, err := Parse("f.yaml", "/tasks", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"--exclude=*.tmp", "--max-size=5GiB", "--checksum=true", "--compare=metadata", "--delete=true", "--max-delete=10%",
			"--expires=+30d", "--archived=restore", "--restore-tier=Bulk", "--workers=64", "--bandwidth=100MiB",
			"--requests-per-second=0.5", "--give-up-after=1h30m"},
		{"--include=2026/**", "--exclude-from=/tasks/rules/drop.txt", "--exclude-from=/etc/drop.txt", "--max-size=5GiB",
			"--newer-than=2026-01-31", "--workers=8", "--bandwidth=100MiB"},
	}
	for i, task := range f.Tasks {
		if got := task.Words(); !slices.Equal(got, want[i]) {
			t.Errorf("%s: %q\nwant %q", task.ID.Text, got, want[i])
		}
	}
	if p := f.Tasks[0]; p.Source.Text != "photos" || p.Target.Text != "archive://photos" || p.Dir() != "/tasks" {
		t.Errorf("places: %+v", p)
	}
}

// one makes a file of a task with more keys.
func one(keys string) string {
	return "tasks:\n  - id: a\n    source: /a\n    target: /b\n" + keys
}

func TestWrongFiles(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "f.yaml: the file is empty"},
		{"# nothing\n", "f.yaml: the file is empty"},
		{"- a\n", "f.yaml:1:1: the file must be a mapping of keys to values"},
		{"tasks: [\n", "f.yaml:1:8: is not YAML: sequence end token ']' not found"},
		{"tasks: 1\n---\ntasks: 2\n", "f.yaml:3:1: a second document: write one per file"},
		{"defaults: {}\n", "f.yaml:1:1: tasks are missing: a list of tasks, each with id, source and target"},
		{"tasks: {id: a}\n", "f.yaml:1:8: tasks must be a list: write each task behind a dash"},
		{"tasks: []\n", "f.yaml:1:8: tasks is an empty list"},
		{"task: []\n", `f.yaml:1:1: unknown key "task" in the file; did you mean tasks?`},
		{"tasks: [a]\n", "f.yaml:1:9: a task must be a mapping of keys to values"},
		{"tasks:\n  - id: a\n    source: /a\n", "f.yaml:2:5: the task has no target"},
		{one("  - id: a\n    source: /c\n    target: /d\n"), "f.yaml:5:9: the id a is that of another task too, at f.yaml:2:9"},
		{one("    id: a\n"), `f.yaml:5:5: the key "id" of a task is there twice`},
		{"tasks:\n  - {id: My_Task, source: /a, target: /b}\n", "f.yaml:2:10: id: must be 1 to 24 small letters, digits and single dashes between them"},
		{one("    mode: full\n"), "f.yaml:5:11: mode: full (following changes) is not in this release: use stock, and run the file again to catch up"},
		{one("    mode: incremental\n"), "f.yaml:5:11: mode: incremental (following changes) is not in this release: use stock, and run the file again to catch up"},
		{one("    mode: stok\n"), "f.yaml:5:11: mode: must be stock"},
		{one("    verify: true\n"), "f.yaml:5:5: verify is not in this release"},
		{one("    prefix_map: []\n"), "f.yaml:5:5: prefix_map is not in this release"},
		{one("    filters: {}\n"), `f.yaml:5:5: unknown key "filters" in a task; did you mean filter?`},
		{one("    filter: all\n"), "f.yaml:5:13: filter must be a mapping of keys to values"},
		{one("    filter:\n      minsize: 1\n"), `f.yaml:6:7: unknown key "minsize" in filter; did you mean min_size?`},
		{one("    filter:\n      rules: '*.tmp'\n"), "f.yaml:6:14: rules must be a list, such as - exclude: '*.tmp'"},
		{one("    filter:\n      rules:\n        - exlude: a\n"), `f.yaml:7:11: unknown key "exlude" in a rule; did you mean exclude?`},
		{one("    filter:\n      rules:\n        - {include: a, exclude: b}\n"), "f.yaml:7:11: a rule has one key: put each behind a dash of its own, so that their order is plain"},
		{one("    filter:\n      rules:\n        - exclude:\n"), "f.yaml:7:20: exclude must be one pattern, not empty (in 'quotes' if it begins with *)"},
		{one("    filter:\n      rules:\n        - exclude: '['\n"), `f.yaml:7:20: exclude: pattern "[": a [ has no ]; for the character write \[`},
		{one("    filter: {min_size: ten}\n"), `f.yaml:5:24: min_size: size "ten": is not a number; write bytes, or a number with k, M, G, T or P (powers of 1024), as in 64k or 1.5GiB`},
		{one("    filter: {min_size: }\n"), "f.yaml:5:23: min_size must be one value, not empty (for text with special characters use 'quotes')"},
		{one("    filter: {newer_than: soon}\n"), `f.yaml:5:26: newer_than: time or age "soon": cannot be read; write an age such as 36h, 1d or 2w, or a time such as 2026-01-02 or 2026-01-02T15:04:05Z`},
		{one("    compare: {force: yes}\n"), "f.yaml:5:22: force: must be true or false"},
		{one("    compare: {force: ture}\n"), "f.yaml:5:22: force: must be true or false; did you mean true?"},
		{one("    object: {archived: restored}\n"), "f.yaml:5:24: archived: must be fail or skip or restore; did you mean restore?"},
		{one("    transfer: {workers: 010}\n"), "f.yaml:5:25: workers: must be a whole number such as 16"},
		{one("    transfer: {workers: [1]}\n"), "f.yaml:5:25: workers must be one value, not empty (for text with special characters use 'quotes')"},
		{one("    transfer: {requests_per_second: .inf}\n"), "f.yaml:5:37: requests_per_second: must be a number such as 100 or 0.5"},
		{one("    transfer: {give_up_after: 10}\n"), "f.yaml:5:31: give_up_after: must be a time such as 10m or 1h30m"},
		{"defaults: {id: a}\n" + one(""), `f.yaml:1:12: unknown key "id" in defaults; known: mode, filter, compare, delete, object, transfer`},
		{"endpoints: {a: {secret_key: FILL-IN}}\n" + one(""), "f.yaml:1:29: fill in what stands here"},
	} {
		_, err := Parse("f.yaml", "/", []byte(c.text))
		if err == nil || err.Error() != c.want {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
	if _, err := Parse("f.yaml", "/", make([]byte, MaxBytes+1)); err == nil {
		t.Error("a file of any size is read")
	}
}

func TestTasksTakeOnlyWhatFitsFromDefaults(t *testing.T) {
	f, err := Parse("f.yaml", "/", []byte("defaults: {delete: {max_delete: 5}, object: {restore_tier: Bulk}, filter: {rules: [{exclude: a}]}}\n"+
		one("    filter: {rules: []}\n")))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Tasks[0].Words(); len(got) != 0 {
		t.Errorf("the task takes %q", got)
	}
	f, err = Parse("f.yaml", "/", []byte("defaults: {delete: {enabled: true, max_delete: 5}, compare: {metadata: true}}\n"+
		one("    delete: {enabled: false}\n    compare: {metadata: false}\n")))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.Tasks[0].Words(), []string{"--delete=false"}; !slices.Equal(got, want) {
		t.Errorf("the task takes %q, want %q", got, want)
	}
}

func TestBlame(t *testing.T) {
	f, err := Parse("f.yaml", "/", []byte(one("    compare: {size_only: true, checksum: true}\n    filter: {rules: [{exclude_from: x}]}\n")))
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("--checksum and --size-only contradict each other")
	for _, c := range []struct {
		err  error
		want string
	}{
		{cause, "f.yaml:5:42: compare.checksum and compare.size_only contradict each other"},
		{errors.New("--exclude-from: no such file"), "f.yaml:6:37: exclude_from: no such file"},
		{errors.New("--max-delete needs --delete"), "f.yaml:2:5: task a: delete.max_delete needs delete.enabled"},
		{errors.New("no words of ours"), "f.yaml:2:5: task a: no words of ours"},
	} {
		got := f.Tasks[0].Blame(c.err)
		if got.Error() != c.want || !errors.Is(got, c.err) {
			t.Errorf("got %v\nwant %s", got, c.want)
		}
	}
	if f.Tasks[0].Blame(nil) != nil {
		t.Error("no error is one")
	}
}

// FuzzParse: no file breaks the reader, every error says where, and what is
// taken has tasks with names that are safe in paths.
func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add(one("    filter: {rules: [{exclude: 'a'}]}\n"))
	f.Add("tasks: &x\n  - *x\n")
	f.Add("a: !!binary b\n? c\n: d\n<<: e\n")
	f.Add("tasks:\n  - {? a : b}\n")
	for _, t := range Templates() {
		var b strings.Builder
		_ = t.Write(&b)
		f.Add(b.String())
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("f.yaml", "/", []byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.yaml:") {
				t.Errorf("the error does not say where: %v", err)
			}
			return
		}
		for _, task := range file.Tasks {
			if checkID(task.ID.Text) != nil || task.Source.Text == "" || task.Target.Text == "" {
				t.Errorf("a task without what it needs: %+v", task)
			}
			_ = task.Words()
		}
	})
}
