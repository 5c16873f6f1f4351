// Package storage is the contract between sluice and the places that hold
// objects: what an object is, how a bucket is listed, read and written, and
// which errors a caller can act on.
//
// It imports the standard library only. It must not know drivers, retry
// policy, tasks or the environment. The suite in storage/storagetest holds
// every driver, and every stack of decorators over a driver, to this contract.
package storage

import (
	"context"
	"encoding/hex"
	"io"
	"io/fs"
	"strconv"
	"time"
)

// Kind says what an entry is. Object stores hold only KindFile.
type Kind uint8

// The kinds of entry a listing can yield.
const (
	KindFile       Kind = iota // bytes that can be read
	KindDir                    // an empty directory of a file system; its key ends in "/"
	KindSymlink                // a symbolic link; never followed
	KindSpecial                // a FIFO, socket or device; never opened
	KindUnreadable             // a directory that cannot be listed; its key ends in "/"
)

// Object is what a listing tells about one entry. Keys are relative to the
// bucket's root (for a store: the prefix it was opened with), are raw bytes as
// the store holds them, and need not be valid UTF-8.
type Object struct {
	Key     string
	Size    int64     // bytes
	ModTime time.Time // stores: Last-Modified, in listings often to the millisecond, in Stat to the second
	ETag    string    // without quotes; "" where the place has none (files)
	Kind    Kind
	Class   string // storage class as the store names it; "" is the store's standard

	// Inode and CTime (nanoseconds since 1970) identify a version of a file
	// together with size and mtime. Both are 0 on stores.
	Inode uint64
	CTime int64
}

// Version names the bytes that were looked at: two looks with equal versions
// saw the same bytes. Stores: ETag and size (Last-Modified is left out because
// listings and HEAD give it in different precision). Files: inode, size,
// mtime and ctime. It is opaque, printable ASCII without spaces.
func (o Object) Version() string {
	b := make([]byte, 0, 64)
	if o.ETag != "" {
		b = append(b, o.ETag...)
		b = append(b, '/')
		return string(strconv.AppendInt(b, o.Size, 36))
	}
	b = append(b, 'f')
	b = strconv.AppendUint(b, o.Inode, 36)
	b = append(b, '.')
	b = strconv.AppendInt(b, o.Size, 36)
	b = append(b, '.')
	b = strconv.AppendInt(b, o.ModTime.UnixNano(), 36)
	b = append(b, '.')
	return string(strconv.AppendInt(b, o.CTime, 36))
}

// TargetVersion names what was written, as a later listing of the target will
// show it: ETag and size on stores; inode, size and mtime of a file (ctime is
// left out: chmod or a new hard link change it, not the bytes).
func (o Object) TargetVersion() string {
	if o.ETag == "" {
		o.CTime = 0
	}
	return o.Version()
}

// PlainMD5 returns the MD5 of the bytes if the ETag has the form of one
// (32 hexadecimal digits, no part suffix). Whether the store's ETags of that
// form are MD5s is declared by Features.ETagIsMD5.
func (o Object) PlainMD5() ([]byte, bool) {
	if len(o.ETag) != 32 {
		return nil, false
	}
	b, err := hex.DecodeString(o.ETag)
	return b, err == nil
}

// Metadata is what travels with an object besides its bytes. Header values
// are kept verbatim; "" means not set.
type Metadata struct {
	ContentType        string
	ContentEncoding    string
	ContentLanguage    string
	ContentDisposition string
	CacheControl       string
	Expires            string            // the Expires header, verbatim
	User               map[string]string // keys in lower case without the x-amz-meta- prefix; without "mtime" where MTime holds it

	// MTime is the modification time of the original. A file has it of its
	// own; a store keeps it as user metadata "mtime" in rclone's form
	// (seconds since 1970 with up to nine decimals). Zero: not known.
	MTime time.Time
	// Mode holds a file's permission bits. HasMode tells 0000 from unknown.
	Mode    fs.FileMode
	HasMode bool
	// UID and GID are a file's owner and group by number. HasOwner tells root
	// from unknown.
	UID, GID uint32
	HasOwner bool

	// Tags are an object's tags; nil: none. Reading an object does not read
	// them, since that takes a request of its own: see Info.Tagged and Tagger.
	Tags map[string]string
	// StorageClass is the class to write, as the target names it; "" is the
	// bucket's own default. Readers leave it empty: see Object.Class.
	StorageClass string
}

// Checksum is a digest of the whole object that the store keeps beside it.
type Checksum struct {
	Algorithm string // "CRC32C", "CRC64NVME", "CRC32", "SHA256", "SHA1", "CRC64ECMA"
	Value     []byte // big-endian for CRCs
}

// Info is one object as Stat or Open sees it.
type Info struct {
	Object
	Metadata
	Checksums []Checksum
	Tagged    Tagged
	Restored  Restored
}

// Tagged says whether an object has tags, as far as a look at it tells.
type Tagged uint8

// What a look at an object tells about its tags.
const (
	TagsUnknown Tagged = iota // ask Tagger, where the bucket has that power
	TagsNone
	TagsSome
)

// Restored is how far the restore of an archived object has come. The zero
// value: none was asked for, or the readable copy has lapsed.
type Restored struct {
	Ongoing bool      // asked for and not yet readable
	Until   time.Time // readable until then; zero: not readable, or for ever
}

// Range is a stretch of the key space: keys k with After < k <= Last, in byte
// order. An empty After starts at the first key, an empty Last ends at the end.
type Range struct {
	After string
	Last  string
}

// Pages is a listing under way. Next returns the next objects in strictly
// ascending byte order of their keys, at least one, or io.EOF at the end. The
// slice belongs to the caller. After an error other than io.EOF the listing
// is dead: list again from the last key seen. It is not safe for concurrent
// use. Close releases what the listing holds and may be called at any time.
type Pages interface {
	Next(ctx context.Context) ([]Object, error)
	Close() error
}

// Lister lists a bucket.
//
// Order is the byte order of whole keys: "a-b" < "a/b" < "a0". The listing is
// complete or it fails; what a file tree cannot look into it yields as
// KindUnreadable, so that it is neither silently left out nor taken for
// absent. A directory is yielded (as KindDir) only if it has no entries; "dir/"
// sorts before what is in it. List itself does no I/O.
type Lister interface {
	List(r Range) Pages
}

// ReadOptions say what of an object to read.
type ReadOptions struct {
	Offset int64
	Length int64 // -1: to the end
	// Want pins the version: if the object is another one by now, Open or a
	// later Read fails with ErrChanged. Nil reads whatever is there.
	Want *Object
}

// Reader is an open object. Body yields exactly the bytes asked for and then
// io.EOF; if the place delivers fewer it fails with an error of kind
// ErrUnavailable or ErrChanged, never with an early EOF. Bodies are never
// decoded (Content-Encoding is left alone).
type Reader struct {
	Info Info // of the whole object, also for ranges
	Body io.ReadCloser
	// Confirm looks once more whether the object is still the version that
	// was opened and returns ErrChanged if not. Nil where the read itself is
	// pinned by the store.
	Confirm func(ctx context.Context) error
}

// Source is a bucket that can be read. A value that only reads gets this type.
type Source interface {
	Lister
	// Stat looks at one object; ErrNotFound if there is none.
	Stat(ctx context.Context, key string) (Info, error)
	// Open starts to read an object; the caller closes Body. ErrNotFound,
	// ErrChanged, ErrDenied, ErrArchived.
	Open(ctx context.Context, key string, o ReadOptions) (*Reader, error)
	// Features declares what the bucket can do. Constant for its life.
	Features() Features
	// Check makes one cheap request to find out whether the bucket is there
	// and may be listed: nil, ErrNoBucket, ErrCredentials, ErrDenied,
	// ErrUnavailable.
	Check(ctx context.Context) error
	// String is the location as people write it; it holds no secret.
	String() string
}

// PutOptions go with the bytes of one object.
type PutOptions struct {
	Size int64 // exact number of bytes body yields
	Meta Metadata
	// MD5 returns the MD5 of all bytes of body; it is called only after body
	// gave io.EOF. Nil: the driver computes what it needs itself.
	MD5 func() []byte
	// IfAbsent: write only if the key holds nothing (ErrExists otherwise).
	// IfVersion: write only over this version (ErrChanged otherwise). Both are
	// honoured only where Features declare it, else the driver
	// returns ErrUnsupported.
	IfAbsent  bool
	IfVersion *Object
}

// Bucket is a place that can be read and written.
//
// All methods are safe for concurrent use. Every write is atomic: readers see
// the old object, none, or the new one, never a part of it. Cancelling ctx
// ends a call soon; a write that was cancelled may or may not have taken
// effect, as one whose answer was lost.
type Bucket interface {
	Source
	// Put writes an object whole and returns what the target now holds (Key,
	// Size, ETag or file identity). It reads body to its end; if body yields
	// fewer or more bytes than Size or fails, nothing becomes visible and the
	// error wraps body's. The driver proves that the target received the bytes
	// that body yielded (a checksum sent, or compared with the answer):
	// ErrCorrupt otherwise. A key that the place cannot hold: ErrInvalidKey.
	Put(ctx context.Context, key string, body io.Reader, o PutOptions) (Object, error)
	// Delete removes an object. Removing what is not there succeeds. On a file
	// system a key that ends in "/" removes that directory if it is empty
	// (ErrExists if not).
	Delete(ctx context.Context, key string) error
	// Create makes the bucket or the directory; one that is there is success.
	Create(ctx context.Context) error
}

// Features is what a bucket can do, decided once when it is opened. Core code
// branches on these, never on a driver's name.
type Features struct {
	ETagIsMD5    bool          // ETags of 32 hex digits are the MD5 of the bytes
	Metadata     bool          // keeps content headers and user metadata
	Tags         bool          // keeps tags; then it has the power Tagger
	FileTree     bool          // a file system: has inodes, directories, symlinks, modes
	PutIfAbsent  bool          // honours PutOptions.IfAbsent
	PutIfVersion bool          // honours PutOptions.IfVersion
	CheapRanges  bool          // listing may start at any key at no extra cost (stores)
	MTimeGrain   time.Duration // granularity of Object.ModTime as this place keeps what it is given; 0: it keeps none
	MaxPut       int64         // largest size of one Put, bytes; 0: no limit
	MinPart      int64         // smallest part but the last, bytes
	MaxPart      int64
	MaxParts     int
	MaxCopy      int64 // largest size of one server-side copy, bytes
	PageSize     int   // keys per listing request, for estimates
	// Classes are the storage classes of the place; nil: it has only one. They
	// must not be changed.
	Classes []Class
}
