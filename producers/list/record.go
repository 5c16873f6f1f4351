package list

import (
	"encoding/binary"
	"fmt"

	"github.com/sluice-sync/sluice/bus"
)

// keyRange is a stretch of the key space and how far it was worked off; a
// cursor record holds one.
type keyRange struct {
	id     int    // names its record
	pos    string // keys up to here are in counts
	last   string // where the range ends; "" is the end of the listing
	done   bool
	counts tally
	intent *intent // saved before its events are published
}

// intent is a chunk of the range that may have been published.
type intent struct {
	pos    string // where the range stands after it
	done   bool   // it is the range's last chunk
	counts tally
	events []bus.Event
}

// fold makes the intent a part of what is done.
func (r *keyRange) fold() {
	r.pos, r.done = r.intent.pos, r.intent.done
	r.counts.add(&r.intent.counts)
	r.intent = nil
}

func (r *keyRange) name() string { return fmt.Sprintf("%06d", r.id) }

const (
	recordVersion = 1

	flagDone       = 1
	flagIntent     = 2
	flagIntentDone = 4
)

// encode appends the record of a range: a version, flags, texts and lists with
// their lengths in front, numbers as varints, events in their wire form.
func (r *keyRange) encode(b []byte) []byte {
	var flags byte
	if r.done {
		flags |= flagDone
	}
	if r.intent != nil {
		flags |= flagIntent
		if r.intent.done {
			flags |= flagIntentDone
		}
	}
	b = append(b, recordVersion, flags)
	b = appendBytes(b, r.pos)
	b = appendBytes(b, r.last)
	b = r.counts.encode(b)
	if r.intent == nil {
		return b
	}
	b = appendBytes(b, r.intent.pos)
	b = r.intent.counts.encode(b)
	b = binary.AppendUvarint(b, uint64(len(r.intent.events)))
	var wire []byte
	for i := range r.intent.events {
		wire = bus.AppendEvent(wire[:0], &r.intent.events[i])
		b = appendBytes(b, wire)
	}
	return b
}

func (t *tally) encode(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(t)))
	for _, n := range t {
		b = binary.AppendVarint(b, n)
	}
	return b
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

// decodeRange reads a record. Errors are ErrRecord.
func decodeRange(rec []byte) (*keyRange, error) {
	d := decoder{b: rec}
	if v := d.byte(); v != recordVersion && d.err == nil {
		return nil, fmt.Errorf("%w: version %d", ErrRecord, v)
	}
	flags := d.byte()
	r := &keyRange{done: flags&flagDone != 0}
	r.pos = string(d.bytes())
	r.last = string(d.bytes())
	d.tally(&r.counts)
	if flags&flagIntent != 0 {
		r.intent = &intent{done: flags&flagIntentDone != 0}
		r.intent.pos = string(d.bytes())
		d.tally(&r.intent.counts)
		r.intent.events = d.events()
	}
	if d.err == nil && len(d.b) > 0 {
		d.fail()
	}
	if d.err != nil {
		return nil, d.err
	}
	return r, nil
}

// decoder takes values off a record until the first that is not there.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = fmt.Errorf("%w: damaged", ErrRecord)
	}
	d.b = nil
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

// tally reads counters; an older record may hold fewer.
func (d *decoder) tally(t *tally) {
	n := d.uint()
	if n > uint64(len(t)) {
		d.fail()
		return
	}
	for i := range n {
		v, size := binary.Varint(d.b)
		if size <= 0 {
			d.fail()
			return
		}
		t[i] = v
		d.b = d.b[size:]
	}
}

func (d *decoder) events() []bus.Event {
	n := d.uint()
	if n > uint64(len(d.b)) { // each takes more than a byte
		d.fail()
		return nil
	}
	var wire bus.Decoder
	events := make([]bus.Event, 0, min(n, maxEvents))
	for range n {
		b := d.bytes()
		if d.err != nil {
			return nil
		}
		e, err := wire.Event(b)
		if err != nil {
			d.err = fmt.Errorf("%w: event: %w", ErrRecord, err)
			return nil
		}
		events = append(events, e)
	}
	return events
}
