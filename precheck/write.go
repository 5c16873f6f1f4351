package precheck

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-sync/sluice/storage"
)

// notProbed says why nothing was written; "" if something was.
func (c *Config) notProbed(l *looks) string {
	switch {
	case !c.Probe:
		return "nothing is written in a dry run"
	case l.target.err != nil:
		return noAnswer(&l.target)
	}
	return ""
}

func (c *Config) write(l *looks) Item {
	k := check{"target.write", "target can be written", "an object was written and looked at: " + l.probe.key}
	if c.Probe && c.TargetMakeable != nil && errors.Is(l.target.err, storage.ErrNoBucket) {
		k.tried = "a file was made and removed where the directory is going to be"
		if err := c.TargetMakeable(); err != nil {
			return k.fail(err.Error(), "allow this user to make the directory")
		}
		return k.pass("written")
	}
	if why := c.notProbed(l); why != "" {
		return k.skip(why)
	}
	if err := l.probe.write.err; err != nil {
		return k.refused(err, "allow to write and look (s3:PutObject and s3:GetObject, oss:PutObject and oss:GetObject; on a file system write permission), or choose another class by --storage-class")
	}
	return k.pass("written")
}

func (c *Config) multipart(l *looks) Item {
	k := check{"target.multipart", "target takes uploads in parts", "an upload was begun, one part sent, and aborted"}
	if why := c.notProbed(l); why != "" {
		return k.skip(why)
	}
	switch p := l.probe.multipart; {
	case !p.done:
		return k.skip("it has none")
	case p.err != nil:
		return k.refused(p.err, "allow uploads in parts (s3:PutObject and s3:AbortMultipartUpload, oss:PutObject and oss:AbortMultipartUpload), or raise --multipart-threshold above the largest object")
	}
	return k.pass("begun, sent and aborted")
}

func (c *Config) tags(l *looks) Item {
	k := check{"target.tags", "target keeps tags", "an object with a tag was written, and its tags read"}
	why := c.notProbed(l)
	if !c.keepsTags() {
		why = "no tags travel between these two"
	}
	switch p := l.probe.tags; {
	case why != "":
		return k.skip(why)
	case !p.done:
		return k.skip("it cannot tell tags")
	case errors.Is(p.err, errTags):
		return k.fail(p.err.Error(), "leave tags out by --tags drop")
	case p.err != nil:
		return k.refused(p.err, "allow tags (s3:PutObjectTagging and s3:GetObjectTagging, oss:PutObjectTagging and oss:GetObjectTagging), or leave them out by --tags drop")
	}
	return k.pass("kept")
}

// delete is a Fail only where the task deletes.
func (c *Config) delete(l *looks) Item {
	k := check{"target.delete", "target lets delete", "the object written was deleted and looked for"}
	if why := c.notProbed(l); why != "" {
		return k.skip(why)
	}
	const allow = "allow to delete (s3:DeleteObject, oss:DeleteObject)"
	left := "what the check left at the target: " + strings.Join(l.probe.left, ", ")
	switch p := &l.probe; {
	case !p.remove.done:
		return k.skip("nothing was written")
	case p.remove.err == nil:
		return k.pass("deleted")
	case c.Spec.Delete:
		return k.refused(p.remove.err, allow+", and remove "+left)
	default:
		return k.warn(p.remove.err.Error(), "this task does not delete; remove "+left+", or "+allow)
	}
}

func (c *Config) apart(l *looks) Item {
	k := check{"apart", "source and target are apart", "names were compared, and the object written was looked for at the source"}
	if l.probe.key == "" {
		k.tried = "names were compared"
	}
	const mend = "choose a target that is neither the source, nor inside it, nor around it"
	if c.Apart != nil {
		if err := c.Apart(); err != nil {
			return k.fail(err.Error(), mend)
		}
	}
	if l.probe.same {
		return k.fail(fmt.Sprintf("%s and %s are one place: what was written to one is at the other", c.Source, c.Target), mend)
	}
	return k.pass("they are")
}

// class holds the storage class that was asked for against those of the target.
func (c *Config) class(l *looks) Item {
	k := check{"class", "storage classes fit", "classes of the target were compared with what is asked for and with those of " + l.sample.of()}
	has := c.Target.Features()
	want := c.Spec.Metadata.StorageClass
	known := len(has.Classes) > 0 || has.FileTree
	_, ok := has.ClassNamed(want)
	if i, ok := k.sampled(l); !ok && want == "" {
		return i
	}
	switch {
	case want == "" && l.sample.class.n > 0:
		return k.warn("copies get a class that means something else: "+l.sample.class.String(), "choose one by --storage-class; `sluice providers` lists them")
	case want == "" || want == "default":
		return k.pass("they do")
	case known && !ok:
		return k.fail(fmt.Sprintf("%s has no class %s", c.Target, want), "`sluice providers` lists the classes; or leave --storage-class out")
	case known:
		return k.pass("it has " + want)
	case errors.Is(l.probe.write.err, storage.ErrInvalid):
		return k.fail(l.probe.write.err.Error(), "choose another --storage-class")
	case l.probe.write.done && l.probe.write.err == nil:
		return k.pass("it took an object of class " + want)
	}
	return k.skip("its classes are not known")
}
