package osspipe

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/filter"
	"github.com/sluice-sync/sluice/yamltree"
)

// attributesOf translates the attributes. Includes come before excludes: of
// both, the last that matches decides here, and an exclude decided there.
func (t *translator) attributesOf() error {
	pairs, err := t.attributes.Pairs("attributes")
	if err != nil {
		return err
	}
	var excludes []string
	for _, p := range pairs {
		switch p.Key {
		case "include":
			t.rules, err = t.patterns(p)
		case "exclude":
			excludes, err = t.patterns(p)
		case "last_modify_filter":
			err = t.modified(p)
		case "transfer_type":
			err = t.transferType(p)
		default:
			err = t.attribute(p)
		}
		if err != nil {
			return err
		}
	}
	t.rules = append(t.rules, excludes...)
	return nil
}

// attribute translates what is one value.
func (t *translator) attribute(p yamltree.Pair) error {
	text, ok := p.Value.Text()
	if !ok {
		return p.Value.Errorf("%s must be one value", p.Key)
	}
	switch p.Key {
	case "task_parallelism":
		return t.count(p, text, "workers")
	case "max_errors":
		if text == "0" {
			t.note(p.At, "max_errors 0 would be no bound here: it is 1, which stops at the first object given up")
			text = "1"
		} else {
			t.note(p.At, "max_errors counts objects that were given up after all their tries")
		}
		return t.count(p, text, "max_errors")
	case "large_file_size":
		return t.size(p, text, "multipart_threshold")
	case "multi_part_chunk_size":
		return t.size(p, text, "part_size")
	case "target_exists_skip":
		if text == "true" {
			t.add("compare", "ignore_existing: true")
		} else {
			t.note(p.At, "what is equal at the target already is not copied again; compare.force: true would copy it")
		}
	case "start_from_checkpoint":
		t.note(p.At, "start_from_checkpoint is left out: a run that was interrupted goes on by itself; `sluice forget TASK` makes it begin anew")
	case "meta_dir":
		t.note(p.At, "meta_dir is left out: the state is below --state-dir")
	case "objects_per_batch", "multi_part_chunks_per_batch", "multi_part_parallelism":
		t.note(p.At, "%s is left out: there are no batches, and the parts in flight are bounded", p.Key)
	default:
		t.note(p.At, "%s is not known, and is left out", p.Key)
	}
	return nil
}

func (t *translator) add(section, line string) {
	t.sections[section] = append(t.sections[section], line)
}

func (t *translator) count(p yamltree.Pair, text, key string) error {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return p.Value.Errorf("%s must be a whole number", p.Key)
	}
	t.add("transfer", key+": "+strconv.FormatUint(n, 10))
	return nil
}

func (t *translator) size(p yamltree.Pair, text, key string) error {
	n, err := filter.ParseSize(text)
	if err != nil {
		return p.Value.Errorf("%s: %w", p.Key, err)
	}
	if n < 1<<20 {
		t.note(p.At, "%s is less than 1 MiB, the least that sluice takes: it is 1MiB", p.Key)
		text = "1MiB"
	}
	t.add("transfer", key+": "+quote(text))
	return nil
}

// patterns translates a list of regular expressions, which looked at whole keys
// of the source.
func (t *translator) patterns(p yamltree.Pair) (rules []string, err error) {
	if p.Value.Null() {
		return nil, nil
	}
	items, ok := p.Value.Items()
	if !ok {
		return nil, p.Value.Errorf("%s must be a list", p.Key)
	}
	for _, item := range items {
		text, ok := item.Text()
		if !ok {
			return nil, item.Errorf("%s must be a list of patterns", p.Key)
		}
		pattern := "re:" + t.relative(item, text)
		if _, err := filter.New(filter.Config{Rules: []filter.Rule{{Pattern: pattern}}}); err != nil {
			return nil, item.Errorf("%s: %w", p.Key, err)
		}
		rules = append(rules, "  - "+p.Key+": "+quote(pattern))
	}
	return rules, nil
}

// relative takes the prefix of the source off a pattern: keys are looked at
// without it here.
func (t *translator) relative(at yamltree.Node, pattern string) string {
	prefix := t.source.prefix
	if prefix == "" {
		return pattern
	}
	if !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	bare := strings.TrimPrefix(pattern, "^")
	for _, p := range []string{prefix, regexp.QuoteMeta(prefix)} {
		// A repetition behind the prefix would be one of its last "/".
		if rest, ok := strings.CutPrefix(bare, p); ok && !strings.ContainsAny(bare, "|") && (rest == "" || !strings.ContainsAny(rest[:1], "*+?{")) {
			t.note(at, "the prefix of the source is taken off this pattern: it looks at keys below the source")
			return "^" + rest
		}
	}
	t.note(at, "this pattern looked at whole keys; here it looks at what is behind the prefix of the source: see whether it still means the same")
	return pattern
}

// modified translates a bound of times.
func (t *translator) modified(p yamltree.Pair) error {
	if p.Value.Null() {
		return nil
	}
	pairs, err := p.Value.Pairs(p.Key)
	if err != nil {
		return err
	}
	key, at := "", ""
	for _, kv := range pairs {
		text, _ := kv.Value.Text()
		switch kv.Key {
		case "filter_type":
			key = map[string]string{"greater": "newer_than", "less": "older_than"}[strings.ToLower(text)]
			if key == "" {
				return kv.Value.Errorf("filter_type must be Greater or Less")
			}
		case "timestamp":
			sec, err := strconv.ParseInt(text, 10, 64)
			if err != nil || sec < 0 || sec > 1<<37 { // some thousand years
				return kv.Value.Errorf("timestamp must be seconds since 1970")
			}
			at = time.Unix(sec, 0).UTC().Format(time.RFC3339)
		default:
			return kv.Unknown(p.Key, []string{"filter_type", "timestamp"})
		}
	}
	if key == "" || at == "" {
		return p.At.Errorf("last_modify_filter needs filter_type and timestamp")
	}
	t.add("filter", key+": "+at)
	return nil
}

// transferType takes stock, and of full the stock.
func (t *translator) transferType(p yamltree.Pair) error {
	text, _ := p.Value.Text()
	switch strings.ToLower(text) {
	case "stock":
	case "full":
		t.mode = []string{"# mode: full # following changes is not in this release", "mode: stock"}
		t.note(p.At, "full: following changes is not in this release: the task copies what is there now, and once more each time it is run; it deletes nothing, as oss_pipe did while it followed")
	case "increment":
		return p.Value.Errorf("increment is refused: following changes is not in this release, and oss_pipe deletes while it follows. " +
			"Write stock to get a task that copies what differs each time it is run, and deletes only with delete.enabled")
	default:
		return p.Value.Errorf("transfer_type must be stock, full or increment")
	}
	return nil
}
