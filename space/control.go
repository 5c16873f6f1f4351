package space

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Serve answers HTTP requests on the space's control socket (mode 0600) until
// ctx ends, and removes it then.
func (s *Space) Serve(ctx context.Context, h http.Handler) error {
	path := filepath.Join(s.home, "control.sock")
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	short, done, err := shortened(s.home)
	if err != nil {
		return err
	}
	defer done()
	l, err := net.Listen("unix", filepath.Join(short, "control.sock"))
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	defer func() { _ = os.Remove(path) }()
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		_ = srv.Close()
	}()
	err = srv.Serve(l)
	cancel()
	<-stopped
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Client returns an HTTP client whose every request goes to the control socket
// of the named space or task; the host part of its URLs does not matter.
func Client(root, name string) *http.Client {
	home, _, _ := strings.Cut(name, "/")
	dir := filepath.Join(root, home)
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			short, done, err := shortened(dir)
			if err != nil {
				return nil, err
			}
			defer done()
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(short, "control.sock"))
		},
	}}
}
