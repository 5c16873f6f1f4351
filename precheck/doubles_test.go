package precheck_test

import (
	"context"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/mem"
)

// timed is a bucket whose clock is ahead.
type timed struct {
	storage.Bucket
	ahead time.Duration
	err   error
}

func (b timed) ServerTime(context.Context) (time.Time, error) { return time.Now().Add(b.ahead), b.err }

// plain is a bucket without powers.
type plain struct {
	storage.Bucket
	has storage.Features
}

func (b plain) Features() storage.Features { return b.has }

// sized is one with its powers and other limits.
type sized struct {
	*mem.Bucket
	has storage.Features
}

func (b sized) Features() storage.Features { return b.has }

// tagless is a bucket that says it keeps tags.
type tagless struct{ storage.Bucket }

func (tagless) Tags(context.Context, string) (map[string]string, error) {
	return map[string]string{}, nil
}

// unreadable is a bucket with a directory that cannot be listed.
type unreadable struct{ storage.Bucket }

func (b unreadable) List(r storage.Range) storage.Pages { return lockedPages{b.Bucket.List(r)} }

type lockedPages struct{ storage.Pages }

func (p lockedPages) Next(ctx context.Context) ([]storage.Object, error) {
	page, err := p.Pages.Next(ctx)
	if err != nil {
		return nil, err
	}
	return append(page, storage.Object{Key: "locked/", Kind: storage.KindUnreadable}), nil
}

// folding is a directory that takes capitals for small letters.
type folding struct{ storage.Bucket }

func (b folding) Stat(ctx context.Context, key string) (storage.Info, error) {
	pages := b.List(storage.Range{})
	defer pages.Close()
	page, err := pages.Next(ctx)
	if err != nil {
		return storage.Info{}, err
	}
	for _, o := range page {
		if strings.EqualFold(o.Key, key) {
			return b.Bucket.Stat(ctx, o.Key)
		}
	}
	return b.Bucket.Stat(ctx, key)
}
