package ossfake

import (
	"encoding/xml"
	"net/http"
)

type deleteRequest struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Objects []struct{ Key string } `xml:"Object"`
}

type deleted struct {
	XMLName xml.Name `xml:"Deleted"`
	Key     string
}

type deleteResult struct {
	XMLName      xml.Name `xml:"DeleteResult"`
	EncodingType string   `xml:",omitempty"`
	Deleted      []deleted
}

// deleteObjects removes up to 1,000 keys, those that hold nothing too. A quiet
// request has an answer without a body
// (help.aliyun.com/en/oss/developer-reference/deletemultipleobjects).
func (s *Server) deleteObjects(c *call) error {
	enc, encoding, err := c.encoder()
	if err != nil {
		return err
	}
	if c.header("Content-Md5") == "" {
		return refuse(http.StatusBadRequest, "MissingArgument", "Content-MD5 is missing").numbered("0016-00000606")
	}
	var in deleteRequest
	if err := c.document(&in); err != nil {
		return err
	}
	if n := len(in.Objects); n < 1 || n > 1000 {
		return refuse(http.StatusBadRequest, "MalformedXML", "between 1 and 1000 objects must be named")
	}
	out := deleteResult{EncodingType: encoding}
	err = s.within(c.bucket, func(b *bucket) error {
		for _, o := range in.Objects {
			b.set(o.Key, nil)
			out.Deleted = append(out.Deleted, deleted{Key: enc(o.Key)})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if in.Quiet {
		return c.status(http.StatusOK)
	}
	return c.answer(out)
}
