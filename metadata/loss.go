package metadata

import "strings"

// Loss is a set of properties that a target cannot hold.
type Loss uint16

// The properties.
const (
	ContentType Loss = 1 << iota
	ContentEncoding
	ContentLanguage
	ContentDisposition
	CacheControl
	ExpiresHeader
	User
	Tags
	Class
)

var lossNames = []string{
	"content_type", "content_encoding", "content_language", "content_disposition", "cache_control", "expires",
	"user_metadata", "tags", "storage_class",
}

// String is the names with commas between them, as results carry them.
func (l Loss) String() string {
	var names []string
	for i, n := range lossNames {
		if l&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return strings.Join(names, ",")
}

// Losses takes apart what Loss.String made; unknown names stay.
func Losses(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
