package ossfake

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// The storage classes.
const (
	Standard        = "Standard"
	IA              = "IA"
	Archive         = "Archive"
	ColdArchive     = "ColdArchive"
	DeepColdArchive = "DeepColdArchive"
)

func validClass(class string) bool {
	return slices.Contains([]string{Standard, IA, Archive, ColdArchive, DeepColdArchive}, class)
}

func archived(class string) bool {
	return slices.Contains([]string{Archive, ColdArchive, DeepColdArchive}, class)
}

// restore is what was asked for an archived object; the zero value: nothing.
type restore struct {
	tier  string
	ready time.Time // when it can be read
	until time.Time // until when
}

// tiers a restore may have, the fastest first (archive: one, which has no name).
func tiers(class string) []string {
	switch class {
	case ColdArchive:
		return []string{"Expedited", "Standard", "Bulk"}
	case DeepColdArchive:
		return []string{"Expedited", "Standard"}
	}
	return []string{"Standard"}
}

// restoreTime is the longest time that OSS documents
// (help.aliyun.com/en/oss/user-guide/restore-objects-for-access).
func restoreTime(class, tier string) time.Duration {
	switch class + " " + tier {
	case ColdArchive + " Expedited":
		return time.Hour
	case ColdArchive + " Standard":
		return 5 * time.Hour
	case ColdArchive + " Bulk", DeepColdArchive + " Expedited":
		return 12 * time.Hour
	case DeepColdArchive + " Standard":
		return 48 * time.Hour
	}
	return time.Minute
}

// state tells how far the restore of an object has come.
func (s *Server) state(o *object) (ongoing, restored bool) {
	now := s.now()
	ongoing = now.Before(o.restore.ready)
	return ongoing, !ongoing && now.Before(o.restore.until)
}

// readable refuses an archived object that is not restored.
func (s *Server) readable(o *object) error {
	if _, restored := s.state(o); !archived(o.class) || restored {
		return nil
	}
	return refuse(http.StatusForbidden, "InvalidObjectState", "the object is archived and must be restored first")
}

// restoreInfo is what headers and listings say about a restore, "" nothing.
func (s *Server) restoreInfo(o *object) string {
	switch ongoing, restored := s.state(o); {
	case ongoing:
		return `ongoing-request="true"`
	case restored:
		return fmt.Sprintf(`ongoing-request="false", expiry-date="%s"`, httpDate(o.restore.until))
	}
	return ""
}

type restoreRequest struct {
	XMLName xml.Name `xml:"RestoreRequest"`
	Days    *int
	Tier    string `xml:"JobParameters>Tier"`
}

// restoreObject answers 202 when it begins a restore or speeds one up, and 200
// when it prolongs one that is done.
func (s *Server) restoreObject(c *call) error {
	in := restoreRequest{}
	if c.r.ContentLength != 0 {
		if err := c.document(&in); err != nil {
			return err
		}
	}
	days := 1
	if in.Days != nil {
		days = *in.Days
	}
	if days < 1 || days > 365 {
		return invalid("Days must be between 1 and 365")
	}
	status := http.StatusAccepted
	err := s.within(c.bucket, func(b *bucket) error {
		o := b.objects[c.key]
		if o == nil {
			return noSuchKey(c.key)
		}
		r, done, err := s.restoreOf(o, in.Tier, time.Duration(days)*24*time.Hour)
		if err != nil {
			return err
		}
		if done {
			status = http.StatusOK
		}
		b.set(c.key, o.but(func(o *object) { o.restore = r }))
		return nil
	})
	if err != nil {
		return err
	}
	return c.status(status)
}

// restoreOf is the restore of an object after it was asked for once more. done
// says that it can be read already.
func (s *Server) restoreOf(o *object, tier string, keep time.Duration) (r restore, done bool, err error) {
	if !archived(o.class) {
		return r, false, refuse(http.StatusBadRequest, "OperationNotSupported", "only archived objects can be restored")
	}
	known := tiers(o.class)
	if tier == "" {
		tier = "Standard"
	}
	if !slices.Contains(known, tier) {
		return r, false, refuse(http.StatusBadRequest, "MalformedXML", "no such tier: "+tier).numbered("0016-00000703")
	}
	now := s.now()
	ongoing, restored := s.state(o)
	switch {
	case restored:
		r = o.restore
		if until := now.Add(keep); until.After(r.until) {
			r.until = until
		}
		return r, true, nil
	case ongoing && slices.Index(known, tier) >= slices.Index(known, o.restore.tier):
		return r, false, refuse(http.StatusConflict, "RestoreAlreadyInProgress", "the object is being restored").numbered("0016-00000701")
	}
	ready := now.Add(s.o.RestoreTime(o.class, tier))
	if ongoing && o.restore.ready.Before(ready) {
		ready = o.restore.ready
	}
	return restore{tier: tier, ready: ready, until: ready.Add(keep)}, false, nil
}
