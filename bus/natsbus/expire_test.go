package natsbus

import (
	"context"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/bus"
)

// TestDeliveriesOfADeadProcessComeAtOnce: an hour of AckWait is not waited for,
// what was acked does not come again, and the next owner has its hour.
func TestDeliveriesOfADeadProcessComeAtOnce(t *testing.T) {
	dir := t.TempDir()
	o := bus.StreamOptions{AckWait: time.Hour}
	first := embed(t, dir)
	s, _, err := first.Open(t.Context(), "t", o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PublishEvents(t.Context(), numbered(0, 10, bus.ClassScan)); err != nil {
		t.Fatal(err)
	}
	got := fetchAll(t, s, 10)
	for _, d := range got[:4] {
		if err := d.Token.Ack(); err != nil {
			t.Fatal(err)
		}
	}
	first.settle(got[9].Token.(*token).reply) // the acks are worked off
	first.conn.Close()                        // as a process that dies: nothing is given back
	if err := first.embedded.stop(); err != nil {
		t.Fatal(err)
	}

	second := embed(t, dir)
	defer second.Close()
	if s, _, err = second.Open(t.Context(), "t", o); err != nil {
		t.Fatal(err)
	}
	got = fetchAll(t, s, 6)
	for i, d := range got {
		if d.Event.Key != numbered(4+i, 1, bus.ClassScan)[0].Key || d.Tries != 2 {
			t.Errorf("delivery %d is of %q, the %d. time", i, d.Event.Key, d.Tries)
		}
	}
	st, err := s.State(t.Context())
	if err != nil || st.Unacked[bus.ClassScan] != 6 || st.Pending[bus.ClassScan] != 0 {
		t.Errorf("%+v, %v", st, err)
	}
	c, err := second.js.Consumer(t.Context(), eventsStream("t"), string(bus.ClassScan))
	if err != nil || c.CachedInfo().Config.AckWait != o.AckWait {
		t.Errorf("%+v, %v", c, err)
	}
}

func fetchAll(t *testing.T, s bus.Streams, n int) (all []bus.Delivery) {
	t.Helper()
	c, err := s.Events(t.Context(), bus.ClassScan)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for len(all) < n {
		got, err := c.Fetch(ctx, n)
		if err != nil {
			t.Fatalf("after %d deliveries: %v", len(all), err)
		}
		all = append(all, got...)
	}
	return all
}
