package task

import (
	"hash/fnv"
	"time"

	"github.com/sluice-sync/sluice/bus/membus"
	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/filter"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
)

// plain are the options under which the target must become equal.
func (w *world) plain() {
	w.cfg.Spec = Spec{
		MaxDelete: Cap{Count: -1, Percent: -1, Given: true}, Workers: 1 + w.luck.intN(8), BulkWorkers: 1 + w.luck.intN(3),
		Threshold: simThreshold, PartSize: simPart, Tries: 2 + w.luck.intN(4), GiveUpAfter: 5 * time.Minute,
	}
}

// options draws those of the next runs.
func (w *world) options() {
	w.plain()
	s := &w.cfg.Spec
	if w.luck.intN(3) == 0 {
		s.PartSize = 2 * simPart
	}
	s.ClosingRounds = w.luck.intN(4)
	if s.Delete = w.luck.intN(2) == 0; s.Delete && w.luck.intN(2) == 0 {
		s.MaxDelete = []Cap{DefaultCap(), {Count: 10, Percent: -1, Given: true}, {Count: -1, Percent: 40, Given: true}}[w.luck.intN(3)]
	}
	if w.luck.intN(8) == 0 {
		s.MaxErrors = 1 + int64(w.luck.intN(3))
	}
	switch w.luck.intN(14) {
	case 0:
		s.Rule.SizeOnly = true
	case 1:
		s.Rule.Checksum = true
	case 2:
		s.Rule.Force = true
	case 3:
		s.Rule.Update, s.Overwrite = true, transfer.IfNewer
	case 4:
		s.Rule.IgnoreExisting, s.Overwrite = true, transfer.Never
	case 5:
		s.Rule.Existing = true
	}
	if w.luck.intN(5) == 0 {
		w.selection()
	}
}

func (w *world) selection() {
	c := []filter.Config{
		{Rules: []filter.Rule{{Pattern: "*0*"}}},
		{Rules: []filter.Rule{{Include: true, Pattern: "re:[0-7]"}}},
		{MaxSize: 200},
		{Rules: []filter.Rule{{Pattern: "*a*"}}, MinSize: 20},
	}[w.luck.intN(4)]
	f, err := filter.New(c)
	w.no(err)
	w.cfg.Spec.Filter = func(time.Time) (*filter.Filter, error) { return f, nil }
	w.cfg.Spec.Selection = f.Canonical()
}

// selects tells whether an object of the source takes part.
func (w *world) selects(o *storage.Object) bool {
	if w.cfg.Spec.Filter == nil {
		return true
	}
	f, err := w.cfg.Spec.Filter(time.Time{})
	w.no(err)
	return f.Object(o)
}

// faults decorates both ends for one process, from the inside: what takes
// effect is watched, then faults, then the operations are counted.
func (w *world) faults(some bool) {
	before := func(fault.Op, string) error { return w.step() }
	var src, dst []fault.Rule
	w.full, w.unanswered, w.unacked = 0, 0, 0
	w.lag = []time.Duration{0, 0, 100 * time.Millisecond, 2 * time.Second}[w.luck.intN(4)]
	if some {
		src, dst = w.sourceFaults(), w.targetFaults()
		w.full, w.unanswered = w.rate(), w.rate()
		if w.luck.intN(3) == 0 {
			w.unacked = w.rate()
		}
	}
	if w.luck.intN(2) == 0 { // or all is listed before anything else happens
		src = append(src, fault.Rule{Ops: []fault.Op{fault.List}, Delay: 300 * time.Millisecond})
	}
	w.cfg.FreeBytes = nil
	if some && w.luck.intN(4) == 0 {
		w.cfg.FreeBytes = func() (uint64, error) { return stateFloor - 1 + uint64(w.luck.intN(2)), nil }
	}
	seed := uint64(w.luck.intN(1 << 30))
	w.cfg.Source = &tap{Bucket: fault.New(w.src, seed, src...), before: before}
	w.cfg.Target = &tap{Bucket: fault.New(&tap{Bucket: w.dst, after: w.effect}, seed+1, dst...), before: before}
}

// rate is a chance that is often none.
func (w *world) rate() float64 {
	return []float64{0, 0, 0.02, 0.1}[w.luck.intN(4)]
}

// draw keeps some of the rules.
func (w *world) draw(all []fault.Rule) (some []fault.Rule) {
	for _, r := range all {
		if w.luck.intN(4) == 0 {
			if r.Chance == 0 && r.Times == 0 {
				r.Chance = 0.01 + 0.1*float64(w.luck.intN(3))
			}
			some = append(some, r)
		}
	}
	return some
}

func (w *world) sourceFaults() []fault.Rule {
	open, one := []fault.Op{fault.Open}, 1+w.luck.intN(3)
	return w.draw([]fault.Rule{
		{Ops: open, Effect: fault.Fail, Err: storage.ErrThrottled},
		{Ops: open, Effect: fault.Fail, Err: storage.ErrThrottled, RetryAfter: 3 * time.Second, Times: one},
		{Ops: open, Effect: fault.Fail, Err: storage.ErrUnavailable},
		{Ops: open, Effect: fault.Fail, Err: storage.ErrBusy},
		{Ops: open, Effect: fault.Cut, Err: storage.ErrUnavailable},
		{Ops: open, Effect: w.flip()},
		{Ops: []fault.Op{fault.Stat}, Effect: fault.Fail, Err: storage.ErrUnavailable},
		{Ops: []fault.Op{fault.Stat}, Effect: fault.Fail, Err: storage.ErrBusy},
		{Ops: []fault.Op{fault.List}, Effect: fault.Fail, Err: storage.ErrUnavailable, After: w.luck.intN(30), Times: one},
		{Ops: []fault.Op{fault.List}, Effect: fault.Fail, Err: storage.ErrBusy, After: w.luck.intN(30), Times: 1},
		{Ops: []fault.Op{fault.List, fault.Open}, Delay: time.Second},
		{Ops: []fault.Op{fault.Open, fault.Stat}, Effect: fault.Fail, Err: storage.ErrDenied, Match: unlucky(one)},
	})
}

func (w *world) targetFaults() []fault.Rule {
	put, one := []fault.Op{fault.Put, fault.CopyFrom, fault.CopyPart}, 1+w.luck.intN(3)
	parts := []fault.Op{fault.CreateUpload, fault.UploadPart, fault.ListParts, fault.CompleteUpload, fault.AbortUpload, fault.ListUploads}
	return w.draw([]fault.Rule{
		{Ops: put, Effect: fault.Fail, Err: storage.ErrThrottled},
		{Ops: put, Effect: fault.Fail, Err: storage.ErrUnavailable},
		{Ops: put, Effect: fault.Lose, Err: storage.ErrUnavailable},
		{Ops: put, Effect: fault.Cut, Err: storage.ErrBusy},

		{Ops: put, Effect: fault.Fail, Err: storage.ErrNoSpace, Times: one},
		{Ops: put, Delay: 500 * time.Millisecond},
		{Ops: []fault.Op{fault.Put, fault.UploadPart}, Effect: fault.Fail, Err: storage.ErrBusy, Match: unlucky(one)},
		{Ops: parts, Effect: fault.Fail, Err: storage.ErrUnavailable},
		{Ops: parts, Effect: fault.Lose, Err: storage.ErrUnavailable},
		{Ops: parts, Effect: fault.Lose, Err: storage.ErrBusy},
		{Ops: parts, Delay: 500 * time.Millisecond},
		{Ops: []fault.Op{fault.CompleteUpload, fault.CreateUpload}, Effect: fault.Lose, Err: storage.ErrUnavailable, Times: one},
		{Ops: []fault.Op{fault.Delete}, Effect: fault.Lose, Err: storage.ErrUnavailable},
		{Ops: []fault.Op{fault.Delete}, Effect: fault.Fail, Err: storage.ErrBusy},
		{Ops: []fault.Op{fault.Stat}, Effect: fault.Fail, Err: storage.ErrUnavailable},
		{Ops: []fault.Op{fault.List}, Effect: fault.Fail, Err: storage.ErrUnavailable, After: w.luck.intN(30), Times: one},
		{Ops: []fault.Op{fault.List}, Effect: fault.Fail, Err: storage.ErrDenied, After: w.luck.intN(30), Times: 1},
	})
}

// flip inverts bits of what is read where all objects of the source vouch for
// their bytes. Of a written bit only the driver can know.
func (w *world) flip() fault.Effect {
	if w.vouched {
		return fault.Flip
	}
	return fault.None
}

// unlucky are keys for which a fault lasts.
func unlucky(n int) func(string) bool {
	return func(key string) bool {
		h := fnv.New32a()
		_, _ = h.Write([]byte(key))
		return h.Sum32()%23 < uint32(n)
	}
}

// between is what may happen while no process runs.
func (w *world) between() {
	for range w.luck.intN(4) {
		w.change()
	}
	if w.luck.intN(4) == 0 {
		w.meddle()
	}
	switch w.luck.intN(25) {
	case 0:
		w.cfg.BootID += "+"
	case 1:
		w.stored, w.lost = new(membus.Store), true
	case 2:
		w.rebuilt(w.luck.intN(100), w.luck.intN(30))
		w.lost = true
	}
}
