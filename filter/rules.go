package filter

import (
	"fmt"
	"strings"
)

// Arg is one selection flag as given on a command line.
type Arg struct {
	Flag  string // "include", "exclude" or "exclude-from"
	Value string // a pattern, or the name of a file of patterns
}

// ParseRules makes rules of flags in the order of the command line; the
// patterns of a file take the place of its flag. readFile reads such files.
//
// A file holds one pattern a line. White space around it is dropped (a space at
// the end that belongs to the pattern is written "\ "), and so are blank lines
// and lines that begin with "#" (such a pattern is written "\#"). A pattern
// excludes; behind "+ " it includes, behind "- " it excludes too. Errors name
// the flag, or the file and the line.
func ParseRules(args []Arg, readFile func(name string) ([]byte, error)) ([]Rule, error) {
	var rules []Rule
	for _, a := range args {
		switch a.Flag {
		case "include", "exclude":
			if _, err := compile(a.Value); err != nil {
				return nil, fmt.Errorf("--%s: %w", a.Flag, err)
			}
			rules = append(rules, Rule{a.Flag == "include", a.Value})
		case "exclude-from":
			data, err := readFile(a.Value)
			if err != nil {
				return nil, fmt.Errorf("--exclude-from: %w", err)
			}
			more, err := parseFile(a.Value, string(data))
			if err != nil {
				return nil, fmt.Errorf("--exclude-from: %w", err)
			}
			rules = append(rules, more...)
		default:
			return nil, fmt.Errorf("--%s is no selection flag", a.Flag)
		}
	}
	return rules, nil
}

// parseFile reads the lines of a file of patterns.
func parseFile(name, data string) ([]Rule, error) {
	var rules []Rule
	data = strings.TrimPrefix(data, "\ufeff") // some editors begin a file so
	for i, line := range strings.Split(data, "\n") {
		line = trimLine(line)
		if line == "" || line[0] == '#' {
			continue
		}
		r := Rule{Pattern: line}
		for _, sign := range []string{"+ ", "- "} {
			if rest, ok := strings.CutPrefix(line, sign); ok {
				r = Rule{sign == "+ ", strings.TrimLeft(rest, blanks)}
			}
		}
		if _, err := compile(r.Pattern); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

const blanks = " \t\r"

// trimLine drops the white space around a line, but not a blank that a
// backslash makes part of the pattern.
func trimLine(line string) string {
	line = strings.TrimLeft(line, blanks)
	kept := strings.TrimRight(line, blanks)
	slashes := len(kept) - len(strings.TrimRight(kept, `\`))
	if slashes%2 == 1 && len(kept) < len(line) && line[len(kept)] != '\r' {
		kept = line[:len(kept)+1]
	}
	return kept
}
