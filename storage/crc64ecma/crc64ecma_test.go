package crc64ecma

import (
	"bytes"
	"hash/crc64"
	"math/rand/v2"
	"testing"
)

// TestChecksum: known value of the catalogue of CRCs, CRC-64/XZ.
func TestChecksum(t *testing.T) {
	if got := Checksum([]byte("123456789")); got != 0x995dc9bbdf1939fa {
		t.Errorf("%x", got)
	}
}

// TestSame compares with hash/crc64, for whole bodies and for pieces.
func TestSame(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	data := make([]byte, 20*lane)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	h, other := New(), crc64.New(ecma())
	if h.Size() != other.Size() {
		t.Errorf("%d bytes, want %d", h.Size(), other.Size())
	}
	for _, n := range []int{0, 1, 8, lane, 3*lane - 1, 3 * lane, 3*lane + 1, 6 * lane, len(data)} {
		if got, want := Checksum(data[:n]), crc64.Checksum(data[:n], ecma()); got != want {
			t.Errorf("%d bytes: %x, want %x", n, got, want)
		}
	}
	for range 200 {
		from := r.IntN(len(data))
		piece := data[from : from+r.IntN(len(data)-from)]
		_, _ = h.Write(piece)
		_, _ = other.Write(piece)
		if h.Sum64() != other.Sum64() || !bytes.Equal(h.Sum([]byte("x")), other.Sum([]byte("x"))) {
			t.Fatalf("after %d bytes from %d: %x, want %x", len(piece), from, h.Sum64(), other.Sum64())
		}
	}
	if h.Reset(); h.Sum64() != 0 {
		t.Error("not reset")
	}
}

func BenchmarkChecksum(b *testing.B) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	b.Run("own", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			Checksum(data)
		}
	})
	b.Run("hash/crc64", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			crc64.Checksum(data, ecma())
		}
	})
}
