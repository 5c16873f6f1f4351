package storage

import "strings"

// Tier is what a storage class means, whatever a vendor calls it, from the
// dearest to keep to the dearest to read.
type Tier uint8

// The tiers.
const (
	TierStandard   Tier = iota // read at once and often
	TierInfrequent             // read at once, at a price
	TierInstant                // an archive that is read at once
	TierArchive                // restored within hours, often minutes
	TierCold                   // restored within hours to half a day
	TierDeep                   // restored within days
)

// Class is one storage class of a place. A class of tier TierArchive or deeper
// must be restored before its objects can be read.
type Class struct {
	Name string // as requests and listings name it
	Tier Tier
}

// class finds a class by its name, in any case. "" is the first one.
func (f Features) class(name string) (Class, bool) {
	for i, c := range f.Classes {
		if strings.EqualFold(c.Name, name) || name == "" && i == 0 {
			return c, true
		}
	}
	return Class{}, false
}

// ClassNamed finds the storage class of that name, in any case, and returns
// its name as the place writes it.
func (f Features) ClassNamed(name string) (string, bool) {
	c, ok := f.class(name)
	return c.Name, ok && name != ""
}

// Archived tells whether objects of a class (Object.Class) must be restored
// before they can be read.
func (f Features) Archived(class string) bool {
	c, ok := f.class(class)
	return ok && c.Tier >= TierArchive
}

// ClassFrom returns the class in which f keeps an object that src keeps in the
// class named: the one of the same name and tier, else the first of that tier,
// else the first of the nearest dearer-to-keep tier, so that an object is never
// harder to read than it was. same is false if it is not of the same tier or
// the class is unknown, which counts as standard. "" is f's default.
func (f Features) ClassFrom(src Features, class string) (name string, same bool) {
	from, known := src.class(class)
	if !known && class != "" {
		if c, ok := f.class(class); ok { // two stores of one vendor, one of them described poorly
			return c.Name, true
		}
		return "", false
	}
	if len(f.Classes) == 0 {
		return "", from.Tier == TierStandard
	}
	if c, ok := f.class(from.Name); ok && known && c.Tier == from.Tier {
		return f.unlessDefault(c), true
	}
	best, found := Class{}, false
	for _, c := range f.Classes {
		if c.Tier <= from.Tier && (!found || c.Tier > best.Tier) {
			best, found = c, true
		}
	}
	return f.unlessDefault(best), found && best.Tier == from.Tier
}

// unlessDefault spares requests the name of the class they get without it.
func (f Features) unlessDefault(c Class) string {
	if c.Name == f.Classes[0].Name {
		return ""
	}
	return c.Name
}
