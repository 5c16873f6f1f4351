package natsbus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/sluice-sync/sluice/bus"
)

// Embedded says where the server inside the process keeps its streams.
type Embedded struct {
	Dir string // made if missing; one process at a time uses it
	// MaxStore bounds the sum of all streams' MaxBytes, in bytes; beyond it
	// Open answers ErrNoDisk. 0 sets no bound besides the streams' own.
	MaxStore int64
}

// ErrInUse is what an InUseError is.
var ErrInUse = errors.New("bus directory is in use")

// InUseError tells that another server has the directory open. Two on one
// directory would destroy each other's data.
type InUseError struct {
	Dir string
	PID int // of the owner, 0 if unknown
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("bus directory %s is in use by process %d", e.Dir, e.PID)
}

func (e *InUseError) Unwrap() error { return ErrInUse }

type embedded struct {
	dir    string
	server *server.Server
	lock   *os.File
}

// OpenEmbedded starts a server in this process, without network listener,
// signal handlers or log, and connects to it. It fails with an *InUseError if
// the directory is taken. Damage to the directory either makes it fail, or
// leaves streams that Open reports as fresh or Mark as lost.
func OpenEmbedded(ctx context.Context, e Embedded) (*Bus, error) {
	b, err := openEmbedded(ctx, e)
	if err != nil {
		return nil, fmt.Errorf("embedded bus: %w", err)
	}
	return b, nil
}

func openEmbedded(ctx context.Context, e Embedded) (*Bus, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(e.Dir, 0o700); err != nil {
		return nil, err
	}
	file, err := lock(filepath.Join(e.Dir, "lock"))
	if err != nil {
		var held *InUseError
		if errors.As(err, &held) {
			held.Dir = e.Dir
		}
		return nil, err
	}
	if e.MaxStore == 0 {
		e.MaxStore = 1 << 60 // the server would otherwise take 75 % of the free disk
	}
	err = dropDamaged(ctx, streamsDir(e.Dir))
	var s *server.Server
	if err == nil {
		s, err = startServer(ctx, e)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	own := &embedded{e.Dir, s, file}
	conn, err := nats.Connect("", nats.InProcessServer(s), nats.Name("sluice"), nats.NoReconnect(),
		nats.SkipSubjectValidation(), nats.ErrorHandler(ignoreAsync))
	if err != nil {
		return nil, errors.Join(err, own.stop())
	}
	return newBus(conn, own)
}

// startTimeout bounds the recovery of the streams at start.
const startTimeout = 60 * time.Second

func startServer(ctx context.Context, e Embedded) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "sluice", DontListen: true, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: e.Dir, JetStreamMaxStore: e.MaxStore,
	})
	if err != nil {
		return nil, err
	}
	s.Start() // recovers the streams before it returns
	wait := startTimeout
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	if !s.ReadyForConnections(wait) || !s.JetStreamEnabled() {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("the server does not start on %s", e.Dir)
	}
	return s, nil
}

// streamDir is where the server keeps a stream of its one account.
func (e *embedded) streamDir(stream string) string {
	return filepath.Join(streamsDir(e.dir), stream)
}

func streamsDir(dir string) string {
	return filepath.Join(dir, server.JetStreamStoreDir, "$G", "streams")
}

func (e *embedded) health() error {
	h := e.server.Healthz(&server.HealthzOptions{})
	switch {
	case h == nil || h.StatusCode == 200:
		return nil
	case diskKind(h.Error) != nil:
		return fmt.Errorf("bus: %w: %s", bus.ErrNoDisk, h.Error)
	}
	return fmt.Errorf("bus: %s: %s", h.Status, h.Error)
}

// stop waits until the server has written its state, then frees the directory.
func (e *embedded) stop() error {
	e.server.Shutdown()
	e.server.WaitForShutdown()
	return e.lock.Close()
}

// ignoreAsync replaces the client's handler, which prints. What it reports
// (a dropped delivery) heals by redelivery.
func ignoreAsync(*nats.Conn, *nats.Subscription, error) {}
