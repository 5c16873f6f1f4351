// Package keymap says under which key of the target an object of the source
// is kept, and back. It is pure: no I/O, no state. One mapping serves listing,
// transfer, deletes and verification.
package keymap

// Map maps keys of the source to keys of the target. The zero Map keeps every
// key. Maps keep the byte order of the keys they accept.
type Map struct {
	single   bool
	from, to string
}

// Single maps the one key from to the one key to and nothing else.
func Single(from, to string) Map { return Map{single: true, from: from, to: to} }

// Target returns the target's key of a source key; ok is false if the source
// key takes no part.
func (m Map) Target(source string) (target string, ok bool) {
	if !m.single {
		return source, true
	}
	return m.to, source == m.from
}

// Source returns the source's key of a target key; ok is false if no source
// key leads there.
func (m Map) Source(target string) (source string, ok bool) {
	if !m.single {
		return target, true
	}
	return m.from, target == m.to
}

// Only returns the one pair of keys of a Single map.
func (m Map) Only() (from, to string, ok bool) { return m.from, m.to, m.single }
