package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/sluice-sync/sluice/filter"
	"github.com/sluice-sync/sluice/producers/list"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/task"
)

// difference is one line of a dry run.
type difference struct {
	Type        string     `json:"type"` // "difference"
	Op          string     `json:"op"`   // copy, update or delete
	Key         string     `json:"key"`
	KeyBytes    []byte     `json:"key_b64,omitempty"` // where the key is not valid UTF-8
	Reason      string     `json:"reason"`
	SourceSize  *int64     `json:"source_size,omitempty"`
	SourceMTime *time.Time `json:"source_mtime,omitempty"`
	TargetSize  *int64     `json:"target_size,omitempty"`
	TargetMTime *time.Time `json:"target_mtime,omitempty"`
}

// dryRun prints what a sync would do. It reads both ends and changes nothing,
// neither there nor in the state.
func (a *app) dryRun(ctx context.Context, f *syncFlags, name string, spec task.Spec, e *ends) error {
	if err := e.readable(ctx, f.create); err != nil {
		return err
	}
	start := time.Now()
	var flt *filter.Filter
	if spec.Filter != nil {
		var err error
		if flt, err = spec.Filter(start); err != nil {
			return err
		}
	}
	sum := task.Snapshot{Type: "summary", Task: name, Source: e.source.String(), Target: e.target.String(), State: "dry-run"}
	enc := json.NewEncoder(a.stdout)
	cfg := list.Config{
		Task: name, Source: e.source, Target: e.target, Map: spec.Map, Rule: spec.Rule, Deletes: spec.Delete,
		Metadata: spec.Mapper(e.source, e.target), DirMarkers: spec.DirMarkers, Bounds: spec.Bounds,
		Diff: func(d list.Difference) {
			switch {
			case d.Op == list.Delete:
				sum.Deleted++
			default:
				sum.Pending++
				sum.BytesFound += d.Source.Size
			}
			switch {
			case f.out.json:
				_ = enc.Encode(toDifference(d))
			case !f.out.quiet:
				fmt.Fprintln(a.stdout, differenceLine(d))
			}
		},
	}
	if flt != nil && !flt.Empty() {
		cfg.Select, cfg.KeyRules = flt.Object, flt.Key
	}
	if e.manifest != nil {
		keys, drop, err := manifestKeys(ctx, e.manifest)
		if err != nil {
			return err
		}
		defer func() { _ = drop() }() // a directory of temporary files
		cfg.Named = keys.After
	}
	totals, err := list.New(cfg).Run(ctx, 0)
	if err != nil {
		return err
	}
	sum.SkippedReasons = totals.Skipped
	for _, n := range totals.Skipped {
		sum.Skipped += n
	}
	sum.Found = sum.Skipped + sum.Pending
	sum.At, sum.Seconds = time.Now(), time.Since(start).Seconds()
	if f.out.json {
		return enc.Encode(sum)
	}
	if !f.out.quiet {
		fmt.Fprintf(a.stdout, "dry run: %d of %d objects would be copied (%s), %d deleted; nothing was changed\n",
			sum.Pending, sum.Found, size(sum.BytesFound), sum.Deleted)
	}
	return nil
}

// readable looks at both ends. A target that a sync would make is an empty one.
func (e *ends) readable(ctx context.Context, create bool) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := firstLook(ctx, e.source); err != nil {
		return e.early(ctx, "source", err)
	}
	err := firstLook(ctx, e.target)
	if errors.Is(err, storage.ErrNoBucket) && (create || e.target.Features().FileTree) {
		e.target, err = toBeMade{e.target}, nil
	}
	return e.early(ctx, "target", err)
}

// toBeMade is a bucket that is not there yet, as a dry run sees it.
type toBeMade struct{ storage.Bucket }

func (toBeMade) List(storage.Range) storage.Pages { return noPages{} }

func (toBeMade) Stat(context.Context, string) (storage.Info, error) {
	return storage.Info{}, &storage.Error{Op: "stat", Kind: storage.ErrNotFound}
}

type noPages struct{}

func (noPages) Next(context.Context) ([]storage.Object, error) { return nil, io.EOF }
func (noPages) Close() error                                   { return nil }

func toDifference(d list.Difference) difference {
	r := difference{Type: "difference", Op: string(d.Op), Key: d.Key, Reason: d.Reason}
	if !validText(d.Key) {
		r.KeyBytes = []byte(d.Key)
	}
	r.SourceSize, r.SourceMTime = sizeAndTime(d.Source)
	r.TargetSize, r.TargetMTime = sizeAndTime(d.Target)
	return r
}

func sizeAndTime(o *storage.Object) (*int64, *time.Time) {
	if o == nil {
		return nil, nil
	}
	return &o.Size, &o.ModTime
}

func differenceLine(d list.Difference) string {
	key := d.Key
	if q := strconv.Quote(key); q[1:len(q)-1] != key {
		key = q // a key with control characters or stray bytes
	}
	s := fmt.Sprintf("%-6s %s (%s", d.Op, key, d.Reason)
	if d.Source != nil {
		s += ", " + size(d.Source.Size)
	}
	return s + ")"
}
