package mem

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/sluice-sync/sluice/storage"
)

type upload struct {
	storage.Upload
	o     storage.UploadOptions
	parts map[int]part
}

type part struct {
	storage.Part
	body []byte
}

// CreateUpload begins an upload.
func (b *Bucket) CreateUpload(ctx context.Context, key string, o storage.UploadOptions) (id string, err error) {
	if key == "" {
		return "", b.fail("create upload", key, storage.ErrInvalidKey, nil)
	}
	if err := b.checkClass("create upload", key, o.Meta); err != nil {
		return "", err
	}
	err = b.hold(ctx, "create upload", key, func(c *contents) error {
		id = b.s.newID()
		o.Meta.User, o.Meta.Tags = maps.Clone(o.Meta.User), maps.Clone(o.Meta.Tags)
		c.uploads[id] = &upload{
			Upload: storage.Upload{Key: key, ID: id, Started: b.s.o.Now()},
			o:      o, parts: map[int]part{},
		}
		return nil
	})
	return id, err
}

// holdUpload runs f with an upload under the server's lock.
func (b *Bucket) holdUpload(ctx context.Context, op, key, id string, f func(*contents, *upload) error) error {
	return b.hold(ctx, op, key, func(c *contents) error {
		u := c.uploads[id]
		if u == nil || u.Key != key {
			return b.fail(op, key, storage.ErrNoUpload, nil)
		}
		return f(c, u)
	})
}

// UploadPart writes one part, or writes it again.
func (b *Bucket) UploadPart(ctx context.Context, key, id string, n int, body io.Reader, o storage.PartOptions) (storage.Part, error) {
	data, sum, err := b.receive(ctx, "upload part", key, body, o.Size, o.MD5)
	if err != nil {
		return storage.Part{}, err
	}
	return b.addPart(ctx, "upload part", key, id, n, data, sum)
}

func (b *Bucket) addPart(ctx context.Context, op, key, id string, n int, data, sum []byte) (storage.Part, error) {
	p := part{storage.Part{Number: n, Size: int64(len(data)), ETag: hex.EncodeToString(sum)}, data}
	if n < 1 || n > b.Features().MaxParts {
		return storage.Part{}, b.fail(op, key, storage.ErrInvalid, fmt.Errorf("part number %d", n))
	}
	err := b.holdUpload(ctx, op, key, id, func(_ *contents, u *upload) error {
		u.parts[n] = p
		return nil
	})
	return p.Part, err
}

// ListParts returns the parts of an upload.
func (b *Bucket) ListParts(ctx context.Context, key, id string) (parts []storage.Part, err error) {
	err = b.holdUpload(ctx, "list parts", key, id, func(_ *contents, u *upload) error {
		for _, n := range slices.Sorted(maps.Keys(u.parts)) {
			parts = append(parts, u.parts[n].Part)
		}
		return nil
	})
	return parts, err
}

// CompleteUpload makes the object of an upload visible. It is strict: the
// parts must be the ones held and the ones that the upload announced.
func (b *Bucket) CompleteUpload(ctx context.Context, key, id string, parts []storage.Part) (obj storage.Object, err error) {
	err = b.holdUpload(ctx, "complete", key, id, func(c *contents, u *upload) error {
		data, etag, err := u.join(parts, b.s.o.MinPart)
		if err != nil {
			return b.fail("complete", key, storage.ErrInvalid, err)
		}
		obj = b.store(c, key, data, etag, u.o.Meta)
		delete(c.uploads, id)
		return nil
	})
	return obj, err
}

// join returns the bytes of the object and its ETag: the MD5 of the parts'
// MD5s and their number, as Amazon S3 makes it.
func (u *upload) join(parts []storage.Part, minPart int64) (data []byte, etag string, err error) {
	if len(parts) == 0 {
		return nil, "", errors.New("no parts")
	}
	sums := md5.New()
	for i, p := range parts {
		held := u.parts[p.Number]
		last := i == len(parts)-1
		switch {
		case p.Number != i+1:
			return nil, "", fmt.Errorf("part %d in the place of part %d", p.Number, i+1)
		case held.Part != p:
			return nil, "", fmt.Errorf("part %d is not the one held", p.Number)
		case !last && (p.Size < minPart || p.Size != u.o.PartSize):
			return nil, "", fmt.Errorf("part %d of %d bytes", p.Number, p.Size)
		}
		sum := md5.Sum(held.body)
		sums.Write(sum[:])
		data = append(data, held.body...)
	}
	if int64(len(data)) != u.o.Size {
		return nil, "", fmt.Errorf("%d bytes, announced as %d", len(data), u.o.Size)
	}
	return data, hex.EncodeToString(sums.Sum(nil)) + "-" + strconv.Itoa(len(parts)), nil
}

// AbortUpload removes an upload and its parts.
func (b *Bucket) AbortUpload(ctx context.Context, key, id string) error {
	return b.hold(ctx, "abort", key, func(c *contents) error {
		if u := c.uploads[id]; u != nil && u.Key == key {
			delete(c.uploads, id)
		}
		return nil
	})
}

// ListUploads returns the unfinished uploads of a key, or all if key is "", by
// key and then by age.
func (b *Bucket) ListUploads(ctx context.Context, key string) (us []storage.Upload, err error) {
	err = b.hold(ctx, "list uploads", key, func(c *contents) error {
		for _, u := range c.uploads {
			if key == "" || u.Key == key {
				us = append(us, u.Upload)
			}
		}
		return nil
	})
	slices.SortFunc(us, func(x, y storage.Upload) int {
		return cmp.Or(cmp.Compare(x.Key, y.Key), x.Started.Compare(y.Started), cmp.Compare(x.ID, y.ID))
	})
	return us, err
}
