package transfer

import (
	"encoding/binary"
	"hash"
	"math/rand/v2"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

const (
	gib = int64(1) << 30
	tib = int64(1) << 40
)

func TestCombineCRC(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	sum := func(h hash.Hash, b []byte) uint64 {
		h.Write(b)
		return bigEndian(h.Sum(nil))
	}
	for _, d := range digests {
		if d.poly == 0 {
			continue
		}
		for _, size := range []int{0, 1, 7, 64, 4096, 100_003} {
			data := make([]byte, size)
			for i := 0; i+8 <= size; i += 8 {
				binary.LittleEndian.PutUint64(data[i:], rng.Uint64())
			}
			want := sum(d.new(), data)
			for range 5 {
				i := rng.IntN(size + 1)
				j := i + rng.IntN(size-i+1)
				bits := uint(8 * d.size)
				got := combineCRC(d.poly, bits, sum(d.new(), data[:i]), sum(d.new(), data[i:j]), int64(j-i))
				got = combineCRC(d.poly, bits, got, sum(d.new(), data[j:]), int64(size-j))
				if got != want {
					t.Fatalf("%s of %d bytes cut at %d and %d: %x, want %x", d.alg, size, i, j, got, want)
				}
			}
		}
	}
}

// The check values of the catalogue of CRC algorithms for "123456789".
func TestKnownCRCs(t *testing.T) {
	want := map[string]uint64{
		"CRC32C": 0xe3069283, "CRC32": 0xcbf43926, "CRC64NVME": 0xae8b14860a799888, "CRC64ECMA": 0x995dc9bbdf1939fa,
	}
	for _, d := range digests {
		h := d.new()
		h.Write([]byte("123456789"))
		if got := bigEndian(h.Sum(nil)); d.poly != 0 && got != want[d.alg] {
			t.Errorf("%s: %x, want %x", d.alg, got, want[d.alg])
		}
	}
}

func TestPlanParts(t *testing.T) {
	s3 := storage.Features{MinPart: 5 * mib, MaxPart: 5 * gib, MaxParts: 10_000}
	for _, c := range []struct {
		size, wanted int64
		has          storage.Features
		want         int64 // 0: too large
	}{
		{64 * mib, 16 * mib, s3, 16 * mib},
		{64 * mib, 1 * mib, s3, 5 * mib},
		{10_000 * 16 * mib, 16 * mib, s3, 16 * mib},
		{10_000*16*mib + 1, 16 * mib, s3, 17 * mib},
		{1 * tib, 16 * mib, s3, 105 * mib},
		{5 * tib, 16 * mib, s3, 525 * mib},
		{10_000 * 5 * gib, 16 * mib, s3, 5 * gib},
		{10_000*5*gib + 1, 16 * mib, s3, 0},
		{1 * tib, 16 * mib, storage.Features{}, 105 * mib},
		{100, 1000, storage.Features{MaxParts: 10, MaxPart: 50}, 50},
		{1, 16 * mib, s3, 16 * mib},
	} {
		got, err := planParts(c.size, c.wanted, c.has)
		if kind, _ := storage.KindOf(err); c.want == 0 && kind != storage.ErrTooLarge || c.want != 0 && err != nil {
			t.Errorf("%d in %d: %v", c.size, c.wanted, err)
		}
		if got != c.want {
			t.Errorf("%d in %d: parts of %d, want %d", c.size, c.wanted, got, c.want)
		}
		if got > 0 && c.has.MaxParts > 0 && ceilDiv(c.size, got) > int64(c.has.MaxParts) {
			t.Errorf("%d in %d: %d parts", c.size, c.wanted, ceilDiv(c.size, got))
		}
	}
}

func TestAlignedPart(t *testing.T) {
	s3 := storage.Features{MinPart: 5 * mib, MaxPart: 5 * gib, MaxParts: 10_000}
	for _, c := range []struct {
		size, n, want int64 // want 0: no guess
	}{
		{256 * mib, 16, 16 * mib},
		{256*mib + 1, 17, 16 * mib},
		{100 * mib, 20, 5 * mib},
		{100 * mib, 13, 8 * mib},
		{100 * mib, 1, 100 * mib},
		{1000 * mib, 10, 100 * mib},
		{1 * tib, 9363, 112 * mib},                  // minio-go
		{1 * tib, ceilDiv(tib, 105*mib), 105 * mib}, // rclone
		{1 * tib, 10_000, tib/10_000 + 1},           // AWS SDK
		{100 * mib, 10_001, 0},
		{100 * mib, 3, 0},        // uneven
		{20 * mib, 20, 0},        // below the target's smallest part
		{6 * gib, 1, 0},          // above its largest
		{100*mib + 12345, 99, 0}, // parts nobody makes
	} {
		got, ok := alignedPart(c.size, c.n, 16*mib, s3)
		if got != c.want || ok != (c.want > 0) {
			t.Errorf("%d in %d parts: %d, %v, want %d", c.size, c.n, got, ok, c.want)
		}
	}
}

func TestCompositeETags(t *testing.T) {
	for etag, want := range map[string]int64{
		"9a0364b9e99bb480dd25e1f0284c8555-2": 2, "9a0364b9e99bb480dd25e1f0284c8555": 0, "9a0364b9e99bb480dd25e1f0284c8555-": 0,
		"9a0364b9e99bb480dd25e1f0284c8555-0": 0, "9a0364b9e99bb480dd25e1f0284c8555--1": 0, "zz0364b9e99bb480dd25e1f0284c8555-2": 0, "-1": 0, "": 0,
	} {
		if _, n, ok := composite(etag); ok != (want > 0) || ok && n != want {
			t.Errorf("%q: %d, %v", etag, n, ok)
		}
	}
}

func FuzzDecodeUpload(f *testing.F) {
	f.Add([]byte(`{"v":1,"begun":"2026-11-02T10:00:00Z","id":"x","size":1,"part_size":1,"sums":{"1":"AAAA"}}`))
	f.Add([]byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, rec []byte) {
		u, err := DecodeUpload(rec)
		if err != nil {
			return
		}
		if u.ID != "" && (u.Size <= 0 || u.PartSize <= 0) {
			t.Fatalf("accepted %+v", u)
		}
		again, err := u.encode()
		if err != nil {
			return // a time that JSON cannot hold
		}
		if _, err := DecodeUpload(again); err != nil {
			t.Fatal(err)
		}
	})
}
