package transfer

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sort"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-sync/sluice/storage"
)

// inParts copies a large object by an upload whose parts go in parallel, each
// from a ranged read that is pinned to the version. An upload that an earlier
// process began is taken up where it was.
func (j *job) inParts(ctx context.Context, obj storage.Object) (done, error) {
	was, hadUpload, err := j.upload()
	if err != nil {
		return done{}, err
	}
	if hadUpload && was.Expect != "" && was.Version == obj.Version() {
		if d, ok, err := j.completedBefore(ctx, &obj, was.Expect); ok || err != nil {
			return d, err
		}
	}
	info, err := j.cfg.Source.Stat(ctx, j.source)
	if err != nil {
		return done{}, at(Source, err)
	}
	obj = info.Object
	u, have, resumed, err := j.resume(ctx, &obj)
	if err != nil {
		return done{}, err
	}
	size, aligned := partSize(&obj, j.cfg.PartSize, j.dstHas)
	if !resumed {
		if u, err = j.begin(ctx, &info, size); err != nil {
			return done{}, err
		}
	}
	s := newSending(j, &info, u, aligned && u.PartSize == size)
	if err := s.all(ctx, have); err != nil {
		if errors.Is(err, storage.ErrNoUpload) || errors.Is(err, storage.ErrChanged) {
			return done{}, firstOf(j.abandon(ctx), err)
		}
		return done{}, err
	}
	return s.complete(ctx)
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// completedBefore tells whether the target holds the object already: the
// answer to Complete, or the process that waited for it, was lost.
func (j *job) completedBefore(ctx context.Context, obj *storage.Object, expect string) (done, bool, error) {
	there, err := j.cfg.Target.Stat(ctx, j.target)
	if errors.Is(err, storage.ErrNotFound) {
		return done{}, false, nil
	}
	if err != nil {
		return done{}, false, at(Target, err)
	}
	if there.ETag != expect || there.Size != obj.Size {
		return done{}, false, nil
	}
	d := j.copied(obj, &there.Object, true)
	return d, true, j.dropUpload()
}

// sending is one upload being filled.
type sending struct {
	*job
	info    *storage.Info
	u       UploadRecord
	aligned bool // our parts are the source's parts
	crc     crcParts

	mu    sync.Mutex
	parts []storage.Part
	moved int64 // bytes sent by this process
}

func newSending(j *job, info *storage.Info, u UploadRecord, aligned bool) *sending {
	s := &sending{job: j, info: info, u: u, aligned: aligned && j.srcHas.ETagIsMD5}
	s.crc.kind, s.crc.want, s.crc.on = combinable(info.Checksums)
	s.crc.sum = map[int]uint64{}
	return s
}

// all sends the parts that the target does not have.
func (s *sending) all(ctx context.Context, have []storage.Part) error {
	total := int((s.info.Size + s.u.PartSize - 1) / s.u.PartSize)
	at := make(map[int]bool, len(have))
	for _, p := range have {
		if p.Number <= total && p.Size == s.size(p.Number) {
			s.parts = append(s.parts, p)
			at[p.Number] = true
			s.have(p.Size)
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.cfg.PartWorkers)
	for n := 1; n <= total && gctx.Err() == nil; n++ {
		if at[n] {
			continue
		}
		g.Go(func() error { return s.part(gctx, n) })
	}
	return g.Wait()
}

// size is the number of bytes of part n.
func (s *sending) size(n int) int64 {
	return min(s.u.PartSize, s.info.Size-int64(n-1)*s.u.PartSize)
}

// part sends one part, reading its range again for each attempt.
func (s *sending) part(ctx context.Context, n int) error {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return errDrained
	}
	var p storage.Part
	err := s.attempt(ctx, func() (err error) {
		if s.partCopier != nil {
			p, err = s.partCopier.CopyPart(ctx, s.cfg.Source, s.info.Object, int64(n-1)*s.u.PartSize, s.size(n), s.target, s.u.ID, n)
			if err == nil {
				s.send(s.size(n))
			}
			return at(Target, err)
		}
		p, err = s.stream(ctx, n)
		return err
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts = append(s.parts, p)
	s.moved += p.Size
	return nil
}

// stream sends one part straight from its ranged read.
func (s *sending) stream(ctx context.Context, n int) (storage.Part, error) {
	size := s.size(n)
	r, err := s.cfg.Source.Open(ctx, s.source, storage.ReadOptions{Offset: int64(n-1) * s.u.PartSize, Length: size, Want: &s.info.Object})
	if err != nil {
		return storage.Part{}, at(Source, err)
	}
	defer r.Body.Close()
	body := &counted{s: s, r: r.Body, h: s.crc.hash()}
	p, err := s.multipart.UploadPart(ctx, s.target, s.u.ID, n, body, storage.PartOptions{Size: size})
	if err != nil {
		s.have(-body.n)
		if body.err != nil {
			return p, at(Source, s.readError(body.err))
		}
		return p, at(Target, err)
	}
	s.crc.add(n, body.h)
	return p, nil
}

// counted is the body of a part. It remembers the source's errors, which the
// target's driver wraps in its own words.
type counted struct {
	s   *sending
	r   io.Reader
	h   hash.Hash
	n   int64
	err error
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.h != nil {
		c.h.Write(p[:n])
	}
	c.n += int64(n)
	c.s.send(int64(n))
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// complete holds the parts against what the source vouches for, looks at the
// source once more and makes the object visible.
func (s *sending) complete(ctx context.Context) (done, error) {
	sort.Slice(s.parts, func(a, b int) bool { return s.parts[a].Number < s.parts[b].Number })
	expect := composite(s.parts)
	vouched, err := s.check(ctx, expect)
	if err != nil {
		return done{}, err
	}
	if err := s.lookLast(ctx); err != nil {
		return done{}, err
	}
	if s.u.Expect = expect; expect != "" {
		if err := s.saveUpload(s.u); err != nil {
			return done{}, err
		}
	}
	there, err := s.multipart.CompleteUpload(ctx, s.target, s.u.ID, s.parts)
	if err != nil {
		if expect != "" && !errors.Is(err, storage.ErrCorrupt) {
			if d, ok, serr := s.completedBefore(ctx, &s.info.Object, expect); ok {
				d.moved, d.unvouched = s.moved, !vouched
				return d, serr
			}
		}
		if errors.Is(err, storage.ErrNoUpload) {
			return done{}, firstOf(s.dropUpload(), at(Target, err))
		}
		return done{}, at(Target, err)
	}
	if err := s.dropUpload(); err != nil {
		return done{}, err
	}
	d := s.copied(&s.info.Object, &there, vouched)
	d.moved = s.moved
	return d, nil
}

// check tells whether somebody vouched for the bytes. Where our parts are the
// source's, the MD5s that the target computed must give the source's ETag. A
// source may have been sent in uneven parts: if a second full reading gives the
// same other value, the guess of its parts was wrong, not the bytes.
func (s *sending) check(ctx context.Context, expect string) (vouched bool, err error) {
	if known, same := s.crc.whole(s.parts); known {
		if same {
			return true, nil
		}
		return false, s.corrupt(ctx)
	}
	if s.srcHas.FileTree {
		return true, nil // the last look vouches
	}
	if !s.aligned || !s.dstHas.ETagIsMD5 || expect == "" {
		return false, nil
	}
	if expect == s.info.ETag {
		return true, nil
	}
	if s.sums[expect] {
		return false, nil
	}
	if s.sums == nil {
		s.sums = map[string]bool{}
	}
	s.sums[expect] = true
	return false, s.corrupt(ctx)
}

func (s *sending) corrupt(ctx context.Context) error {
	return firstOf(s.abandon(ctx), at(Source, s.refused(storage.ErrCorrupt, "the bytes read are not those the source vouches for")))
}

// lookLast makes sure that the source still is the version that was read.
func (s *sending) lookLast(ctx context.Context) error {
	if !s.srcHas.FileTree {
		now, err := s.cfg.Source.Stat(ctx, s.source)
		if err == nil && now.Version() != s.info.Version() {
			err = s.refused(storage.ErrChanged, "replaced while it was copied")
		}
		return s.changed(ctx, err)
	}
	r, err := s.cfg.Source.Open(ctx, s.source, storage.ReadOptions{Want: &s.info.Object})
	if err == nil {
		if r.Confirm != nil {
			err = r.Confirm(ctx)
		}
		_ = r.Body.Close()
	}
	return s.changed(ctx, err)
}

// changed removes the upload of a version that is no more.
func (s *sending) changed(ctx context.Context, err error) error {
	if errors.Is(err, storage.ErrChanged) || errors.Is(err, storage.ErrNotFound) {
		return firstOf(s.abandon(ctx), at(Source, err))
	}
	return at(Source, err)
}

// composite is the ETag that an S3 store gives an object of these parts: the
// MD5 of their MD5s and their number; "" where the parts' ETags are no MD5s.
func composite(parts []storage.Part) string {
	h := md5.New()
	for _, p := range parts {
		o := storage.Object{ETag: p.ETag}
		sum, ok := o.PlainMD5()
		if !ok {
			return ""
		}
		h.Write(sum)
	}
	return hex.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts))
}
