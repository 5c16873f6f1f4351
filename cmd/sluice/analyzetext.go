package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"github.com/sluice-sync/sluice/analysis"
)

// analysisText lays an analysis out in so many columns.
type analysisText struct {
	w     io.Writer
	width int
}

func (t analysisText) print(l analysisLine) {
	t.head(l)
	if l.Objects > 0 {
		all := l.Count
		t.histogram("SIZE", all, sizeRows(l.Sizes))
		t.histogram("MODIFIED", all, ageRows(l.Ages, l.Future))
		if len(l.Classes) > 1 || l.Archived.Objects > 0 {
			t.histogram("STORAGE CLASS", all, classRows(l.Classes))
		}
		t.ranking("PREFIX", "(in no directory)", all, l.Prefixes[0])
		if l.Prefixes[1].Names > l.Prefixes[0].Names {
			t.ranking("PREFIX, TWO DEEP", "(in no directory)", all, l.Prefixes[1])
		}
		t.ranking("EXTENSION", "(none)", all, l.Extensions)
		t.largest(l.Largest)
		t.hard(l.Hard)
	}
	t.advice(l)
}

// head says what was looked at.
func (t analysisText) head(l analysisLine) {
	fmt.Fprintf(t.w, "%s: %s objects, %s\n", l.Source, humanize.Comma(l.Objects), size(l.Bytes))
	if l.Oldest != nil {
		fmt.Fprintf(t.w, "modified from %s to %s; listed in %.1f s\n", l.Oldest.Format(time.DateOnly), l.Newest.Format(time.DateOnly), l.Seconds)
	}
	switch {
	case l.Sample != nil && l.Sample.Places == 1:
		t.wrapped("", fmt.Sprintf("This is a sample: the first %s keys only. It shows what there is, not how much.", humanize.Comma(l.Keys)))
	case l.Sample != nil:
		t.wrapped("", fmt.Sprintf("This is a sample: %s keys from %s places. It shows what there is, not how much, nor in which proportion.",
			humanize.Comma(l.Keys), humanize.Comma(int64(l.Sample.Places))))
	case !l.Complete:
		t.wrapped("", "This is not all: the listing was cut off.")
	}
	if l.Selected {
		t.wrapped("", "Only what the filter lets take part is counted.")
	}
}

// bar is one row of a histogram.
type bar struct {
	label string
	analysis.Count
}

func sizeRows(sizes []analysis.Size) (rows []bar) {
	for i, s := range sizes {
		label := "< " + size(s.Below)
		switch {
		case s.Below == 1:
			label = "empty"
		case s.Below == 0 && i > 0:
			label = ">= " + size(sizes[i-1].Below)
		}
		rows = append(rows, bar{label, s.Count})
	}
	return trimmed(rows)
}

func ageRows(ages []analysis.Age, future analysis.Count) (rows []bar) {
	rows = []bar{{"in the future", future}}
	for i, a := range ages {
		label := "< " + days(a.Below)
		if a.Below == 0 && i > 0 {
			label = ">= " + days(ages[i-1].Below)
		}
		rows = append(rows, bar{label, a.Count})
	}
	return trimmed(rows)
}

func days(n int64) string {
	switch {
	case n == 1:
		return "1 day"
	case n == 365:
		return "1 year"
	case n%365 == 0:
		return fmt.Sprintf("%d years", n/365)
	}
	return fmt.Sprintf("%d days", n)
}

func classRows(classes []analysis.Class) (rows []bar) {
	for _, c := range classes {
		label := plainKey(c.Class)
		if label == "" {
			label = "(default)"
		}
		if c.Archived {
			label += ", archived"
		}
		rows = append(rows, bar{label, c.Count})
	}
	return rows
}

// trimmed leaves out what is empty at either end.
func trimmed(rows []bar) []bar {
	full := func(b bar) bool { return b.Objects > 0 }
	first := slices.IndexFunc(rows, full)
	if first < 0 {
		return nil
	}
	last := len(rows)
	for !full(rows[last-1]) {
		last--
	}
	return rows[first:last]
}

// figures are the columns of a histogram beside its label and its two bars.
const figures = " %13s %4s %s %9s %4s %s"

// histogram draws objects and bytes side by side, the longest bar of each as
// long as there is room.
func (t analysisText) histogram(title string, all analysis.Count, rows []bar) {
	label, most := len(title), analysis.Count{}
	for _, r := range rows {
		label = max(label, utf8.RuneCountInString(r.label))
		most = analysis.Count{Objects: max(most.Objects, r.Objects), Bytes: max(most.Bytes, r.Bytes)}
	}
	room := max(4, (t.width-label-len(fmt.Sprintf(figures, "", "", "", "", "", "")))/2)
	t.line("\n%-*s"+figures, label, title, "OBJECTS", "", strings.Repeat(" ", room), "BYTES", "", "")
	for _, r := range rows {
		t.line("%-*s"+figures, label, r.label,
			humanize.Comma(r.Objects), percent(r.Objects, all.Objects), padded(blocks(r.Objects, most.Objects, room), room),
			size(r.Bytes), percent(r.Bytes, all.Bytes), blocks(r.Bytes, most.Bytes, room))
	}
}

// line prints a line without the spaces at its end.
func (t analysisText) line(format string, args ...any) {
	fmt.Fprintln(t.w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

// blocks is a bar of at most room columns, to an eighth of one.
func blocks(n, most int64, room int) string {
	if n <= 0 || most <= 0 {
		return ""
	}
	eighths := max(1, int(float64(n)/float64(most)*float64(8*room)))
	s := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		s += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return s
}

func padded(s string, columns int) string {
	return s + strings.Repeat(" ", max(0, columns-utf8.RuneCountInString(s)))
}

func percent(n, all int64) string {
	switch p := 100 * float64(n) / float64(max(all, 1)); {
	case n == 0:
		return ""
	case p < 1:
		return "<1%"
	default:
		return fmt.Sprintf("%d%%", int(p+0.5))
	}
}

// rankedRows is how many names a ranking shows in each order.
const rankedRows = 10

// ranking shows the names with the most objects and those with the most bytes
// in one table, with the most bytes first.
func (t analysisText) ranking(title, none string, all analysis.Count, r analysis.Ranking) {
	rows := slices.Clone(r.ByBytes[:min(rankedRows, len(r.ByBytes))])
	for _, n := range r.ByObjects[:min(rankedRows, len(r.ByObjects))] {
		if !slices.ContainsFunc(rows, func(o analysis.Ranked) bool { return o.Name.Name == n.Name.Name }) {
			rows = append(rows, n)
		}
	}
	slices.SortStableFunc(rows, func(a, b analysis.Ranked) int { return cmp.Compare(b.Count.Bytes, a.Count.Bytes) })
	t.line("\n%13s %4s %9s %4s  %s", "OBJECTS", "", "BYTES", "", title)
	for _, n := range rows {
		s := t.key(n.Name.Name, 36)
		if n.Name.Name == "" {
			s = none
		}
		t.line("%13s %4s %9s %4s  %s", humanize.Comma(n.Objects), percent(n.Objects, all.Objects), size(n.Count.Bytes), percent(n.Count.Bytes, all.Bytes), s)
	}
	left := r.Names - int64(len(rows))
	switch {
	case r.Estimated:
		t.line("%36s%s", "", "and very many more; these figures are estimates, and may be too low")
	case left > 0:
		t.line("%36s%s more", "", humanize.Comma(left))
	}
}

// key is a key as a terminal can show it, cut to the columns behind those used.
func (t analysisText) key(s string, used int) string {
	s = plainKey(s)
	if r, room := []rune(s), max(20, t.width-used); len(r) > room {
		s = string(r[:room-1]) + "…"
	}
	return s
}

// plainKey quotes a key with control characters or stray bytes.
func plainKey(s string) string {
	if q := strconv.Quote(s); q[1:len(q)-1] != s {
		return q
	}
	return s
}

func (t analysisText) largest(all []analysis.Large) {
	t.line("\n%9s %-10s  %s", "BYTES", "MODIFIED", "LARGEST OBJECTS")
	for _, o := range all {
		t.line("%9s %-10s  %s", size(o.Size), o.ModTime.UTC().Format(time.DateOnly), t.key(o.Name.Name, 22))
	}
}

func (t analysisText) hard(all []analysis.Hard) {
	if len(all) == 0 {
		return
	}
	t.line("\n%13s  %s", "OBJECTS", "KEYS THAT SOME PLACES CANNOT HOLD, AND THE FIRST OF THEM")
	for _, h := range all {
		words := flawWords(h.Flaw)
		t.line("%13s  %s: %s", humanize.Comma(h.Objects), words, t.key(h.Example.Name, 17+len(words)))
	}
}

// wrapped prints words in lines that fit, the first one behind a label and the
// others below its end.
func (t analysisText) wrapped(label, words string) {
	line, indent := label, strings.Repeat(" ", utf8.RuneCountInString(label))
	empty := true
	for _, w := range strings.Fields(words) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) > t.width {
			fmt.Fprintln(t.w, line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+w, false
	}
	fmt.Fprintln(t.w, line)
}
