package ossfake_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage/oss/ossfake"
)

// TestRestore: an archived object is read only while it is restored, which the
// clock decides.
func TestRestore(t *testing.T) {
	for _, x := range []struct {
		class, tier string
		takes       time.Duration
	}{
		{ossfake.Archive, "", time.Minute},
		{ossfake.ColdArchive, "Expedited", time.Hour},
		{ossfake.ColdArchive, "", 5 * time.Hour},
		{ossfake.ColdArchive, "Bulk", 12 * time.Hour},
		{ossfake.DeepColdArchive, "Expedited", 12 * time.Hour},
		{ossfake.DeepColdArchive, "Standard", 48 * time.Hour},
	} {
		t.Run(x.class+" "+x.tier, func(t *testing.T) {
			clock := newClock()
			s, c := start(t, ossfake.Options{Now: clock.now})
			ok(t, s.Put(bkt, "k", []byte("bytes"), x.class))
			copying := headers{"X-Oss-Copy-Source": "/" + bkt + "/k"}
			restore, body := params{"restore": nil}, request(2, x.tier)
			look := func(status int, code, info string) {
				t.Helper()
				want(t, send(c, "GET", "k", nil, nil, ""), status, code)
				want(t, send(c, "PUT", "copy", nil, copying, ""), status, code)
				r := send(c, "HEAD", "k", nil, nil, "")
				want(t, r, 200, "")
				equal(t, "x-oss-restore", r.header.Get("X-Oss-Restore"), info)
				equal(t, "RestoreInfo", list(t, c, params{"prefix": "k"}).Contents[0].RestoreInfo, info)
			}
			look(403, "InvalidObjectState", "")
			want(t, send(c, "POST", "k", restore, nil, body), 202, "")
			look(403, "InvalidObjectState", `ongoing-request="true"`)
			want(t, send(c, "POST", "k", restore, nil, body), 409, "RestoreAlreadyInProgress")

			clock.add(x.takes - time.Second)
			look(403, "InvalidObjectState", `ongoing-request="true"`)
			clock.add(time.Second)
			until := func(d time.Duration) string {
				return fmt.Sprintf(`ongoing-request="false", expiry-date="%s"`, clock.now().Add(d).Format("Mon, 02 Jan 2006 15:04:05 GMT"))
			}
			look(200, "", until(48*time.Hour))
			want(t, send(c, "POST", "k", restore, nil, request(5, x.tier)), 200, "")
			look(200, "", until(120*time.Hour))
			clock.add(120 * time.Hour)
			look(403, "InvalidObjectState", "")
			want(t, send(c, "POST", "k", restore, nil, body), 202, "")
		})
	}
}

func request(days int, tier string) string {
	s := fmt.Sprintf("<RestoreRequest><Days>%d</Days>", days)
	if tier != "" {
		s += "<JobParameters><Tier>" + tier + "</Tier></JobParameters>"
	}
	return s + "</RestoreRequest>"
}

// TestRestoreFaster: a restore under way can be made faster, not slower.
func TestRestoreFaster(t *testing.T) {
	clock := newClock()
	s, c := start(t, ossfake.Options{Now: clock.now})
	ok(t, s.Put(bkt, "k", []byte("bytes"), ossfake.ColdArchive))
	restore := params{"restore": nil}
	want(t, send(c, "POST", "k", restore, nil, request(1, "Standard")), 202, "")
	want(t, send(c, "POST", "k", restore, nil, request(1, "Bulk")), 409, "RestoreAlreadyInProgress")
	want(t, send(c, "POST", "k", restore, nil, request(1, "Expedited")), 202, "")
	clock.add(time.Hour)
	want(t, send(c, "GET", "k", nil, nil, ""), 200, "")
}

func TestRestoreRefused(t *testing.T) {
	s, c := start(t, ossfake.Options{})
	for key, class := range map[string]string{"std": ossfake.Standard, "ia": ossfake.IA, "arch": ossfake.Archive} {
		ok(t, s.Put(bkt, key, []byte("x"), class))
	}
	restore := params{"restore": nil}
	want(t, send(c, "POST", "std", restore, nil, ""), 400, "OperationNotSupported")
	want(t, send(c, "POST", "ia", restore, nil, ""), 400, "OperationNotSupported")
	want(t, send(c, "POST", "none", restore, nil, ""), 404, "NoSuchKey")
	want(t, send(c, "POST", "arch", restore, nil, request(0, "")), 400, "InvalidArgument")
	want(t, send(c, "POST", "arch", restore, nil, request(366, "")), 400, "InvalidArgument")
	want(t, send(c, "POST", "arch", restore, nil, request(1, "Fast")), 400, "MalformedXML")
	want(t, send(c, "POST", "arch", restore, nil, "<x/>"), 400, "MalformedXML")
	want(t, send(c, "GET", "ia", nil, nil, ""), 200, "")
}

// TestOverwriteArchived: what is written over an archived object is not restored.
func TestOverwriteArchived(t *testing.T) {
	s, c := start(t, ossfake.Options{RestoreTime: func(string, string) time.Duration { return 0 }})
	ok(t, s.Put(bkt, "k", []byte("x"), ossfake.Archive))
	want(t, send(c, "POST", "k", params{"restore": nil}, nil, ""), 202, "")
	want(t, send(c, "GET", "k", nil, nil, ""), 200, "")
	put(t, c, "k", "y", headers{"X-Oss-Storage-Class": "Archive"})
	want(t, send(c, "GET", "k", nil, nil, ""), 403, "InvalidObjectState")
}
