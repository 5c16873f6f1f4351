package metadata

import (
	"maps"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// Equal tells whether the target, as have shows it, holds what Map returned.
// tags are those of the target, where the two places keep them.
func (m *Mapper) Equal(want storage.Metadata, have *storage.Info, tags map[string]string) bool {
	if !sameTime(want.MTime, have.MTime, m.dst.MTimeGrain) {
		return false
	}
	if want.HasMode && have.HasMode && want.Mode.Perm() != have.Mode.Perm() {
		return false
	}
	if want.HasOwner && have.HasOwner && (want.UID != have.UID || want.GID != have.GID) {
		return false
	}
	if !m.dst.Metadata {
		return true
	}
	if m.Expires.After > 0 && want.Expires != "" && have.Expires != "" {
		want.Expires = have.Expires // it was counted from another moment
	}
	got := have.Metadata
	a, b := headers(&want), headers(&got)
	for i := range a {
		va, vb := *a[i].value, *b[i].value
		if va != vb && !(a[i].trivial(va) || va == "") || va == "" && vb != "" && !b[i].trivial(vb) {
			return false
		}
	}
	return maps.Equal(want.User, got.User) && m.sameClass(want.StorageClass, have.Class) &&
		(!m.dst.Tags || m.DropTags || !m.src.Tags || maps.Equal(want.Tags, tags))
}

func (m *Mapper) sameClass(want, have string) bool {
	if len(m.dst.Classes) > 0 && strings.EqualFold(want, m.dst.Classes[0].Name) {
		want = ""
	}
	return strings.EqualFold(want, have)
}

// sameTime compares at the coarser precision: whole seconds where one of the
// times has no more.
func sameTime(a, b time.Time, grain time.Duration) bool {
	grain = max(grain, 1)
	if a.Nanosecond() == 0 || b.Nanosecond() == 0 {
		grain = max(grain, time.Second)
	}
	return a.IsZero() && b.IsZero() || a.Sub(b).Abs() < grain
}
