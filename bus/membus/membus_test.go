package membus

import (
	"testing"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/bus/bustest"
)

func TestSuite(t *testing.T) {
	bustest.Run(t, true, func(testing.TB) bustest.Open {
		store := new(Store)
		return func(testing.TB) bus.Bus { return New(Options{Store: store}) }
	})
}
