package fault

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
)

// write does one call that sends a body of size bytes.
func write[T any](ctx context.Context, b *Bucket, op Op, key string, body io.Reader, size int64, f func(io.Reader) (T, error)) (T, error) {
	var none T
	r, rng, err := b.before(ctx, op, key)
	if err != nil {
		return none, err
	}
	if r != nil && r.Effect >= Cut {
		body = b.spoil(ctx, r, rng, op, key, body, size)
	}
	v, err := f(body)
	switch {
	case r == nil:
	case err == nil && r.Effect == Lose:
		return none, b.err(r, op, key)
	case err != nil && r.Effect == Cut && errors.Is(err, errCut):
		return none, b.err(r, op, key) // to the caller it is the place that failed, not his body
	}
	return v, err
}

var errCut = errors.New("body cut off by a fault")

// spoil makes a body of size bytes do what the rule says. A write's body is
// cut with errCut, which write turns into the rule's error.
func (b *Bucket) spoil(ctx context.Context, r *Rule, rng *rand.Rand, op Op, key string, body io.Reader, size int64) io.Reader {
	half := io.LimitReader(body, size/2)
	switch r.Effect {
	case Cut:
		err := errCut
		if op == "read" {
			err = b.err(r, op, key)
		}
		return io.MultiReader(half, readFunc(func([]byte) (int, error) { return 0, err }))
	case StallBody:
		return io.MultiReader(half, readFunc(func([]byte) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}))
	case Flip:
		if size == 0 {
			return body
		}
		bit := rng.Int64N(size * 8)
		return flip(body, bit/8, 1<<(bit%8))
	}
	return body
}

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// flip inverts the bits of mask in the byte at.
func flip(body io.Reader, at int64, mask byte) io.Reader {
	var off int64
	return readFunc(func(p []byte) (int, error) {
		n, err := body.Read(p)
		if i := at - off; i >= 0 && i < int64(n) {
			p[i] ^= mask
		}
		off += int64(n)
		return n, err
	})
}
