package bus

import "time"

// Version is the "v" of every message this release writes. Messages of a
// higher version are not understood; see Delivery.Err.
const Version = 1

// Op is what an event asks to look at.
type Op string

// An event is a hint that a key may have changed, not an order.
const (
	OpPut    Op = "put"    // the key may hold something to bring over
	OpDelete Op = "delete" // the key may be gone
)

// Class separates events that must not wait for each other. Each class has a
// durable consumer of its own.
type Class string

// The classes.
const (
	ClassScan   Class = "scan"   // found by a listing
	ClassLive   Class = "live"   // announced by a feed
	ClassBulk   Class = "bulk"   // at or above the multipart threshold
	ClassRetry  Class = "retry"  // tried before
	ClassRepair Class = "repair" // asked for by the verifier or by hand
)

// Classes lists all classes in the order of their precedence.
var Classes = []Class{ClassLive, ClassRepair, ClassRetry, ClassScan, ClassBulk}

// Kind is the kind of entry, for what is not a plain object.
type Kind string

// The kinds on the wire; an absent one is a plain object or file.
const (
	KindDir        Kind = "dir"
	KindSymlink    Kind = "symlink"
	KindUnreadable Kind = "unreadable" // a directory that could not be listed: what it holds is not known
)

// Event says that one key may have changed. On the wire it is one JSON object
// (docs/streams.md); a key that is not valid UTF-8 travels as "key_b64".
type Event struct {
	Task  string
	Op    Op
	Key   string // relative to the task's source; for deletes to the target
	Kind  Kind
	Size  int64
	MTime time.Time
	ETag  string
	Inode uint64 // files: with CTime the rest of the version
	CTime int64
	// StorageClass is the source's name for an object's class, "" its standard:
	// what must be restored first is then known without asking for it.
	StorageClass string
	Class        Class
	Run          string
	Tries        int  // attempts made before this event, of class retry
	Waits        int  // of an archived object: looks that found it not yet restored
	Force        bool // apply even if the state says it was applied
}

// Outcome is how the handling of one event ended.
type Outcome string

// The outcomes. Copied, Skipped, Deleted and GivenUp are final for a run.
const (
	Copied   Outcome = "copied"
	Skipped  Outcome = "skipped"
	Deleted  Outcome = "deleted"
	Retrying Outcome = "retrying" // will be tried again at NextTry
	GivenUp  Outcome = "given_up" // reported as failed
)

// Result is the outcome of one event.
type Result struct {
	Task      string
	Run       string
	Seq       uint64 // of the event
	Op        Op
	Key       string
	Class     Class
	Kind      Kind
	Outcome   Outcome
	Reason    string // for skipped: "equal", "gone", "unsupported", …; see docs/streams.md
	Size      int64  // of the object
	Moved     int64  // bytes sent to the target
	Src       string // source version that was applied, storage.Object.Version
	Dst       string // storage.Object.TargetVersion of what the target holds now
	Unvouched bool   // nobody could vouch for the bytes that were read
	Lost      string // what of the object the target cannot hold: names with commas between them, see docs/streams.md
	Cause     string // for retrying and given up: a kind from storage.KindOf
	Error     string // and the whole message, without secrets
	Tries     int    // attempts including this one
	NextTry   time.Time
	Event     *Event // for retrying: the event to publish again
	At        time.Time
}
