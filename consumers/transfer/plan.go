package transfer

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"github.com/sluice-sync/sluice/storage"
)

const (
	mib      = 1 << 20
	partsAll = 10_000    // where the target names no limit
	copyPart = 256 * mib // of a server-side copy: its bytes do not pass through here
)

// inParts tells whether an object goes as a multipart upload.
func (t *Transfer) inParts(size int64) bool {
	if t.multipart == nil || size == 0 {
		return false
	}
	return size >= t.cfg.Threshold && !t.wholeOnly.Load() || t.dstHas.MaxPut > 0 && size > t.dstHas.MaxPut
}

// planParts returns the part size for an object: the wanted one, moved into
// the limits of the target and so that the parts suffice.
func planParts(size, wanted int64, f storage.Features) (int64, error) {
	most := int64(f.MaxParts)
	if most <= 0 {
		most = partsAll
	}
	part := max(wanted, f.MinPart, 1)
	if need := ceilDiv(size, most); part < need {
		part = ceilDiv(need, mib) * mib
	}
	if f.MaxPart > 0 {
		part = min(part, f.MaxPart)
	}
	if ceilDiv(size, part) > most {
		return 0, &storage.Error{Op: "create upload", Kind: storage.ErrTooLarge,
			Err: fmt.Errorf("%d bytes in %d parts of %d at most", size, most, part)}
	}
	return part, nil
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

// How the bytes of an upload are proven, besides by a stored checksum.
const (
	algNone  = ""          // by nobody
	algParts = "MD5-parts" // MD5s of parts that lie as the source's did
)

// proof is what the source vouches with for an object that is read in parts.
type proof struct {
	alg      string
	want     []byte
	new      func() hash.Hash // of one part, or the running one if ordered
	ordered  bool             // parts are read one after the other
	poly     uint64           // to combine CRCs
	count    int64            // algParts: how many parts the source had
	partSize int64            // algParts: and of which size, as far as can be told
}

// proofFor chooses the cheapest proof. A stored CRC is combined from those of
// parts, whatever their size. A composite ETag is compared if parts can lie as
// the source's did. A plain MD5 or SHA-256 can be had only by reading in order,
// so that such an object moves one part at a time: slower by itself, but
// several objects move at once, and a proof goes before speed.
func proofFor(info *storage.Info, src, dst storage.Features, wanted int64) proof {
	if v, ok := storedDigest(info, true); ok {
		p := proof{alg: v.alg, want: v.want, new: v.new}
		for _, d := range digests {
			if d.alg == v.alg {
				p.poly = d.poly
			}
		}
		return p
	}
	if sum, n, ok := composite(info.ETag); ok && src.ETagIsMD5 {
		if part, ok := alignedPart(info.Size, n, wanted, dst); ok {
			return proof{alg: algParts, want: sum, new: md5.New, count: n, partSize: part}
		}
	}
	if v, ok := vouchFor(info, src); ok {
		return proof{alg: v.alg, want: v.want, new: v.new, ordered: true}
	}
	return proof{}
}

// composite takes an ETag of the form MD5-N apart.
func composite(etag string) (sum []byte, n int64, ok bool) {
	head, tail, found := strings.Cut(etag, "-")
	if !found || len(head) != 2*md5.Size {
		return nil, 0, false
	}
	sum, err := hex.DecodeString(head)
	if err != nil {
		return nil, 0, false
	}
	n, err = strconv.ParseInt(tail, 10, 32)
	return sum, n, err == nil && n > 0
}

// compositeETag is the ETag that a store makes of parts whose ETags are MD5s;
// "" if they are not.
func compositeETag(parts []storage.Part) string {
	h := md5.New()
	for _, p := range parts {
		sum, ok := storage.Object{ETag: p.ETag}.PlainMD5()
		if !ok {
			return ""
		}
		h.Write(sum)
	}
	return hex.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts))
}

// usualParts are the part sizes of known tools in MiB, the commonest first:
// minio-go, aws CLI, S3 SDKs and rclone, then round ones.
var usualParts = []int64{16, 8, 5, 64, 128, 32, 10, 100, 15, 20, 25, 50, 256, 512, 1024}

// alignedPart guesses the part size with which an object of n parts was
// uploaded. A wrong guess is found out: see upload.proven.
func alignedPart(size, n, wanted int64, dst storage.Features) (int64, bool) {
	usable := func(part int64) bool {
		return part > 0 && ceilDiv(size, part) == n && (n == 1 || part >= dst.MinPart) &&
			(dst.MaxPart <= 0 || min(part, size) <= dst.MaxPart) && (dst.MaxParts <= 0 || n <= int64(dst.MaxParts))
	}
	if n == 1 {
		if !usable(size) {
			return 0, false
		}
		return size, true
	}
	if usable(wanted) {
		return wanted, true
	}
	for _, m := range usualParts {
		if usable(m * mib) {
			return m * mib, true
		}
	}
	// Tools that fit large objects into 10,000 parts: minio-go in steps of
	// 16 MiB, rclone in MiB, the AWS SDK to the byte.
	need := ceilDiv(size, partsAll)
	for _, part := range []int64{ceilDiv(need, 16*mib) * 16 * mib, ceilDiv(need, mib) * mib, size/partsAll + 1} {
		if usable(part) {
			return part, true
		}
	}
	return 0, false
}
