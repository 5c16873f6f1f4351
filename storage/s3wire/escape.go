package s3wire

// EscapePath escapes a path as signatures and the source of a copy want it:
// all but unreserved characters and "/".
func EscapePath(s string) string { return escape(s, '/') }

// escapeQuery escapes a name or a value of a query.
func escapeQuery(s string) string { return escape(s, 'A') }

func escape(s string, also byte) string {
	n := 0
	for i := range len(s) {
		if c := s[i]; !unreserved(c) && c != also {
			n++
		}
	}
	if n == 0 {
		return s
	}
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)+2*n)
	for i := range len(s) {
		if c := s[i]; unreserved(c) || c == also {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
