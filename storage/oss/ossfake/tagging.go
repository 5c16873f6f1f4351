package ossfake

import (
	"encoding/xml"
	"net/http"
	"slices"
	"unicode/utf8"
)

// tag is a tag as documents write it.
type tag struct {
	Key   string
	Value string
}

type tagging struct {
	XMLName xml.Name `xml:"Tagging"`
	Tags    []tag    `xml:"TagSet>Tag"`
}

func invalidTag(message string) *apiError {
	return refuse(http.StatusBadRequest, "InvalidTag", message)
}

// checkTags: at most ten, their keys distinct, of 1 to 128 characters, the
// values of up to 256 (help.aliyun.com/en/oss/developer-reference/putobjecttagging).
func checkTags(tags []tag) error {
	if len(tags) > 10 {
		return invalidTag("more than ten tags")
	}
	for i, t := range tags {
		if n := utf8.RuneCountInString(t.Key); n < 1 || n > 128 || utf8.RuneCountInString(t.Value) > 256 {
			return invalidTag("a tag's key or value is too long, or the key is empty")
		}
		if slices.ContainsFunc(tags[:i], func(o tag) bool { return o.Key == t.Key }) {
			return invalidTag("two tags have one key")
		}
	}
	return nil
}

func (s *Server) putTagging(c *call) error {
	var in tagging
	if err := c.document(&in); err != nil {
		return err
	}
	if err := checkTags(in.Tags); err != nil {
		return err
	}
	if err := s.change(c, func(o *object) { o.tags = in.Tags }); err != nil {
		return err
	}
	return c.status(http.StatusOK)
}

func (s *Server) getTagging(c *call) error {
	o, err := s.find(c.bucket, c.key)
	if err != nil {
		return err
	}
	return c.answer(tagging{Tags: o.tags})
}

func (s *Server) deleteTagging(c *call) error {
	if err := s.change(c, func(o *object) { o.tags = nil }); err != nil {
		return err
	}
	return c.status(http.StatusNoContent)
}

func validACL(acl string) bool {
	return slices.Contains([]string{"default", "private", "public-read", "public-read-write"}, acl)
}

func (s *Server) putACL(c *call) error {
	acl := c.header("X-Oss-Object-Acl")
	if !validACL(acl) {
		return invalid("no such ACL: " + acl)
	}
	if err := s.change(c, func(o *object) { o.acl = acl }); err != nil {
		return err
	}
	return c.status(http.StatusOK)
}

func (s *Server) getACL(c *call) error {
	o, err := s.find(c.bucket, c.key)
	if err != nil {
		return err
	}
	return c.answer(struct {
		XMLName xml.Name `xml:"AccessControlPolicy"`
		Owner   owner
		Grant   string `xml:"AccessControlList>Grant"`
	}{Owner: theOwner(), Grant: o.acl})
}
