package endpoint

import (
	"fmt"
	"io"
	"time"
)

// Secret is a string that does not show itself: every way of printing or
// encoding it gives "***", or nothing if it is empty. It is a closure and not a
// string, because fmt and reflection look into unexported fields without
// asking the methods of their types.
type Secret struct{ reveal func() string }

// NewSecret hides a string.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{func() string { return s }}
}

// fileSecret is the text of a file, which held text a moment ago and may be
// replaced at any time.
func fileSecret(text, path string, read func(path string) ([]byte, error)) Secret {
	f := &keyFile{path: path, read: read}
	f.last.Store(&keyText{text, time.Now()})
	return Secret{f.reveal}
}

// Reveal returns the string itself, for the one who signs requests with it.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// String masks the secret.
func (s Secret) String() string {
	if s.reveal == nil {
		return ""
	}
	return "***"
}

// Format masks the secret under every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText masks the secret in JSON, YAML and logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
