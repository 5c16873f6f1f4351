package taskfile

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

const (
	endpointsDoc = "Stores with their credentials, by name, as in the config file. They replace those of the same name there; a variable SLUICE_ENDPOINT_<NAME> replaces both."
	defaultsDoc  = "What holds for every task that does not say otherwise."
	tasksDoc     = "The tasks. They run together."
)

// Page prints the reference page of the format.
func Page(w io.Writer) error {
	p := &printer{w: w}
	p.f("# Task files\n\nMade by `make generated` from the code; do not edit. docs/taskfile.schema.json is the same for editors.\n\n")
	p.f("| key | meaning |\n|---|---|\n")
	p.f("| `endpoints` | %s |\n| `defaults` | %s The keys of a task but `id`, `source` and `target` |\n| `tasks` | %s |\n\n", endpointsDoc, defaultsDoc, tasksDoc)
	p.f("A value is as the flag of `sluice sync` that stands beside it reads it. Anchors and aliases of YAML are not read.\n\n")
	p.table("A task", reflect.TypeFor[Task]())
	for _, f := range fields(reflect.TypeFor[Settings]()) {
		if f.section != nil {
			p.table("`"+f.key+"`", f.section)
		}
	}
	return p.err
}

// printer keeps the first error of many writes.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) f(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *printer) table(title string, t reflect.Type) {
	p.f("## %s\n\n| key | value | meaning | flag |\n|---|---|---|---|\n", title)
	for _, f := range fields(t) {
		unit, meaning := f.kind.unit, f.doc
		switch {
		case f.section != nil:
			unit = "keys, below"
		case f.isRules():
			unit = "a list"
		}
		if f.standard != "" {
			meaning += " Default: " + f.standard + "."
		}
		flag := ""
		switch {
		case f.isRules():
			flag = "`--include`, `--exclude`, `--exclude-from`"
		case f.flag != "" && f.yes != "":
			flag = "`--" + f.flag + " " + f.yes + "`"
		case f.flag != "":
			flag = "`--" + f.flag + "`"
		}
		p.f("| `%s` | %s | %s | %s |\n", f.key, unit, strings.ReplaceAll(meaning, "|", `\|`), flag)
	}
	p.f("\n")
}
