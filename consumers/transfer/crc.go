package transfer

import (
	"encoding/binary"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"sync"

	"github.com/sluice-sync/sluice/storage"
)

// crcKind is a CRC whose value for a whole follows from those of its parts.
type crcKind struct {
	poly uint64 // reversed
	bits int
	new  func() hash.Hash
}

// combinable returns the checksum of the whole that can be held against parts
// read in any order.
func combinable(sums []storage.Checksum) (k crcKind, want uint64, ok bool) {
	for _, c := range sums {
		switch {
		case c.Algorithm == "CRC32C" && len(c.Value) == 4:
			k = crcKind{crc32.Castagnoli, 32, func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }}
		case c.Algorithm == "CRC32" && len(c.Value) == 4:
			k = crcKind{crc32.IEEE, 32, func() hash.Hash { return crc32.NewIEEE() }}
		case c.Algorithm == "CRC64NVME" && len(c.Value) == 8:
			k = crcKind{crc64NVME, 64, func() hash.Hash { return crc64.New(crc64.MakeTable(crc64NVME)) }}
		case c.Algorithm == "CRC64ECMA" && len(c.Value) == 8:
			k = crcKind{crc64.ECMA, 64, func() hash.Hash { return crc64.New(crc64.MakeTable(crc64.ECMA)) }}
		default:
			continue
		}
		return k, crcValue(c.Value), true
	}
	return k, 0, false
}

func crcValue(b []byte) uint64 {
	if len(b) == 4 {
		return uint64(binary.BigEndian.Uint32(b))
	}
	return binary.BigEndian.Uint64(b)
}

// combine returns the CRC of a‖b from those of a and b, where b is n bytes
// long: a's CRC is multiplied by x^(8n) modulo the polynomial (the method of
// zlib's crc32_combine, with all values bit-reversed).
func (k crcKind) combine(a, b uint64, n int64) uint64 {
	return k.mul(k.power(8*uint64(n)), a) ^ b
}

// one is the polynomial 1, reversed.
func (k crcKind) one() uint64 { return 1 << (k.bits - 1) }

// mul multiplies two polynomials modulo k.poly.
func (k crcKind) mul(a, b uint64) (p uint64) {
	for m := k.one(); m != 0; m >>= 1 {
		if a&m != 0 {
			p ^= b
		}
		carry := b & 1
		b >>= 1
		if carry != 0 {
			b ^= k.poly
		}
	}
	return p
}

// power returns x^n modulo k.poly.
func (k crcKind) power(n uint64) uint64 {
	p, sq := k.one(), k.one()>>1 // 1 and x
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			p = k.mul(p, sq)
		}
		sq = k.mul(sq, sq)
	}
	return p
}

// crcParts collects the CRCs of parts.
type crcParts struct {
	kind crcKind
	want uint64
	on   bool

	mu  sync.Mutex
	sum map[int]uint64
}

func (c *crcParts) hash() hash.Hash {
	if !c.on {
		return nil
	}
	return c.kind.new()
}

func (c *crcParts) add(n int, h hash.Hash) {
	if h == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum[n] = crcValue(h.Sum(nil))
}

// whole tells whether all parts are known, and then whether they add up.
func (c *crcParts) whole(parts []storage.Part) (known, same bool) {
	if !c.on || len(c.sum) < len(parts) {
		return false, false
	}
	var sum uint64
	for i, p := range parts {
		part, ok := c.sum[p.Number]
		if !ok {
			return false, false
		}
		if i == 0 {
			sum = part
		} else {
			sum = c.kind.combine(sum, part, p.Size)
		}
	}
	return true, sum == c.want
}
