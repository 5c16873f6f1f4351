package precheck

import (
	"context"
	"errors"
	"io"

	"github.com/sluice-sync/sluice/producers/manifest"
	"github.com/sluice-sync/sluice/storage"
)

// take looks at one page of the source, or at all.
func (s *sample) take(ctx context.Context, src storage.Source, deep bool) {
	switch {
	case s.err != nil: // of the selection
	case s.only != "":
		s.err = s.takeKey(ctx, src, s.only)
		s.whole = s.err == nil
	case s.manifest != nil:
		s.err = s.takeNamed(ctx, src, deep)
	default:
		s.err = s.takeListed(ctx, src, deep)
	}
}

func (s *sample) takeKey(ctx context.Context, src storage.Source, key string) error {
	info, err := src.Stat(ctx, key)
	if err == nil {
		s.add(ctx, &info.Object)
	}
	return err
}

// takeListed begins behind the first key of the bounds, which is looked at by
// itself.
func (s *sample) takeListed(ctx context.Context, src storage.Source, deep bool) error {
	if from := s.bounds.From; from != "" {
		if err := s.takeKey(ctx, src, from); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
	}
	pages := src.List(storage.Range{After: s.bounds.From, Last: s.bounds.To})
	defer pages.Close()
	for more := true; more; {
		page, err := pages.Next(ctx)
		if err == io.EOF { //nolint:errorlint // a wrapped one is a broken connection
			s.whole = true
			return nil
		}
		if err != nil {
			return err
		}
		for i := range page {
			s.add(ctx, &page[i])
		}
		more = deep || len(page) < s.src.PageSize // behind a short page there is rarely another
	}
	return nil
}

// namedTries is how many keys of a manifest are looked at, each by a request.
const namedTries = 16

var errEnough = errors.New("enough")

// takeNamed looks at keys that a manifest names, and passes over those that are
// gone.
func (s *sample) takeNamed(ctx context.Context, src storage.Source, deep bool) error {
	tries := 0
	err := s.manifest.Keys(ctx, manifest.Position{}, func(keys []string, _ manifest.Position) error {
		for _, key := range keys {
			if tries++; tries > namedTries && !deep {
				return errEnough
			}
			if err := s.takeKey(ctx, src, key); err != nil && !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrInvalidKey) {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	s.whole = err == nil
	return err
}
