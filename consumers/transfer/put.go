package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/storage"
)

// apply makes one attempt at the event.
func (j *job) apply(ctx context.Context) (done, error) {
	switch op := j.d.Event.Op; op {
	case bus.OpPut:
		return j.put(ctx)
	case bus.OpDelete:
		return j.remove(ctx)
	default:
		return done{}, spent{err: fmt.Errorf("unknown operation %q", op), never: true}
	}
}

// put makes the target equal to what the source holds.
func (j *job) put(ctx context.Context) (done, error) {
	if j.d.Event.Kind == bus.KindUnreadable {
		return done{}, spent{err: j.unreadable(), never: true}
	}
	src, dst, known, err := j.known()
	if err != nil {
		return done{}, err
	}
	want, info, err := j.look(ctx, known)
	if err == nil && known && want.Version() == src && !j.cfg.CompareMetadata {
		same, err := j.targetHolds(ctx, dst)
		if err != nil {
			return done{}, err
		}
		if same {
			return done{outcome: bus.Copied, reason: "applied", size: want.Size, src: src, dst: dst}, nil
		}
	}
	var did done
	if err == nil {
		did, err = j.bringThawed(ctx, want, info)
	}
	if err == nil && did.outcome == bus.Copied && j.confirms() {
		err = j.confirm(ctx, did.src)
	}
	if isGone(err) {
		return j.gone(ctx)
	}
	return did, err
}

// known returns what was applied last, where that may spare the copy: an event
// handed out again may have been handled by a process that died before its ack.
func (j *job) known() (src, dst string, ok bool, err error) {
	e := &j.d.Event
	if e.Force || e.Class == bus.ClassRepair || j.tried || j.announced() && j.d.Tries <= 1 && !j.cfg.Resumed {
		return "", "", false, nil
	}
	src, dst, ok, err = j.state.Applied(j.source)
	if err != nil {
		return "", "", false, stateError{err}
	}
	return src, dst, ok && dst != "", nil
}

// look returns what the source holds as far as it must be known before it is
// opened: the version to read, or nil for whatever is there.
func (j *job) look(ctx context.Context, known bool) (*storage.Object, *storage.Info, error) {
	e := &j.d.Event
	if j.announced() {
		o := j.eventObject()
		return &o, nil, nil
	}
	if known || j.srcHas.FileTree || j.copier != nil || j.inParts(e.Size) || e.Waits > 0 || j.srcHas.Archived(e.StorageClass) {
		info, err := j.stat(ctx)
		return &info.Object, &info, err
	}
	return nil, nil, nil // one GET shows the version and reads it
}

func (j *job) stat(ctx context.Context) (storage.Info, error) {
	info, err := j.cfg.Source.Stat(ctx, j.source)
	return info, at(Source, err)
}

// targetHolds tells whether the target still has what was applied: State lags
// behind deletes, and others may write there.
func (j *job) targetHolds(ctx context.Context, dst string) (bool, error) {
	info, err := j.cfg.Target.Stat(ctx, j.target)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return info.TargetVersion() == dst, at(Target, err)
}

// bring copies one entry in the way that its kind and the two places allow.
func (j *job) bring(ctx context.Context, want *storage.Object, info *storage.Info) (done, error) {
	if want != nil {
		switch want.Kind {
		case storage.KindDir:
			return j.makeDir(ctx, info)
		case storage.KindSymlink:
			return j.link(ctx, info)
		case storage.KindSpecial:
			return skipped("special", 0), nil
		case storage.KindUnreadable:
			return done{}, spent{err: j.unreadable(), never: true}
		}
	}
	if j.dstHas.FileTree && strings.HasSuffix(j.target, "/") {
		return j.makeMarker(ctx, info)
	}
	if j.cfg.CompareMetadata {
		var err error
		if info, err = j.looked(ctx, info); err != nil {
			return done{}, err
		}
		if did, ok, err := j.onlyMetadata(ctx, info); ok || err != nil {
			return did, err
		}
	}
	if did, ok, err := j.copyThere(ctx, want, info); ok || err != nil {
		return did, err
	}
	if want == nil || !j.inParts(want.Size) {
		return j.copyWhole(ctx, want)
	}
	info, err := j.looked(ctx, info)
	if err != nil {
		return done{}, err
	}
	return j.copyParts(ctx, info, false)
}

// copyWhole moves an object in one GET and one PUT.
func (j *job) copyWhole(ctx context.Context, want *storage.Object) (done, error) {
	rd, err := j.cfg.Source.Open(ctx, j.source, storage.ReadOptions{Length: -1, Want: want})
	if err != nil {
		return done{}, at(Source, err)
	}
	defer func() { _ = rd.Body.Close() }()
	info := &rd.Info
	if j.inParts(info.Size) {
		_ = rd.Body.Close()
		return j.copyParts(ctx, info, false)
	}
	if limit := j.dstHas.MaxPut; limit > 0 && info.Size > limit {
		return done{}, j.tooLarge(info.Size, limit)
	}
	cond, why, err := j.allow(ctx, info)
	if err != nil || why != "" {
		return skipped(why, info.Size), err
	}
	meta, err := j.meta(ctx, info)
	if err != nil {
		return done{}, err
	}
	o := storage.PutOptions{Size: info.Size, Meta: meta, IfAbsent: cond.absent, IfVersion: cond.version}
	v, vouched := vouchFor(info, j.srcHas)
	var obj storage.Object
	if info.Size <= bufferMost {
		obj, err = j.putBuffered(ctx, rd, v, o)
	} else {
		obj, err = j.putStreamed(ctx, rd, v, o)
	}
	if why, err = cond.lost(err); err != nil || why != "" {
		return skipped(why, info.Size), err
	}
	if obj.Size != info.Size {
		return done{}, at(Target, j.damaged(j.cfg.Target, fmt.Errorf("it holds %d bytes of %d", obj.Size, info.Size)))
	}
	return done{
		outcome: bus.Copied, size: info.Size, moved: info.Size, src: info.Version(), dst: obj.TargetVersion(),
		unvouched: !vouched && rd.Confirm == nil,
	}, nil
}

// putBuffered reads the object whole and proves it before a byte is written.
func (j *job) putBuffered(ctx context.Context, rd *storage.Reader, v vouch, o storage.PutOptions) (storage.Object, error) {
	buf := j.bufs.get(int(o.Size))
	if err := readExactly(rd.Body, *buf); err != nil {
		return storage.Object{}, at(Source, j.readFailure(err))
	}
	if v.new != nil {
		sum := v.sum(*buf)
		if !bytes.Equal(sum, v.want) {
			return storage.Object{}, at(Source, j.mismatch(v))
		}
		if v.md5() {
			o.MD5 = func() []byte { return sum }
		}
	}
	if rd.Confirm != nil {
		if err := rd.Confirm(ctx); err != nil {
			return storage.Object{}, at(Source, err)
		}
	}
	j.send(o.Size)
	obj, err := j.cfg.Target.Put(ctx, j.target, bytes.NewReader(*buf), o)
	if err == nil {
		j.bufs.put(buf) // after an error the driver's transport may still be reading it
	}
	return obj, at(Target, err)
}

// putStreamed withholds the last byte until all that was read is proven.
func (j *job) putStreamed(ctx context.Context, rd *storage.Reader, v vouch, o storage.PutOptions) (storage.Object, error) {
	b := &body{src: rd.Body, left: o.Size, count: j.send}
	if v.new != nil {
		b.sum = v.new()
	}
	b.last = func() error {
		if v.new != nil && !bytes.Equal(b.sum.Sum(nil), v.want) {
			return j.mismatch(v)
		}
		if rd.Confirm != nil {
			return rd.Confirm(ctx)
		}
		return nil
	}
	if v.md5() {
		o.MD5 = func() []byte { return b.sum.Sum(nil) }
	}
	obj, err := j.cfg.Target.Put(ctx, j.target, b, o)
	return obj, j.blame(b, err)
}

// blame says which side a failed write came from: the body's reads or the target.
func (j *job) blame(b *body, err error) error {
	if err == nil {
		return nil
	}
	if e := b.failure(); e != nil {
		return at(Source, j.readFailure(e))
	}
	return at(Target, err)
}

// confirm looks at the source again after the write.
func (j *job) confirm(ctx context.Context, src string) error {
	info, err := j.stat(ctx)
	if err != nil || info.Kind == storage.KindDir || info.Version() == src {
		return err
	}
	return at(Source, &storage.Error{
		Op: "confirm", Key: j.source, Place: j.cfg.Source.String(), Kind: storage.ErrChanged,
		Err: errors.New("while it was being copied"),
	})
}

// gone ends a put whose object is no longer at the source.
func (j *job) gone(ctx context.Context) (done, error) {
	if j.d.Event.Class == bus.ClassLive && j.cfg.Deletes {
		return j.deleteTarget(ctx)
	}
	return skipped("gone", j.d.Event.Size), nil
}

func isGone(err error) bool {
	var s sided
	return errors.Is(err, storage.ErrNotFound) && errors.As(err, &s) && s.side == Source
}

// madeAt is the time that policies compare: the original's, where it was kept.
func madeAt(info *storage.Info) time.Time {
	if info.MTime.IsZero() {
		return info.ModTime
	}
	return info.MTime
}

func (j *job) tooLarge(size, limit int64) error {
	return at(Target, &storage.Error{
		Op: "put", Key: j.target, Place: j.cfg.Target.String(), Kind: storage.ErrTooLarge,
		Err: fmt.Errorf("%d bytes, at most %d", size, limit),
	})
}

func (j *job) unreadable() error {
	return at(Source, &storage.Error{
		Op: "list", Key: j.source, Place: j.cfg.Source.String(), Kind: storage.ErrDenied,
		Err: errors.New("the directory cannot be listed; what it holds is neither copied nor deleted"),
	})
}
