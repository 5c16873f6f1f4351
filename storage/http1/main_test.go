package http1_test

import (
	"fmt"
	"io"
	"net"
	"os"
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
