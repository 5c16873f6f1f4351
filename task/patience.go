package task

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/producers/list"
	"github.com/sluice-sync/sluice/storage"
)

// Pauses between two tries of a listing whose endpoint is unusable.
const (
	listPauseFirst = time.Second // doubling
	listPauseMost  = 30 * time.Second
	giveUpDefault  = 10 * time.Minute
)

// list makes one pass. An endpoint that is unusable pauses it, as it pauses
// the transfer: the listing goes on from its cursors as soon as a page can be
// had, and gives up (transfer.ErrGaveUp) after Spec.GiveUpAfter without one.
func (t *Task) list(ctx context.Context, l *list.Lister, pass int) (list.Totals, error) {
	most := t.cfg.Spec.GiveUpAfter
	if most <= 0 {
		most = giveUpDefault
	}
	var since time.Time // of the first failure in a row; zero: none
	var seen int64      // entries listed when it failed last
	for wait := listPauseFirst; ; wait = min(2*wait, listPauseMost) {
		totals, err := t.tryList(ctx, l, pass)
		if err == nil || ctx.Err() != nil || !storage.IsEndpoint(err) {
			return totals, err
		}
		if p := l.Progress(); since.IsZero() || p.Source+p.Target > seen {
			since, seen, wait = t.now(), p.Source+p.Target, listPauseFirst
			t.cfg.Notify(Warn, "the listing pauses: "+err.Error())
		}
		if t.now().Sub(since) >= most {
			return totals, fmt.Errorf("%w: no page of a listing for %s: %w", transfer.ErrGaveUp, most, err)
		}
		t.setListPause(err)
		err = pause(ctx, wait)
		t.setListPause(nil)
		if err != nil {
			return totals, err
		}
	}
}

// tryList reads what is left of the manifest, if there is one, and lists.
func (t *Task) tryList(ctx context.Context, l *list.Lister, pass int) (list.Totals, error) {
	if t.cfg.Spec.Manifest != nil {
		if err := t.readManifest(ctx); err != nil {
			return list.Totals{}, err
		}
	}
	return l.Run(ctx, pass)
}

// setListPause notes why the listing stands still; nil: it goes on.
func (t *Task) setListPause(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listPause = err
}
