package http1_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also the server that benchmarks start as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("HTTP1_SERVER") == "" {
		goleak.VerifyTestMain(m)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serveNull(c)
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent goes
}

// serveNull answers from memory, as cheaply as a socket allows.
func serveNull(c net.Conn) {
	const head = "HTTP/1.1 200 OK\r\nServer: null\r\nAccept-Ranges: bytes\r\nDate: Tue, 24 Nov 2026 15:00:00 GMT\r\n" +
		"Last-Modified: Tue, 24 Nov 2026 15:00:00 GMT\r\nETag: \"620f0b67a91f7f74151bc5be745b7110\"\r\n" +
		"Content-Type: application/octet-stream\r\nX-Amz-Request-Id: 18EB03BCE45A47EF\r\nX-Amz-Meta-Mtime: 1700000000.5\r\nContent-Length: "
	get, put := []byte(head+"4096\r\n\r\n"+strings.Repeat("\x00", 4096)), []byte(head+"0\r\n\r\n")
	r := bufio.NewReaderSize(c, 64<<10)
	for {
		answer, size := get, 0
		for n := 0; ; n++ {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if n == 0 && line[0] == 'P' {
				answer = put
			}
			if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				size, _ = strconv.Atoi(string(bytes.TrimSpace(v)))
			}
			if len(line) == 2 {
				break
			}
		}
		if _, err := r.Discard(size); err != nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}
