package ossfake

import (
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// bucket holds objects and unfinished uploads. Server.mu guards it.
type bucket struct {
	name    string
	class   string
	created time.Time
	objects map[string]*object
	uploads map[string]*upload // by id
	sorted  []string           // the keys in byte order; nil: to be sorted anew
}

// set makes a key hold an object, or nothing.
func (b *bucket) set(key string, o *object) {
	if _, ok := b.objects[key]; ok != (o != nil) {
		b.sorted = nil
	}
	if o == nil {
		delete(b.objects, key)
		return
	}
	b.objects[key] = o
}

// keys returns all keys in byte order.
func (b *bucket) keys() []string {
	if b.sorted == nil {
		b.sorted = slices.Sorted(maps.Keys(b.objects))
	}
	return b.sorted
}

// CreateBucket makes a bucket, or empties the one of that name. class is that
// of objects put without one, "" Standard.
func (s *Server) CreateBucket(name, class string) {
	if class == "" {
		class = Standard
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buckets[name] = &bucket{
		name: name, class: class, created: s.now(), objects: map[string]*object{}, uploads: map[string]*upload{},
	}
}

// within calls f with the bucket of a request while nobody else uses it.
func (s *Server) within(name string, f func(b *bucket) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[name]
	if b == nil {
		return noSuchBucket(name)
	}
	return f(b)
}

type owner struct {
	ID          string
	DisplayName string
}

// theOwner of everything.
func theOwner() owner { return owner{"1234567890", "1234567890"} }

type bucketEntry struct {
	XMLName      xml.Name `xml:"Bucket"`
	CreationDate string
	Location     string
	Name         string
	Region       string
	StorageClass string
}

type bucketList struct {
	XMLName     xml.Name `xml:"ListAllMyBucketsResult"`
	Prefix      string
	Marker      string
	MaxKeys     int
	IsTruncated bool
	NextMarker  string
	Owner       owner
	Buckets     []bucketEntry `xml:"Buckets>Bucket"`
}

func (s *Server) listBuckets(c *call) error {
	limit, err := c.number("max-keys", 100, 1, 1000)
	if err != nil {
		return err
	}
	out := bucketList{Prefix: c.query.Get("prefix"), Marker: c.query.Get("marker"), MaxKeys: limit, Owner: theOwner()}
	s.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(s.buckets)) {
		if !strings.HasPrefix(name, out.Prefix) || name <= out.Marker {
			continue
		}
		if len(out.Buckets) == limit {
			out.IsTruncated, out.NextMarker = true, out.Buckets[limit-1].Name
			break
		}
		b := s.buckets[name]
		out.Buckets = append(out.Buckets, bucketEntry{
			CreationDate: stamp(b.created), Location: s.location(), Name: name, Region: s.o.Region, StorageClass: b.class,
		})
	}
	s.mu.Unlock()
	return c.answer(out)
}

func (s *Server) location() string { return "oss-" + s.o.Region }

// putBucket makes a bucket. One that is there is refused, whoever owns it:
// OSS's page on status 409 allows that also for one's own.
func (s *Server) putBucket(c *call) error {
	var in struct {
		XMLName      xml.Name `xml:"CreateBucketConfiguration"`
		StorageClass string
	}
	if c.r.ContentLength != 0 {
		if err := c.document(&in); err != nil {
			return err
		}
	}
	if in.StorageClass != "" && !validClass(in.StorageClass) {
		return invalid("no such storage class: " + in.StorageClass)
	}
	s.mu.Lock()
	_, exists := s.buckets[c.bucket]
	s.mu.Unlock()
	if exists {
		return refuse(http.StatusConflict, "BucketAlreadyExists", "there is a bucket of that name").with("BucketName", c.bucket)
	}
	s.CreateBucket(c.bucket, in.StorageClass)
	c.w.Header().Set("Location", "/"+c.bucket)
	return c.status(http.StatusOK)
}

// deleteBucket removes a bucket that holds neither objects nor uploads.
func (s *Server) deleteBucket(c *call) error {
	err := s.within(c.bucket, func(b *bucket) error {
		if len(b.objects)+len(b.uploads) > 0 {
			return refuse(http.StatusConflict, "BucketNotEmpty", "the bucket is not empty").with("BucketName", c.bucket)
		}
		delete(s.buckets, c.bucket)
		return nil
	})
	if err != nil {
		return err
	}
	return c.status(http.StatusNoContent)
}

type bucketInfo struct {
	XMLName            xml.Name `xml:"BucketInfo"`
	CreationDate       string   `xml:"Bucket>CreationDate"`
	ExtranetEndpoint   string   `xml:"Bucket>ExtranetEndpoint"`
	IntranetEndpoint   string   `xml:"Bucket>IntranetEndpoint"`
	Location           string   `xml:"Bucket>Location"`
	StorageClass       string   `xml:"Bucket>StorageClass"`
	Name               string   `xml:"Bucket>Name"`
	DataRedundancyType string   `xml:"Bucket>DataRedundancyType"`
	Owner              owner    `xml:"Bucket>Owner"`
	Grant              string   `xml:"Bucket>AccessControlList>Grant"`
}

func (s *Server) bucketInfo(c *call) error {
	out := bucketInfo{
		ExtranetEndpoint: s.location() + ".aliyuncs.com", IntranetEndpoint: s.location() + "-internal.aliyuncs.com",
		Location: s.location(), Name: c.bucket, DataRedundancyType: "LRS", Owner: theOwner(), Grant: "private",
	}
	err := s.within(c.bucket, func(b *bucket) error {
		out.CreationDate, out.StorageClass = stamp(b.created), b.class
		return nil
	})
	if err != nil {
		return err
	}
	return c.answer(out)
}

func (s *Server) bucketLocation(c *call) error {
	if err := s.within(c.bucket, func(*bucket) error { return nil }); err != nil {
		return err
	}
	return c.answer(struct {
		XMLName  xml.Name `xml:"LocationConstraint"`
		Location string   `xml:",chardata"`
	}{Location: s.location()})
}
