// Package task composes the parts for one job: it opens the streams, projects
// results into the store, runs the lister's passes and the transfer, tries
// failed objects again, deletes what may be deleted and says what happened.
//
// It must not know flags, terminals or the environment, nor which driver,
// bus or logger is behind what it is given.
package task

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/filter"
	"github.com/sluice-sync/sluice/keymap"
	"github.com/sluice-sync/sluice/metadata"
	"github.com/sluice-sync/sluice/producers/list"
	"github.com/sluice-sync/sluice/producers/manifest"
	"github.com/sluice-sync/sluice/storage"
)

// Spec says what a job is. The zero value copies everything that differs and
// deletes nothing.
type Spec struct {
	Map keymap.Map
	// Filter makes the selection as of the start of the run, so that an
	// interrupted run with an age in it goes on with the same bounds; nil:
	// everything takes part. Selection is its text, for the hash.
	Filter    func(start time.Time) (*filter.Filter, error)
	Selection string
	Rule      list.Rule
	// Bounds confine the task to a stretch of the source's keys. Manifest, if not
	// nil, names the keys that take part, and nothing is listed; not with Delete.
	Bounds   list.Bounds
	Manifest *manifest.Manifest
	// Metadata says what of an object besides its bytes travels, DirMarkers that
	// empty directories do.
	Metadata   metadata.Policy
	DirMarkers bool
	// Archived says what becomes of objects that must be restored first.
	Archived    transfer.Archived
	RestoreDays int    // how long restored copies stay readable; 0: 7
	RestoreTier string // the source vendor's word for how fast; "" is its default
	// Overwrite guards writes at the target.
	Overwrite transfer.Policy
	Delete    bool
	MaxDelete Cap

	Workers       int           // small objects at once; 0: 32
	BulkWorkers   int           // objects at or above Threshold at once; 0: 4
	Threshold     int64         // bytes from which an object is sent in parts; 0: 64 MiB
	PartSize      int64         // bytes; 0: 16 MiB, raised to fit the target
	Tries         int           // tries per object before it is given up; 0: 5
	GiveUpAfter   time.Duration // how long an endpoint may stay unusable; 0: 10 min
	MaxErrors     int64         // given-up objects that stop the task; 0: no limit
	ClosingRounds int           // closing passes at most; 0: 3
}

// Mapper makes the metadata of copies between two places.
func (s Spec) Mapper(src, dst storage.Source) metadata.Mapper {
	return metadata.NewMapper(s.Metadata, src.Features(), dst.Features(), nil)
}

// Cap bounds how much one run may delete.
type Cap struct {
	Count   int64   // objects; -1: no such bound
	Percent float64 // of the objects that take part at the target; -1: no such bound
	Given   bool    // asked for, not the default
}

// DefaultCap is 10 % of the target when that has more than 100 objects.
func DefaultCap() Cap { return Cap{Count: -1, Percent: 10} }

// ParseCap reads "N", "N%" or "none".
func ParseCap(s string) (Cap, error) {
	if s == "" {
		return DefaultCap(), nil
	}
	if s == "none" {
		return Cap{Count: -1, Percent: -1, Given: true}, nil
	}
	if p, ok := strings.CutSuffix(s, "%"); ok {
		v, err := strconv.ParseFloat(p, 64)
		if err != nil || !(v >= 0 && v <= 100) { // NaN is neither
			return Cap{}, fmt.Errorf("%q is not a share from 0%% to 100%%", s)
		}
		return Cap{Count: -1, Percent: v, Given: true}, nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < 0 {
		return Cap{}, fmt.Errorf("%q is neither a number of objects, a share such as 10%%, nor none", s)
	}
	return Cap{Count: v, Percent: -1, Given: true}, nil
}

// allows tells whether n deletes out of total target objects keep the cap.
func (c Cap) allows(n, total int64) bool {
	if c.Count >= 0 && n > c.Count {
		return false
	}
	if c.Percent >= 0 && (c.Given || total > 100) && float64(n)*100 > c.Percent*float64(total) {
		return false
	}
	return true
}

func (c Cap) String() string {
	switch {
	case c.Count >= 0:
		return strconv.FormatInt(c.Count, 10)
	case c.Percent >= 0:
		return strconv.FormatFloat(c.Percent, 'g', -1, 64) + "%"
	}
	return "none"
}

// hash is over what decides which objects end up how at the target: a changed
// hash starts a new scan. How fast it is done does not count.
func (s Spec) hash() string {
	from, to, one := s.Map.Only()
	text := fmt.Appendf(nil, "2|%q|%+v|%+v|%v|%v|%v|%v|%v|%q|%q|%v", s.Selection, s.Rule, s.Metadata, s.DirMarkers, s.Archived, s.Overwrite, s.Delete, s.MaxDelete, from, to, one)
	if s.Manifest != nil || s.Bounds != (list.Bounds{}) {
		id := ""
		if s.Manifest != nil {
			id = s.Manifest.ID()
		}
		text = fmt.Appendf(text, "|%q|%q|%s", s.Bounds.From, s.Bounds.To, id)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
