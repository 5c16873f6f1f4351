package s3fake

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// encoded tells whether keys of a listing are escaped, and how to write them.
func (r *request) encoded() (bool, func(string) string) {
	if r.o.NoEncoding || r.query.Get("encoding-type") != "url" {
		return false, escapeXML
	}
	return true, func(s string) string { return escape(s, "/") }
}

// list answers ListObjects and ListObjectsV2.
func (b *bucket) list(r *request) (answer, error) {
	q := r.query
	v2 := q.Get("list-type") == "2" && !r.o.ListV1Only
	most := 1000
	if v := q.Get("max-keys"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			return answer{}, faultf(http.StatusBadRequest, "InvalidArgument", "max-keys")
		}
		most = min(n, most)
	}
	isEncoded, write := r.encoded()
	after := q.Get("marker")
	if isEncoded && !v2 && r.o.LoopingMarker {
		after = ""
	}
	if v2 {
		if after = q.Get("start-after"); q.Has("continuation-token") {
			token, err := base64.StdEncoding.DecodeString(q.Get("continuation-token"))
			if err != nil {
				return answer{}, faultf(http.StatusBadRequest, "InvalidArgument", "The continuation token provided is incorrect")
			}
			after = string(token)
		}
	}
	keys, more := b.page(q.Get("prefix"), after, most)
	var doc strings.Builder
	fmt.Fprintf(&doc, "<ListBucketResult><Name>%s</Name><IsTruncated>%v</IsTruncated>", r.bucket, more)
	if isEncoded {
		doc.WriteString("<EncodingType>url</EncodingType>")
	}
	if more && v2 {
		fmt.Fprintf(&doc, "<NextContinuationToken>%s</NextContinuationToken>", base64.StdEncoding.EncodeToString([]byte(keys[len(keys)-1])))
	}
	for _, key := range keys {
		o := b.objects[key]
		fmt.Fprintf(&doc, "<Contents><Key>%s</Key><LastModified>%s</LastModified><ETag>%s</ETag><Size>%d</Size><StorageClass>%s</StorageClass></Contents>",
			write(key), o.modified.UTC().Format("2006-01-02T15:04:05.000Z"), escapeXML(quote(o.etag)), len(o.data), o.class.Name)
	}
	return answer{doc: doc.String() + "</ListBucketResult>"}, nil
}

// page returns the next keys and whether there are more.
func (b *bucket) page(prefix, after string, most int) (keys []string, more bool) {
	i, found := slices.BinarySearch(b.keys, max(after, prefix))
	if found && b.keys[i] == after {
		i++
	}
	for _, key := range b.keys[i:] {
		if !strings.HasPrefix(key, prefix) {
			break
		}
		if len(keys) == most {
			return keys, true
		}
		keys = append(keys, key)
	}
	return keys, false
}

const maxUploads = 3 // per answer of ListMultipartUploads, so that clients have to turn pages

// listUploads answers ListMultipartUploads.
func (b *bucket) listUploads(r *request) (answer, error) {
	if r.o.NoListUploads {
		return answer{}, errNotImplemented
	}
	var all []*upload
	keyMarker, idMarker := r.query.Get("key-marker"), r.query.Get("upload-id-marker")
	for _, u := range b.uploads {
		if strings.HasPrefix(u.key, r.query.Get("prefix")) && (u.key > keyMarker || u.key == keyMarker && u.id > idMarker) {
			all = append(all, u)
		}
	}
	slices.SortFunc(all, func(x, y *upload) int { return cmp.Or(cmp.Compare(x.key, y.key), cmp.Compare(x.id, y.id)) })
	more := len(all) > maxUploads
	all = all[:min(len(all), maxUploads)]
	isEncoded, write := r.encoded()
	var doc strings.Builder
	fmt.Fprintf(&doc, "<ListMultipartUploadsResult><IsTruncated>%v</IsTruncated>", more)
	if isEncoded {
		doc.WriteString("<EncodingType>url</EncodingType>")
	}
	if more {
		last := all[len(all)-1]
		fmt.Fprintf(&doc, "<NextKeyMarker>%s</NextKeyMarker><NextUploadIdMarker>%s</NextUploadIdMarker>", write(last.key), last.id)
	}
	for _, u := range all {
		fmt.Fprintf(&doc, "<Upload><Key>%s</Key><UploadId>%s</UploadId><Initiated>%s</Initiated></Upload>",
			write(u.key), u.id, u.started.UTC().Format(time.RFC3339))
	}
	return answer{doc: doc.String() + "</ListMultipartUploadsResult>"}, nil
}
