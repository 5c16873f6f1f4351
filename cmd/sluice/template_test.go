package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/sluice-sync/sluice/internal/servertest"
	"github.com/sluice-sync/sluice/storage/oss/ossfake"
	"github.com/sluice-sync/sluice/taskfile"
)

func TestTemplateCommand(t *testing.T) {
	p := newPerson(t, nil)
	out := p.ok("template")
	for _, kind := range []string{"oss-to-oss", "s3-to-oss", "s3-to-s3", "upload", "download", "local-to-local", "many-tasks", "mirror"} {
		if !strings.Contains(out, "\n"+kind+" ") && !strings.HasPrefix(out, kind+" ") {
			t.Errorf("no %s in\n%s", kind, out)
		}
	}
	p.refused(exitUsage, `there is no template "uplaod"; did you mean upload?`, "template", "uplaod")
	p.refused(exitUsage, `there is no template "live"; `, "template", "live")
	p.refused(exitUsage, "--output needs KIND", "template", "-o", "x")
	p.refused(exitUsage, "want one KIND", "template", "a", "b")
	file := filepath.Join(t.TempDir(), "t.yaml")
	p.ok("template", "upload", "-o", file)
	if b, err := os.ReadFile(file); err != nil || string(b) != p.ok("template", "upload") {
		t.Errorf("the file is not what is printed: %v", err)
	}
	p.refused(exitUsage, "is there already", "template", "upload", "-o", file)
	p.refused(exitUsage, file+":", "run", file)
	p.refused(exitUsage, "fill in what stands here", "run", file)
}

// templateLab has MinIO and doubles of OSS for the endpoints of templates.
type templateLab struct {
	minio    *servertest.MinIOServer
	from, to *ossfake.Server
}

// TestEveryTemplateRuns fills each template in and runs it.
func TestEveryTemplateRuns(t *testing.T) {
	lab := &templateLab{servertest.MinIO(t), ossfake.Start(t, ossfake.Options{}), ossfake.Start(t, ossfake.Options{})}
	for _, tpl := range taskfile.Templates() {
		t.Run(tpl.Kind, func(t *testing.T) {
			l := newFileLab(t, "")
			n := lab.fill(l, tpl)
			all := l.lines(l.ok("run", "--json", l.file))
			if last := all[len(all)-1]; last.Copied != n || last.Failed != 0 {
				t.Errorf("copied %d of %d: %+v", last.Copied, n, last)
			}
			if all := l.lines(l.ok("run", "--json", l.file)); all[len(all)-1].Skipped != n {
				t.Errorf("run again: %+v", all[len(all)-1])
			}
		})
	}
}

var (
	templateEnd    = regexp.MustCompile(`(?m)^  (from|to):\n    provider: (\w+)`)
	templateDir    = regexp.MustCompile(`/FILL-IN-DIRECTORY[-A-Z]*`)
	templateSource = regexp.MustCompile(`(?m)^    source: (\S+)$`)
)

// fill writes a template with its places filled in, puts objects at its
// sources, and returns how many.
func (lab *templateLab) fill(l *fileLab, tpl taskfile.Template) (n int64) {
	var b bytes.Buffer
	if err := tpl.Write(&b); err != nil {
		l.t.Fatal(err)
	}
	in, out := lab.minio.Bucket(l.t), lab.minio.Bucket(l.t)
	lab.from.CreateBucket(in, "")
	lab.to.CreateBucket(out, "")
	oss := map[string]bool{}
	for _, end := range templateEnd.FindAllStringSubmatch(b.String(), -1) {
		oss[end[1]] = end[2] == "oss"
		// An endpoint of the environment replaces that of the file.
		l.env = append(l.env, "SLUICE_ENDPOINT_"+strings.ToUpper(end[1])+"="+lab.endpoint(end[1], oss[end[1]]))
	}
	text := strings.NewReplacer("from://FILL-IN-BUCKET", "from://"+in, "to://FILL-IN-BUCKET", "to://"+out,
		"FILL-IN-REGION", "cn-hangzhou", "FILL-IN-HOST", "localhost").Replace(b.String())
	text = templateDir.ReplaceAllStringFunc(text, func(dir string) string { return l.path(strings.ToLower(dir[len("/FILL-IN-"):])) })
	for _, source := range templateSource.FindAllStringSubmatch(text, -1) {
		lab.put(l, source[1], in, oss["from"])
		n += 3
	}
	l.write(text)
	return n
}

func (lab *templateLab) endpoint(name string, oss bool) string {
	if !oss {
		return fmt.Sprintf("minio+http://%s:%s@%s", lab.minio.AccessKey, lab.minio.SecretKey, strings.TrimPrefix(lab.minio.URL, "http://"))
	}
	s := map[string]*ossfake.Server{"from": lab.from, "to": lab.to}[name]
	return "oss+http://AK:SK@" + strings.TrimPrefix(s.URL, "http://") + "?region=cn-hangzhou"
}

// put makes three objects at a source.
func (lab *templateLab) put(l *fileLab, source, bucket string, oss bool) {
	l.t.Helper()
	if dir, ok := strings.CutPrefix(source, l.dir); ok {
		l.fill(dir, 3)
		return
	}
	client := lab.minio.Client(l.t)
	for i := range 3 {
		key := fmt.Sprintf("prefix/%d", i)
		var err error
		if oss {
			err = lab.from.Put(bucket, key, []byte("x"), "")
		} else {
			_, err = client.PutObject(l.t.Context(), bucket, key, strings.NewReader("x"), 1, miniogo.PutObjectOptions{})
		}
		if err != nil {
			l.t.Fatal(err)
		}
	}
}

func TestTranslateOSSPipe(t *testing.T) {
	l := newFileLab(t, "")
	l.fill("old", 3)
	old := l.path("old.yml")
	text := "type: transfer\nname: copy\nsource: " + l.path("old") + "\ntarget: " + l.path("new") +
		"\nattributes:\n  task_parallelism: 4\n  meta_dir: /tmp/x\n  transfer_type: stock\n"
	if err := os.WriteFile(old, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(l.file); err != nil {
		t.Fatal(err)
	}
	code, _, errOut := l.run("template", "--from-oss-pipe", old, "-o", l.file)
	if code != exitOK || errOut != old+":7:3: meta_dir is left out: the state is below --state-dir\n" {
		t.Errorf("exit %d: %s", code, errOut)
	}
	if out := l.ok("run", l.file); !strings.Contains(out, "copy: done: found 3, copied 3") {
		t.Errorf("the translation does\n%s", out)
	}
	l.refused(exitUsage, "want one KIND, or --from-oss-pipe FILE", "template", "upload", "--from-oss-pipe", old)
	if err := os.WriteFile(old, []byte("type: deletebucket\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.refused(exitUsage, old+":1:7: deletebucket is refused", "template", "--from-oss-pipe", old)
}

// TestGeneratedPages holds the pages in docs against the code.
func TestGeneratedPages(t *testing.T) {
	p := newPerson(t, nil)
	for what, file := range map[string]string{"page": "taskfile.md", "schema": "taskfile.schema.json"} {
		want, err := os.ReadFile(filepath.Join("..", "..", "docs", file))
		if err != nil || p.ok("taskfile", what) != string(want) {
			t.Errorf("docs/%s is not what the code says (make generated): %v", file, err)
		}
	}
}
