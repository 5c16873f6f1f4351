package s3wire

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/sluice-sync/sluice/storage"
)

// tagQuery writes tags as the header that goes with a write wants them: like a
// query, in order. A blank is %20, which nobody takes for anything else.
func tagQuery(tags map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escapeQuery(name))
		b.WriteByte('=')
		b.WriteString(escapeQuery(tags[name]))
	}
	return b.String()
}

// tagged reads the number of tags, which stores leave out where there are none.
func (c *Client) tagged(h http.Header) storage.Tagged {
	switch n := first(h, c.says.tagCount); {
	case n != "" && n != "0":
		return storage.TagsSome
	case n == "0" || c.Dialect.Tags:
		return storage.TagsNone
	}
	return storage.TagsUnknown
}

// maxDocument bounds an answer that is a small document; 50 tags, which is
// the most that any store takes, are below 64 KiB.
const maxDocument = 256 << 10

// Tags returns the tags of an object; ErrUnsupported where the dialect has none.
func (c *Client) Tags(ctx context.Context, key string) (map[string]string, error) {
	const op = "tags"
	if !c.Dialect.Tags {
		return nil, c.fail(op, key, storage.ErrUnsupported, "tags")
	}
	if err := c.CheckKey(op, key); err != nil {
		return nil, err
	}
	resp, err := c.do(ctx, request{method: http.MethodGet, key: c.FullKey(key), query: "tagging" + c.says.emptyValue})
	var f *Fault
	if errors.As(err, &f) && f.Code == "NoSuchTagSet" {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, c.Fail(ctx, op, key, err)
	}
	doc, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument))
	resp.Body.Close()
	if err != nil {
		return nil, c.Fail(ctx, op, key, err)
	}
	var set struct {
		XMLName xml.Name                      `xml:"Tagging"`
		Tags    []struct{ Key, Value string } `xml:"TagSet>Tag"`
	}
	if err := xml.Unmarshal(doc, &set); err != nil {
		return nil, c.fail(op, key, storage.ErrBusy, "unreadable answer: %w", err)
	}
	tags := make(map[string]string, len(set.Tags))
	for _, t := range set.Tags {
		tags[t.Key] = t.Value
	}
	return tags, nil
}
