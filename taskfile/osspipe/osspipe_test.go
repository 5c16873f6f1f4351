package osspipe

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/taskfile"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden translates each file of testdata: the task file, and behind it
// what was said.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tr, err := Translate(filepath.Base(file), data)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		var b strings.Builder
		_ = tr.Write(&b)
		if _, err := taskfile.Parse("new.yaml", "/", []byte(b.String())); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		got := b.String() + "---\n" + strings.Join(tr.Notes, "\n") + "\n"
		if strings.Contains(got, "OLD-") {
			t.Errorf("%s: a secret travels:\n%s", file, got)
		}
		golden := strings.TrimSuffix(file, ".yml") + ".golden"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v\n%s\nwant\n%s", file, err, got, want)
		}
	}
}

const bucket = "{provider: ALI, access_key_id: OLD-ACCESS, secret_access_key: OLD-SECRET, endpoint: 'http://oss-cn-beijing.aliyuncs.com', bucket: b}"

func TestRefused(t *testing.T) {
	file := func(attributes string) string {
		return "type: transfer\nsource: /a\ntarget: " + bucket + "\nattributes:\n  " + attributes + "\n"
	}
	for _, c := range []struct{ text, want string }{
		{"", "old.yml: the file is empty"},
		{"a: \"OLD-SECRET", "old.yml:1:4: is not YAML: could not find end character of double-quoted text"},
		{"type: compare\ncheck_option: {}\n", "old.yml:1:7: compare is refused: comparing alone (check_option, exprirs_diff_scope) is not in this release, and a task would copy; `sluice sync SRC DST --dry-run` lists what differs and changes nothing"},
		{"type: deletebucket\n", "old.yml:1:7: deletebucket is refused: sluice empties no buckets"},
		{"type: move\n", "old.yml:1:7: type must be transfer"},
		{"type: transfer\nsource: /a\n", "old.yml:1:1: source and target are missing, or one of them is"},
		{"source: /a\ntarget: " + bucket + "\n", "old.yml:1:1: the file has no type"},
		{"type: transfer\nsource: {provider: GCS, bucket: b}\n", "old.yml:2:20: the provider of source is not known; JD, JRSS, ALI, AWS, S3, HUAWEI, COS and MINIO are"},
		{"type: transfer\nsource: {provider: JD}\n", "old.yml:2:1: source has no bucket"},
		{"type: transfer\nsource: {provider: JD, bucket: b, prefix: /a}\n", "old.yml:2:43: prefix begins with a slash or has two in a row, which sluice does not take for a directory"},
		{file("transfer_type: increment"), "old.yml:5:18: increment is refused: following changes is not in this release, and oss_pipe deletes while it follows. Write stock to get a task that copies what differs each time it is run, and deletes only with delete.enabled"},
		{file("transfer_type: both"), "old.yml:5:18: transfer_type must be stock, full or increment"},
		{file("task_parallelism: many"), "old.yml:5:21: task_parallelism must be a whole number"},
		{file("large_file_size: big"), `old.yml:5:20: large_file_size: size "big": is not a number; write bytes, or a number with k, M, G, T or P (powers of 1024), as in 64k or 1.5GiB`},
		{file("include: '*'"), "old.yml:5:12: include must be a list"},
		{file("last_modify_filter: {filter_type: Equal, timestamp: 1}"), "old.yml:5:37: filter_type must be Greater or Less"},
		{file("last_modify_filter: {timestamp: 1}"), "old.yml:5:3: last_modify_filter needs filter_type and timestamp"},
	} {
		if _, err := Translate("old.yml", []byte(c.text)); err == nil || err.Error() != c.want {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

// FuzzTranslate: no file breaks the translator, what comes of one is a task
// file, and errors say where.
func FuzzTranslate(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yml")
	for _, file := range files {
		data, _ := os.ReadFile(file)
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := Translate("old.yml", []byte(text)); err != nil && !strings.HasPrefix(err.Error(), "old.yml:") {
			t.Errorf("the error does not say where in the file: %v", err)
		}
	})
}
