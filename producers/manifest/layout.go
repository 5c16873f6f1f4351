package manifest

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// record is what one record says.
type record struct {
	key      string
	stale    bool // it is not the latest version, or a delete marker
	ofBucket bool // the key is one of the bucket, not of the task's source
}

// layout is the form of a file. records returns a function that yields one
// record after another, and io.EOF at the end.
type layout interface {
	records(t *text) (next func() (record, error), err error)
}

// lineLayout is one key a line, every byte of it, without the line's end: LF
// or CR LF. Empty lines name nothing.
type lineLayout struct{}

func (lineLayout) records(t *text) (func() (record, error), error) {
	n := 0
	return func() (record, error) {
		n++
		b, err := t.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return record{}, fmt.Errorf("line %d %w", n, errLong)
		case err != nil && (len(b) == 0 || err != io.EOF): //nolint:errorlint // a broken connection may wrap it
			return record{}, err
		}
		b = bytes.TrimSuffix(b, []byte("\n"))
		return record{key: string(bytes.TrimSuffix(b, []byte("\r")))}, nil
	}, nil
}

// csvLayout is RFC 4180. A first record that has a field "key" is a header; else the
// first field is the key. schema, if there is one, names the columns of an
// inventory.
type csvLayout struct{ schema []string }

// columns are the places of what counts; -1: there is no such column.
type columns struct{ key, latest, marker int }

func (l csvLayout) records(t *text) (func() (record, error), error) {
	guard := &guard{r: t}
	r := csv.NewReader(guard)
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	n := 0
	read := func() ([]string, error) {
		n++
		guard.left = maxRecord
		rec, err := r.Read()
		if errors.Is(err, errLong) {
			err = fmt.Errorf("record %d %w", n, errLong)
		}
		return rec, err
	}
	var first []string
	cols, known := find(l.schema)
	if !known {
		rec, err := read()
		if err != nil && err != io.EOF { //nolint:errorlint // a broken connection may wrap it
			return nil, err
		}
		if cols, known = find(rec); !known {
			cols, first = columns{0, -1, -1}, rec
		}
	}
	return func() (record, error) {
		rec := first
		if first = nil; rec == nil {
			var err error
			if rec, err = read(); err != nil {
				return record{}, err
			}
		}
		out, err := cols.record(rec, l.schema != nil)
		if err != nil {
			err = fmt.Errorf("record %d: %w", n, err)
		}
		return out, err
	}, nil
}

// find looks the columns up by their names, in any case and with or without
// underscores. known tells whether there is a key among them.
func find(names []string) (c columns, known bool) {
	c = columns{-1, -1, -1}
	for i, name := range names {
		switch strings.ToLower(strings.ReplaceAll(strings.TrimSpace(name), "_", "")) {
		case "key":
			c.key = i
		case "islatest":
			c.latest = i
		case "isdeletemarker":
			c.marker = i
		}
	}
	return c, c.key >= 0
}

func (c columns) record(fields []string, inventory bool) (record, error) {
	field := func(i int) string {
		if i < 0 || i >= len(fields) {
			return ""
		}
		return fields[i]
	}
	if c.key >= len(fields) {
		return record{}, fmt.Errorf("%d fields, the key would be the %d.", len(fields), c.key+1)
	}
	r := record{
		key: strings.Clone(fields[c.key]), ofBucket: inventory,
		stale: strings.EqualFold(field(c.latest), "false") || strings.EqualFold(field(c.marker), "true"),
	}
	if !inventory {
		return r, nil
	}
	// Keys in inventories are URL-encoded (AWS, "Amazon S3 inventory list";
	// Aliyun, "Bucket inventory"), a space as "+" or "%20".
	key, err := url.QueryUnescape(r.key)
	if err != nil {
		return r, fmt.Errorf("key %q: %w", r.key, err)
	}
	r.key = key
	return r, nil
}

// guard bounds the bytes of one record: a csv.Reader would read on for ever to
// find the end of a quote.
type guard struct {
	r    io.Reader
	left int
}

func (g *guard) Read(b []byte) (int, error) {
	if g.left <= 0 {
		return 0, errLong
	}
	n, err := g.r.Read(b)
	g.left -= n
	return n, err
}
