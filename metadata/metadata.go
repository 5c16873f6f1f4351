// Package metadata decides what of an object's metadata travels, and in which
// form: what a task asks for, what the target can hold, how a file's mode and
// owner look as user metadata and back, which storage class stands for which.
//
// It decides, and makes no request but for tags. It must not know drivers.
package metadata

import (
	"context"
	"io/fs"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// Policy is what a task wants of metadata. The zero Policy keeps all that both
// ends can hold, but for the owner of files.
type Policy struct {
	Expires      Expires
	StorageClass string // "" keeps what a class means; ClassDefault; or a class of the target
	Owner        bool   // keep owner and group of files, by number
	DropTags     bool   // leave tags out, and never ask for them
}

// ClassDefault as Policy.StorageClass writes all objects in the target's
// default class.
const ClassDefault = "default"

// Names of a file's properties as user metadata of an object, and their forms:
// those of rclone's metadata of local files, octal with the type of file and
// decimal.
const (
	userMode = "mode"
	userUID  = "uid"
	userGID  = "gid"
)

// Bits of a mode that say what kind of file it is, as in stat(2).
const (
	modeRegular = 0o100000
	modeDir     = 0o040000
)

// Mapper makes the metadata of one task's copies. It is safe for concurrent use.
type Mapper struct {
	Policy
	src, dst storage.Features
	now      func() time.Time
}

// NewMapper returns a mapper between two places; now is for relative times of
// expiry, nil is time.Now.
func NewMapper(p Policy, src, dst storage.Features, now func() time.Time) Mapper {
	if now == nil {
		now = time.Now
	}
	return Mapper{Policy: p, src: src, dst: dst, now: now}
}

// KeepsTags tells whether tags travel: both places keep them, and they are wanted.
func (m *Mapper) KeepsTags() bool { return m.src.Tags && m.dst.Tags && !m.DropTags }

// Tags reads the tags of an object of b, one of the two places, that was looked
// at; nil where it has none or they do not travel.
func (m *Mapper) Tags(ctx context.Context, b storage.Source, info *storage.Info) (map[string]string, error) {
	if !m.KeepsTags() || info.Tagged == storage.TagsNone {
		return nil, nil
	}
	t, ok := storage.As[storage.Tagger](b)
	if !ok {
		return nil, nil
	}
	return t.Tags(ctx, info.Key)
}

// Map returns what the target is to be given along with the bytes of an object,
// and what of it the target cannot hold. tags are what Tags said.
func (m *Mapper) Map(info *storage.Info, tags map[string]string) (storage.Metadata, Loss) {
	out := info.Metadata
	if out.MTime.IsZero() && out.User["mtime"] == "" {
		out.MTime = info.ModTime
	}
	if !m.Owner {
		out.HasOwner = false
	}
	out.Tags = tags
	out.Expires = m.Expires.of(out.Expires, m.now)
	var lost Loss
	switch {
	case m.src.FileTree && m.dst.Metadata:
		fileToUser(&out, info.Kind == storage.KindDir || strings.HasSuffix(info.Key, "/"))
	case m.dst.FileTree && !m.src.FileTree:
		m.userToFile(&out)
	}
	if !m.dst.Metadata {
		lost |= dropHeaders(&out)
	}
	if len(tags) == 0 && !m.dst.Tags && m.src.Tags && !m.DropTags && info.Tagged == storage.TagsSome {
		lost |= Tags
	}
	class, same := m.class(info.Class)
	if !same {
		lost |= Class
	}
	out.StorageClass = class
	return out, lost
}

// class returns the class to write for one of the source.
func (m *Mapper) class(of string) (string, bool) {
	switch m.StorageClass {
	case "":
		return m.dst.ClassFrom(m.src, of)
	case ClassDefault:
		return "", true
	}
	if name, ok := m.dst.ClassNamed(m.StorageClass); ok {
		return name, true
	}
	return m.StorageClass, true // of a place whose classes are not known
}

// fileToUser puts a file's mode and owner where stores keep what they do not
// understand. What the file is said to have of that name is left alone.
func fileToUser(m *storage.Metadata, isDir bool) {
	if !m.HasMode && !m.HasOwner {
		return
	}
	user := make(map[string]string, len(m.User)+3)
	if m.HasMode {
		mode := uint64(m.Mode.Perm()) | modeRegular
		if isDir {
			mode = uint64(m.Mode.Perm()) | modeDir
		}
		user[userMode] = strconv.FormatUint(mode, 8)
	}
	if m.HasOwner {
		user[userUID] = strconv.FormatUint(uint64(m.UID), 10)
		user[userGID] = strconv.FormatUint(uint64(m.GID), 10)
	}
	maps.Copy(user, m.User)
	m.User, m.HasMode, m.HasOwner = user, false, false
}

// userToFile takes what fileToUser wrote, or rclone.
func (m *Mapper) userToFile(out *storage.Metadata) {
	if len(out.User) == 0 {
		return
	}
	rest := maps.Clone(out.User)
	if v, err := strconv.ParseUint(rest[userMode], 8, 32); err == nil {
		out.Mode, out.HasMode = fs.FileMode(v)&fs.ModePerm, true
		delete(rest, userMode)
	}
	uid, errU := strconv.ParseUint(rest[userUID], 10, 32)
	gid, errG := strconv.ParseUint(rest[userGID], 10, 32)
	if errU == nil && errG == nil {
		out.UID, out.GID, out.HasOwner = uint32(uid), uint32(gid), m.Owner
		delete(rest, userUID)
		delete(rest, userGID)
	}
	out.User = rest
}

// dropHeaders takes off what a place without metadata cannot hold.
func dropHeaders(m *storage.Metadata) (lost Loss) {
	for _, f := range headers(m) {
		if *f.value != "" && !f.trivial(*f.value) {
			lost |= f.loss
		}
		*f.value = ""
	}
	if len(m.User) > 0 {
		lost |= User
		m.User = nil
	}
	return lost
}

type header struct {
	value *string
	loss  Loss
}

// headers are the content headers of metadata.
func headers(m *storage.Metadata) [6]header {
	return [6]header{
		{&m.ContentType, ContentType}, {&m.ContentEncoding, ContentEncoding},
		{&m.ContentLanguage, ContentLanguage}, {&m.ContentDisposition, ContentDisposition},
		{&m.CacheControl, CacheControl}, {&m.Expires, ExpiresHeader},
	}
}

// trivial tells whether a value says nothing: stores give objects without a
// type one of these.
func (h header) trivial(v string) bool {
	return h.loss == ContentType && (v == "application/octet-stream" || v == "binary/octet-stream")
}

// Expires says what becomes of the Expires header: it is kept, unless one of
// the fields is set.
type Expires struct {
	Drop  bool
	After time.Duration // from the moment of copying
	At    time.Time
}

func (e Expires) of(kept string, now func() time.Time) string {
	switch {
	case e.Drop:
		return ""
	case e.After > 0:
		return now().Add(e.After).UTC().Format(http.TimeFormat)
	case !e.At.IsZero():
		return e.At.UTC().Format(http.TimeFormat)
	}
	return kept
}
