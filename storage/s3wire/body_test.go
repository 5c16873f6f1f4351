package s3wire

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"testing"
	"testing/iotest"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func TestTrailed(t *testing.T) {
	for _, n := range []int{0, 1, 100, maxChunk - 1, maxChunk, maxChunk + 1, 2 * maxChunk, 2*maxChunk + 7} {
		data := bytes.Repeat([]byte("0123456789abcdefg"), n/17+1)[:n]
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "with EOF": iotest.DataErrReader,
		} {
			tr := &trailed{src: &exact{r: wrap(bytes.NewReader(data)), left: int64(n), sum: crc32.New(castagnoli)}, left: int64(n)}
			wire, err := io.ReadAll(tr)
			if err != nil || int64(len(wire)) != framed(int64(n)) {
				t.Fatalf("%d bytes %s: %d on the wire, announced %d, %v", n, name, len(wire), framed(int64(n)), err)
			}
			got, trailer := unframe(t, wire)
			sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, castagnoli))
			if want := trailerName + ":" + base64.StdEncoding.EncodeToString(sum) + "\r\n\r\n"; !bytes.Equal(got, data) || trailer != want {
				t.Errorf("%d bytes %s: %d bytes and %q, want %q", n, name, len(got), trailer, want)
			}
		}
	}
}

// unframe reads aws-chunked and returns the bytes and what follows the last chunk.
func unframe(t *testing.T, wire []byte) (data []byte, rest string) {
	t.Helper()
	for {
		line, after, ok := bytes.Cut(wire, []byte("\r\n"))
		var n int
		if _, err := fmt.Sscanf(string(line), "%x", &n); err != nil || !ok {
			t.Fatalf("chunk %q: %v", line, err)
		}
		if n == 0 {
			return data, string(after)
		}
		data = append(data, after[:n]...)
		if string(after[n:n+2]) != "\r\n" {
			t.Fatal("no line end behind a chunk")
		}
		wire = after[n+2:]
	}
}

// TestExact: a body of another length never comes to its last byte.
func TestExact(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		r  io.Reader
		ok bool
	}{
		"right":            {bytes.NewReader(make([]byte, 10)), true},
		"data with EOF":    {iotest.DataErrReader(bytes.NewReader(make([]byte, 10))), true},
		"short":            {bytes.NewReader(make([]byte, 9)), false},
		"long":             {bytes.NewReader(make([]byte, 11)), false},
		"fails":            {io.MultiReader(bytes.NewReader(make([]byte, 5)), iotest.ErrReader(boom)), false},
		"fails with EOF":   {io.MultiReader(bytes.NewReader(make([]byte, 10)), iotest.ErrReader(fmt.Errorf("lost: %w", io.EOF))), false},
		"fails at the end": {io.MultiReader(bytes.NewReader(make([]byte, 10)), iotest.ErrReader(boom)), false},
		"never ends":       {io.MultiReader(bytes.NewReader(make([]byte, 10)), stuck{}), false},
	} {
		got, err := io.ReadAll(&exact{r: c.r, left: 10})
		if c.ok != (err == nil) || c.ok != (len(got) == 10) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }
