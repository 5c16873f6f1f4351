package storage

import (
	"context"
	"io"
	"time"
)

// Part is one finished part of a multipart upload.
type Part struct {
	Number int // 1 … Features.MaxParts
	Size   int64
	ETag   string // as the target answered, without quotes
}

// Upload is an unfinished multipart upload at the target.
type Upload struct {
	Key     string
	ID      string
	Started time.Time
}

// UploadOptions begin a multipart upload.
type UploadOptions struct {
	Size     int64 // of the whole object
	PartSize int64 // of every part but the last; part n holds bytes [(n-1)*PartSize, n*PartSize)
	Meta     Metadata
}

// PartOptions go with the bytes of one part.
type PartOptions struct {
	Size int64
	MD5  func() []byte // as PutOptions.MD5, of this part
}

// Multipart is the power to write one object in parts, in parallel and across
// restarts. Nothing is visible before Complete. Parts may be sent in any order
// and again (the last one wins).
type Multipart interface {
	CreateUpload(ctx context.Context, key string, o UploadOptions) (id string, err error)
	// UploadPart reads body to its end and proves what the target received, as Put does.
	UploadPart(ctx context.Context, key, id string, n int, body io.Reader, o PartOptions) (Part, error)
	// ListParts returns the finished parts in ascending order; ErrNoUpload.
	// It is the truth about what need not be sent again.
	ListParts(ctx context.Context, key, id string) ([]Part, error)
	// CompleteUpload makes the object visible. parts are all parts in order.
	// After an error the object may still have been completed: Stat before
	// trying again. ErrNoUpload: completed before, or aborted.
	CompleteUpload(ctx context.Context, key, id string, parts []Part) (Object, error)
	// AbortUpload removes an upload and its parts; one that is gone is success.
	AbortUpload(ctx context.Context, key, id string) error
	// ListUploads returns the unfinished uploads of exactly this key, or of
	// all keys of the bucket if key is "".
	ListUploads(ctx context.Context, key string) ([]Upload, error)
}

// CopyOptions go with a server-side copy.
type CopyOptions struct {
	Meta Metadata
}

// Copier is the power to fetch an object from another bucket of the same
// endpoint (or the same machine's file systems) without its bytes passing
// through this process's memory.
type Copier interface {
	// CanCopyFrom tells whether src, decorators taken off, is within reach.
	CanCopyFrom(src Source) bool
	// CopyFrom makes key equal to exactly that version of obj at src
	// (ErrChanged if it is another by now), at most Features.MaxCopy bytes.
	CopyFrom(ctx context.Context, src Source, obj Object, key string, o CopyOptions) (Object, error)
}

// PartCopier is the power to fill a part of an upload from an object of the
// same endpoint, for objects above Features.MaxCopy.
type PartCopier interface {
	CopyPart(ctx context.Context, src Source, obj Object, off, n int64, key, id string, part int) (Part, error)
}

// Tree is the power to hold what only file systems have. Keys as in listings:
// a directory's key ends in "/".
type Tree interface {
	MakeDir(ctx context.Context, key string, m Metadata) error
	// Readlink returns the link's text, uninterpreted.
	Readlink(ctx context.Context, key string) (string, error)
	// Symlink makes or replaces a link atomically; a directory in its place is ErrExists.
	Symlink(ctx context.Context, key, text string, m Metadata) (Object, error)
	// SetMeta gives exactly that version of a file (ErrChanged if it is another
	// by now) the time, mode and owner that m knows, and leaves its bytes. It
	// returns what the target then holds.
	SetMeta(ctx context.Context, obj Object, m Metadata) (Object, error)
}

// Tagger is the power to read the tags of an object. They are written with the
// object, as Metadata.Tags.
type Tagger interface {
	// Tags returns the tags, empty if there are none. ErrNotFound, ErrDenied.
	Tags(ctx context.Context, key string) (map[string]string, error)
}

// Restorer is the power to make an archived object readable.
type Restorer interface {
	// Restore asks for a copy that is readable for so many days, at least 1.
	// tier is the vendor's word for how fast, "" its default. Asking again while
	// a restore is under way, or when the copy is there, is success. Stat tells
	// how far it has come.
	Restore(ctx context.Context, key string, days int, tier string) error
}

// Clock is the power to tell the time of the endpoint, which signatures are held
// against.
type Clock interface {
	// ServerTime makes one request and returns the time of its answer, to the
	// second. An answer that refuses the request has a time too, and counts:
	// a wrong clock is a reason to refuse. ErrUnsupported where answers name none.
	ServerTime(ctx context.Context) (time.Time, error)
}

// Syncer is the power to make all finished writes survive a power cut.
type Syncer interface {
	Sync(ctx context.Context) error
}

// Sweeper is the power to remove temporary files that a killed process of the
// same owner left behind. Call it only while nothing is being written. keep
// names the ids of uploads that will be resumed.
type Sweeper interface {
	Sweep(ctx context.Context, keep map[string]bool) (removed int, err error)
}

// Wrapper is what every decorator is: it holds a bucket and wraps the powers
// that the inner bucket has. A decorator implements no power itself.
type Wrapper interface {
	Unwrap() Source
	// WrapPower returns power (one of the interfaces of this file, as found in
	// the inner bucket) decorated, or power itself if there is nothing to add.
	// One value often implements several powers, and which of them is asked
	// for cannot be seen: start from PowersOf, which keeps them all.
	WrapPower(power any) any
}

// As finds a power of a bucket, looking through decorators, each of which
// gets to wrap it.
func As[T any](b Source) (T, bool) {
	if w, ok := b.(Wrapper); ok {
		inner, ok := As[T](w.Unwrap())
		if !ok {
			return inner, false
		}
		t, ok := w.WrapPower(inner).(T)
		return t, ok
	}
	t, ok := b.(T)
	return t, ok
}

// Undecorated takes all decorators off.
func Undecorated(b Source) Source {
	for {
		w, ok := b.(Wrapper)
		if !ok {
			return b
		}
		b = w.Unwrap()
	}
}
