package s3wire_test

import (
	"net/http"
	"testing"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/s3wire"
)

// TestRefusedHead: an answer to HEAD has no room for a reason. Whether the
// credentials are refused, which concerns all objects, a listing tells.
func TestRefusedHead(t *testing.T) {
	for name, tc := range map[string]struct {
		status  int
		listing string // code of the answer to a listing; "" is success
		want    error
	}{
		"expired token":    {http.StatusBadRequest, "ExpiredToken", storage.ErrCredentials},
		"unknown key":      {http.StatusForbidden, "InvalidAccessKeyId", storage.ErrCredentials},
		"one object":       {http.StatusForbidden, "", storage.ErrDenied},
		"listings as well": {http.StatusForbidden, "AccessDenied", storage.ErrDenied},
		"throttled now":    {http.StatusForbidden, "SlowDown", storage.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			c := fake(t, "aws", func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodHead:
					w.WriteHeader(tc.status)
				case tc.listing == "":
					_, _ = w.Write([]byte(`<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`))
				default:
					w.WriteHeader(http.StatusForbidden)
					_, _ = w.Write([]byte(`<Error><Code>` + tc.listing + `</Code></Error>`))
				}
			})
			_, err := c.Stat(t.Context(), "k")
			wantKind(t, err, tc.want)
		})
	}
}

// TestCheckStaysBelowThePrefix: credentials may reach no further.
func TestCheckStaysBelowThePrefix(t *testing.T) {
	var asked string
	below := fake(t, "aws", func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Query().Get("prefix")
		_, _ = w.Write([]byte(`<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`))
	})
	conf := below.Config
	conf.Prefix, conf.Dialect = "some/dir", dialect.Row{PathStyle: true}
	c, err := s3wire.New(conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(t.Context()); err != nil || asked != "some/dir/" {
		t.Errorf("asked for %q, %v", asked, err)
	}
}
