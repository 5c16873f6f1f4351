package s3fake

import "github.com/sluice-sync/sluice/storage"

// Like returns the habits of a provider's store, as its pages and those who
// talk to it tell them (docs/providers.md); false for a provider that is not
// known. Part sizes are left open.
func Like(provider string) (Options, bool) {
	o, ok := map[string]Options{
		"aws":   {MustDeclare: true, Classes: amazon()},
		"minio": {Classes: classes("STANDARD", "REDUCED_REDUNDANCY")},
		"s3":    {PathOnly: true, NoTrailers: true, NoConditions: true, NoEncoding: true, NoTags: true},
		"oss-s3": {
			VirtualOnly: true, NoTrailers: true, NoConditions: true, NoTags: true, NoRestore: true, DeleteNeedsMD5: true,
			CapitalETags: true, ForeignETags: true, Classes: classes("STANDARD", "STANDARD_IA", "GLACIER"),
		},
		"jd":   {NoTrailers: true, NoConditions: true, NoTags: true, Classes: classes("STANDARD", "REDUCED_REDUNDANCY")},
		"jrss": {PathOnly: true, NoTrailers: true, NoConditions: true, NoTags: true},
		"qiniu": {
			NoTrailers: true, NoConditions: true, NoTags: true, NoEncoding: true, ForeignETags: true,
			Classes: classes("STANDARD", "LINE", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"),
		},
		"cos": {
			VirtualOnly: true, NoTrailers: true, NoConditions: true, NoTags: true, ListV1Only: true, DeleteNeedsMD5: true,
			ForeignETags: true, Classes: classes("STANDARD", "INTELLIGENT_TIERING", "STANDARD_IA", "ARCHIVE", "DEEP_ARCHIVE"),
		},
		"obs": {
			NoTrailers: true, NoConditions: true, NoTags: true, ListV1Only: true, LoopingMarker: true, DeleteNeedsMD5: true,
			Classes: classes("STANDARD", "STANDARD_IA", "GLACIER"),
		},
		"ceph": {PathOnly: true, NoTrailers: true, NoConditions: true},
		"r2":   {NoTrailers: true, NoTags: true, ForeignETags: true, Classes: classes("STANDARD", "STANDARD_IA")},
	}[provider]
	return o, ok
}

func amazon() []storage.Class {
	return classes("STANDARD", "REDUCED_REDUNDANCY", "INTELLIGENT_TIERING", "STANDARD_IA", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
}

// classes are archives by their name.
func classes(names ...string) []storage.Class {
	var all []storage.Class
	for _, name := range names {
		c := storage.Class{Name: name}
		switch name {
		case "GLACIER", "ARCHIVE":
			c.Tier = storage.TierArchive
		case "DEEP_ARCHIVE":
			c.Tier = storage.TierDeep
		}
		all = append(all, c)
	}
	return all
}

// class finds one by its name; "" is the default.
func (o Options) class(name string) (storage.Class, bool) {
	for i, c := range o.Classes {
		if c.Name == name || name == "" && i == 0 {
			return c, true
		}
	}
	return storage.Class{}, false
}
