package main

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/sluice-sync/sluice/analysis"
	"github.com/sluice-sync/sluice/storage"
)

// adviceFlags are the flags that a copy needs besides its defaults.
func adviceFlags(a analysis.Advice) []string {
	flags := []string{}
	if !a.Workers.Default {
		flags = append(flags, fmt.Sprintf("--workers=%d", a.Workers.Value))
	}
	if !a.PartSize.Default {
		flags = append(flags, "--part-size="+sizeArg(a.PartSize.Value))
	}
	if !a.Threshold.Default {
		flags = append(flags, "--multipart-threshold="+sizeArg(a.Threshold.Value))
	}
	return flags
}

// sizeArg is a size as flags take it.
func sizeArg(n int64) string { return strings.ReplaceAll(size(n), " ", "") }

// advice says how to copy, how long that takes, and what else to know.
func (t analysisText) advice(l analysisLine) {
	if a := l.Advice; a != nil {
		t.line("\nTO COPY IT")
		t.line("  %s", strings.TrimSpace("sluice sync SRC DST "+strings.Join(l.Flags, " ")))
		t.choice("workers", fmt.Sprint(a.Workers.Value), a.Workers)
		t.choice("part size", size(a.PartSize.Value), a.PartSize)
		t.choice("in parts from", size(a.Threshold.Value), a.Threshold)
		t.wrapped("  in parts       ", fmt.Sprintf("%s objects (%s), %s (%s)", humanize.Comma(a.InParts.Objects), orNone(percent(a.InParts.Objects, l.Objects)),
			size(a.InParts.Bytes), orNone(percent(a.InParts.Bytes, l.Bytes))))
		t.wrapped("  time           ", timeWords(l))
	}
	if len(l.Notes) > 0 {
		t.line("\nNOTE")
	}
	for _, n := range l.Notes {
		t.wrapped("  - ", n)
	}
}

func (t analysisText) choice(what, value string, c analysis.Choice) {
	standing := ""
	if c.Default {
		standing = " (default)"
	}
	t.wrapped(fmt.Sprintf("  %-15s", what), value+standing+": "+c.Why)
}

func orNone(percent string) string {
	if percent == "" {
		return "0%"
	}
	return percent
}

// timeWords say how long a copy takes and what that rests on. A sample tells
// it for what it holds, and so that a multiple is easily had.
func timeWords(l analysisLine) string {
	t := l.Advice.Time
	rests := fmt.Sprintf("bytes at %s/s take %s, small objects at %s/s (%d at once, %.3g ms each) %s; the longer of the two counts",
		size(t.Rate), analysis.Span(t.ForBytes), humanize.Comma(int64(t.ObjectsPerSecond)), l.Advice.Workers.Value,
		1000*t.Latency, analysis.Span(t.ForObjects))
	if l.Complete {
		return fmt.Sprintf("about %s: %s", analysis.Span(t.Seconds), rests)
	}
	const many = 1_000_000
	return fmt.Sprintf("about %s for each 1,000,000 objects of this mix: of those looked at, %s", analysis.Span(t.Seconds*many/float64(l.Objects)), rests)
}

// analysisNotes are sentences about what a copy meets besides plain objects.
func analysisNotes(r *analysis.Report, has storage.Features) []string {
	notes := []string{}
	add := func(n int64, format string, args ...any) {
		if n > 0 {
			notes = append(notes, fmt.Sprintf(format, append([]any{humanize.Comma(n)}, args...)...))
		}
	}
	add(r.Archived.Objects, "Archived objects: %s (%s). A copy reports them as failed; with --archived=restore it asks for their restore, which the vendor charges for, and waits for it, from minutes to two days; with --archived=skip it leaves them out. The time above does not count such waits.", size(r.Archived.Bytes))
	add(r.Kinds.Symlinks, "Symbolic links: %s. They are kept by a file system, left out at a store.")
	add(r.Kinds.Directories, "Empty directories: %s. They are kept by a file system, at a store with --dir-markers only.")
	add(r.Kinds.Special, "FIFOs, sockets and devices: %s. They are never copied.")
	add(r.Kinds.Unreadable, "Directories that cannot be read: %s. What is in them is not counted.")
	add(r.Future.Objects, "Objects modified in the future: %s. Is a clock wrong?")
	if r.Objects == 0 && len(notes) == 0 {
		notes = append(notes, "The source holds nothing that takes part; is its name right?")
	}
	if has.Tags && r.Objects > 0 {
		notes = append(notes, "Tags and metadata are not in a listing and not counted. The tags of an object that has some take a request more.")
	}
	return notes
}

func flawWords(flaw string) string {
	switch flaw {
	case "not_utf8":
		return "not UTF-8"
	case "control_characters":
		return "control characters"
	case "double_slash":
		return "two slashes in a row"
	case "leading_slash":
		return "a slash in front"
	case "trailing_slash":
		return "a slash at the end"
	case "dot_name":
		return "a directory . or .."
	case "long_name":
		return "a name over 255 bytes"
	case "long_key":
		return "over 1,024 bytes"
	}
	return flaw
}
