package transfer

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"hash/crc32"
	"hash/crc64"

	"github.com/sluice-sync/sluice/storage"
)

// vouch holds bytes that are read whole against what the source says of them.
type vouch struct {
	h     hash.Hash // nil: there is nothing to hold them against
	want  []byte
	md5   bool
	known bool // somebody vouches for the bytes
}

// newVouch picks the cheapest digest the source has of an object. File systems
// keep none: there the second look at the file vouches.
func newVouch(has storage.Features, info *storage.Info) *vouch {
	if has.FileTree {
		return &vouch{known: true}
	}
	if want, ok := info.PlainMD5(); ok && has.ETagIsMD5 {
		return &vouch{h: md5.New(), want: want, md5: true, known: true}
	}
	for _, c := range info.Checksums {
		if h := newHash(c.Algorithm); h != nil && h.Size() == len(c.Value) {
			return &vouch{h: h, want: c.Value, known: true}
		}
	}
	return &vouch{}
}

func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "CRC32C":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "CRC32":
		return crc32.NewIEEE()
	case "CRC64NVME":
		return crc64.New(crc64.MakeTable(crc64NVME))
	case "CRC64ECMA":
		return crc64.New(crc64.MakeTable(crc64.ECMA))
	case "SHA256":
		return sha256.New()
	case "SHA1":
		return sha1.New()
	}
	return nil
}

// crc64NVME is the reversed polynomial of CRC-64/NVME (NVM Express Command Set
// Specification 1.0d, section 5.2.1.3.4).
const crc64NVME = 0x9a6c9329ac4bc9b5

func (v *vouch) write(p []byte) {
	if v.h != nil {
		v.h.Write(p)
	}
}

// check fails if the bytes that were written are not those of the source.
func (v *vouch) check() bool { return v.h == nil || bytes.Equal(v.h.Sum(nil), v.want) }

// sum is the MD5 of the bytes for the write, where it was computed anyway.
func (v *vouch) sum() func() []byte {
	if !v.md5 {
		return nil
	}
	return func() []byte { return v.want }
}
