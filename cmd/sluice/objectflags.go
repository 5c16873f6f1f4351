package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/filter"
	"github.com/sluice-sync/sluice/metadata"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/task"
)

// objectFlags say what of an object travels besides its bytes, and what becomes
// of objects in an archive.
type objectFlags struct {
	expires     string
	class       string
	tags        string
	owner       bool
	dirMarkers  bool
	archived    string
	restoreDays int
	restoreTier string
}

func (f *objectFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.expires, "expires", "keep", "the Expires header of copies: keep, drop, `TIME` (2030-01-31, RFC 3339) or a time from now on (+30d)")
	fs.StringVar(&f.class, "storage-class", "keep", "storage `CLASS` of copies: keep (the target's name for what it means), default (the bucket's own) or a class of the target")
	fs.StringVar(&f.tags, "tags", "keep", "tags of objects: `keep` or drop; those of an object that has some take a request of their own")
	fs.BoolVar(&f.owner, "owner", false, "keep owner and group of files, by number; takes a privileged user (default off)")
	fs.BoolVar(&f.dirMarkers, "dir-markers", false, "keep empty directories at an object store, as empty objects named dir/ (default off)")
	fs.StringVar(&f.archived, "archived", "fail", "archived objects of the source: `fail`, skip, or restore (ask for a restore and wait for it)")
	fs.IntVar(&f.restoreDays, "restore-days", 7, "days for which restored copies stay readable")
	fs.StringVar(&f.restoreTier, "restore-tier", "", "how fast to restore, `WORD` of the source's vendor such as Bulk or Expedited (default the vendor's)")
}

// apply reads the flags into the spec.
func (f *objectFlags) apply(s *task.Spec) (err error) {
	if s.Metadata.Expires, err = parseExpires(f.expires, time.Now()); err != nil {
		return err
	}
	switch f.class {
	case "keep":
	case "":
		return usagef("--storage-class is empty: use keep, default or a class of the target")
	default:
		s.Metadata.StorageClass = f.class
	}
	switch f.tags {
	case "keep":
	case "drop":
		s.Metadata.DropTags = true
	default:
		return usagef("--tags %s: use keep or drop", f.tags)
	}
	s.Metadata.Owner, s.DirMarkers = f.owner, f.dirMarkers
	archived, ok := map[string]transfer.Archived{
		"fail": transfer.ArchivedFail, "skip": transfer.ArchivedSkip, "restore": transfer.ArchivedRestore,
	}[f.archived]
	switch {
	case !ok:
		return usagef("--archived %s: use fail, skip or restore", f.archived)
	case f.restoreDays < 1:
		return usagef("--restore-days %d: use 1 or more", f.restoreDays)
	case archived != transfer.ArchivedRestore && f.restoreTier != "":
		return usagef("--restore-tier needs --archived restore")
	}
	s.Archived, s.RestoreDays, s.RestoreTier = archived, f.restoreDays, f.restoreTier
	return nil
}

func parseExpires(v string, now time.Time) (metadata.Expires, error) {
	switch v {
	case "keep":
		return metadata.Expires{}, nil
	case "drop":
		return metadata.Expires{Drop: true}, nil
	}
	age, isAge := strings.CutPrefix(v, "+")
	t, err := filter.ParseTimeOrAge(age, now)
	switch {
	case err != nil || !isAge && t.Before(now) && !strings.Contains(v, "-"): // an age without its plus
		return metadata.Expires{}, usagef("--expires %s: use keep, drop, a date such as 2030-01-31 or a time from now on such as +30d", v)
	case isAge:
		return metadata.Expires{After: now.Sub(t)}, nil
	}
	return metadata.Expires{At: t}, nil
}

// fits refuses a storage class that the target is known not to have.
func (f *objectFlags) fits(target storage.Source) error {
	has := target.Features()
	if f.class == "keep" || f.class == metadata.ClassDefault || !has.FileTree && len(has.Classes) == 0 {
		return nil
	}
	if _, ok := has.ClassNamed(f.class); ok {
		return nil
	}
	if len(has.Classes) == 0 {
		return usagef("--storage-class %s: %s has no storage classes", f.class, target)
	}
	names := make([]string, len(has.Classes))
	for i, c := range has.Classes {
		names[i] = c.Name
	}
	return usagef("--storage-class %s: %s has %s", f.class, target, strings.Join(names, ", "))
}
