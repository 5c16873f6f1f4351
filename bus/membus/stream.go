package membus

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/sluice-sync/sluice/bus"
)

// stream is a stored stream; the store's mutex guards it.
type stream struct {
	first     uint64 // sequence of messages[0], or the next one to be stored
	messages  []message
	bytes     int64
	maxBytes  int64
	consumers map[string]*durable
	changed   chan struct{} // closed when there may be something to hand out
}

type message struct {
	class string // the consumer it is for, "" for all
	data  []byte // in the wire form, so that copies are as deep as on a real bus
	id    uint64 // counts all messages of the store, so that no two have one mark
}

// durable is the state of a consumer: what it has not yet been given begins at
// next, what it was given and has not acked is in given.
type durable struct {
	name      string
	essential bool
	next      uint64
	given     map[uint64]*given
}

type given struct {
	tries int
	until time.Time // then it is handed out again
	owner any       // who was given it last
}

func newStream() *stream {
	return &stream{first: 1, consumers: map[string]*durable{}, changed: make(chan struct{})}
}

func (s *stream) last() uint64 { return s.first + uint64(len(s.messages)) - 1 }

func (s *stream) consumer(name string, essential bool) *durable {
	d := s.consumers[name]
	if d == nil {
		d = &durable{name: name, next: 1, given: map[uint64]*given{}}
		s.consumers[name] = d
	}
	d.essential = essential
	return d
}

func (s *stream) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stream) add(m message) error {
	size := m.size()
	if s.bytes+size > s.maxBytes {
		return bus.ErrFull
	}
	s.bytes += size
	s.messages = append(s.messages, m)
	return nil
}

// size counts a few bytes for what a real stream keeps beside the content.
func (m message) size() int64 { return int64(len(m.data)) + 32 }

// hand gives up to most messages to owner and says when to look again if it
// gave none; the zero time means only when something changes.
func (s *stream) hand(d *durable, owner any, most int, o bus.StreamOptions) (seqs []uint64, again time.Time) {
	now := time.Now()
	for seq, g := range d.given {
		if !g.until.After(now) {
			seqs = append(seqs, seq)
		} else if again.IsZero() || g.until.Before(again) {
			again = g.until
		}
	}
	slices.Sort(seqs)
	seqs = seqs[:min(len(seqs), most)]
	for d.next = max(d.next, s.first); d.next <= s.last() && len(seqs) < most && len(d.given) < o.MaxPending; d.next++ {
		if m := s.messages[d.next-s.first]; m.class == "" || m.class == d.name {
			d.given[d.next] = new(given)
			seqs = append(seqs, d.next)
		}
	}
	for _, seq := range seqs {
		g := d.given[seq]
		g.tries++
		g.until, g.owner = now.Add(o.AckWait), owner
	}
	return seqs, again
}

// floor is the last sequence up to which a consumer needs nothing any more.
func (s *stream) floor(d *durable) uint64 {
	floor := s.last()
	for seq := max(d.next, s.first); seq <= s.last(); seq++ {
		if m := s.messages[seq-s.first]; m.class == "" || m.class == d.name {
			floor = seq - 1
			break
		}
	}
	for seq := range d.given {
		floor = min(floor, seq-1)
	}
	return floor
}

func (s *stream) pending(d *durable) (n uint64) {
	for seq := max(d.next, s.first); seq <= s.last(); seq++ {
		if m := s.messages[seq-s.first]; m.class == "" || m.class == d.name {
			n++
		}
	}
	return n
}

// trim drops what all essential consumers have acked, from the front, as long
// as more than retain bytes are left.
func (s *stream) trim(retain int64) {
	floor := s.last()
	for _, d := range s.consumers {
		if d.essential {
			floor = min(floor, s.floor(d))
		}
	}
	for len(s.messages) > 0 && s.first <= floor && s.bytes-s.messages[0].size() >= retain {
		s.bytes -= s.messages[0].size()
		s.messages = s.messages[1:]
		for _, d := range s.consumers {
			delete(d.given, s.first)
		}
		s.first++
	}
}

func (m message) digest() string {
	h := sha256.New()
	h.Write([]byte(m.class))
	h.Write(binary.BigEndian.AppendUint64([]byte{0}, m.id))
	h.Write(m.data)
	return hex.EncodeToString(h.Sum(nil))
}
