package transfer

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

// copyParts moves an object in parts, each a ranged read of one version that
// streams into a part of an upload, or a server-side copy of the range.
func (j *job) copyParts(ctx context.Context, info *storage.Info, byCopy bool) (done, error) {
	if _, why, err := j.allow(ctx, info); err != nil || why != "" {
		return skipped(why, info.Size), err
	}
	u, landed, err := j.openUpload(ctx, info, byCopy)
	if err != nil {
		return done{}, err
	}
	did := done{outcome: bus.Copied, size: info.Size, src: info.Version()}
	if landed != nil {
		did.dst, did.unvouched = landed.TargetVersion(), u.unvouched()
		return did, j.dropRecord()
	}
	there := j.sent.Load()
	if err := u.sendMissing(ctx); err != nil {
		if errors.Is(err, storage.ErrUnsupported) && u.wholeOnly.Load() && !u.inParts(info.Size) {
			return j.copyWholeInstead(ctx, info)
		}
		return done{}, u.startOver(ctx, err)
	}
	guessed, err := u.proven()
	if err != nil {
		return done{}, u.startOver(ctx, err)
	}
	obj, why, err := u.complete(ctx)
	if err != nil {
		return done{}, u.startOver(ctx, err)
	}
	if why != "" {
		return skipped(why, info.Size), nil // the upload is removed like that of any final outcome
	}
	did.moved, did.dst = info.Size-there, obj.TargetVersion()
	did.unvouched = guessed || u.unvouched()
	return did, j.dropRecord()
}

// copyWholeInstead moves an object in one piece because the source, as some
// proxies do, answers a range with the whole object. So do all later ones,
// unless they are too large for one.
func (j *job) copyWholeInstead(ctx context.Context, info *storage.Info) (done, error) {
	j.unsend()
	if err := j.abandon(ctx); err != nil {
		return done{}, err
	}
	return j.copyWhole(ctx, &info.Object)
}

func (u *upload) unvouched() bool { return u.proof.new == nil && !u.rec.Copy && !u.srcHas.FileTree }

// startOver removes the upload if what went wrong made its parts useless.
func (u *upload) startOver(ctx context.Context, err error) error {
	var c contradicted
	if !errors.Is(err, storage.ErrChanged) && !errors.As(err, &c) {
		return err
	}
	if failed := u.abandon(ctx); failed != nil {
		return failed
	}
	if c.sum != "" {
		if u.job.sums == nil {
			u.job.sums = map[string]bool{}
		}
		u.job.sums[c.sum] = true
	}
	return err
}

// contradicted means that the bytes read are not those that the source vouches for.
type contradicted struct {
	sum string // what they gave, if the source's part size was a guess
	err error
}

func (c contradicted) Error() string { return c.err.Error() }
func (c contradicted) Unwrap() error { return c.err }

// stretch returns where a part begins and how long it is, in bytes.
func (u *upload) stretch(n int) (off, size int64) {
	off = int64(n-1) * u.rec.PartSize
	return off, min(u.rec.PartSize, u.rec.Size-off)
}

// missing returns the number of the first part from n on that the target does
// not have; 0 if it has all.
func (u *upload) missing(n int) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	for ; n <= len(u.parts); n++ {
		if u.parts[n-1].Number == 0 {
			return n
		}
	}
	return 0
}

func (u *upload) sendMissing(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(u.cfg.PartWorkers)
	if u.proof.ordered {
		g.SetLimit(1)
	}
	for n := u.missing(1); n != 0 && gctx.Err() == nil && !u.ending(); n = u.missing(n + 1) {
		g.Go(func() error {
			err := u.sendPart(gctx, n)
			if errors.Is(err, errDrained) {
				return nil // the others have their grace
			}
			return err
		})
	}
	err := g.Wait()
	if err == nil && u.missing(1) != 0 {
		err = errDrained
	}
	if err != nil && u.keepsSums() {
		if failed := u.save(true); failed != nil {
			return failed
		}
	}
	return err
}

// sendPart sends one part, reading its range again for each attempt. That the
// source changed or the upload is gone is for the whole object to deal with.
func (u *upload) sendPart(ctx context.Context, n int) error {
	select {
	case u.slots <- struct{}{}:
		defer func() { <-u.slots }()
	case <-u.draining:
		return errDrained
	case <-ctx.Done():
		return errDrained
	}
	var useless error
	err := u.attempt(ctx, func() error {
		err := u.tryPart(ctx, n)
		if errors.Is(err, storage.ErrChanged) || errors.Is(err, storage.ErrNoUpload) {
			useless = err
			return nil
		}
		return err
	})
	if useless != nil {
		return useless
	}
	return err
}

func (u *upload) tryPart(ctx context.Context, n int) error {
	off, size := u.stretch(n)
	if u.rec.Copy {
		part, err := u.partCopier.CopyPart(ctx, u.cfg.Source, u.info.Object, off, size, u.target, u.rec.ID, n)
		if err != nil {
			return u.copySide(err)
		}
		u.send(size)
		return u.keep(n, part, nil)
	}
	rd, err := u.cfg.Source.Open(ctx, u.source, storage.ReadOptions{Offset: off, Length: size, Want: &u.info.Object})
	if err != nil {
		if errors.Is(err, storage.ErrUnsupported) {
			u.wholeOnly.Store(true)
		}
		return at(Source, err)
	}
	defer func() { _ = rd.Body.Close() }()
	b := &body{src: rd.Body, left: size, count: u.send}
	if rd.Confirm != nil {
		b.last = func() error { return rd.Confirm(ctx) }
	}
	if b.sum, err = u.hash(); err != nil {
		return err
	}
	o := storage.PartOptions{Size: size}
	if u.proof.alg == algParts && b.sum != nil {
		o.MD5 = func() []byte { return b.sum.Sum(nil) }
	}
	part, err := u.multipart.UploadPart(ctx, u.target, u.rec.ID, n, b, o)
	if err == nil {
		err = u.checkPart(n, part, size, b.sum != nil)
	}
	if err != nil {
		err = u.blame(b, err)
		u.have(-b.shut())
		return err
	}
	return u.keep(n, part, b.sum)
}

// checkPart looks at what the target says of a part. Where its ETag was to
// tell the digest and does not (a store that encrypts), the part is sent once
// more, and all later ones are digested here.
func (u *upload) checkPart(n int, part storage.Part, size int64, digested bool) error {
	if part.Size != size {
		return u.damaged(u.cfg.Target, fmt.Errorf("part %d holds %d bytes of %d", n, part.Size, size))
	}
	if digested || u.proof.alg != algParts {
		return nil
	}
	if _, ok := (storage.Object{ETag: part.ETag}).PlainMD5(); ok {
		return nil
	}
	u.opaqueParts.Store(true)
	return &storage.Error{
		Op: "upload part", Key: u.target, Place: u.cfg.Target.String(), Kind: storage.ErrBusy,
		Err: errors.New("the ETag of a part is not its MD5"),
	}
}

// hash returns the digest that the next part goes into; nil if none is needed.
func (u *upload) hash() (hash.Hash, error) {
	if u.proof.new == nil || u.targetTellsSums() {
		return nil, nil
	}
	h := u.proof.new()
	if !u.proof.ordered || u.rec.Ordered == 0 {
		return h, nil
	}
	state, ok := h.(encoding.BinaryUnmarshaler)
	if !ok {
		return nil, stateError{errors.New("a digest that cannot be resumed")}
	}
	if err := state.UnmarshalBinary(u.rec.Hash); err != nil {
		return nil, stateError{fmt.Errorf("upload record: %w", err)}
	}
	return h, nil
}

// keep notes a part that the target has.
func (u *upload) keep(n int, part storage.Part, sum hash.Hash) error {
	part.Number = n
	u.mu.Lock()
	if u.proof.ordered {
		state, err := sum.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			u.mu.Unlock()
			return stateError{err}
		}
		u.rec.Ordered, u.rec.Hash = n, state
	} else if u.sums != nil {
		if sum != nil {
			u.sums[n-1] = sum.Sum(nil)
		} else {
			u.sums[n-1], _ = storage.Object{ETag: part.ETag}.PlainMD5() // checkPart has seen it
		}
	}
	u.parts[n-1] = part
	u.mu.Unlock()
	if u.proof.ordered || u.keepsSums() {
		return u.save(u.proof.ordered)
	}
	return nil
}

// proven compares what was read with what the source vouches for. The size of
// the source's parts is a guess: when two whole readings give the same digest
// and it is not the source's, the guess was wrong, not the bytes.
func (u *upload) proven() (guessedWrong bool, err error) {
	p := &u.proof
	if p.new == nil {
		return false, nil
	}
	got, err := u.digest()
	if err != nil || bytes.Equal(got, p.want) {
		return false, err
	}
	c := contradicted{err: at(Source, u.mismatch(vouch{alg: p.alg}))}
	if p.alg == algParts {
		c.sum = hex.EncodeToString(got)
		if u.job.sums[c.sum] {
			return true, nil
		}
	}
	return false, c
}

// digest returns the digest of the whole object.
func (u *upload) digest() ([]byte, error) {
	p := &u.proof
	switch {
	case p.ordered:
		h, err := u.hash()
		if err != nil {
			return nil, err
		}
		return h.Sum(nil), nil
	case p.alg == algParts:
		h := md5.New()
		for _, sum := range u.sums {
			h.Write(sum)
		}
		return h.Sum(nil), nil
	}
	var crc uint64
	for i, sum := range u.sums {
		_, size := u.stretch(i + 1)
		crc = combineCRC(p.poly, uint(8*len(p.want)), crc, bigEndian(sum), size)
	}
	return crcBytes(crc, len(p.want)), nil
}

func bigEndian(b []byte) (v uint64) {
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}

func crcBytes(v uint64, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[size-1-i] = byte(v >> (8 * i))
	}
	return b
}

// complete makes the object visible, after a last look at the source.
func (u *upload) complete(ctx context.Context) (obj storage.Object, why string, err error) {
	if _, why, err = u.allow(ctx, u.info); err != nil || why != "" {
		return obj, why, err
	}
	before, err := u.cfg.Target.Stat(ctx, u.target)
	switch {
	case err == nil:
		u.rec.Before = before.Version()
	case errors.Is(err, storage.ErrNotFound):
		u.rec.Before = ""
	default:
		return obj, "", at(Target, err)
	}
	u.rec.Completing, u.rec.Expect = true, compositeETag(u.parts)
	if err := u.save(true); err != nil {
		return obj, "", err
	}
	if err := u.confirm(ctx, u.info.Version()); err != nil {
		return obj, "", err
	}
	obj, err = u.multipart.CompleteUpload(ctx, u.target, u.rec.ID, u.parts)
	if err == nil && obj.Size != u.info.Size {
		err = u.damaged(u.cfg.Target, fmt.Errorf("it holds %d bytes of %d", obj.Size, u.info.Size))
	}
	return obj, "", at(Target, err)
}
