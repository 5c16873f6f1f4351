package ossfake_test

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"github.com/sluice-sync/sluice/storage/oss/ossfake"
)

// page is what both versions of a listing answer.
type page struct {
	IsTruncated           bool
	NextMarker            string
	NextContinuationToken string
	ContinuationToken     string
	KeyCount              int
	EncodingType          string
	Contents              []struct {
		Key, ETag, StorageClass, Type, LastModified, RestoreInfo string
		Size                                                     int
		Owner                                                    *struct{ ID string }
	}
	CommonPrefixes []struct{ Prefix string }
}

// items are the keys and common prefixes of a page in their order.
func (p page) items() []string {
	var out []string
	for _, c := range p.Contents {
		out = append(out, c.Key)
	}
	for _, c := range p.CommonPrefixes {
		out = append(out, c.Prefix)
	}
	slices.Sort(out)
	return out
}

func list(t *testing.T, c *oss.Client, p params) page {
	t.Helper()
	r := send(c, "GET", "", p, nil, "")
	want(t, r, 200, "")
	var out page
	ok(t, xml.Unmarshal([]byte(r.body), &out))
	return out
}

// walk lists all pages in one of the two versions.
func walk(t *testing.T, c *oss.Client, version int, p params) []string {
	t.Helper()
	var all []string
	for range 100 {
		got := list(t, c, p)
		all = append(all, got.items()...)
		next := got.NextMarker
		if version == 2 {
			next = got.NextContinuationToken
			equal(t, "KeyCount", got.KeyCount, len(got.items()))
		}
		if !got.IsTruncated {
			equal(t, "where a last page goes on", next, "")
			return all
		}
		if version == 2 {
			p["continuation-token"] = next
		} else {
			p["marker"] = next
		}
	}
	t.Fatal("the listing does not end")
	return nil
}

// TestPaging: whatever the size of the pages, a listing is the same, in byte
// order, each item once.
func TestPaging(t *testing.T) {
	s, c := start(t, ossfake.Options{})
	for _, k := range []string{"a", "a-b", "a/", "a/b", "a/b/c", "a0", "b//x", "b/x", "c/1", "c/2", "中/文"} {
		ok(t, s.Put(bkt, k, []byte(k), ""))
	}
	for _, x := range []struct{ prefix, delimiter, after, all string }{
		{"", "", "", "a a-b a/ a/b a/b/c a0 b//x b/x c/1 c/2 中/文"},
		{"a", "", "", "a a-b a/ a/b a/b/c a0"},
		{"a/", "", "", "a/ a/b a/b/c"},
		{"", "/", "", "a a-b a/ a0 b/ c/ 中/"},
		{"a/", "/", "", "a/ a/b a/b/"},
		{"b", "/", "", "b/"},
		{"", "b", "", "a a-b a/ a/b a0 b c/1 c/2 中/文"},
		{"", "", "a/", "a/b a/b/c a0 b//x b/x c/1 c/2 中/文"},
		{"", "", "a/a", "a/b a/b/c a0 b//x b/x c/1 c/2 中/文"},
		{"", "/", "a/", "a0 b/ c/ 中/"},
		{"", "/", "a/b", "a0 b/ c/ 中/"},
		{"c/", "", "a", "c/1 c/2"},
		{"", "", "中/文", ""},
		{"none", "/", "", ""},
	} {
		for size := 1; size <= 4; size++ {
			for version, from := range map[int]string{1: "marker", 2: "start-after"} {
				name := fmt.Sprintf("V%d %q %q after %q by %d", version, x.prefix, x.delimiter, x.after, size)
				t.Run(name, func(t *testing.T) {
					p := params{"prefix": x.prefix, "delimiter": x.delimiter, from: x.after, "max-keys": strconv.Itoa(size)}
					if version == 2 {
						p["list-type"] = "2"
					}
					equal(t, "listing", strings.Join(walk(t, c, version, p), " "), x.all)
				})
			}
		}
	}
}

// TestListEntries: what is told about an object, and how keys are encoded.
func TestListEntries(t *testing.T) {
	clock := newClock()
	s, c := start(t, ossfake.Options{Now: clock.now})
	key := "a b+c%/\x01&<中"
	ok(t, s.Put(bkt, key, []byte("0123456789"), ossfake.IA))
	got := list(t, c, params{"encoding-type": "url"})
	e := got.Contents[0]
	equal(t, "key", must(url.PathUnescape(e.Key))(t), key)
	equal(t, "encoded", strings.ContainsAny(e.Key, " +/<&"), false)
	equal(t, "encoding", got.EncodingType, "url")
	equal(t, "entry", strings.Join([]string{e.ETag, e.StorageClass, e.Type, strconv.Itoa(e.Size), e.LastModified}, " "),
		`"781E5E245D69B566979B86E28D23F2C7" IA Normal 10 2026-03-01T12:00:00.000Z`)
	equal(t, "owner", e.Owner != nil, true)
	got = list(t, c, params{"list-type": "2"})
	equal(t, "owner", got.Contents[0].Owner != nil, false)
	got = list(t, c, params{"list-type": "2", "fetch-owner": "true"})
	equal(t, "owner", got.Contents[0].Owner != nil, true)
}

// TestListDefaults: a page has 100 keys, and a token must be encoded in a URL
// and decoded in an encoded answer.
func TestListDefaults(t *testing.T) {
	s, c := start(t, ossfake.Options{})
	for i := range 101 {
		ok(t, s.Put(bkt, fmt.Sprintf("k%03d", i), nil, ""))
	}
	got := list(t, c, params{"list-type": "2"})
	equal(t, "keys", len(got.Contents), 100)
	equal(t, "token needs encoding", url.QueryEscape(got.NextContinuationToken) != got.NextContinuationToken, true)
	encoded := list(t, c, params{"list-type": "2", "encoding-type": "url"})
	equal(t, "token", must(url.QueryUnescape(encoded.NextContinuationToken))(t), got.NextContinuationToken)
	// A token counts for more than start-after.
	last := list(t, c, params{"list-type": "2", "continuation-token": got.NextContinuationToken, "start-after": "k000"})
	equal(t, "keys", strings.Join(last.items(), " "), "k100")
	equal(t, "token sent", last.ContinuationToken, got.NextContinuationToken)
}

func TestListRefused(t *testing.T) {
	_, c := start(t, ossfake.Options{})
	for _, p := range []params{
		{"max-keys": "0"}, {"max-keys": "1001"}, {"max-keys": "x"}, {"encoding-type": "base64"},
		{"prefix": strings.Repeat("p", 1024)}, {"marker": strings.Repeat("p", 1024)},
		{"list-type": "3"}, {"list-type": "2", "continuation-token": "k"}, {"list-type": "2", "continuation-token": "%"},
		{"uploads": nil, "max-uploads": "1001"}, {"uploads": nil, "delimiter": "/"},
	} {
		want(t, send(c, "GET", "", p, nil, ""), 400, "InvalidArgument")
	}
	want(t, sendTo(c, "GET", "nobucket", "", nil, nil, ""), 404, "NoSuchBucket")
	want(t, sendTo(c, "GET", "nobucket", "", params{"list-type": "2"}, nil, ""), 404, "NoSuchBucket")
}
