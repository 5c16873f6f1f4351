package transfer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

const (
	clockSlack = 5 * time.Minute // how far the target's clock may be from ours
	saveEach   = 256             // parts up to which each one's digest is saved at once
	saveEvery  = time.Second     // between saves beyond
)

// upload is a multipart upload under way.
type upload struct {
	*job
	info  *storage.Info
	proof proof

	mu    sync.Mutex
	rec   UploadRecord
	parts []storage.Part // by number-1; Number 0: missing
	sums  [][]byte       // digests of the parts, where the proof needs them

	unsaved, saving bool
	saved           time.Time
}

// record returns what is remembered about an upload of the key. A record that
// cannot be read counts as an intent of unknown age.
func (j *job) record() (rec UploadRecord, ok bool, err error) {
	raw, ok, err := j.state.Upload(j.target)
	if err != nil {
		return rec, false, stateError{err}
	}
	if !ok {
		return rec, false, nil
	}
	if rec, err = DecodeUpload(raw); err != nil {
		return UploadRecord{}, true, nil
	}
	return rec, true, nil
}

func (j *job) putRecord(rec UploadRecord) error {
	raw, err := rec.encode()
	if err == nil {
		err = j.state.PutUpload(j.target, raw)
	}
	if err != nil {
		return stateError{err}
	}
	return nil
}

func (j *job) dropRecord() error {
	if err := j.state.DropUpload(j.target); err != nil {
		return stateError{err}
	}
	return nil
}

// abandon removes the upload of the key and its parts, if there is one.
func (j *job) abandon(ctx context.Context) error {
	rec, ok, err := j.record()
	if err != nil || !ok {
		return err
	}
	if rec.ID == "" {
		err = j.abortUnknown(ctx, rec.Begun)
	} else {
		err = at(Target, j.multipart.AbortUpload(ctx, j.target, rec.ID))
	}
	if err != nil {
		return err
	}
	return j.dropRecord()
}

// abortUnknown removes uploads of the key begun since an intent whose id was
// never learnt.
func (j *job) abortUnknown(ctx context.Context, since time.Time) error {
	open, err := j.multipart.ListUploads(ctx, j.target)
	if errors.Is(err, storage.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return at(Target, err)
	}
	for _, u := range open {
		if u.Key != j.target || u.Started.Before(since.Add(-clockSlack)) {
			continue
		}
		if err := j.multipart.AbortUpload(ctx, j.target, u.ID); err != nil {
			return at(Target, err)
		}
	}
	return nil
}

// openUpload goes on with the upload of the key, or begins one. If an earlier
// one turns out to have been completed, landed is the object.
func (j *job) openUpload(ctx context.Context, info *storage.Info, byCopy bool) (u *upload, landed *storage.Object, err error) {
	u = &upload{job: j, info: info}
	if !byCopy {
		u.proof = proofFor(info, j.srcHas, j.dstHas, j.cfg.PartSize)
	}
	rec, ok, err := j.record()
	if err != nil {
		return nil, nil, err
	}
	if ok && u.fits(rec, byCopy) {
		parts, err := j.multipart.ListParts(ctx, j.target, rec.ID)
		if err == nil {
			u.resume(rec, parts)
			return u, nil, nil
		}
		if !errors.Is(err, storage.ErrNoUpload) {
			return nil, nil, at(Target, err)
		}
		if landed, err = j.landed(ctx, rec, info); err != nil || landed != nil {
			return u, landed, err
		}
	}
	if ok {
		if err := j.abandon(ctx); err != nil {
			return nil, nil, err
		}
	}
	return u, nil, u.begin(ctx, byCopy)
}

// fits tells whether a remembered upload is of the version that is there now
// and was cut so that it can be proven.
func (u *upload) fits(rec UploadRecord, byCopy bool) bool {
	if rec.ID == "" || rec.Version != u.info.Version() || rec.Size != u.info.Size ||
		rec.Copy != byCopy || rec.Alg != u.proof.alg {
		return false
	}
	return rec.Alg != algParts || ceilDiv(rec.Size, rec.PartSize) == u.proof.count
}

// resume takes the target's word for which parts are there. Parts whose digest
// is needed and not known are sent again.
func (u *upload) resume(rec UploadRecord, parts []storage.Part) {
	u.rec = rec
	u.allot()
	for _, p := range parts {
		if p.Number < 1 || p.Number > len(u.parts) {
			continue
		}
		if _, size := u.stretch(p.Number); p.Size != size {
			continue
		}
		if u.proof.ordered && p.Number > rec.Ordered {
			continue
		}
		if u.proof.new != nil && !u.proof.ordered {
			sum := rec.Sums[p.Number]
			if u.targetTellsSums() {
				sum, _ = storage.Object{ETag: p.ETag}.PlainMD5()
			}
			if sum == nil {
				continue
			}
			u.sums[p.Number-1] = sum
		}
		u.parts[p.Number-1] = p
		u.have(p.Size)
	}
	if u.proof.ordered && !u.holdsFirst(rec.Ordered) {
		u.restartOrder()
	}
}

// targetTellsSums tells whether the ETags of parts are the digests needed. Then
// nothing is digested here: what the target received, digested by itself, must
// be what the source vouches for. That spares the MD5 of every byte, 1.5 ms/MiB.
func (u *upload) targetTellsSums() bool {
	return u.proof.alg == algParts && u.dstHas.ETagIsMD5 && !u.opaqueParts.Load()
}

func (u *upload) holdsFirst(n int) bool {
	if n > len(u.parts) {
		return false
	}
	for _, p := range u.parts[:n] {
		if p.Number == 0 {
			return false
		}
	}
	return true
}

// restartOrder forgets all parts: the running digest cannot skip one.
func (u *upload) restartOrder() {
	u.unsend()
	clear(u.parts)
	u.rec.Ordered, u.rec.Hash = 0, nil
}

func (u *upload) allot() {
	n := ceilDiv(u.rec.Size, u.rec.PartSize)
	u.parts = make([]storage.Part, n)
	if u.proof.new != nil && !u.proof.ordered {
		u.sums = make([][]byte, n)
	}
}

// begin creates the upload; its intent is on disk before.
func (u *upload) begin(ctx context.Context, byCopy bool) error {
	size, err := u.cut(byCopy)
	if err != nil {
		return at(Target, err)
	}
	meta, err := u.meta(ctx, u.info)
	if err != nil {
		return err
	}
	u.rec = UploadRecord{Begun: time.Now()}
	if err := u.putRecord(u.rec); err != nil {
		return err
	}
	id, err := u.multipart.CreateUpload(ctx, u.target, storage.UploadOptions{
		Size: u.info.Size, PartSize: size, Meta: meta,
	})
	if err != nil {
		return at(Target, err) // it may have been created: the intent finds it
	}
	u.rec.ID, u.rec.Version = id, u.info.Version()
	u.rec.Size, u.rec.PartSize = u.info.Size, size
	u.rec.Copy, u.rec.Alg = byCopy, u.proof.alg
	u.allot()
	return u.putRecord(u.rec)
}

func (u *upload) cut(byCopy bool) (int64, error) {
	has := u.dstHas
	switch {
	case u.proof.partSize > 0:
		return u.proof.partSize, nil
	case byCopy:
		if has.MaxPart <= 0 || has.MaxCopy < has.MaxPart {
			has.MaxPart = has.MaxCopy
		}
		return planParts(u.info.Size, copyPart, has)
	}
	return planParts(u.info.Size, u.cfg.PartSize, has)
}

// landed returns the object if an upload that is gone was completed: its
// answer was lost, or the process died before it could say so. That is told by
// the ETag that the parts give; where it has another form, by an object that
// came in place of what was there before, with our size and time.
func (j *job) landed(ctx context.Context, rec UploadRecord, info *storage.Info) (*storage.Object, error) {
	if !rec.Completing {
		return nil, nil
	}
	there, err := j.cfg.Target.Stat(ctx, j.target)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, at(Target, err)
	}
	ours := madeAt(info)
	switch {
	case there.Size != rec.Size:
		return nil, nil
	case rec.Expect != "" && there.ETag == rec.Expect:
		return &there.Object, nil
	case j.dstHas.ETagIsMD5, there.Version() == rec.Before, ours.IsZero():
		return nil, nil
	}
	grain := max(j.dstHas.MTimeGrain, 1)
	if !madeAt(&there).Truncate(grain).Equal(ours.Truncate(grain)) {
		return nil, nil
	}
	return &there.Object, nil
}

// keepsSums tells whether the digests of parts are known to nobody else.
func (u *upload) keepsSums() bool { return u.sums != nil && !u.targetTellsSums() }

// snapshot is the record to save. The caller holds the lock.
func (u *upload) snapshot() UploadRecord {
	rec := u.rec
	if u.keepsSums() {
		rec.Sums = make(map[int][]byte, len(u.sums))
		for i, sum := range u.sums {
			if sum != nil {
				rec.Sums[i+1] = sum
			}
		}
	}
	return rec
}

// save puts down what only we know of the parts. One goroutine writes at a
// time, also for those that come meanwhile. The records of uploads of very many
// parts are large and written at most once a second, unless now.
func (u *upload) save(now bool) (err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.unsaved = true
	if u.saving || !now && len(u.parts) > saveEach && time.Since(u.saved) < saveEvery {
		return nil
	}
	u.saving = true
	for u.unsaved && err == nil {
		u.unsaved = false
		rec := u.snapshot()
		u.mu.Unlock()
		err = u.putRecord(rec)
		u.mu.Lock()
	}
	u.saving, u.saved = false, time.Now()
	return err
}
