package list

// reason says why an object is not copied, or why it is.
type reason uint8

// Reasons to skip come first: they are counted by name, and their order is
// part of the cursor's format.
const (
	skipEqual reason = iota
	skipExists
	skipNewer
	skipAbsent
	skipDir
	skipSymlink
	skipSpecial
	skipGone
	skips // how many there are

	diffAbsent
	diffKind
	diffSize
	diffTime
	diffChecksum
	diffLink
	diffMetadata
	diffForced
	diffUnknown
	diffUnreadable
	diffExtraneous
)

var reasonNames = [...]string{
	skipEqual: "equal", skipExists: "exists", skipNewer: "newer_at_target", skipAbsent: "absent_at_target",
	skipDir: "directory", skipSymlink: "symlink", skipSpecial: "special", skipGone: "gone",
	diffAbsent: "absent", diffKind: "kind", diffSize: "size", diffTime: "mtime", diffChecksum: "checksum",
	diffLink: "link", diffMetadata: "metadata", diffForced: "forced", diffUnknown: "unknown", diffUnreadable: "unreadable",
	diffExtraneous: "extraneous",
}

func (r reason) String() string { return reasonNames[r] }

// tally holds the counters of a range. Skips by reason are the last of them.
type tally [nSkips + int(skips)]int64

// Places in a tally; their order is part of the cursor's format.
const (
	nSource = iota
	nTarget
	nScope
	nPublished
	nPublishedBytes
	nRepublished
	nSkippedBytes
	nCandidates
	nUnreadable
	nTargetUnreadable
	nSkips
)

func (t *tally) add(o *tally) {
	for i, n := range o {
		t[i] += n
	}
}

func (t *tally) skip(r reason, size int64) {
	t[nSkips+int(r)]++
	t[nSkippedBytes] += size
}

// Totals is what a pass found. Objects that Select left out are in Source
// only. Found by a run are the keys of its last complete pass's Skipped and of
// all its passes' Published.
type Totals struct {
	// Skipped counts, by reason, objects that need nothing and have no row of
	// this run: "equal", "exists" and "absent_at_target" (by rule),
	// "newer_at_target", what the target cannot hold: "directory", "symlink",
	// "special", and named keys that the source lacks: "gone".
	Skipped      map[string]int64 `json:"skipped,omitempty"`
	SkippedBytes int64            `json:"skipped_bytes"`
	// Published counts the keys with an event that had no row of this run;
	// Republished those that had one.
	Published      int64 `json:"published"`
	PublishedBytes int64 `json:"published_bytes"`
	Republished    int64 `json:"republished"`
	Source         int64 `json:"source"`     // entries listed
	Target         int64 `json:"target"`     // entries listed; with Deletes only those KeyRules covers
	Candidates     int64 `json:"candidates"` // extraneous at the target
	// Unreadable directories of the source, selected or not, forbid deletes:
	// what they hold looks absent. The target's hide candidates.
	Unreadable       int64 `json:"unreadable"`
	TargetUnreadable int64 `json:"target_unreadable"`
}

func (t *tally) totals(deletes bool) Totals {
	out := Totals{
		SkippedBytes: t[nSkippedBytes], Published: t[nPublished], PublishedBytes: t[nPublishedBytes],
		Republished: t[nRepublished], Source: t[nSource], Target: t[nTarget], Candidates: t[nCandidates],
		Unreadable: t[nUnreadable], TargetUnreadable: t[nTargetUnreadable],
	}
	if deletes {
		out.Target = t[nScope]
	}
	for r := range skips {
		if n := t[nSkips+int(r)]; n != 0 {
			if out.Skipped == nil {
				out.Skipped = map[string]int64{}
			}
			out.Skipped[r.String()] = n
		}
	}
	return out
}
