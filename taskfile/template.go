package taskfile

import (
	"io"
	"reflect"
	"strings"
)

// Template is a kind of task file to begin with.
type Template struct {
	Kind      string
	What      string   // in one line
	endpoints []string // lines below endpoints:
	tasks     []sketch
	brief     bool // tasks show only what they set; all the rest stands in defaults
}

// sketch is a task of a template: what it sets, by path.
type sketch map[string]string

// Templates are all kinds, in the order in which they are listed.
func Templates() []Template {
	place := func(end string) string { return end + "://" + FillIn + "-BUCKET/prefix" }
	oss := func(name string) []string {
		return store(name, "oss", "region: "+FillIn+"-REGION # such as cn-hangzhou")
	}
	aws := func(name string) []string {
		return store(name, "aws", "region: "+FillIn+"-REGION # such as eu-central-1")
	}
	minio := func(name string) []string {
		return store(name, "minio", "url: http://"+FillIn+"-HOST:9000 # other providers: sluice providers")
	}
	both := func(a, b []string) []string { return append(a, b...) }
	one := func(id, source, target string, more ...string) []sketch {
		s := sketch{"id": id, "source": source, "target": target}
		for i := 0; i+1 < len(more); i += 2 {
			s[more[i]] = more[i+1]
		}
		return []sketch{s}
	}
	dir := "/" + FillIn + "-DIRECTORY"
	return []Template{
		{Kind: "oss-to-oss", What: "a bucket of Aliyun OSS to another one, also of another region or account",
			endpoints: both(oss("from"), oss("to")), tasks: one("oss-to-oss", place("from"), place("to"))},
		{Kind: "s3-to-oss", What: "a bucket of Amazon S3 to Aliyun OSS",
			endpoints: both(aws("from"), oss("to")), tasks: one("s3-to-oss", place("from"), place("to"))},
		{Kind: "s3-to-s3", What: "one S3-compatible store to another",
			endpoints: both(minio("from"), minio("to")), tasks: one("s3-to-s3", place("from"), place("to"))},
		{Kind: "upload", What: "a directory to a bucket",
			endpoints: minio("to"), tasks: one("upload", dir, place("to"))},
		{Kind: "download", What: "a bucket to a directory",
			endpoints: minio("from"), tasks: one("download", place("from"), dir)},
		{Kind: "local-to-local", What: "a directory to another one",
			tasks: one("local-to-local", dir+"-FROM", dir+"-TO")},
		{Kind: "mirror", What: "a bucket kept as its source is: what is gone there is deleted",
			endpoints: both(minio("from"), minio("to")),
			tasks:     one("mirror", place("from"), place("to"), "delete.enabled", "true", "delete.max_delete", "10%")},
		{Kind: "many-tasks", What: "several tasks that share their settings and run together", brief: true,
			endpoints: minio("to"), tasks: append(
				one("photos", dir+"-PHOTOS", place("to")+"/photos"),
				one("documents", dir+"-DOCUMENTS", place("to")+"/documents", "transfer.workers", "8")...)},
	}
}

// store is an endpoint whose keys come from variables.
func store(name, provider, where string) []string {
	env := strings.ToUpper(name)
	return []string{
		name + ":", "  provider: " + provider, "  " + where,
		"  access_key: ${" + env + "_ACCESS_KEY} # variables of the environment, or ${file:/path}",
		"  secret_key: ${" + env + "_SECRET_KEY}",
	}
}

// Write prints the template. Read, it is valid but for the places that hold
// FillIn; each commented line shows a value that may stand there.
func (t Template) Write(w io.Writer) error {
	p := &printer{w: w}
	p.f("# %s: %s.\n# Fill in what says %s, then: sluice run FILE\n", t.Kind, t.What, FillIn)
	p.f("# What is commented out shows the default, or an example where there is none.\n\n")
	if len(t.endpoints) > 0 {
		p.wrapped("", endpointsDoc)
		p.f("endpoints:\n")
		for _, l := range t.endpoints {
			p.f("  %s\n", l)
		}
		p.f("\n")
	}
	if t.brief {
		p.wrapped("", defaultsDoc)
		p.f("defaults:\n")
		p.section(reflect.TypeFor[Settings](), "  ", "", sketch{})
		p.f("\n")
	}
	p.f("tasks:\n")
	for _, s := range t.tasks {
		if t.brief {
			p.brief(s)
		} else {
			p.section(reflect.TypeFor[Task](), "  - ", "", s)
		}
	}
	return p.err
}

// section prints all keys of a struct, those that s does not set as comments.
// first is what stands before the first key, as wide as before the others.
func (p *printer) section(t reflect.Type, first, path string, s sketch) {
	indent := strings.Repeat(" ", len(first))
	for i, f := range fields(t) {
		lead := indent
		if i == 0 {
			lead = first
		}
		p.wrapped(strings.TrimSuffix(lead, "- "), about(f))
		value, set := s[path+f.key]
		switch {
		case f.section != nil:
			p.f("%s%s:\n", lead, f.key)
			p.section(f.section, indent+"  ", path+f.key+".", s)
		case f.isRules():
			p.f("%s#%s: [{exclude: '*.tmp'}, {include: '/2026/**'}]\n", lead, f.key)
		case set:
			p.f("%s%s: %s\n", lead, f.key, value)
		default:
			p.f("%s#%s: %s\n", lead, f.key, f.sample())
		}
	}
}

// about is a field's comment: what it is, in which unit, and the default.
func about(f field) string {
	text := f.doc
	if f.kind.unit != "" && f.kind.choices == nil {
		text += " Value: " + f.kind.unit + "."
	}
	if f.kind.choices != nil {
		text += " One of: " + strings.Join(f.kind.choices, ", ") + "."
	}
	if f.standard != "" {
		text += " Default: " + f.standard + "."
	}
	return text
}

// brief prints only what a task sets.
func (p *printer) brief(s sketch) {
	lead, section := "  - ", ""
	for _, l := range leaves(&Task{}) {
		value, set := s[l.path]
		if !set {
			continue
		}
		if in, _, nested := strings.Cut(l.path, "."); nested {
			if in != section {
				p.f("%s%s:\n", lead, in)
			}
			section, lead = in, "      "
		}
		p.f("%s%s: %s\n", lead, l.key, value)
		lead = "    "
	}
}

// wrapped prints a comment in lines of at most 100 columns.
func (p *printer) wrapped(indent, text string) {
	line := indent + "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > 100 {
			p.f("%s\n", line)
			line = indent + "#"
		}
		line += " " + word
	}
	p.f("%s\n", line)
}
