package s3wire

import (
	"strings"

	"github.com/sluice-sync/sluice/storage"
)

// UploadPage is one answer to ListMultipartUploads.
type UploadPage struct {
	Uploads         []storage.Upload // with full keys
	More            bool
	NextKey, NextID string // where the next page starts, if there is More
}

// Uploads lists the unfinished uploads of a key, or of all keys if key is "". An
// SDK fetches the pages: those of uploads whose full key begins with prefix,
// behind the markers. Its errors are passed on.
func (c *Client) Uploads(key string, fetch func(prefix, keyMarker, idMarker string) (UploadPage, error)) ([]storage.Upload, error) {
	prefix := c.FullKey(key)
	if key == "" && c.Dialect.ListsAllUploads {
		prefix = ""
	}
	var all []storage.Upload
	for keyMarker, idMarker := "", ""; ; {
		p, err := fetch(prefix, keyMarker, idMarker)
		if err != nil {
			return nil, err
		}
		for _, u := range p.Uploads {
			own, ok := strings.CutPrefix(u.Key, c.prefix)
			if ok && own != "" && (key == "" || own == key) {
				u.Key = own
				all = append(all, u)
			}
		}
		if !p.More {
			return all, nil
		}
		if p.NextKey < keyMarker || p.NextKey == keyMarker && p.NextID == idMarker {
			return nil, c.fail("list uploads", key, storage.ErrUnsupported, "the listing of uploads does not advance: %q after %q", p.NextKey, keyMarker)
		}
		keyMarker, idMarker = p.NextKey, p.NextID
	}
}
