package transfer_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-sync/sluice/bus"
	. "github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/mem"
)

const part = 16 << 10 // of newRig

// putParts stores an object at the source by a multipart upload.
func (r *rig) putParts(key string, data []byte, size int) storage.Object {
	r.t.Helper()
	ctx := r.t.Context()
	id, err := r.src.CreateUpload(ctx, key, storage.UploadOptions{Size: int64(len(data)), PartSize: int64(size)})
	r.no(err)
	var parts []storage.Part
	for off := 0; off < len(data); off += size {
		chunk := data[off:min(off+size, len(data))]
		p, err := r.src.UploadPart(ctx, key, id, len(parts)+1, bytes.NewReader(chunk), storage.PartOptions{Size: int64(len(chunk))})
		r.no(err)
		parts = append(parts, p)
	}
	o, err := r.src.CompleteUpload(ctx, key, id, parts)
	r.no(err)
	return o
}

// tagged gives objects another ETag, and checksums, so that a source of any
// kind can be made.
type tagged struct {
	storage.Source
	etag func(string) string
	sums func(key string) []storage.Checksum
}

func (s *tagged) info(i storage.Info) storage.Info {
	if s.etag != nil {
		i.ETag = s.etag(i.ETag)
	}
	if s.sums != nil {
		i.Checksums = s.sums(i.Key)
	}
	return i
}

func (s *tagged) Stat(ctx context.Context, key string) (storage.Info, error) {
	i, err := s.Source.Stat(ctx, key)
	return s.info(i), err
}

func (s *tagged) Open(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
	if o.Want != nil {
		i, err := s.Stat(ctx, key)
		if err == nil && i.Version() != o.Want.Version() {
			err = &storage.Error{Op: "open", Key: key, Place: s.String(), Kind: storage.ErrChanged}
		}
		if err != nil {
			return nil, err
		}
		o.Want = nil
	}
	r, err := s.Source.Open(ctx, key, o)
	if err == nil {
		r.Info = s.info(r.Info)
	}
	return r, err
}

func opaque(etag string) string { return "opaque" + etag }

func crcOf(alg string, data []byte) []storage.Checksum {
	v := binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
	if alg == "CRC64NVME" {
		v = binary.BigEndian.AppendUint64(nil, crc64.Checksum(data, crc64.MakeTable(0x9a6c9329ac4bc9b5)))
	}
	return []storage.Checksum{{Algorithm: alg, Value: v}}
}

// sourceKinds are the ways in which a source can vouch for a large object.
var sourceKinds = map[string]struct {
	store     func(r *rig, data []byte) storage.Object
	unvouched bool
}{
	"composite ETag of our part size": {store: func(r *rig, data []byte) storage.Object { return r.putParts("big", data, part) }},
	"plain MD5":                       {store: func(r *rig, data []byte) storage.Object { return r.put("big", data, storage.Metadata{}) }},
	"CRC32C":                          {store: withCRC("CRC32C")},
	"CRC64NVME":                       {store: withCRC("CRC64NVME")},
	"nothing":                         {store: withCRC(""), unvouched: true},
}

func withCRC(alg string) func(r *rig, data []byte) storage.Object {
	return func(r *rig, data []byte) storage.Object {
		o := r.put("big", data, storage.Metadata{})
		src := &tagged{Source: r.cfg.Source, etag: opaque}
		if alg != "" {
			src.sums = func(string) []storage.Checksum { return crcOf(alg, data) }
		}
		r.cfg.Source = src
		o.ETag = opaque(o.ETag)
		return o
	}
}

func TestLargeObjects(t *testing.T) {
	for kind, k := range sourceKinds {
		for _, size := range []int{64 << 10, 64<<10 + 1, 80<<10 - 1, 80 << 10, 80<<10 + 1} {
			t.Run(fmt.Sprint(kind, size), func(t *testing.T) {
				bubble(t, func(r *rig) {
					data := noise(1, size)
					_, d := r.faulty(nil, counting())
					o := k.store(r, data)
					r.publish(event(o, bus.ClassBulk))
					res := r.one()
					r.outcome(res, bus.Copied, "")
					r.holds("big", data)
					want := fmt.Sprintf("upload part %d,", (size+part-1)/part)
					if !strings.Contains(calls(d), want) || !strings.Contains(calls(d), "complete 1,") {
						t.Errorf("target calls %s, want %s", calls(d), want)
					}
					if res.Unvouched != k.unvouched || res.Moved != int64(size) || res.Src != o.Version() {
						t.Errorf("%+v", res)
					}
				})
			})
		}
	}
}

// A flipped bit is found in every way of vouching, and the object ends right.
func TestFlippedBitInALargeObject(t *testing.T) {
	for kind, k := range sourceKinds {
		if k.unvouched {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(r *rig) {
				data := noise(2, 100<<10)
				s, _ := r.faulty([]fault.Rule{{Ops: []fault.Op{fault.Open}, After: 3, Times: 1, Effect: fault.Flip}}, nil)
				o := k.store(r, data)
				r.publish(event(o, bus.ClassBulk))
				res := r.one()
				r.outcome(res, bus.Copied, "")
				r.holds("big", data)
				if s.Hits()[0] != 1 || res.Unvouched {
					t.Errorf("flipped %d bits, %+v", s.Hits()[0], res)
				}
			})
		})
	}
}

// encrypting answers parts with ETags that are not their MD5, as stores that
// encrypt do.
type encrypting struct{ *mem.Bucket }

func (e encrypting) UploadPart(ctx context.Context, key, id string, n int, body io.Reader, o storage.PartOptions) (storage.Part, error) {
	p, err := e.Bucket.UploadPart(ctx, key, id, n, body, o)
	p.ETag = opaque(p.ETag)
	return p, err
}

func (e encrypting) CompleteUpload(ctx context.Context, key, id string, parts []storage.Part) (storage.Object, error) {
	for i := range parts {
		parts[i].ETag = strings.TrimPrefix(parts[i].ETag, opaque(""))
	}
	return e.Bucket.CompleteUpload(ctx, key, id, parts)
}

// Where the target's ETags of parts tell nothing, the parts are digested here.
func TestPartsOfATargetThatEncrypts(t *testing.T) {
	flip := fault.Rule{Ops: []fault.Op{fault.Open}, After: 5, Times: 1, Effect: fault.Flip}
	for _, rules := range [][]fault.Rule{nil, {flip}} {
		bubble(t, func(r *rig) {
			data := noise(9, 7*part)
			s, _ := r.faulty(rules, nil)
			r.cfg.Target = encrypting{r.dst}
			o := r.putParts("big", data, part)
			r.publish(event(o, bus.ClassBulk))
			res := r.one()
			r.outcome(res, bus.Copied, "")
			r.holds("big", data)
			if res.Unvouched || len(s.Hits()) != len(rules) || len(rules) > 0 && s.Hits()[0] != 1 {
				t.Errorf("bits flipped: %v, %+v", s.Hits(), res)
			}
		})
	}
}

// The source's part size can only be guessed. A wrong guess costs a second
// reading and the word of the source, never the object.
func TestWronglyGuessedPartSize(t *testing.T) {
	bubble(t, func(r *rig) {
		data := noise(3, 100<<10)
		o := r.put("big", data, storage.Metadata{})
		sum := md5.Sum([]byte("parts of odd sizes"))
		etag := hex.EncodeToString(sum[:]) + "-7"
		r.cfg.Source = &tagged{Source: r.src, etag: func(string) string { return etag }}
		o.ETag = etag
		r.publish(event(o, bus.ClassBulk))
		res := r.one()
		r.outcome(res, bus.Copied, "")
		r.holds("big", data)
		if !res.Unvouched {
			t.Error("taken as vouched for")
		}
	})
}

func TestPassingFaultsInParts(t *testing.T) {
	once := func(op fault.Op, e fault.Effect, kind error) []fault.Rule {
		return []fault.Rule{{Ops: []fault.Op{op}, Effect: e, Err: kind, Times: 2}}
	}
	for kind, k := range sourceKinds {
		for name, c := range map[string]struct{ src, dst []fault.Rule }{
			"range cut off":       {src: once(fault.Open, fault.Cut, nil)},
			"part cut off":        {dst: once(fault.UploadPart, fault.Cut, nil)},
			"part flipped":        {dst: once(fault.UploadPart, fault.Flip, nil)},
			"part busy":           {dst: once(fault.UploadPart, fault.Fail, storage.ErrBusy)},
			"part throttled":      {dst: once(fault.UploadPart, fault.Fail, storage.ErrThrottled)},
			"part answer lost":    {dst: once(fault.UploadPart, fault.Lose, nil)},
			"create fails":        {dst: once(fault.CreateUpload, fault.Fail, nil)},
			"create answer lost":  {dst: once(fault.CreateUpload, fault.Lose, nil)},
			"complete fails":      {dst: once(fault.CompleteUpload, fault.Fail, storage.ErrBusy)},
			"complete is lost":    {dst: once(fault.CompleteUpload, fault.Lose, nil)},
			"complete lost, busy": {dst: once(fault.CompleteUpload, fault.Lose, storage.ErrBusy)},
			"last look fails":     {src: once(fault.Stat, fault.Fail, nil)},
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				if name == "part flipped" && !strings.HasPrefix(kind, "composite") {
					return // flipped behind us, and no MD5 of the part to go with it
				}
				bubble(t, func(r *rig) {
					data := noise(4, 100<<10)
					s, d := r.faulty(c.src, c.dst)
					o := k.store(r, data)
					r.publish(event(o, bus.ClassBulk))
					res := r.one()
					r.outcome(res, bus.Copied, "")
					r.holds("big", data)
					if append(s.Hits(), d.Hits()...)[0] == 0 {
						t.Error("the fault never struck")
					}
				})
			})
		}
	}
}

// upsetter replaces the source's object when the n-th call of an operation comes.
type upsetter struct {
	*mem.Bucket
	op   string
	left atomic.Int64
	with []byte
}

func (u *upsetter) upset(ctx context.Context, op, key string) error {
	if op != u.op || u.left.Add(-1) != 0 {
		return nil
	}
	_, err := u.Bucket.Put(ctx, key, bytes.NewReader(u.with), storage.PutOptions{Size: int64(len(u.with))})
	return err
}

func (u *upsetter) Open(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
	if err := u.upset(ctx, "open", key); err != nil {
		return nil, err
	}
	return u.Bucket.Open(ctx, key, o)
}

func (u *upsetter) Stat(ctx context.Context, key string) (storage.Info, error) {
	if err := u.upset(ctx, "stat", key); err != nil {
		return storage.Info{}, err
	}
	return u.Bucket.Stat(ctx, key)
}

func TestSourceReplacedDuringParts(t *testing.T) {
	for _, size := range []int{100, 64 << 10, 200 << 10} {
		for _, op := range []string{"open", "stat"} {
			for n := range 5 {
				t.Run(fmt.Sprint(op, n+1, "to", size), func(t *testing.T) {
					bubble(t, func(r *rig) {
						o := r.put("big", noise(5, 100<<10), storage.Metadata{})
						u := &upsetter{Bucket: r.src, op: op, with: noise(6, size)}
						u.left.Store(int64(n + 1))
						r.cfg.Source = u
						r.publish(event(o, bus.ClassBulk))
						r.outcome(r.one(), bus.Copied, "")
						if u.left.Load() > 0 {
							r.holds("big", noise(5, 100<<10))
							return
						}
						r.holds("big", noise(6, size))
					})
				})
			}
		}
	}
}

var errCrash = errors.New("crash")

// The process dies at each step of an upload in turn: at the state's writes,
// before or after, and at the target's calls, before or after they took
// effect. Its successor ends with the right object and nothing left behind, and
// sends no part twice that was there.
func TestCrashAtEachStep(t *testing.T) {
	data := noise(7, 100<<10) // 7 parts
	for kind, k := range sourceKinds {
		for step := range 40 {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprint(kind, step, after), func(t *testing.T) {
					bubble(t, func(r *rig) {
						c := &crasher{Bucket: r.dst, after: after}
						c.left.Store(int64(step))
						o := k.store(r, data)
						r.cfg.Target = c
						r.state.broken = c.step
						r.publish(event(o, bus.ClassBulk))
						r.start()
						time.Sleep(time.Minute)
						err := r.stop()
						if err != nil && !errors.Is(err, errCrash) {
							t.Fatal(err)
						}
						sent := c.parts.Load()
						c.left.Store(1 << 40)
						r.restart()
						r.settle()
						if len(r.results) == 0 || r.results[len(r.results)-1].Outcome != bus.Copied {
							t.Fatalf("%+v", r.results)
						}
						if r.results[len(r.results)-1].Unvouched != k.unvouched {
							t.Errorf("%+v", r.results)
						}
						r.holds("big", data)
						// Parts whose answers never came are sent again. So may be those whose
						// CRC, which only we know, was not yet saved; for others there is no reason.
						if total := c.parts.Load(); total > 7+4 && sent > 0 && !strings.HasPrefix(kind, "CRC") {
							t.Errorf("%d parts sent, %d of them before the crash", total, sent)
						}
					})
				})
			}
		}
	}
}

// crasher is a target, and a state, that fail for good from one step on.
type crasher struct {
	*mem.Bucket
	after bool
	left  atomic.Int64
	parts atomic.Int64
}

func (c *crasher) step(string) error {
	if c.left.Add(-1) < 0 {
		return errCrash
	}
	return nil
}

func crashing[T any](c *crasher, f func() (T, error)) (T, error) {
	n := c.left.Add(-1)
	var none T
	dead := &storage.Error{Op: "any", Kind: storage.ErrUnavailable, Err: errCrash}
	if n < -1 || n == -1 && !c.after {
		return none, dead
	}
	v, err := f()
	if n == -1 {
		return none, dead
	}
	return v, err
}

func (c *crasher) Check(ctx context.Context) error {
	if c.left.Load() < 0 {
		return &storage.Error{Op: "check", Kind: storage.ErrUnavailable, Err: errCrash}
	}
	return c.Bucket.Check(ctx)
}

func (c *crasher) CreateUpload(ctx context.Context, key string, o storage.UploadOptions) (string, error) {
	return crashing(c, func() (string, error) { return c.Bucket.CreateUpload(ctx, key, o) })
}

func (c *crasher) UploadPart(ctx context.Context, key, id string, n int, body io.Reader, o storage.PartOptions) (storage.Part, error) {
	return crashing(c, func() (storage.Part, error) {
		p, err := c.Bucket.UploadPart(ctx, key, id, n, body, o)
		if err == nil {
			c.parts.Add(1)
		}
		return p, err
	})
}

func (c *crasher) CompleteUpload(ctx context.Context, key, id string, parts []storage.Part) (storage.Object, error) {
	return crashing(c, func() (storage.Object, error) { return c.Bucket.CompleteUpload(ctx, key, id, parts) })
}

func (c *crasher) AbortUpload(ctx context.Context, key, id string) error {
	_, err := crashing(c, func() (struct{}, error) { return struct{}{}, c.Bucket.AbortUpload(ctx, key, id) })
	return err
}

// A drain keeps the parts that are there; the next run sends only the others.
func TestDrainResumesWithMissingParts(t *testing.T) {
	for kind, k := range sourceKinds {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(r *rig) {
				data := noise(8, 40*part)
				_, d := r.faulty(nil, append([]fault.Rule{{Ops: []fault.Op{fault.UploadPart}, Delay: time.Second}}, counting()...))
				o := k.store(r, data)
				r.publish(event(o, bus.ClassBulk))
				r.start()
				time.Sleep(5500 * time.Millisecond)
				p := r.moving.Progress()
				if p.Partial < 4*part || p.Partial > 24*part || p.Moved < p.Partial || p.Active != 1 {
					t.Errorf("progress %+v", p)
				}
				r.no(r.stop())
				us, err := r.dst.ListUploads(t.Context(), "big")
				r.no(err)
				if len(us) != 1 || len(r.results) != 0 {
					t.Fatalf("uploads %v, results %v", us, r.results)
				}
				rec, err := DecodeUpload(r.state.uploads["big"])
				r.no(err)
				if rec.ID != us[0].ID || rec.PartSize != part || rec.Size != int64(len(data)) || rec.Version != o.Version() {
					t.Errorf("record %+v", rec)
				}
				r.restart()
				res := r.one()
				r.outcome(res, bus.Copied, "")
				r.holds("big", data)
				if d.Hits()[0] != 40 || res.Moved >= int64(len(data)) || res.Unvouched != k.unvouched {
					t.Errorf("%d parts sent; %+v", d.Hits()[0], res)
				}
			})
		})
	}
}

func TestDrainGivesPartsInFlightTheirGrace(t *testing.T) {
	bubble(t, func(r *rig) {
		r.faulty(nil, []fault.Rule{{Ops: []fault.Op{fault.UploadPart}, Delay: 9 * time.Second}})
		o := r.putParts("big", noise(8, 40*part), part)
		r.publish(event(o, bus.ClassBulk))
		r.start()
		time.Sleep(time.Second)
		began := time.Now()
		r.no(r.stop())
		if took := time.Since(began); took < 7*time.Second || took > 9*time.Second {
			t.Errorf("drained in %s", took)
		}
		us, err := r.dst.ListUploads(t.Context(), "big")
		r.no(err)
		ps, err := r.dst.ListParts(t.Context(), "big", us[0].ID)
		r.no(err)
		if len(ps) != 4 {
			t.Errorf("%d parts arrived, want the 4 in flight", len(ps))
		}
	})
}

func TestGivenUpLeavesNoUpload(t *testing.T) {
	bubble(t, func(r *rig) {
		r.faulty(nil, []fault.Rule{{Ops: []fault.Op{fault.UploadPart}, After: 3, Effect: fault.Fail, Err: storage.ErrBusy}})
		o := r.putParts("big", noise(9, 100<<10), part)
		e := event(o, bus.ClassRetry)
		r.publish(e)
		r.outcome(r.one(), bus.Retrying, "busy")
		if len(r.state.uploads) != 1 {
			t.Error("a retry cannot resume")
		}
		r.results = nil
		e.Tries = 4
		r.publish(e)
		r.outcome(r.one(), bus.GivenUp, "busy")
		r.clean()
		r.lacks("big")
	})
}

// An upload whose object became small, or vanished, before the next try must
// not stay behind.
func TestUploadOfAnotherVersionIsRemoved(t *testing.T) {
	for _, size := range []int{-1, 10, 70 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.cfg.Deletes = false
				_, d := r.faulty(nil, []fault.Rule{{Ops: []fault.Op{fault.UploadPart}, Delay: time.Second}})
				o := r.putParts("big", noise(10, 40*part), part)
				r.publish(event(o, bus.ClassBulk))
				r.start()
				time.Sleep(3 * time.Second)
				r.no(r.stop())
				if d.Hits()[0] == 0 || len(r.state.uploads) != 1 {
					t.Fatal("no upload under way")
				}
				r.restart()
				if size < 0 {
					r.no(r.src.Delete(t.Context(), "big"))
					r.outcome(r.one(), bus.Skipped, "gone")
					r.clean()
					return
				}
				r.put("big", noise(11, size), storage.Metadata{})
				r.outcome(r.one(), bus.Copied, "")
				r.holds("big", noise(11, size))
			})
		})
	}
}

// The uploads of others on the same key, older than our intent, are not touched.
func TestIntentRemovesOnlyWhatItMayHaveBegun(t *testing.T) {
	bubble(t, func(r *rig) {
		theirs, err := r.dst.CreateUpload(t.Context(), "big", storage.UploadOptions{})
		r.no(err)
		time.Sleep(time.Hour)
		_, d := r.faulty(nil, []fault.Rule{{Ops: []fault.Op{fault.CreateUpload}, Effect: fault.Lose, Times: 1}})
		o := r.putParts("big", noise(12, 100<<10), part)
		r.publish(event(o, bus.ClassBulk))
		r.outcome(r.one(), bus.Copied, "")
		us, err := r.dst.ListUploads(t.Context(), "")
		r.no(err)
		if d.Hits()[0] != 1 || len(us) != 1 || us[0].ID != theirs {
			t.Errorf("hits %v, uploads %v", d.Hits(), us)
		}
	})
}

func TestServerSideCopy(t *testing.T) {
	for _, c := range []struct {
		size  int
		bytes string // calls that would show that bytes passed through here
		want  string
	}{
		{1000, "open", "copy"}, {50 << 10, "open", "copy"}, {100 << 10, "open", "copy part"},
	} {
		t.Run(fmt.Sprint(c.size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := mem.NewServer(mem.Options{MaxCopy: 60 << 10})
				src, dst := server.Bucket("a"), server.Bucket("b")
				r := &rig{t: t, src: src, dst: dst, state: newNotes()}
				r.no(src.Create(t.Context()))
				r.no(dst.Create(t.Context()))
				r.cfg = Config{Threshold: 64 << 10, PartSize: 16 << 10}
				r.openBus()
				defer r.close()
				s, d := r.faulty([]fault.Rule{count(fault.Open)}, []fault.Rule{count(fault.CopyFrom), count(fault.CopyPart)})
				data := noise(13, c.size)
				o := r.put("k", data, storage.Metadata{ContentType: "x/y"})
				r.publish(event(o, bus.ClassScan))
				res := r.one()
				r.outcome(res, bus.Copied, "")
				r.holds("k", data)
				there, err := dst.Stat(t.Context(), "k")
				r.no(err)
				if s.Hits()[0] != 0 || (d.Hits()[0] == 1) != (c.want == "copy") || (d.Hits()[1] > 0) != (c.want == "copy part") ||
					res.Unvouched || there.ContentType != "x/y" {
					t.Errorf("source %v target %v, %+v", s.Hits(), d.Hits(), res)
				}
			})
		})
	}
}

func TestCopierThatCannotAfterAll(t *testing.T) {
	for _, kind := range []error{storage.ErrUnsupported, storage.ErrDenied} {
		synctest.Test(t, func(t *testing.T) {
			server := mem.NewServer(mem.Options{})
			r := &rig{t: t, src: server.Bucket("a"), dst: server.Bucket("b"), state: newNotes()}
			r.no(r.src.Create(t.Context()))
			r.no(r.dst.Create(t.Context()))
			r.openBus()
			defer r.close()
			r.faulty(nil, []fault.Rule{{Ops: []fault.Op{fault.CopyFrom}, Effect: fault.Fail, Err: kind}})
			r.publish(event(r.put("k", []byte("x"), storage.Metadata{}), bus.ClassScan))
			r.outcome(r.one(), bus.Copied, "")
			r.holds("k", []byte("x"))
		})
	}
}
