package natsbus

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// External names a NATS server or cluster with JetStream.
type External struct {
	URL       string // nats:// or tls://, several separated by commas
	CredsFile string // user credentials (JWT and seed), optional
	CAFile    string // trusted roots for TLS, PEM; empty trusts the system's
	CertFile  string // client certificate and key for TLS, both or none
	KeyFile   string
	Name      string // shown in the server's list of connections; default "sluice"
}

const connectTimeout = 5 * time.Second

// Connect connects to an external server and fails within about five seconds
// if none can be reached or it has no JetStream. Once connected it reconnects
// for as long as the bus is open; meanwhile Fetch waits and publishing blocks.
func Connect(ctx context.Context, e External) (*Bus, error) {
	b, err := connect(ctx, e)
	if err != nil {
		return nil, fmt.Errorf("connect to bus %s: %w", shown(e.URL), err)
	}
	return b, nil
}

func connect(ctx context.Context, e External) (*Bus, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	servers := time.Duration(strings.Count(e.URL, ",") + 1)
	var self atomic.Pointer[Bus]
	conn, err := nats.Connect(e.URL, append(e.options(),
		nats.Timeout(max(time.Until(deadline)/servers, time.Millisecond)),
		nats.ReconnectHandler(func(*nats.Conn) {
			if b := self.Load(); b != nil {
				b.reconnected()
			}
		}))...)
	var parse *url.Error
	if errors.As(err, &parse) {
		err = parse.Err // the rest of it would show the password
	}
	if err != nil {
		return nil, err
	}
	b, err := newBus(conn, nil)
	if err == nil {
		self.Store(b)
		_, err = b.js.AccountInfo(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return b, nil
}

func (e External) options() []nats.Option {
	if e.Name == "" {
		e.Name = "sluice"
	}
	o := []nats.Option{
		nats.Name(e.Name), nats.SkipSubjectValidation(), nats.ErrorHandler(ignoreAsync),
		nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.ReconnectWait(250 * time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, 250*time.Millisecond),
		nats.PingInterval(10 * time.Second),
	}
	if e.CredsFile != "" {
		o = append(o, nats.UserCredentials(e.CredsFile))
	}
	if e.CAFile != "" {
		o = append(o, nats.RootCAs(e.CAFile))
	}
	if e.CertFile != "" || e.KeyFile != "" {
		o = append(o, nats.ClientCert(e.CertFile, e.KeyFile))
	}
	return o
}

// shown is a list of URLs without user and password.
func shown(urls string) string {
	list := strings.Split(urls, ",")
	for i, u := range list {
		scheme, rest, ok := strings.Cut(strings.TrimSpace(u), "://")
		if !ok {
			scheme, rest = "nats", scheme
		}
		list[i] = scheme + "://" + rest[strings.LastIndexByte(rest, '@')+1:]
	}
	return strings.Join(list, ",")
}
