// Package taskfile reads task files: one or many tasks in YAML, with what each
// of them may say. The structs of this file are the one description of the
// format: the reader, the JSON Schema, the reference page and the templates are
// made from their fields and tags.
//
// Values stay text as it was written. What one value may look like is checked
// here; what values mean, and whether they go together, is the affair of the
// flags of the same name (Task.Words). It must not know flags, drivers, the
// environment or what a task does.
package taskfile

import (
	"path/filepath"

	"github.com/sluice-sync/sluice/yamltree"
)

// File is a task file. Its endpoints are read by package endpoint, from the
// same text.
type File struct {
	Tasks []Task // as written, with the defaults of the file filled in
}

// Task is one task.
type Task struct {
	ID     Value `key:"id" kind:"id" example:"photos" doc:"Name of the task, and the beginning of the name of its state: 1 to 24 small letters, digits and single dashes. Required."`
	Source Value `key:"source" kind:"text" example:"/data/photos" doc:"Where objects come from: a path, or ENDPOINT://bucket/prefix. Relative paths start at the directory of this file. Required."`
	Target Value `key:"target" kind:"text" example:"archive://photos" doc:"Where they go, written alike. Required."`
	Settings

	at  yamltree.Node
	dir string // of the file
}

// Settings are what a task may say besides its name and places, and what
// `defaults` may say for all tasks.
type Settings struct {
	Mode     Value    `key:"mode" kind:"mode" default:"stock" doc:"What the task does: stock copies what is there now. Following changes (full, incremental) is not in this release."`
	Filter   Filter   `key:"filter" doc:"Which objects take part."`
	Compare  Compare  `key:"compare" doc:"What counts as equal, and what may be written."`
	Delete   Delete   `key:"delete" doc:"Objects of the target that the source does not hold."`
	Object   Object   `key:"object" doc:"What of an object travels besides its bytes, and what becomes of objects in an archive."`
	Transfer Transfer `key:"transfer" doc:"How the work is done."`
}

// Filter selects objects.
type Filter struct {
	Rules     []Rule `key:"rules" doc:"Patterns in order; the last that matches decides. Each is one of include, exclude (a glob, or re: and a regular expression) and exclude_from (a file with one pattern a line; a relative path starts at the directory of this file). Default: everything takes part."`
	MinSize   Value  `key:"min_size" kind:"size" flag:"min-size" example:"1k" doc:"Only objects of at least so many bytes. Default: no bound."`
	MaxSize   Value  `key:"max_size" kind:"size" flag:"max-size" example:"5GiB" doc:"Only objects of at most so many bytes. Default: no bound."`
	NewerThan Value  `key:"newer_than" kind:"time" flag:"newer-than" example:"7d" doc:"Only objects modified since then. Default: no bound."`
	OlderThan Value  `key:"older_than" kind:"time" flag:"older-than" example:"2026-01-31" doc:"Only objects modified before then. Default: no bound."`
}

// Rule is one pattern, or a file of patterns.
type Rule struct {
	Kind    string // include, exclude or exclude_from
	Pattern Value
}

// Compare says what counts as equal.
type Compare struct {
	SizeOnly       Value `key:"size_only" kind:"bool" flag:"size-only" default:"false" doc:"Take equal sizes for equal objects."`
	Checksum       Value `key:"checksum" kind:"bool" flag:"checksum" default:"false" doc:"Let only checksums decide, not times."`
	Force          Value `key:"force" kind:"bool" flag:"force" default:"false" doc:"Copy everything, equal or not."`
	Update         Value `key:"update" kind:"bool" flag:"update" default:"false" doc:"Leave objects alone that are at least as new at the target."`
	IgnoreExisting Value `key:"ignore_existing" kind:"bool" flag:"ignore-existing" default:"false" doc:"Leave objects alone that exist at the target."`
	Existing       Value `key:"existing" kind:"bool" flag:"existing" default:"false" doc:"Only objects that exist at the target."`
	Metadata       Value `key:"metadata" kind:"bool" flag:"compare" yes:"metadata" default:"false" doc:"Compare metadata too, of objects with equal bytes."`
}

// Delete says what may be deleted.
type Delete struct {
	Enabled   Value `key:"enabled" kind:"bool" flag:"delete" default:"false" doc:"Delete them. Nothing is deleted after a listing that failed or was partial."`
	MaxDelete Value `key:"max_delete" kind:"cap" flag:"max-delete" example:"10%" doc:"Delete nothing if more than this would go: a number of objects, a share of the target such as 10%, or none for no bound. Default: 10% of a target of more than 100 objects."`
}

// Object says what of an object travels.
type Object struct {
	Expires      Value `key:"expires" kind:"text" flag:"expires" default:"keep" doc:"The Expires header of copies: keep, drop, a time (2030-01-31, RFC 3339) or a time from now on (+30d)."`
	StorageClass Value `key:"storage_class" kind:"text" flag:"storage-class" default:"keep" doc:"Storage class of copies: keep (the target's name for what it means), default (the bucket's own) or a class of the target."`
	Tags         Value `key:"tags" kind:"tags" flag:"tags" default:"keep" doc:"Tags of objects."`
	Owner        Value `key:"owner" kind:"bool" flag:"owner" default:"false" doc:"Keep owner and group of files, by number; takes a privileged user."`
	DirMarkers   Value `key:"dir_markers" kind:"bool" flag:"dir-markers" default:"false" doc:"Keep empty directories at an object store, as empty objects named dir/."`
	Archived     Value `key:"archived" kind:"archived" flag:"archived" default:"fail" doc:"Archived objects of the source: fail reports them, skip leaves them out, restore asks for a restore and waits for it."`
	RestoreDays  Value `key:"restore_days" kind:"count" flag:"restore-days" default:"7" doc:"Days for which restored copies stay readable."`
	RestoreTier  Value `key:"restore_tier" kind:"text" flag:"restore-tier" example:"Bulk" doc:"How fast to restore, in the words of the source's vendor. Needs archived: restore. Default: the vendor's."`
}

// Transfer says how the work is done.
type Transfer struct {
	Workers            Value `key:"workers" kind:"count" flag:"workers" default:"32" doc:"Small objects copied at once, 1 to 4096."`
	PartSize           Value `key:"part_size" kind:"size" flag:"part-size" default:"16MiB" doc:"Bytes in a part of a large object, raised where 10,000 parts would not do."`
	MultipartThreshold Value `key:"multipart_threshold" kind:"size" flag:"multipart-threshold" default:"64MiB" doc:"Bytes from which objects are sent in parts."`
	Bandwidth          Value `key:"bandwidth" kind:"size" flag:"bandwidth" example:"100MiB" doc:"Bytes per second of this task in all. Default: no bound."`
	RequestsPerSecond  Value `key:"requests_per_second" kind:"number" flag:"requests-per-second" default:"0" doc:"Requests per second of this task to each endpoint; 0: no bound."`
	Retries            Value `key:"retries" kind:"count" flag:"retries" default:"5" doc:"Tries per object before it is given up."`
	GiveUpAfter        Value `key:"give_up_after" kind:"duration" flag:"give-up-after" default:"10m0s" doc:"How long an endpoint may stay unusable before the task stops, resumable."`
	MaxErrors          Value `key:"max_errors" kind:"count" flag:"max-errors" default:"0" doc:"Objects given up after which the task stops, resumable; 0: no bound."`
	CreateBucket       Value `key:"create_bucket" kind:"bool" flag:"create-bucket" default:"false" doc:"Make the target bucket if it is not there."`
}

// Value is one value of a file.
type Value struct {
	Text string // as it was written; "" if the file does not say it
	at   yamltree.Node
}

// Given tells whether the file says it.
func (v Value) Given() bool { return v.Text != "" }

// Errorf makes an error that begins with where the value stands.
func (v Value) Errorf(format string, args ...any) error { return v.at.Errorf(format, args...) }

// Errorf makes an error that begins with where the task stands, and its id.
func (t Task) Errorf(format string, args ...any) error {
	return t.at.Errorf("task "+t.ID.Text+": "+format, args...)
}

// Dir is the directory at which relative paths of the task start.
func (t Task) Dir() string { return t.dir }

// below reads a path of the file.
func (t Task) below(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(t.dir, path)
}
