package list

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-sync/sluice/storage"
)

// resolve decides the pairs of a chunk by looking at the objects.
func (w *worker) resolve(ctx context.Context, c *chunk) error {
	if len(c.pairs) == 0 {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for i := range c.pairs {
		select {
		case w.heads <- struct{}{}:
		case <-ctx.Done():
			if err := g.Wait(); err != nil {
				return err
			}
			return ctx.Err()
		}
		g.Go(func() error {
			defer func() { <-w.heads }()
			return w.look(ctx, &c.pairs[i])
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range c.pairs {
		p := &c.pairs[i]
		if p.verdict == differs {
			w.publish(c, p.s, p.d, p.why, p.ours)
			continue
		}
		w.skip(c, p.s, p.why, p.ours)
		if p.why == skipEqual && !p.keep {
			c.seen = append(c.seen, Seen{Key: p.s.Key, Src: p.s.Version(), Dst: p.d.TargetVersion()})
		}
	}
	return nil
}

// errMoved says that an object is not the one that was listed.
var errMoved = errors.New("not the version listed")

// look decides one pair. An object that cannot be looked at, or is another one
// by now, is published: who applies the event sees what is there then, and
// reports what cannot be done. Only what concerns a whole endpoint is an error.
func (w *worker) look(ctx context.Context, p *pair) error {
	l := looks{w: w, p: p}
	same := false
	var err error
	switch p.why {
	case diffLink:
		same, err = l.sameLink(ctx)
	case diffChecksum:
		same, err = l.sameBytes(ctx)
	case diffTime:
		same, err = l.sameTime(ctx)
	case diffMetadata:
		same = true
	}
	if err == nil && same {
		if same, err = l.sameMetadata(ctx); err == nil && !same {
			p.why = diffMetadata
		}
	}
	if err == nil && same {
		p.verdict, p.why = equal, skipEqual
		return nil
	}
	newer := false
	if err == nil && w.cfg.Rule.Update {
		newer, err = l.newer(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil && newer:
		p.verdict, p.why = equal, skipNewer
	case err == nil:
		p.verdict = differs
	case storage.IsEndpoint(err):
		return err
	default:
		p.verdict, p.why = differs, diffUnknown
	}
	return nil
}

// looks holds what was seen of a pair, so that each side is asked once.
type looks struct {
	w        *worker
	p        *pair
	src, dst *storage.Info
}

func (l *looks) source(ctx context.Context) (*storage.Info, error) {
	if l.src == nil {
		info, err := l.w.cfg.Source.Stat(ctx, l.p.s.Key)
		if err != nil {
			return nil, err
		}
		if info.Version() != l.p.s.Version() {
			return nil, errMoved
		}
		l.src = &info
	}
	return l.src, nil
}

func (l *looks) target(ctx context.Context) (*storage.Info, error) {
	if l.dst == nil {
		info, err := l.w.cfg.Target.Stat(ctx, l.w.targetKey(l.p.s.Key))
		if err != nil {
			return nil, err
		}
		if info.TargetVersion() != l.p.d.TargetVersion() {
			return nil, errMoved
		}
		l.dst = &info
	}
	return l.dst, nil
}

// kept returns the time that the target keeps of the original, zero if none.
func (l *looks) kept(ctx context.Context) (time.Time, time.Duration, error) {
	if l.w.rule.dstTree {
		return l.p.d.ModTime, l.w.rule.dstGrain, nil
	}
	info, err := l.target(ctx)
	if err != nil {
		return time.Time{}, 0, err
	}
	return info.MTime, keptGrain(info.MTime), nil
}

// sameTime compares the target's kept time with the source's, which is that of
// a listing or, for an object that is itself a copy, the one that it keeps:
// then its own copies keep that. Without times a digest that both stores keep
// decides; without any the pair differs.
func (l *looks) sameTime(ctx context.Context) (bool, error) {
	kept, grain, err := l.kept(ctx)
	if err != nil {
		return false, err
	}
	if sameTime(kept, l.p.s.ModTime, max(grain, l.w.rule.srcGrain)) {
		return true, nil
	}
	if l.w.rule.srcTree {
		return false, nil
	}
	info, err := l.source(ctx)
	if err != nil {
		return false, err
	}
	if sameTime(kept, info.MTime, max(grain, keptGrain(info.MTime))) {
		return true, nil
	}
	return l.sameDigest(), nil
}

// sameDigest compares the digests that both sides' Stat has shown.
func (l *looks) sameDigest() bool {
	if l.src == nil || l.dst == nil {
		return false
	}
	common := false
	for _, a := range l.src.Checksums {
		for _, b := range l.dst.Checksums {
			if a.Algorithm != b.Algorithm || len(a.Value) == 0 {
				continue
			}
			if !bytes.Equal(a.Value, b.Value) {
				return false
			}
			common = true
		}
	}
	return common
}

// sameBytes compares checksums: those the stores keep, or the MD5 of a file,
// which is read for it, with an ETag or with another file's.
func (l *looks) sameBytes(ctx context.Context) (bool, error) {
	r := &l.w.rule
	if !r.srcTree && !r.dstTree {
		if _, err := l.source(ctx); err != nil {
			return false, err
		}
		if _, err := l.target(ctx); err != nil {
			return false, err
		}
		return l.sameDigest(), nil
	}
	// A store's ETag costs nothing: without it no file is read.
	src := func() (string, error) { return l.md5(ctx, l.w.cfg.Source, l.p.s, l.p.s.Key) }
	dst := func() (string, error) { return l.md5(ctx, l.w.cfg.Target, l.p.d, l.w.targetKey(l.p.s.Key)) }
	if r.srcTree {
		src, dst = dst, src
	}
	a, err := src()
	if a == "" || err != nil {
		return false, err
	}
	b, err := dst()
	return b != "" && sameMD5(a, b), err
}

// md5 returns the MD5 of an object in hex, "" if it is not to be had.
func (l *looks) md5(ctx context.Context, b storage.Source, o *storage.Object, key string) (string, error) {
	f := b.Features()
	if !f.FileTree {
		if f.ETagIsMD5 && isMD5(o.ETag) {
			return o.ETag, nil
		}
		return "", nil
	}
	want := *o
	want.Key = key
	r, err := b.Open(ctx, key, storage.ReadOptions{Length: -1, Want: &want})
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	h := md5.New()
	if _, err := io.Copy(h, r.Body); err != nil {
		return "", err
	}
	if r.Confirm != nil {
		if err := r.Confirm(ctx); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sameMetadata compares what a copy would be given with what the target has, if
// that is asked for.
func (l *looks) sameMetadata(ctx context.Context) (bool, error) {
	if !l.w.cfg.Rule.Metadata || l.p.s.Kind != storage.KindFile {
		return true, nil
	}
	src, err := l.source(ctx)
	if err != nil {
		return false, err
	}
	dst, err := l.target(ctx)
	if err != nil {
		return false, err
	}
	m := &l.w.cfg.Metadata
	srcTags, err := m.Tags(ctx, l.w.cfg.Source, src)
	if err != nil {
		return false, err
	}
	dstTags, err := m.Tags(ctx, l.w.cfg.Target, dst)
	if err != nil {
		return false, err
	}
	want, _ := m.Map(src, srcTags)
	return m.Equal(want, dst, dstTags), nil
}

// sameLink compares the texts of two symbolic links.
func (l *looks) sameLink(ctx context.Context) (bool, error) {
	src, ok := storage.As[storage.Tree](l.w.cfg.Source)
	if !ok {
		return false, storage.ErrUnsupported
	}
	dst, ok := storage.As[storage.Tree](l.w.cfg.Target)
	if !ok {
		return false, storage.ErrUnsupported
	}
	a, err := src.Readlink(ctx, l.p.s.Key)
	if err != nil {
		return false, err
	}
	b, err := dst.Readlink(ctx, l.w.targetKey(l.p.s.Key))
	return a == b, err
}

// newer tells whether the target's time is not before the source's. A time
// that an object keeps counts before the one at which it was stored.
func (l *looks) newer(ctx context.Context) (bool, error) {
	at, grain := l.p.s.ModTime, l.w.rule.srcGrain
	if !l.w.rule.srcTree {
		info, err := l.source(ctx)
		if err != nil {
			return false, err
		}
		if !info.MTime.IsZero() {
			at, grain = info.MTime, keptGrain(info.MTime)
		}
	}
	kept, keptBy, err := l.kept(ctx)
	if err != nil {
		return false, err
	}
	if kept.IsZero() {
		kept, keptBy = l.p.d.ModTime, storeGrain
	}
	return notOlder(kept, at, max(grain, keptBy)), nil
}
