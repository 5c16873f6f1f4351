package natsbus

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/bus/bustest"
	"github.com/sluice-sync/sluice/internal/servertest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, victim(dir))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func TestEmbeddedSuite(t *testing.T) {
	bustest.Run(t, false, func(t testing.TB) bustest.Open {
		dir := t.TempDir()
		return func(t testing.TB) bus.Bus { return embed(t, dir) }
	})
}

func TestExternalSuite(t *testing.T) {
	bustest.Run(t, false, func(t testing.TB) bustest.Open {
		server := servertest.StartNATS(t, t.TempDir(), servertest.FreePort(t))
		return func(t testing.TB) bus.Bus {
			b, err := Connect(t.Context(), External{URL: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	})
}

// embed opens an embedded bus. The caller closes it.
func embed(t testing.TB, dir string) *Bus {
	t.Helper()
	b, err := OpenEmbedded(context.Background(), Embedded{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
