package servertest

import (
	"net"
	"strconv"
	"testing"
	"time"
)

// NATS is a running nats-server with JetStream.
type NATS struct {
	*Process
	URL string
}

// StartNATS runs a nats-server that keeps its streams in dir ("": it has no
// JetStream) and listens on a loopback port. Further arguments are passed on. After Kill, starting again
// with the same directory and port is a restart of that server.
func StartNATS(t testing.TB, dir string, port int, args ...string) *NATS {
	t.Helper()
	addr := Addr(port)
	ready := func() bool {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return false
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		n, _ := conn.Read(make([]byte, 4)) // the server speaks first
		return n > 0
	}
	args = append([]string{"-a", "127.0.0.1", "-p", strconv.Itoa(port)}, args...)
	if dir != "" {
		args = append(args, "-js", "-sd", dir)
	}
	p := Start(t, ready, nil, Binary(t, "nats-server"), args...)
	return &NATS{p, "nats://" + addr}
}
