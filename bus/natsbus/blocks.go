package natsbus

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/minio/highwayhash"
)

// A block of messages is records, one behind the other (nats-server 2.15,
// filestore.go): length with a flag for headers, sequence, time, length of the
// subject, subject, headers and message, and the digest of these, keyed with the
// names of stream and block.
const (
	blockEnding  = ".blk"
	recordHead   = 4 + 8 + 8 + 2
	headersFlag  = 1 << 31
	headerLength = 4 // of the headers, before them
)

// dropDamaged removes the streams of a directory in which a record has not its
// digest. The server looks at digests only where it finds no index; else it
// believes a damaged sequence, and one that is very large takes all memory. What
// is removed comes back fresh.
func dropDamaged(ctx context.Context, streams string) error {
	entries, err := os.ReadDir(streams)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		dir := filepath.Join(streams, e.Name())
		sound, err := soundStream(ctx, dir, e.Name())
		if err == nil && !sound {
			err = os.RemoveAll(dir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func soundStream(ctx context.Context, dir, stream string) (bool, error) {
	blocks, err := os.ReadDir(filepath.Join(dir, "msgs"))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // the server says what it makes of that
	}
	if err != nil {
		return false, err
	}
	for _, b := range blocks {
		name, ok := strings.CutSuffix(b.Name(), blockEnding)
		index, err := strconv.ParseUint(name, 10, 32)
		if !ok || err != nil {
			continue // no block
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		data, err := os.ReadFile(filepath.Join(dir, "msgs", b.Name()))
		if err != nil || !soundBlock(data, stream, uint32(index)) {
			return false, err
		}
	}
	return true, nil
}

// soundBlock tells whether every whole record has its digest. One that is cut
// off, as by the death of a process that wrote it, ends the block: the server
// takes it off.
func soundBlock(data []byte, stream string, index uint32) bool {
	key := sha256.Sum256(fmt.Appendf(nil, "%s-%d", stream, index))
	hash, err := highwayhash.NewDigest64(key[:])
	if err != nil {
		return false // the key has the right length
	}
	var sum [highwayhash.Size64]byte
	for len(data) >= recordHead {
		length := binary.LittleEndian.Uint32(data)
		headers := length&headersFlag != 0
		length &^= headersFlag
		subject := int(binary.LittleEndian.Uint16(data[recordHead-2:]))
		rest := recordHead + subject
		if headers {
			rest += headerLength
		}
		if uint64(length) > uint64(len(data)) || int(length) < rest+len(sum) {
			return true
		}
		record := data[:length]
		end := len(record) - len(sum)
		hash.Reset()
		_, _ = hash.Write(record[4 : recordHead-2]) // a hash takes everything
		_, _ = hash.Write(record[recordHead : recordHead+subject])
		_, _ = hash.Write(record[rest:end])
		if !bytes.Equal(hash.Sum(sum[:0]), record[end:]) {
			return false
		}
		data = data[length:]
	}
	return true
}
