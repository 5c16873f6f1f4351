package metadata

import (
	"reflect"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

var (
	amazon = storage.Features{Metadata: true, Tags: true, Classes: []storage.Class{
		{Name: "STANDARD"}, {Name: "STANDARD_IA", Tier: storage.TierInfrequent}, {Name: "GLACIER_IR", Tier: storage.TierInstant},
		{Name: "GLACIER", Tier: storage.TierArchive}, {Name: "DEEP_ARCHIVE", Tier: storage.TierDeep},
	}}
	aliyun = storage.Features{Metadata: true, Tags: true, Classes: []storage.Class{
		{Name: "Standard"}, {Name: "IA", Tier: storage.TierInfrequent}, {Name: "Archive", Tier: storage.TierArchive},
		{Name: "ColdArchive", Tier: storage.TierCold}, {Name: "DeepColdArchive", Tier: storage.TierDeep},
	}}
	plain = storage.Features{Metadata: true} // a store without tags and classes
	files = storage.Features{FileTree: true, MTimeGrain: 1}
	when  = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
)

func now() time.Time { return when }

func TestClasses(t *testing.T) {
	for _, tc := range []struct {
		src, dst    storage.Features
		class, want string
		same        bool
	}{
		{amazon, amazon, "", "", true},
		{amazon, amazon, "GLACIER", "GLACIER", true},
		{amazon, aliyun, "", "", true},
		{amazon, aliyun, "STANDARD", "", true},
		{amazon, aliyun, "STANDARD_IA", "IA", true},
		{amazon, aliyun, "GLACIER_IR", "IA", false}, // never harder to read than it was
		{amazon, aliyun, "GLACIER", "Archive", true},
		{amazon, aliyun, "DEEP_ARCHIVE", "DeepColdArchive", true},
		{aliyun, amazon, "ColdArchive", "GLACIER", false},
		{aliyun, amazon, "DeepColdArchive", "DEEP_ARCHIVE", true},
		{aliyun, plain, "IA", "", false},
		{aliyun, plain, "", "", true},
		{files, amazon, "", "", true},
		{aliyun, files, "Archive", "", false},
		{aliyun, files, "", "", true},
		{amazon, aliyun, "UNHEARD_OF", "", false},
		{plain, amazon, "glacier", "GLACIER", true},
	} {
		m := NewMapper(Policy{}, tc.src, tc.dst, now)
		got, lost := m.Map(&storage.Info{Object: storage.Object{Class: tc.class}, Tagged: storage.TagsNone}, nil)
		if got.StorageClass != tc.want || (lost&Class == 0) != tc.same {
			t.Errorf("%q becomes %q (lost %q), want %q, same %v", tc.class, got.StorageClass, lost, tc.want, tc.same)
		}
	}
}

func TestMap(t *testing.T) {
	full := storage.Metadata{
		ContentType: "a/b", ContentEncoding: "br", ContentLanguage: "de", ContentDisposition: "inline", CacheControl: "no-store",
		Expires: "0", User: map[string]string{"k": "v"}, MTime: when,
	}
	file := storage.Metadata{MTime: when, Mode: 0o640, HasMode: true, UID: 5, GID: 6, HasOwner: true}
	for name, tc := range map[string]struct {
		policy   Policy
		src, dst storage.Features
		in, want storage.Metadata
		tagged   storage.Tagged
		lost     string
	}{
		"between stores": {Policy{}, amazon, aliyun, full, full, storage.TagsNone, ""},
		"no tags there":  {Policy{}, amazon, plain, full, full, storage.TagsSome, "tags"},
		"tags unwanted":  {Policy{DropTags: true}, amazon, plain, full, full, storage.TagsSome, ""},
		"to files": {
			Policy{}, amazon, files, full, storage.Metadata{MTime: when}, storage.TagsSome,
			"content_type,content_encoding,content_language,content_disposition,cache_control,expires,user_metadata,tags",
		},
		"nothing worth a word": {
			Policy{}, amazon, files, storage.Metadata{ContentType: "application/octet-stream", MTime: when},
			storage.Metadata{MTime: when}, storage.TagsNone, "",
		},
		"files to a store": {
			Policy{}, files, amazon, file, storage.Metadata{MTime: when, Mode: 0o640, UID: 5, GID: 6, User: map[string]string{"mode": "100640"}}, 0, "",
		},
		"with owner": {
			Policy{Owner: true}, files, amazon, file,
			storage.Metadata{MTime: when, Mode: 0o640, UID: 5, GID: 6, User: map[string]string{"mode": "100640", "uid": "5", "gid": "6"}}, 0, "",
		},
		"and back": {
			Policy{Owner: true}, amazon, files, storage.Metadata{MTime: when, User: map[string]string{"mode": "100640", "uid": "5", "gid": "6"}},
			file, storage.TagsNone, "",
		},
		"back without owner": {
			Policy{}, amazon, files, storage.Metadata{MTime: when, User: map[string]string{"mode": "0100604", "uid": "5", "gid": "6"}},
			storage.Metadata{MTime: when, Mode: 0o604, HasMode: true, UID: 5, GID: 6}, storage.TagsNone, "",
		},
		"nonsense is kept for loss": {
			Policy{}, amazon, files, storage.Metadata{MTime: when, User: map[string]string{"mode": "rw"}}, storage.Metadata{MTime: when},
			storage.TagsNone, "user_metadata",
		},
		"between files":    {Policy{}, files, files, file, storage.Metadata{MTime: when, Mode: 0o640, HasMode: true, UID: 5, GID: 6}, 0, ""},
		"files with owner": {Policy{Owner: true}, files, files, file, file, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMapper(tc.policy, tc.src, tc.dst, now)
			got, lost := m.Map(&storage.Info{Metadata: tc.in, Tagged: tc.tagged}, nil)
			if len(got.User) == 0 {
				got.User = nil
			}
			if !reflect.DeepEqual(got, tc.want) || lost.String() != tc.lost {
				t.Errorf("got  %+v, lost %q\nwant %+v, lost %q", got, lost, tc.want, tc.lost)
			}
		})
	}
}

func TestExpires(t *testing.T) {
	for _, tc := range []struct {
		e    Expires
		want string
	}{
		{Expires{}, "0"}, {Expires{Drop: true}, ""},
		{Expires{After: 48 * time.Hour}, "Sun, 04 Jan 2026 03:04:05 GMT"},
		{Expires{At: when.Add(time.Hour)}, "Fri, 02 Jan 2026 04:04:05 GMT"},
	} {
		m := NewMapper(Policy{Expires: tc.e}, amazon, amazon, now)
		if got, _ := m.Map(&storage.Info{Metadata: storage.Metadata{Expires: "0"}}, nil); got.Expires != tc.want {
			t.Errorf("%+v: %q, want %q", tc.e, got.Expires, tc.want)
		}
	}
}

// Equal holds for what Map made, and for nothing that differs from it.
func TestEqual(t *testing.T) {
	base := func() storage.Info {
		return storage.Info{
			Object: storage.Object{Class: "IA"},
			Metadata: storage.Metadata{
				ContentType: "a/b", ContentEncoding: "br", CacheControl: "x", Expires: "0", User: map[string]string{"k": "v"}, MTime: when,
			},
		}
	}
	tags := map[string]string{"t": "1"}
	m := NewMapper(Policy{}, aliyun, aliyun, now)
	src := base()
	want, _ := m.Map(&src, tags)
	same := base()
	if !m.Equal(want, &same, tags) {
		t.Fatal("a copy is not equal")
	}
	for name, change := range map[string]func(*storage.Info){
		"type":     func(i *storage.Info) { i.ContentType = "a/c" },
		"language": func(i *storage.Info) { i.ContentLanguage = "de" },
		"encoding": func(i *storage.Info) { i.ContentEncoding = "" },
		"cache":    func(i *storage.Info) { i.CacheControl = "y" },
		"expires":  func(i *storage.Info) { i.Expires = "" },
		"user":     func(i *storage.Info) { i.User = map[string]string{"k": "w"} },
		"more":     func(i *storage.Info) { i.User = map[string]string{"k": "v", "l": ""} },
		"mtime":    func(i *storage.Info) { i.MTime = when.Add(time.Microsecond) },
		"class":    func(i *storage.Info) { i.Class = "" },
	} {
		have := base()
		change(&have)
		if m.Equal(want, &have, tags) {
			t.Errorf("another %s passes for equal", name)
		}
	}
	if m.Equal(want, &same, nil) {
		t.Error("missing tags pass for equal")
	}
	coarse := base()
	coarse.MTime = when.Truncate(time.Second)
	if !m.Equal(want, &coarse, tags) {
		t.Error("a time in whole seconds is not equal to the finer one")
	}
	later := NewMapper(Policy{Expires: Expires{After: time.Hour}}, aliyun, aliyun, now)
	want, _ = later.Map(&src, tags)
	if !later.Equal(want, &same, tags) {
		t.Error("a time of expiry that was counted from another moment is not equal")
	}
	untyped := NewMapper(Policy{}, files, aliyun, now)
	want, _ = untyped.Map(&storage.Info{Metadata: storage.Metadata{MTime: when}}, nil)
	if !untyped.Equal(want, &storage.Info{Metadata: storage.Metadata{MTime: when, ContentType: "application/octet-stream"}}, nil) {
		t.Error("the type that stores give to objects without one is not equal to none")
	}
}

func TestEqualFiles(t *testing.T) {
	m := NewMapper(Policy{Owner: true}, files, files, now)
	src := storage.Info{Metadata: storage.Metadata{MTime: when, Mode: 0o640, HasMode: true, UID: 1, GID: 2, HasOwner: true}}
	want, _ := m.Map(&src, nil)
	for name, change := range map[string]func(*storage.Info){
		"mode":  func(i *storage.Info) { i.Mode = 0o600 },
		"owner": func(i *storage.Info) { i.UID = 2 },
		"group": func(i *storage.Info) { i.GID = 3 },
		"time":  func(i *storage.Info) { i.MTime = when.Add(1) },
	} {
		have := src
		if !m.Equal(want, &have, nil) {
			t.Fatal("a copy is not equal")
		}
		if change(&have); m.Equal(want, &have, nil) {
			t.Errorf("another %s passes for equal", name)
		}
	}
}
