package precheck

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/sluice-sync/sluice/metadata"
	"github.com/sluice-sync/sluice/storage"
)

// probePrefix begins the keys that are written to a target; 130 random bits
// follow, so that no key of anybody is met.
const probePrefix = ".sluice-precheck-"

const (
	probeText   = "sluice precheck\n"
	probeTries  = 3                     // of an act that fails in passing
	probePause  = 50 * time.Millisecond // before the second try, twice that before the third
	cleanupTime = 10 * time.Second      // to remove the probe, also when the check was cancelled
)

// outcome is what came of an act; it was not made unless done.
type outcome struct {
	done bool
	err  error
}

// probe is what came of writing to the target.
type probe struct {
	key                            string
	write, multipart, tags, remove outcome
	left                           []string // keys that could not be removed
	folds                          bool     // the target takes capitals for small letters
	same                           bool     // the source shows the key too
}

// tryWrite writes, and removes again, an object, an upload of one part, and an
// object with tags. It does so one after the other: a task of one worker does
// not write two at once either.
func (c *Config) tryWrite(ctx context.Context) probe {
	p := probe{key: probePrefix + rand.Text()}
	c.probeObject(ctx, &p)
	if mp, ok := storage.As[storage.Multipart](c.Target); ok {
		p.multipart = outcome{true, probeUpload(ctx, mp, p.key+"-parts")}
	}
	if t, ok := storage.As[storage.Tagger](c.Target); ok && c.keepsTags() {
		p.tags = outcome{true, c.probeTags(ctx, t, &p)}
	}
	return p
}

// probeObject writes an object, looks at it and removes it.
func (c *Config) probeObject(ctx context.Context, p *probe) {
	err := c.put(ctx, p.key, nil)
	if errors.Is(err, storage.ErrExists) { // somebody else's: it stays
		p.write = outcome{true, err}
		return
	}
	if err == nil {
		_, err = c.Target.Stat(ctx, p.key)
	}
	p.write = outcome{true, err}
	if err == nil && c.Target.Features().FileTree {
		_, folded := c.Target.Stat(ctx, strings.ToLower(p.key))
		p.folds = folded == nil
	}
	if err == nil && c.Target.Features().FileTree == c.Source.Features().FileTree {
		_, there := c.Source.Stat(ctx, p.key)
		p.same = there == nil
	}
	gone := c.remove(ctx, p.key)
	if err == nil {
		p.remove = outcome{true, gone}
	}
	if err == nil && gone != nil {
		p.left = append(p.left, p.key)
	}
}

// put writes a probe. With a store whose classes are not known it shows whether
// it takes the one asked for.
func (c *Config) put(ctx context.Context, key string, tags map[string]string) error {
	has := c.Target.Features()
	o := storage.PutOptions{Size: int64(len(probeText)), IfAbsent: has.PutIfAbsent, Meta: storage.Metadata{Tags: tags}}
	if class := c.Spec.Metadata.StorageClass; class != metadata.ClassDefault && len(has.Classes) == 0 && !has.FileTree {
		o.Meta.StorageClass = class
	}
	lost := false // an answer, so that what is there may be ours
	return again(ctx, func() error {
		_, err := c.Target.Put(ctx, key, strings.NewReader(probeText), o)
		if lost && errors.Is(err, storage.ErrExists) {
			return nil
		}
		lost = lost || err != nil
		return err
	})
}

// remove deletes a probe, and looks whether it is gone.
func (c *Config) remove(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if err := c.Target.Delete(ctx, key); err != nil {
		return err
	}
	_, err := c.Target.Stat(ctx, key)
	switch {
	case err == nil:
		return errors.New("it is still there after the delete")
	case errors.Is(err, storage.ErrNotFound):
		return nil
	}
	return err
}

// probeUpload begins an upload, sends a part and aborts it.
func probeUpload(ctx context.Context, mp storage.Multipart, key string) error {
	const size = int64(len(probeText))
	var id string
	lost := false // an answer, so that there may be an upload without an id
	err := again(ctx, func() (err error) {
		id, err = mp.CreateUpload(ctx, key, storage.UploadOptions{Size: size, PartSize: size})
		lost = lost || err != nil
		return err
	})
	if err == nil {
		err = again(ctx, func() error {
			_, err := mp.UploadPart(ctx, key, id, 1, strings.NewReader(probeText), storage.PartOptions{Size: size})
			return err
		})
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if id != "" {
		err = errors.Join(err, mp.AbortUpload(ctx, key, id))
	}
	if lost {
		abortAll(ctx, mp, key)
	}
	return err
}

// abortAll removes the uploads of a key as well as it can.
func abortAll(ctx context.Context, mp storage.Multipart, key string) {
	left, err := mp.ListUploads(ctx, key)
	if err != nil {
		return
	}
	for _, u := range left {
		_ = mp.AbortUpload(ctx, key, u.ID)
	}
}

var errTags = errors.New("the object has other tags than it was written with")

// probeTags writes an object with a tag, reads the tag and removes it. Whether
// deletes work, the other probe says.
func (c *Config) probeTags(ctx context.Context, t storage.Tagger, p *probe) error {
	key := p.key + "-tags"
	want := map[string]string{"sluice": "precheck"}
	err := c.put(ctx, key, want)
	written := err == nil
	if written {
		var got map[string]string
		if got, err = t.Tags(ctx, key); err == nil && !maps.Equal(got, want) {
			err = errTags
		}
	}
	if !errors.Is(err, storage.ErrExists) {
		if gone := c.remove(ctx, key); gone != nil && written {
			p.left = append(p.left, key)
		}
	}
	return err
}

// again makes an act until it succeeds or fails for good, a few times.
func again(ctx context.Context, act func() error) error {
	for try := 1; ; try++ {
		err := act()
		if err == nil || try == probeTries || !storage.IsTransient(err) {
			return err
		}
		select {
		case <-time.After(time.Duration(try) * probePause):
		case <-ctx.Done():
			return err
		}
	}
}
