package precheck_test

import (
	"context"
	"path/filepath"
	"time"

	"github.com/sluice-sync/sluice/bus"
	"github.com/sluice-sync/sluice/bus/membus"
	"github.com/sluice-sync/sluice/consumers/transfer"
	"github.com/sluice-sync/sluice/filter"
	"github.com/sluice-sync/sluice/keymap"
	"github.com/sluice-sync/sluice/precheck"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/fault"
	"github.com/sluice-sync/sluice/storage/mem"
)

// look is one way in which an item comes out.
type look struct {
	what   string
	change func(*lab)
	want   precheck.Status
	says   string
}

// looks are, of every item, at least one that passes and one that does not.
var looks = map[string][]look{
	"source.reachable": {
		{"there", func(*lab) {}, precheck.Pass, "within"},
		{"away", func(l *lab) { l.src = fails(l.src, storage.ErrUnavailable, fault.Check) }, precheck.Fail, "network"},
		{"no bucket", func(l *lab) { l.src = mem.NewServer(mem.Options{}).Bucket("none") }, precheck.Fail, "name of the source"},
		{"throttled", func(l *lab) { l.src = fails(l.src, storage.ErrThrottled, fault.Check) }, precheck.Warn, "throttled"},
		{"not its turn", func(l *lab) { l.src = fails(l.src, context.DeadlineExceeded, fault.Check) }, precheck.Warn, "no time"},
		{"insecure", func(l *lab) { l.SourceWarnings = []string{"the certificate is not checked"} }, precheck.Warn, "ca_file"},
	},
	"target.reachable": {
		{"there", func(*lab) {}, precheck.Pass, "within"},
		{"away", func(l *lab) { l.dst = fails(l.dst, storage.ErrUnavailable, fault.Check) }, precheck.Fail, "network"},
		{"no bucket", func(l *lab) { l.dst = mem.NewServer(mem.Options{}).Bucket("none") }, precheck.Fail, "--create-bucket"},
		{"to be made", func(l *lab) { l.dst, l.Creates = mem.NewServer(mem.Options{}).Bucket("none"), true }, precheck.Pass, "makes it"},
		{"no directory", func(l *lab) { l.dst = l.directory(filepath.Join(l.t.TempDir(), "none")) }, precheck.Pass, "makes it"},
		{"insecure", func(l *lab) { l.TargetWarnings = []string{"the certificate is not checked"} }, precheck.Warn, "ca_file"},
	},
	"source.credentials": {
		{"good", func(*lab) {}, precheck.Pass, "accepted"},
		{"bad", func(l *lab) { l.src = fails(l.src, storage.ErrCredentials, fault.Check) }, precheck.Fail, "secret key"},
		{"away", func(l *lab) { l.src = fails(l.src, storage.ErrUnavailable, fault.Check) }, precheck.Skipped, "no answer"},
	},
	"target.credentials": {
		{"good", func(*lab) {}, precheck.Pass, "accepted"},
		{"bad", func(l *lab) { l.dst = fails(l.dst, storage.ErrCredentials, fault.Check) }, precheck.Fail, "secret key"},
		{"directory", func(l *lab) { l.toFiles() }, precheck.Skipped, "directory"},
	},
	"source.clock": {
		{"none", func(*lab) {}, precheck.Skipped, "no clock"},
		{"right", func(l *lab) { l.src = timed{l.src, 4 * time.Minute, nil} }, precheck.Pass, "ahead"},
		{"off", func(l *lab) { l.src = timed{l.src, -6 * time.Minute, nil} }, precheck.Warn, "s behind"},
		{"refused", func(l *lab) { l.src = timed{l.src, 16 * time.Minute, nil} }, precheck.Fail, "NTP"},
		{"not told", func(l *lab) { l.src = timed{l.src, 0, errPlain} }, precheck.Skipped, "no such luck"},
	},
	"target.clock": {
		{"right", func(l *lab) { l.dst = timed{l.dst, 0, nil} }, precheck.Pass, "0s"},
		{"refused", func(l *lab) { l.dst = timed{l.dst, -time.Hour, nil} }, precheck.Fail, "behind"},
	},
	"source.list": {
		{"listed", func(*lab) {}, precheck.Pass, "3 entries"},
		{"denied", func(l *lab) { l.src = fails(l.src, storage.ErrDenied, fault.List) }, precheck.Fail, "s3:ListBucket"},
		{"denied at once", func(l *lab) { l.src = fails(l.src, storage.ErrDenied, fault.Check) }, precheck.Fail, "s3:ListBucket"},
		{"in passing", func(l *lab) { l.src = fails(l.src, storage.ErrBusy, fault.List) }, precheck.Warn, "pass by itself"},
		{"unreadable", func(l *lab) { l.src = unreadable{l.src} }, precheck.Warn, `"locked/"`},
		{"wrong selection", func(l *lab) { l.Spec.Filter = func(time.Time) (*filter.Filter, error) { return nil, errPlain } }, precheck.Fail, "no such luck"},
	},
	"target.list": {
		{"listed", func(*lab) {}, precheck.Pass, "listed"},
		{"denied", func(l *lab) { l.dst = fails(l.dst, storage.ErrDenied, fault.Check) }, precheck.Fail, "s3:ListBucket"},
	},
	"source.read": {
		{"read", func(*lab) {}, precheck.Pass, `"a"`},
		{"all denied", func(l *lab) { l.src = fails(l.src, storage.ErrDenied, fault.Open) }, precheck.Fail, "s3:GetObject"},
		{"one denied", func(l *lab) { l.src = once(l.src, storage.ErrDenied, fault.Open) }, precheck.Warn, "1 of 2"},
		{"one is all there is", func(l *lab) {
			l.src = mem.New(mem.Options{})
			l.put("k", 1)
			l.src = fails(l.src, storage.ErrDenied, fault.Open)
		}, precheck.Warn, "1 of 1"},
		{"changed", func(l *lab) { l.src = fails(l.src, storage.ErrChanged, fault.Open) }, precheck.Pass, "changed"},
		{"broken off", func(l *lab) {
			l.src = fault.New(l.src, 1, fault.Rule{Ops: []fault.Op{fault.Open}, Effect: fault.Cut})
		}, precheck.Warn, "network"},
		{"empty", func(l *lab) { l.src = mem.New(mem.Options{}); l.put("k", 0) }, precheck.Skipped, "no object"},
	},
	"source.tags": {
		{"none", func(*lab) {}, precheck.Skipped, "has none"},
		{"read", func(l *lab) { l.put("a", 1, tagged) }, precheck.Pass, "read"},
		{"denied", func(l *lab) { l.put("a", 1, tagged); l.src = fails(l.src, storage.ErrDenied, fault.Tags) }, precheck.Fail, "--tags drop"},
		{"dropped", func(l *lab) { l.put("a", 1, tagged); l.Spec.Metadata.DropTags = true }, precheck.Skipped, "no tags travel"},
	},
	"target.write": {
		{"written", func(*lab) {}, precheck.Pass, "written"},
		{"a directory", func(l *lab) { l.toFiles() }, precheck.Pass, "written"},
		{"denied", func(l *lab) { l.dst = fails(l.dst, storage.ErrDenied, fault.Put) }, precheck.Fail, "s3:PutObject"},
		{"looking denied", func(l *lab) { l.dst = fails(l.dst, storage.ErrDenied, fault.Stat) }, precheck.Fail, "s3:GetObject"},
		{"full", func(l *lab) { l.dst = fails(l.dst, storage.ErrNoSpace, fault.Put) }, precheck.Fail, "make room"},
		{"not its turn", func(l *lab) { l.dst = fails(l.dst, context.DeadlineExceeded, fault.Put) }, precheck.Warn, "no time"},
		{"in passing", func(l *lab) { l.dst = once(l.dst, storage.ErrBusy, fault.Put) }, precheck.Pass, "written"},
		{"lost answer", func(l *lab) {
			l.dst = fault.New(l.dst, 1, fault.Rule{Ops: []fault.Op{fault.Put}, Effect: fault.Lose, Times: 1})
		}, precheck.Pass, "written"},
		{"somebody else's", func(l *lab) { l.dst = fails(l.dst, storage.ErrExists, fault.Put) }, precheck.Fail, "already exists"},
		{"throttled", func(l *lab) { l.dst = fails(l.dst, storage.ErrThrottled, fault.Put) }, precheck.Warn, "pass by itself"},
		{"dry run", func(l *lab) { l.Probe = false }, precheck.Skipped, "dry run"},
		{"to be made", func(l *lab) { l.dst, l.TargetMakeable = l.missing(), func() error { return nil } }, precheck.Pass, "written"},
		{"not makeable", func(l *lab) { l.dst, l.TargetMakeable = l.missing(), func() error { return errPlain } }, precheck.Fail, "no such luck"},
	},
	"target.multipart": {
		{"taken", func(*lab) {}, precheck.Pass, "aborted"},
		{"begin denied", func(l *lab) { l.dst = fails(l.dst, storage.ErrDenied, fault.CreateUpload) }, precheck.Fail, "AbortMultipartUpload"},
		{"part denied", func(l *lab) { l.dst = fails(l.dst, storage.ErrDenied, fault.UploadPart) }, precheck.Fail, "AbortMultipartUpload"},
		{"abort denied", func(l *lab) { l.dst = fails(l.dst, storage.ErrDenied, fault.AbortUpload) }, precheck.Fail, "AbortMultipartUpload"},
		{"none", func(l *lab) { l.dst = plain{l.dst, l.dst.Features()} }, precheck.Skipped, "none"},
	},
	"target.tags": {
		{"kept", func(*lab) {}, precheck.Pass, "kept"},
		{"denied", func(l *lab) { l.dst = fails(l.dst, storage.ErrDenied, fault.Tags) }, precheck.Fail, "--tags drop"},
		{"lost", func(l *lab) { l.dst = tagless{l.dst} }, precheck.Fail, "other tags"},
		{"dropped", func(l *lab) { l.Spec.Metadata.DropTags = true }, precheck.Skipped, "no tags travel"},
	},
	"target.delete": {
		{"deleted", func(*lab) {}, precheck.Pass, "deleted"},
		{"denied", func(l *lab) { l.dst = fails(l.dst, storage.ErrDenied, fault.Delete) }, precheck.Warn, ".sluice-precheck-"},
		{"denied and needed", func(l *lab) { l.dst, l.Spec.Delete = fails(l.dst, storage.ErrDenied, fault.Delete), true }, precheck.Fail, "s3:DeleteObject"},
		{"not written", func(l *lab) { l.dst = fails(l.dst, storage.ErrDenied, fault.Put) }, precheck.Skipped, "nothing was written"},
	},
	"apart": {
		{"apart", func(l *lab) { l.Apart = func() error { return nil } }, precheck.Pass, "they are"},
		{"by their names", func(l *lab) { l.Apart = func() error { return errPlain } }, precheck.Fail, "no such luck"},
		{"one place by two names", func(l *lab) { l.dst = l.src }, precheck.Fail, "one place"},
	},
	"class": {
		{"kept", func(l *lab) { l.put("a", 1, inClass("GLACIER")) }, precheck.Pass, "do"},
		{"there", func(l *lab) { l.Spec.Metadata.StorageClass = "standard_ia" }, precheck.Pass, "standard_ia"},
		{"not there", func(l *lab) { l.Spec.Metadata.StorageClass = "IA" }, precheck.Fail, "no class IA"},
		{"changes its meaning", func(l *lab) {
			l.put("a", 1, inClass("GLACIER"))
			l.dst = mem.New(mem.Options{Classes: []storage.Class{{Name: "STANDARD"}}})
		}, precheck.Warn, `"a" (GLACIER)`},
		{"of a store that names none, taken", func(l *lab) { l.noClasses("GLACIER") }, precheck.Pass, "took"},
		{"of a store that names none, refused", func(l *lab) { l.noClasses("COLD") }, precheck.Fail, "--storage-class"},
		{"of a store that names none, dry run", func(l *lab) { l.noClasses("COLD"); l.Probe = false }, precheck.Skipped, "not known"},
	},
	"options": {
		{"fit", func(*lab) {}, precheck.Pass, "do"},
		{"dir markers between stores", func(l *lab) { l.Spec.DirMarkers = true }, precheck.Warn, "--dir-markers"},
		{"expires of files", func(l *lab) { l.toFiles(); l.Spec.Metadata.Expires.Drop = true }, precheck.Warn, "--expires"},
		{"owner", func(l *lab) { l.toFiles(); l.Spec.Metadata.Owner, l.Unprivileged = true, true }, precheck.Warn, "--owner"},
		{"owner by root", func(l *lab) { l.toFiles(); l.Spec.Metadata.Owner = true }, precheck.Pass, "do"},
		{"tags that are lost", func(l *lab) { l.put("a", 1, tagged); l.toFiles() }, precheck.Warn, "keeps none"},
	},
	"archived": {
		{"none", func(*lab) {}, precheck.Pass, "none"},
		{"some", func(l *lab) { l.put("cold", 9, inClass("GLACIER")) }, precheck.Warn, "--archived restore"},
		{"left out", func(l *lab) { l.put("cold", 9, inClass("GLACIER")); l.Spec.Archived = transfer.ArchivedSkip }, precheck.Pass, "left out"},
		{"restored", func(l *lab) {
			l.put("cold", 9, inClass("GLACIER"))
			l.Spec.Archived = transfer.ArchivedRestore
		}, precheck.Pass, "restored"},
		{"not restored", func(l *lab) {
			l.put("cold", 9, inClass("GLACIER"))
			l.src, l.Spec.Archived = plain{l.src, l.src.Features()}, transfer.ArchivedRestore
		}, precheck.Warn, "vendor's tools"},
		{"not selected", func(l *lab) { l.put("cold", 9, inClass("GLACIER")); l.exclude("cold") }, precheck.Pass, "none"},
	},
	"keys": {
		{"held", func(l *lab) { l.toFiles() }, precheck.Pass, "can"},
		{"one not", func(l *lab) { l.toFiles(); l.put("x//y", 1) }, precheck.Warn, `"x//y" (not a clean`},
		{"none", func(l *lab) { l.src = mem.New(mem.Options{}); l.put("/y", 1); l.toFiles() }, precheck.Fail, "1 of them"},
		{"excluded", func(l *lab) { l.toFiles(); l.put("x//y", 1); l.exclude("x/**") }, precheck.Pass, "can"},
		{"mapped", func(l *lab) { l.toFiles(); l.put("x//y", 1); l.Spec.Map = keymap.Single("x//y", "y") }, precheck.Pass, "can"},
		{"no source", func(l *lab) { l.src = fails(l.src, storage.ErrUnavailable, fault.Check) }, precheck.Skipped, "no answer"},
		{"no listing", func(l *lab) { l.src = fails(l.src, storage.ErrDenied, fault.List) }, precheck.Skipped, "not be listed"},
	},
	"collisions": {
		{"store", func(l *lab) { l.put("A", 1) }, precheck.Skipped, "tells"},
		{"none", func(l *lab) { l.toFiles() }, precheck.Pass, "do"},
		{"harmless", func(l *lab) { l.toFiles(); l.put("A", 1) }, precheck.Pass, "tells"},
		{"harmful", func(l *lab) { l.toFiles(); l.put("A", 1); l.dst = folding{l.dst} }, precheck.Fail, `"a"`},
		{"not known", func(l *lab) { l.toFiles(); l.put("A", 1); l.Probe = false }, precheck.Warn, "not known"},
	},
	"prefixes": {
		{"store", func(l *lab) { l.put("b", 1) }, precheck.Skipped, "both"},
		{"none", func(l *lab) { l.toFiles(); l.put("b-", 1); l.put("b-/x", 0, inClass("GLACIER")); l.exclude("b-") }, precheck.Pass, "none"},
		{"one", func(l *lab) { l.toFiles(); l.put("b", 1); l.put("b-", 1) }, precheck.Warn, `"b/c" (below the object "b")`},
	},
	"sizes": {
		{"no limit", func(*lab) {}, precheck.Pass, "no limit"},
		{"below", func(l *lab) { l.limited(30, true) }, precheck.Pass, "300000 bytes"},
		{"at the limit", func(l *lab) { l.limited(30, false) }, precheck.Pass, "30 bytes"},
		{"above", func(l *lab) { l.limited(25, false) }, precheck.Warn, `"d" (30 bytes)`},
		{"all above", func(l *lab) { l.limited(5, false) }, precheck.Fail, "5 bytes at most"},
	},
	"target.space": {
		{"enough", func(l *lab) { l.toFiles(); l.TargetFree = free(1 << 30) }, precheck.Pass, "1024 MiB"},
		{"full", func(l *lab) { l.toFiles(); l.TargetFree = free(1000) }, precheck.Fail, "make room"},
		{"little", func(l *lab) { l.toFiles(); l.put("large", 2<<20); l.TargetFree = free(2 << 20) }, precheck.Warn, "there already"},
		{"store", func(l *lab) { l.TargetFree = free(0) }, precheck.Skipped, "not known"},
		{"not told", func(l *lab) { l.toFiles(); l.TargetFree = func() (uint64, error) { return 0, errPlain } }, precheck.Skipped, "luck"},
	},
	"state.space": {
		{"enough", func(l *lab) { l.StateFree = free(256 << 20) }, precheck.Pass, "256 MiB"},
		{"little", func(l *lab) { l.StateFree = free(256<<20 - 1) }, precheck.Fail, "--state-dir"},
		{"not known", func(*lab) {}, precheck.Skipped, "not known"},
	},
	"state.write": {
		{"written", func(l *lab) { l.StateWritable = func() error { return nil } }, precheck.Pass, "written"},
		{"denied", func(l *lab) { l.StateWritable = func() error { return errPlain } }, precheck.Fail, "--state-dir"},
		{"dry run", func(*lab) {}, precheck.Skipped, "dry run"},
	},
	"bus": {
		{"embedded", func(*lab) {}, precheck.Skipped, "embedded"},
		{"there", func(l *lab) {
			l.Bus = func(context.Context) (bus.Bus, error) { return membus.New(membus.Options{}), nil }
		}, precheck.Pass, "answers"},
		{"away", func(l *lab) { l.Bus = func(context.Context) (bus.Bus, error) { return nil, errPlain } }, precheck.Fail, "JetStream"},
		{"closed", func(l *lab) {
			b := membus.New(membus.Options{})
			_ = b.Close()
			l.Bus = func(context.Context) (bus.Bus, error) { return b, nil }
		}, precheck.Fail, "closed"},
	},
	"deletes": {
		{"off", func(*lab) {}, precheck.Skipped, "nothing is deleted"},
		{"bounded", func(l *lab) { l.deletes("", "") }, precheck.Pass, "10%"},
		{"no bound", func(l *lab) { l.deletes("none", "") }, precheck.Warn, "empties the target"},
		{"empty source", func(l *lab) { l.src = mem.New(mem.Options{}); l.deletes("", "") }, precheck.Warn, "check its name"},
		{"empty source, no bound", func(l *lab) { l.src = mem.New(mem.Options{}); l.deletes("100%", "") }, precheck.Warn, "would go"},
		{"little selected", func(l *lab) { l.deletes("", "*") }, precheck.Warn, "0 of 3"},
		{"no source", func(l *lab) { l.deletes("", ""); l.src = fails(l.src, storage.ErrUnavailable, fault.Check) }, precheck.Skipped, "no answer"},
	},
}
