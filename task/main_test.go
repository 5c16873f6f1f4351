package task

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

var (
	seedFlag = flag.Uint64("seed", 0, "replay one random history; 0 makes new ones")
	manyFlag = flag.Uint64("histories", 40, "how many random histories to run")
	soakFlag = flag.Bool("soak", false, "run the long tests for as long as they are meant to")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
