package manifest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/sluice-sync/sluice/storage"
)

// maxRecord bounds one record, bytes: keys have 1,024 at most on stores and
// 4,096 on file systems, and percent-encoding makes them thrice as long.
const maxRecord = 64 << 10

// text is an open file: its bytes without compression and byte order mark.
type text struct {
	*bufio.Reader
	src  storage.Source
	key  string
	md5  string
	r    *storage.Reader
	sums hash.Hash // of the bytes as they are stored; nil: nobody knows what they should be
	raw  *bufio.Reader
}

// open opens a file of a manifest. The caller closes it.
func open(ctx context.Context, src storage.Source, key string, f file) (*text, error) {
	r, err := src.Open(ctx, key, storage.ReadOptions{Length: -1, Want: f.want})
	if err != nil {
		return nil, err
	}
	t := &text{src: src, key: key, md5: f.md5, r: r}
	var body io.Reader = r.Body
	if t.md5 != "" {
		t.sums = md5.New()
		body = io.TeeReader(body, t.sums)
	}
	t.raw = bufio.NewReaderSize(body, maxRecord)
	t.Reader = t.raw
	if err := t.decode(); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// decode looks for the magic numbers of gzip (RFC 1952, 2.3.1) and of a byte
// order mark in UTF-8.
func (t *text) decode() error {
	if magic, err := t.raw.Peek(2); err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(t.raw)
		if err != nil {
			return err
		}
		t.Reader = bufio.NewReaderSize(z, maxRecord)
	}
	mark, err := t.Peek(3)
	if err == nil && string(mark) == "\ufeff" {
		_, err = t.Discard(len(mark))
	}
	if err == io.EOF { //nolint:errorlint // a short file; a broken connection may wrap it
		err = nil
	}
	return err
}

// finish ends a file that was read to its end: the bytes must be those that
// were meant.
func (t *text) finish(ctx context.Context) error {
	if _, err := io.Copy(io.Discard, t.raw); err != nil {
		return err
	}
	if t.sums != nil {
		if got := hex.EncodeToString(t.sums.Sum(nil)); !strings.EqualFold(got, t.md5) {
			return &storage.Error{
				Op: "read", Key: t.key, Place: t.src.String(), Kind: storage.ErrCorrupt,
				Err: fmt.Errorf("its MD5 is %s, the manifest says %s", got, t.md5),
			}
		}
	}
	if t.r.Confirm != nil {
		return t.r.Confirm(ctx)
	}
	return nil
}

// Close may be called at any time.
func (t *text) Close() { _ = t.r.Body.Close() }

// errLong says that a record is no record of a manifest.
var errLong = errors.New("is longer than 64 KiB: this is no list of keys")
