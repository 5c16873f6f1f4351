package s3fake

import (
	"bufio"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// body is what a request brought, whole and proven.
type body struct {
	data   []byte
	md5    [md5.Size]byte
	crc32c string // in base64, as it was sent; "": none
}

const streaming = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

// readBody reads the body and holds it to the digests that came with it. An
// error that is no *fault is one of the connection.
func (r *request) readBody() error {
	h := r.Header
	payload := h.Get("X-Amz-Content-Sha256")
	if r.o.NoTrailers && (strings.HasPrefix(payload, "STREAMING-") || h.Get("X-Amz-Trailer") != "") {
		return faultf(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	r.body.crc32c = h.Get("X-Amz-Checksum-Crc32c")
	if r.o.NoTrailers && (r.body.crc32c != "" || h.Get("X-Amz-Sdk-Checksum-Algorithm") != "" || h.Get("X-Amz-Checksum-Algorithm") != "") {
		return faultf(http.StatusBadRequest, "InvalidArgument", "unknown checksum header")
	}
	var err error
	switch {
	case payload == streaming:
		err = r.readChunks()
	case strings.HasPrefix(payload, "STREAMING-"): // of which each chunk is signed
		err = errNotImplemented
	default:
		r.body.data, err = io.ReadAll(r.Body)
	}
	if err != nil {
		return err
	}
	r.body.md5 = md5.Sum(r.body.data)
	return r.checkDigests(payload)
}

func (r *request) checkDigests(payload string) error {
	if len(payload) == 2*sha256.Size {
		if sum := sha256.Sum256(r.body.data); hex.EncodeToString(sum[:]) != payload {
			return faultf(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "the digest of the body")
		}
	}
	if v := r.Header.Get("Content-Md5"); v != "" && v != base64.StdEncoding.EncodeToString(r.body.md5[:]) {
		return faultf(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
	}
	if r.body.crc32c != "" && r.body.crc32c != crc32c(r.body.data) {
		return faultf(http.StatusBadRequest, "BadDigest", "The CRC32C you specified did not match what we received.")
	}
	return nil
}

func crc32c(data []byte) string {
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// readChunks takes the frames of aws-chunked off and reads the trailer.
func (r *request) readChunks() error {
	in := bufio.NewReader(r.Body)
	line := func() (string, error) {
		s, err := in.ReadString('\n')
		return strings.TrimSuffix(s, "\r\n"), err
	}
	for {
		head, err := line()
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(head, 16, 32)
		if err != nil {
			return faultf(http.StatusBadRequest, "InvalidChunkSizeError", "%q", head)
		}
		if n == 0 {
			break
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(in, chunk); err != nil {
			return err
		}
		r.body.data = append(r.body.data, chunk[:n]...)
	}
	trailer, err := line()
	if err != nil {
		return err
	}
	name, v, _ := strings.Cut(trailer, ":")
	if name != r.Header.Get("X-Amz-Trailer") || name != "x-amz-checksum-crc32c" {
		return faultf(http.StatusBadRequest, "MalformedTrailerError", "%q", trailer)
	}
	r.body.crc32c = v
	if want := r.Header.Get("X-Amz-Decoded-Content-Length"); want != strconv.Itoa(len(r.body.data)) {
		return faultf(http.StatusBadRequest, "IncompleteBody", "%d bytes of %s", len(r.body.data), want)
	}
	return nil
}
