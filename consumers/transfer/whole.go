package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/sluice-sync/sluice/storage"
)

// smallMost is the size up to which an object is read into memory before it is
// written: nothing of it is sent before it was checked.
const smallMost = 1 << 20

// buffers lends memory for small objects, in two sizes, so that many tiny ones
// do not hold a mebibyte each.
type buffers struct{ tiny, small sync.Pool }

const tinyMost = 32 << 10

func (b *buffers) get(size int64) *[]byte {
	pool, most := &b.small, smallMost
	if size <= tinyMost {
		pool, most = &b.tiny, tinyMost
	}
	if p, ok := pool.Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, most)
	return &p
}

func (b *buffers) put(p *[]byte) {
	if len(*p) == tinyMost {
		b.tiny.Put(p)
	} else {
		b.small.Put(p)
	}
}

// whole copies an object with one read and one write.
func (j *job) whole(ctx context.Context, obj storage.Object) (done, error) {
	r, err := j.cfg.Source.Open(ctx, j.source, storage.ReadOptions{Length: -1, Want: &obj})
	if err != nil {
		return done{}, at(Source, err)
	}
	defer r.Body.Close()
	v := newVouch(j.srcHas, &r.Info)
	write := j.streamed
	if r.Info.Size <= smallMost {
		write = j.buffered
	}
	there, err := write(ctx, r, v)
	if err != nil {
		return done{}, err
	}
	return j.copied(&r.Info.Object, &there, v.known), nil
}

// buffered reads a small object, checks it and then writes it.
func (j *job) buffered(ctx context.Context, r *storage.Reader, v *vouch) (storage.Object, error) {
	buf := j.bufs.get(r.Info.Size)
	defer j.bufs.put(buf)
	body := (*buf)[:r.Info.Size]
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return storage.Object{}, at(Source, j.readError(err))
	}
	v.write(body)
	if err := j.lastLook(ctx, r, v); err != nil {
		return storage.Object{}, err
	}
	there, err := j.cfg.Target.Put(ctx, j.target, bytes.NewReader(body), j.putOptions(r, v))
	if err == nil {
		j.send(r.Info.Size)
	}
	return there, at(Target, err)
}

func (j *job) putOptions(r *storage.Reader, v *vouch) storage.PutOptions {
	return storage.PutOptions{
		Size: r.Info.Size, Meta: carried(&r.Info), MD5: v.sum(),
		IfAbsent: j.cfg.Overwrite == Never && j.dstHas.ConditionalPut,
	}
}

// lastLook comes after the last byte was read and before the target has it all.
func (j *job) lastLook(ctx context.Context, r *storage.Reader, v *vouch) error {
	if !v.check() {
		return at(Source, j.refused(storage.ErrCorrupt, "the bytes read are not those the source vouches for"))
	}
	if r.Confirm != nil {
		return at(Source, r.Confirm(ctx))
	}
	return nil
}

// readError words a body that ends early.
func (j *job) readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		if k, _ := storage.KindOf(err); k == nil {
			return j.refused(storage.ErrBusy, "the body ended early")
		}
	}
	return err
}

// streamed hands a larger object through. The last bytes are withheld until
// the whole was checked, so a failed check leaves nothing at the target.
func (j *job) streamed(ctx context.Context, r *storage.Reader, v *vouch) (storage.Object, error) {
	body := &guarded{ctx: ctx, j: j, r: r, v: v, left: r.Info.Size}
	there, err := j.cfg.Target.Put(ctx, j.target, body, j.putOptions(r, v))
	if body.err != nil {
		return storage.Object{}, body.err
	}
	return there, at(Target, err)
}

// guarded is a body that fails rather than end with bytes nobody vouches for.
// It lives as long as one Put, whose context it checks with.
type guarded struct {
	ctx  context.Context //nolint:containedctx // io.Reader has none to pass
	j    *job
	r    *storage.Reader
	v    *vouch
	left int64
	err  error // what went wrong on the source's side
}

func (g *guarded) Read(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	if g.left == 0 {
		return 0, io.EOF
	}
	n, err := g.r.Body.Read(p[:min(int64(len(p)), g.left)])
	g.v.write(p[:n])
	g.left -= int64(n)
	if err != nil && g.left > 0 {
		g.err = at(Source, g.j.readError(err))
		return 0, g.err
	}
	if g.left == 0 {
		if g.err = g.j.lastLook(g.ctx, g.r, g.v); g.err != nil {
			return 0, g.err
		}
	}
	g.j.send(int64(n))
	return n, nil
}
