package s3wire

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// Restore asks for a readable copy of an archived object; ErrUnsupported where
// the dialect has no archive.
func (c *Client) Restore(ctx context.Context, key string, days int, tier string) error {
	const op = "restore"
	if !c.Dialect.Restores() {
		return c.fail(op, key, storage.ErrUnsupported, "restores")
	}
	if err := c.CheckKey(op, key); err != nil {
		return err
	}
	if days < 1 {
		return c.fail(op, key, storage.ErrInvalid, "for %d days", days)
	}
	doc := restoreRequest(days, tier, c.says.retrieval)
	resp, err := c.do(ctx, request{
		method: http.MethodPost, key: c.FullKey(key), query: "restore" + c.says.emptyValue,
		header: http.Header{"Content-Type": {"application/xml"}},
		body:   io.NopCloser(bytes.NewReader(doc)), size: int64(len(doc)),
	})
	var f *Fault
	if errors.As(err, &f) && f.Code == "RestoreAlreadyInProgress" {
		return nil
	}
	if err != nil {
		return c.Fail(ctx, op, key, err)
	}
	discard(resp)
	return nil
}

func restoreRequest(days int, tier, around string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<RestoreRequest><Days>%d</Days>", days)
	if tier != "" {
		fmt.Fprintf(&b, "<%s><Tier>", around)
		_ = xml.EscapeText(&b, []byte(tier)) // a buffer takes everything
		fmt.Fprintf(&b, "</Tier></%s>", around)
	}
	b.WriteString("</RestoreRequest>")
	return b.Bytes()
}

// parseRestored reads ongoing-request="false", expiry-date="…".
func parseRestored(v string) storage.Restored {
	if strings.Contains(v, `ongoing-request="true"`) {
		return storage.Restored{Ongoing: true}
	}
	_, date, _ := strings.Cut(v, `expiry-date="`)
	date, _, _ = strings.Cut(date, `"`)
	until, _ := time.Parse(http.TimeFormat, date) // zero if there is none
	return storage.Restored{Until: until}
}
