package s3fake

import (
	"encoding/xml"
	"net/http"
	"slices"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// restored is the readable copy of an archived object: from, until. Zero: none.
type restored struct{ from, until time.Time }

func (x restored) readable(now time.Time) bool { return !now.Before(x.from) && now.Before(x.until) }

func (x restored) ongoing(now time.Time) bool { return now.Before(x.from) }

// header is the value of x-amz-restore.
func (x restored) header(now time.Time) string {
	switch {
	case x.ongoing(now):
		return `ongoing-request="true"`
	case x.readable(now):
		return `ongoing-request="false", expiry-date="` + x.until.UTC().Format(http.TimeFormat) + `"`
	}
	return ""
}

var errArchived = &fault{http.StatusForbidden, "InvalidObjectState", "The operation is not valid for the object's storage class"}

// readable tells whether the bytes can be had.
func (o *object) readable(now time.Time) bool {
	return o.class.Tier < storage.TierArchive || o.restored.readable(now)
}

// restore answers RestoreObject.
func (b *bucket) restore(r *request) (answer, error) {
	var ask struct{ Days int }
	o := b.objects[r.key]
	switch {
	case r.o.NoRestore:
		return answer{}, errNotImplemented
	case o == nil:
		return answer{}, errNoSuchKey
	case xml.Unmarshal(r.body.data, &ask) != nil || ask.Days < 1:
		return answer{}, errMalformed
	case o.class.Tier < storage.TierArchive:
		return answer{}, errArchived
	case o.restored.ongoing(r.now):
		return answer{}, faultf(http.StatusConflict, "RestoreAlreadyInProgress", "Object restore is already in progress")
	}
	days := time.Duration(ask.Days) * 24 * time.Hour
	if o.restored.readable(r.now) {
		o.restored.until = r.now.Add(days)
		return answer{}, nil
	}
	from := r.now.Add(r.o.RestoreTime)
	o.restored = restored{from, from.Add(days)}
	return answer{status: http.StatusAccepted}, nil
}

// tagging answers GetObjectTagging.
func (b *bucket) tagging(r *request) (answer, error) {
	o := b.objects[r.key]
	switch {
	case r.o.NoTags:
		return answer{}, errNotImplemented
	case o == nil:
		return answer{}, errNoSuchKey
	}
	var names []string
	for name := range o.tags {
		names = append(names, name)
	}
	slices.Sort(names)
	doc := "<Tagging><TagSet>"
	for _, name := range names {
		doc += "<Tag><Key>" + escapeXML(name) + "</Key><Value>" + escapeXML(o.tags.Get(name)) + "</Value></Tag>"
	}
	return answer{doc: doc + "</TagSet></Tagging>"}, nil
}
