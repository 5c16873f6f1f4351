package s3fake

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// upload is one that was begun.
type upload struct {
	description
	id, key  string
	checksum bool // CRC32C of the whole object was announced
	started  time.Time
	parts    map[int]part
}

type part struct {
	data   []byte
	md5    [md5.Size]byte
	etag   string
	crc32c string
}

func (b *bucket) createUpload(r *request, id string) (answer, error) {
	d, err := r.describe()
	if err != nil {
		return answer{}, err
	}
	b.uploads[id] = &upload{
		description: d, id: id, key: r.key, started: r.now, parts: map[int]part{},
		checksum: r.Header.Get("X-Amz-Checksum-Algorithm") == "CRC32C",
	}
	return answer{doc: fmt.Sprintf("<InitiateMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><UploadId>%s</UploadId></InitiateMultipartUploadResult>",
		r.bucket, escapeXML(r.key), id)}, nil
}

// upload finds the one that a request names.
func (b *bucket) upload(r *request) (*upload, error) {
	u := b.uploads[r.query.Get("uploadId")]
	if u == nil || u.key != r.key {
		return nil, faultf(http.StatusNotFound, "NoSuchUpload", "The specified multipart upload does not exist.")
	}
	return u, nil
}

func (b *bucket) putPart(r *request) (answer, error) {
	p, err := b.addPart(r)
	if err != nil {
		return answer{}, err
	}
	return answer{header: map[string]string{"Etag": quote(p.etag)}}, nil
}

// addPart keeps the body of a request as a part.
func (b *bucket) addPart(r *request) (p part, err error) {
	u, err := b.upload(r)
	if err != nil {
		return p, err
	}
	n, err := strconv.Atoi(r.query.Get("partNumber"))
	switch {
	case err != nil || n < 1 || n > 10_000:
		return p, faultf(http.StatusBadRequest, "InvalidArgument", "the number of the part")
	case r.o.MustDeclare && (r.body.crc32c != "") != u.checksum:
		return p, faultf(http.StatusBadRequest, "InvalidRequest", "Checksum Type mismatch occurred between the upload and the part")
	}
	p = part{data: r.body.data, md5: r.body.md5, etag: r.etag(r.body.md5[:]), crc32c: r.body.crc32c}
	u.parts[n] = p
	return p, nil
}

const maxParts = 3 // per answer of ListParts, so that clients have to turn pages

func (b *bucket) listParts(r *request) (answer, error) {
	u, err := b.upload(r)
	if err != nil {
		return answer{}, err
	}
	marker, _ := strconv.Atoi(r.query.Get("part-number-marker")) // none is 0
	var doc strings.Builder
	last, count, more := 0, 0, false
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		if n <= marker {
			continue
		}
		if more = count == maxParts; more {
			break
		}
		p := u.parts[n]
		fmt.Fprintf(&doc, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag><Size>%d</Size>", n, escapeXML(quote(p.etag)), len(p.data))
		if p.crc32c != "" {
			doc.WriteString("<ChecksumCRC32C>" + p.crc32c + "</ChecksumCRC32C>")
		}
		doc.WriteString("</Part>")
		last, count = n, count+1
	}
	return answer{doc: fmt.Sprintf("<ListPartsResult><IsTruncated>%v</IsTruncated><NextPartNumberMarker>%d</NextPartNumberMarker>%s</ListPartsResult>",
		more, last, doc.String())}, nil
}

func (b *bucket) complete(r *request) (answer, error) {
	u, err := b.upload(r)
	if err != nil {
		return answer{}, err
	}
	o, err := u.join(r)
	if err != nil {
		return answer{}, err
	}
	if err := b.checkConditions(r); err != nil {
		return answer{}, err
	}
	if r.o.ErrorBehind200 {
		return behind200(), nil
	}
	delete(b.uploads, u.id)
	b.add(r.key, o)
	return answer{doc: fmt.Sprintf("<CompleteMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><ETag>%s</ETag></CompleteMultipartUploadResult>",
		r.bucket, escapeXML(r.key), escapeXML(quote(o.etag)))}, nil
}

// join makes the object of the parts that a request lists.
func (u *upload) join(r *request) (*object, error) {
	var list struct {
		Parts []struct {
			PartNumber     int
			ETag           string
			ChecksumCRC32C string
		} `xml:"Part"`
	}
	if err := xml.Unmarshal(r.body.data, &list); err != nil || len(list.Parts) == 0 {
		return nil, errMalformed
	}
	o := &object{description: u.description, modified: r.now}
	sums := md5.New()
	for i, want := range list.Parts {
		p, ok := u.parts[want.PartNumber]
		switch {
		case i > 0 && want.PartNumber <= list.Parts[i-1].PartNumber:
			return nil, faultf(http.StatusBadRequest, "InvalidPartOrder", "The list of parts was not in ascending order.")
		case !ok || strings.Trim(want.ETag, `"`) != p.etag || u.checksum && want.ChecksumCRC32C != p.crc32c:
			return nil, faultf(http.StatusBadRequest, "InvalidPart", "One or more of the specified parts could not be found.")
		case i < len(list.Parts)-1 && int64(len(p.data)) < r.o.MinPart:
			return nil, faultf(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
		}
		sums.Write(p.md5[:])
		o.data = append(o.data, p.data...)
	}
	if u.checksum {
		o.crc32c = crc32c(o.data)
	}
	o.etag = r.etag(sums.Sum(nil)) + "-" + strconv.Itoa(len(list.Parts))
	if r.o.ForeignETags { // as Qiniu's: a letter and base64
		o.etag = "l" + base64.URLEncoding.EncodeToString(sums.Sum(nil)) + "-" + strconv.Itoa(len(list.Parts))
	}
	return o, nil
}

func (b *bucket) abort(r *request) (answer, error) {
	u, err := b.upload(r)
	if err != nil {
		return answer{}, err
	}
	delete(b.uploads, u.id)
	return answer{status: http.StatusNoContent}, nil
}
