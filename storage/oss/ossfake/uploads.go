package ossfake

import (
	"cmp"
	"encoding/xml"
	"maps"
	"slices"
	"strconv"
	"strings"
)

type partEntry struct {
	XMLName       xml.Name `xml:"Part"`
	PartNumber    int
	LastModified  string
	ETag          string
	HashCrc64ecma string
	Size          int
}

type partList struct {
	XMLName              xml.Name `xml:"ListPartsResult"`
	EncodingType         string   `xml:",omitempty"`
	Bucket               string
	Key                  string
	UploadID             string `xml:"UploadId"`
	StorageClass         string
	PartNumberMarker     int
	NextPartNumberMarker int `xml:",omitempty"`
	MaxParts             int
	IsTruncated          bool
	Parts                []partEntry
}

// listParts lists the parts after part-number-marker in ascending order.
func (s *Server) listParts(c *call) error {
	enc, encoding, err := c.encoder()
	if err != nil {
		return err
	}
	limit, err := c.number("max-parts", 1000, 1, 1000)
	if err != nil {
		return err
	}
	marker, err := c.number("part-number-marker", 0, 0, maxParts)
	if err != nil {
		return err
	}
	out := partList{
		EncodingType: encoding, Bucket: c.bucket, Key: enc(c.key), PartNumberMarker: marker, MaxParts: limit,
	}
	err = s.uploading(c, func(b *bucket, u *upload) error {
		out.UploadID, out.StorageClass = u.id, cmp.Or(u.properties.class, b.class)
		for _, n := range slices.Sorted(maps.Keys(u.parts)) {
			if n <= marker {
				continue
			}
			if len(out.Parts) == limit {
				out.IsTruncated = true
				break
			}
			p := u.parts[n]
			out.NextPartNumberMarker = n
			out.Parts = append(out.Parts, partEntry{
				PartNumber: n, LastModified: stamp(p.modified), ETag: quote(p.etag),
				HashCrc64ecma: strconv.FormatUint(crcOf(p.data), 10), Size: len(p.data),
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.answer(out)
}

type uploadEntry struct {
	XMLName      xml.Name `xml:"Upload"`
	Key          string
	UploadID     string `xml:"UploadId"`
	StorageClass string
	Initiated    string
}

type uploadList struct {
	XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
	EncodingType       string   `xml:",omitempty"`
	Bucket             string
	KeyMarker          string
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      string
	NextUploadIDMarker string `xml:"NextUploadIdMarker"`
	Delimiter          string
	Prefix             string
	MaxUploads         int
	IsTruncated        bool
	Uploads            []uploadEntry
}

// listUploads lists the unfinished uploads by key and id. Those after key-marker
// are listed, and with an upload-id-marker also those of that key with a
// greater id (help.aliyun.com/en/oss/developer-reference/listmultipartuploads).
// A delimiter is not served.
func (s *Server) listUploads(c *call) error {
	enc, encoding, err := c.encoder()
	if err != nil {
		return err
	}
	limit, err := c.number("max-uploads", 1000, 1, 1000)
	if err != nil {
		return err
	}
	q := c.query
	if q.Get("delimiter") != "" {
		return invalid("the double lists uploads without a delimiter only")
	}
	out := uploadList{
		EncodingType: encoding, Bucket: c.bucket, KeyMarker: enc(q.Get("key-marker")), UploadIDMarker: q.Get("upload-id-marker"),
		Prefix: enc(q.Get("prefix")), MaxUploads: limit,
	}
	err = s.within(c.bucket, func(b *bucket) error {
		for _, u := range b.uploadsAfter(q.Get("key-marker"), q.Get("upload-id-marker"), q.Get("prefix")) {
			if len(out.Uploads) == limit {
				out.IsTruncated = true
				break
			}
			out.NextKeyMarker, out.NextUploadIDMarker = enc(u.key), u.id
			out.Uploads = append(out.Uploads, uploadEntry{
				Key: enc(u.key), UploadID: u.id, StorageClass: cmp.Or(u.properties.class, b.class), Initiated: stamp(u.initiated),
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.answer(out)
}

// uploadsAfter are the uploads after the markers, in order.
func (b *bucket) uploadsAfter(key, id, prefix string) []*upload {
	var after []*upload
	for _, u := range b.uploads {
		if strings.HasPrefix(u.key, prefix) && (u.key > key || u.key == key && id != "" && u.id > id) {
			after = append(after, u)
		}
	}
	slices.SortFunc(after, func(a, b *upload) int {
		return cmp.Or(strings.Compare(a.key, b.key), strings.Compare(a.id, b.id))
	})
	return after
}
