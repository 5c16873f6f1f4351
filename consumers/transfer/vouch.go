package transfer

import (
	"crypto/md5"
	"crypto/sha256"
	"hash"
	"hash/crc32"
	"hash/crc64"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/crc64ecma"
)

// vouch is a digest of the whole object that the source keeps, and how to
// compute it from the bytes. The zero vouch vouches for nothing.
type vouch struct {
	alg  string
	want []byte
	new  func() hash.Hash
}

const algMD5 = "MD5"

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	nvme       = crc64.MakeTable(polyNVME)
)

// digests are the stored checksums that can be checked, the cheapest first.
var digests = []struct {
	alg  string
	size int
	new  func() hash.Hash
	poly uint64 // reversed; 0: parts cannot be combined
}{
	{"CRC32C", 4, func() hash.Hash { return crc32.New(castagnoli) }, crc32.Castagnoli},
	{"CRC32", 4, func() hash.Hash { return crc32.NewIEEE() }, crc32.IEEE},
	{"CRC64NVME", 8, func() hash.Hash { return crc64.New(nvme) }, polyNVME},
	{"CRC64ECMA", 8, func() hash.Hash { return crc64ecma.New() }, crc64.ECMA},
	{"SHA256", 32, sha256.New, 0},
}

// storedDigest returns the cheapest stored checksum; parallel asks for one that
// can be combined from those of parts.
func storedDigest(info *storage.Info, parallel bool) (v vouch, ok bool) {
	for _, d := range digests {
		if parallel && d.poly == 0 {
			continue
		}
		for _, c := range info.Checksums {
			if c.Algorithm == d.alg && len(c.Value) == d.size {
				return vouch{d.alg, c.Value, d.new}, true
			}
		}
	}
	return vouch{}, false
}

func plainMD5(info *storage.Info, f storage.Features) (v vouch, ok bool) {
	if !f.ETagIsMD5 {
		return vouch{}, false
	}
	want, ok := info.PlainMD5()
	if !ok {
		return vouch{}, false
	}
	return vouch{algMD5, want, md5.New}, true
}

// vouchFor returns what the source vouches with for an object that is read in
// order: a stored CRC, which costs a twentieth of an MD5, else the MD5, else a
// stored SHA-256. A target's driver that proves writes by MD5 computes it itself.
func vouchFor(info *storage.Info, f storage.Features) (vouch, bool) {
	if v, ok := storedDigest(info, true); ok {
		return v, true
	}
	if v, ok := plainMD5(info, f); ok {
		return v, true
	}
	return storedDigest(info, false)
}

func (v vouch) md5() bool { return v.alg == algMD5 }

func (v vouch) sum(p []byte) []byte {
	if v.md5() {
		s := md5.Sum(p)
		return s[:]
	}
	h := v.new()
	h.Write(p)
	return h.Sum(nil)
}
