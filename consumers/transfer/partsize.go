package transfer

import (
	"strconv"
	"strings"

	"github.com/sluice-sync/sluice/storage"
)

const mib = 1 << 20

// usualParts are part sizes that clients use, in MiB: the AWS SDKs and CLI 5
// and 8, minio-go and mc 16, 64 and 128, rclone 5, s5cmd 50.
var usualParts = [...]int64{5, 8, 10, 16, 32, 50, 64, 100, 128, 256, 512, 1024}

// partSize is the size of the parts of one object: what is asked for, raised
// to fit the target's limits, or that of the source's own parts where they can
// be told from its ETag, so that the ETags can be compared.
func partSize(obj *storage.Object, ask int64, has storage.Features) (size int64, aligned bool) {
	parts := int64(has.MaxParts)
	if parts <= 0 {
		parts = 10_000
	}
	fits := func(p int64) bool {
		return p >= has.MinPart && (has.MaxPart <= 0 || p <= has.MaxPart) && (obj.Size+p-1)/p <= parts
	}
	if n, ok := compositeParts(obj.ETag); ok {
		if p := alignedSize(obj.Size, n); p > 0 && fits(p) {
			return p, true
		}
	}
	size = max(ask, has.MinPart, 1)
	if least := (obj.Size + parts - 1) / parts; size < least {
		size = (least + mib - 1) / mib * mib
	}
	if has.MaxPart > 0 {
		size = min(size, has.MaxPart)
	}
	return size, false
}

// compositeParts is the number of parts in an ETag of the form MD5-N.
func compositeParts(etag string) (n int64, ok bool) {
	if len(etag) < 34 || etag[32] != '-' || strings.Trim(etag[:32], "0123456789abcdef") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(etag[33:], 10, 64)
	return n, err == nil && n > 0
}

// alignedSize guesses the part size of an object that was sent in n parts; 0
// if no usual one fits.
func alignedSize(size, n int64) int64 {
	if n == 1 {
		return size
	}
	for _, m := range usualParts {
		if p := m * mib; (size+p-1)/p == n {
			return p
		}
	}
	// The smallest whole number of mebibytes that gives n parts.
	if p := ((size+n-1)/n + mib - 1) / mib * mib; (size+p-1)/p == n {
		return p
	}
	return 0
}
