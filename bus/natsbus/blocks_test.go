package natsbus

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// TestEveryBitOfARecordCounts: no bit of a record but those of its lengths can
// change unnoticed, and a block that breaks off is none that is damaged.
func TestEveryBitOfARecordCounts(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	stream := eventsStream("t")
	data, err := os.ReadFile(filepath.Join(streamsDir(dir), stream, "msgs", "1.blk"))
	if err != nil {
		t.Fatal(err)
	}
	if !soundBlock(data, stream, 1) {
		t.Fatal("what the server wrote is not sound")
	}
	if soundBlock(data, stream, 2) || soundBlock(data, "other", 1) {
		t.Error("the block of another place is sound")
	}
	first := int(binary.LittleEndian.Uint32(data))
	for at := 4; at < first; at++ {
		if at == recordHead-2 || at == recordHead-1 {
			continue // the length of the subject: it may say that the record is no record
		}
		for bit := range 8 {
			data[at] ^= 1 << bit
			if soundBlock(data, stream, 1) {
				t.Errorf("bit %d of byte %d changed unnoticed", bit, at)
			}
			data[at] ^= 1 << bit
		}
	}
	for n := range 2 * first {
		if !soundBlock(data[:n], stream, 1) {
			t.Errorf("a block of %d bytes counts as damaged", n)
		}
	}
}
