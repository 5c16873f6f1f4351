package task

import (
	"errors"
	"testing"

	"github.com/sluice-sync/sluice/storage"
)

func TestFirstAndSecondRun(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(40, 0)
		r.put(r.src, "large", noise(99, 200<<10), storage.Metadata{CacheControl: "no-cache"})
		r.put(r.src, "empty", nil, storage.Metadata{})
		r.put(r.dst, "mine", noise(98, 10), storage.Metadata{})
		s := r.finish("found 42, copied 42")
		if size := int64(40*100 + 39*40/2 + 200<<10); s.Bytes != size || s.BytesFound != size || s.BytesMoved != size {
			t.Errorf("%d bytes, found %d, moved %d; want %d", s.Bytes, s.BytesFound, s.BytesMoved, size)
		}
		if s.Resumed || !s.Listed {
			t.Errorf("%+v", s)
		}
		r.equal("mine")
		r.forget()
		if s = r.finish("found 42, skipped 42"); s.SkippedReasons["equal"] != 42 || len(r.wrote) != 0 {
			t.Errorf("again: %v, wrote %v", s.SkippedReasons, r.wrote)
		}
		r.fill(3, 1)
		r.finish("found 42, copied 3, skipped 39")
		r.equal("mine")
	})
}

func TestNothingToDo(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.finish("")
		r.finish("")
	})
}

// A task that cannot begin says why, and has a snapshot all the same.
func TestBusAndStateThatFail(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.fill(3, 0)
		p := r.start()
		p.wait()
		s, err := p.Task.Run(t.Context())
		if err == nil || s.State != StateHalted || s.Why == "" {
			t.Errorf("a closed bus: %+v, %v", s, err)
		}
		if errors.Is(err, ErrInterrupted) {
			t.Error(err)
		}
	})
}
