package main

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sluice-sync/sluice/suggest"
)

var unknownFlag = regexp.MustCompile(`^unknown flag: --([^ =]+)`)

// flagError names the flag that was probably meant.
func flagError(cmd *cobra.Command, err error) error {
	m := unknownFlag.FindStringSubmatch(err.Error())
	if m == nil {
		return usageError{err}
	}
	best, dist := "", 1+len(m[1])/3
	visit := func(f *pflag.Flag) {
		if d := suggest.Distance(strings.ToLower(m[1]), f.Name); d <= dist && !f.Hidden {
			best, dist = f.Name, d-1
		}
	}
	cmd.Flags().VisitAll(visit)
	cmd.InheritedFlags().VisitAll(visit)
	if best == "" {
		return usagef("there is no flag --%s", m[1])
	}
	return usagef("there is no flag --%s; did you mean --%s?", m[1], best)
}
