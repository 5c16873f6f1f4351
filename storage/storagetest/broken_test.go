package storagetest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/mem"
	"github.com/sluice-sync/sluice/storage/storagetest"
)

// broken is a bucket that keeps the contract but for what is overridden.
type broken struct {
	*mem.Bucket
	put      func(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error)
	stat     func(ctx context.Context, key string) (storage.Info, error)
	open     func(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error)
	del      func(ctx context.Context, key string) error
	next     func(p storage.Pages) func(ctx context.Context) ([]storage.Object, error)
	list     func(r storage.Range) storage.Range
	complete func(ctx context.Context, key, id string, ps []storage.Part) (storage.Object, error)
	abort    func(ctx context.Context, key, id string) error
	uploads  func(ctx context.Context, key string) ([]storage.Upload, error)
	copy     func(ctx context.Context, src storage.Source, o storage.Object, key string) (storage.Object, error)
	features func(f *storage.Features)
}

func (b *broken) Put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error) {
	if b.put != nil {
		return b.put(ctx, key, body, o)
	}
	return b.Bucket.Put(ctx, key, body, o)
}

func (b *broken) Stat(ctx context.Context, key string) (storage.Info, error) {
	if b.stat != nil {
		return b.stat(ctx, key)
	}
	return b.Bucket.Stat(ctx, key)
}

func (b *broken) Open(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
	if b.open != nil {
		return b.open(ctx, key, o)
	}
	return b.Bucket.Open(ctx, key, o)
}

func (b *broken) Delete(ctx context.Context, key string) error {
	if b.del != nil {
		return b.del(ctx, key)
	}
	return b.Bucket.Delete(ctx, key)
}

type brokenPages struct {
	storage.Pages
	next func(ctx context.Context) ([]storage.Object, error)
}

func (p brokenPages) Next(ctx context.Context) ([]storage.Object, error) { return p.next(ctx) }

func (b *broken) List(r storage.Range) storage.Pages {
	if b.list != nil {
		r = b.list(r)
	}
	p := b.Bucket.List(r)
	if b.next != nil {
		return brokenPages{p, b.next(p)}
	}
	return p
}

func (b *broken) CompleteUpload(ctx context.Context, key, id string, ps []storage.Part) (storage.Object, error) {
	if b.complete != nil {
		return b.complete(ctx, key, id, ps)
	}
	return b.Bucket.CompleteUpload(ctx, key, id, ps)
}

func (b *broken) AbortUpload(ctx context.Context, key, id string) error {
	if b.abort != nil {
		return b.abort(ctx, key, id)
	}
	return b.Bucket.AbortUpload(ctx, key, id)
}

func (b *broken) ListUploads(ctx context.Context, key string) ([]storage.Upload, error) {
	if b.uploads != nil {
		return b.uploads(ctx, key)
	}
	return b.Bucket.ListUploads(ctx, key)
}

func (b *broken) CanCopyFrom(src storage.Source) bool {
	_, ok := src.(*broken)
	return ok
}

func (b *broken) CopyFrom(ctx context.Context, src storage.Source, o storage.Object, key string, co storage.CopyOptions) (storage.Object, error) {
	s, ok := src.(*broken)
	if !ok {
		return b.Bucket.CopyFrom(ctx, src, o, key, co)
	}
	if b.copy != nil {
		return b.copy(ctx, s.Bucket, o, key)
	}
	return b.Bucket.CopyFrom(ctx, s.Bucket, o, key, co)
}

func (b *broken) CopyPart(ctx context.Context, src storage.Source, o storage.Object, off, n int64, key, id string, part int) (storage.Part, error) {
	return b.Bucket.CopyPart(ctx, src.(*broken).Bucket, o, off, n, key, id, part)
}

func (b *broken) Features() storage.Features {
	f := b.Bucket.Features()
	if b.features != nil {
		b.features(&f)
	}
	return f
}

// faults are the ways to break the contract that the suite must notice.
var faults = map[string]func(b *broken){
	"sound": func(*broken) {},
	"a failed body leaves what came": func(b *broken) {
		b.put = func(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error) {
			data, err := io.ReadAll(body)
			if err != nil {
				_, _ = b.Bucket.Put(ctx, key, bytes.NewReader(data), storage.PutOptions{Size: int64(len(data))})
				return storage.Object{}, err
			}
			return b.Bucket.Put(ctx, key, bytes.NewReader(data), o)
		}
	},
	"a short body is accepted": func(b *broken) {
		b.put = func(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error) {
			data, err := io.ReadAll(body)
			if err != nil {
				return storage.Object{}, err
			}
			o.Size = min(o.Size, int64(len(data)))
			return b.Bucket.Put(ctx, key, bytes.NewReader(data), o)
		}
	},
	"a long body is cut": func(b *broken) {
		b.put = func(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error) {
			return b.Bucket.Put(ctx, key, io.LimitReader(body, max(o.Size, 0)), o)
		}
	},
	"the endpoint is blamed for the body": func(b *broken) {
		b.put = func(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error) {
			obj, err := b.Bucket.Put(ctx, key, body, o)
			var e *storage.Error
			if err != nil && !errors.As(err, &e) {
				err = &storage.Error{Op: "put", Key: key, Place: b.String(), Kind: storage.ErrUnavailable, Err: err}
			}
			return obj, err
		}
	},
	"visible in two steps": func(b *broken) {
		b.put = func(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error) {
			data, err := io.ReadAll(body)
			if err != nil || int64(len(data)) != o.Size {
				return b.Bucket.Put(ctx, key, io.MultiReader(bytes.NewReader(data), errReader{err}), o)
			}
			if n := len(data) / 2; n > 0 && o.IfVersion == nil && !o.IfAbsent {
				_, _ = b.Bucket.Put(ctx, key, bytes.NewReader(data[:n]), storage.PutOptions{Size: int64(n)})
				time.Sleep(time.Millisecond)
			}
			return b.Bucket.Put(ctx, key, bytes.NewReader(data), o)
		}
	},
	"conditions are ignored": func(b *broken) {
		b.put = func(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error) {
			o.IfAbsent, o.IfVersion = false, nil
			return b.Bucket.Put(ctx, key, body, o)
		}
	},
	"conditions are not declared": func(b *broken) {
		b.features = func(f *storage.Features) { f.PutIfAbsent, f.PutIfVersion = false, false }
	},
	"metadata is not declared": func(b *broken) { b.features = func(f *storage.Features) { f.Metadata = false } },
	"a tree without the power": func(b *broken) { b.features = func(f *storage.Features) { f.FileTree = true } },
	"mtime in milliseconds": func(b *broken) {
		b.put = func(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error) {
			o.Meta.MTime = o.Meta.MTime.Truncate(time.Millisecond)
			return b.Bucket.Put(ctx, key, body, o)
		}
	},
	"expires is lost": func(b *broken) {
		b.put = func(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error) {
			o.Meta.Expires = ""
			return b.Bucket.Put(ctx, key, body, o)
		}
	},
	"keys are cleaned": func(b *broken) {
		b.put = func(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error) {
			return b.Bucket.Put(ctx, path.Clean(key), body, o)
		}
	},
	"keys lose trailing blanks": func(b *broken) {
		b.stat = func(ctx context.Context, key string) (storage.Info, error) {
			return b.Bucket.Stat(ctx, strings.TrimRight(key, " "))
		}
	},
	"stat tells another version": func(b *broken) {
		b.stat = func(ctx context.Context, key string) (storage.Info, error) {
			i, err := b.Bucket.Stat(ctx, key)
			i.ETag = strings.ToUpper(i.ETag)
			return i, err
		}
	},
	"errors do not name the place": func(b *broken) {
		b.stat = func(ctx context.Context, key string) (storage.Info, error) {
			i, err := b.Bucket.Stat(ctx, key)
			if errors.Is(err, storage.ErrNotFound) {
				err = &storage.Error{Op: "stat", Key: key, Kind: storage.ErrNotFound}
			}
			return i, err
		}
	},
	"canceled is taken for unreachable": func(b *broken) {
		b.stat = func(ctx context.Context, key string) (storage.Info, error) {
			i, err := b.Bucket.Stat(ctx, key)
			if errors.Is(err, context.Canceled) {
				err = &storage.Error{Op: "stat", Key: key, Place: b.String(), Kind: storage.ErrUnavailable, Err: err}
			}
			return i, err
		}
	},
	"the version wanted is ignored": func(b *broken) {
		b.open = func(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
			o.Want = nil
			return b.Bucket.Open(ctx, key, o)
		}
	},
	"an early end of a range": func(b *broken) {
		b.open = func(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
			if i, err := b.Bucket.Stat(ctx, key); err == nil && o.Offset+o.Length > i.Size {
				o.Offset, o.Length = min(o.Offset, i.Size), -1
			}
			return b.Bucket.Open(ctx, key, o)
		}
	},
	"length 0 reads all": func(b *broken) {
		b.open = func(ctx context.Context, key string, o storage.ReadOptions) (*storage.Reader, error) {
			if o.Length == 0 {
				o.Length = -1
			}
			return b.Bucket.Open(ctx, key, o)
		}
	},
	"delete of nothing fails": func(b *broken) {
		b.del = func(ctx context.Context, key string) error {
			if _, err := b.Bucket.Stat(ctx, key); err != nil {
				return err
			}
			return b.Bucket.Delete(ctx, key)
		}
	},
	"delete takes what is below": func(b *broken) {
		b.del = func(ctx context.Context, key string) error {
			_ = b.Bucket.Delete(ctx, key+"/child")
			return b.Bucket.Delete(ctx, key)
		}
	},
	"after is inclusive": func(b *broken) {
		b.next = func(p storage.Pages) func(context.Context) ([]storage.Object, error) { return p.Next }
		b.list = func(r storage.Range) storage.Range {
			if i, err := b.Bucket.Stat(context.Background(), r.After); err == nil {
				r.After = i.Key[:len(i.Key)-1]
			}
			return r
		}
	},
	"last is exclusive": func(b *broken) {
		b.list = func(r storage.Range) storage.Range {
			if i, err := b.Bucket.Stat(context.Background(), r.Last); err == nil {
				r.Last = i.Key[:len(i.Key)-1] + string(i.Key[len(i.Key)-1]-1) + "~"
			}
			return r
		}
	},
	"a full page loses its last key": func(b *broken) {
		b.next = func(p storage.Pages) func(context.Context) ([]storage.Object, error) {
			return func(ctx context.Context) ([]storage.Object, error) {
				page, err := p.Next(ctx)
				if len(page) == b.Bucket.Features().PageSize {
					page = page[:len(page)-1]
				}
				return page, err
			}
		}
	},
	"the order of directories": func(b *broken) {
		b.next = func(p storage.Pages) func(context.Context) ([]storage.Object, error) {
			return func(ctx context.Context) ([]storage.Object, error) {
				page, err := p.Next(ctx)
				slices.SortFunc(page, func(x, y storage.Object) int {
					return slices.Compare(strings.Split(x.Key, "/"), strings.Split(y.Key, "/"))
				})
				return page, err
			}
		}
	},
	"an empty page": func(b *broken) {
		b.next = func(p storage.Pages) func(context.Context) ([]storage.Object, error) {
			return func(ctx context.Context) ([]storage.Object, error) {
				page, err := p.Next(ctx)
				if errors.Is(err, io.EOF) {
					return []storage.Object{}, nil
				}
				return page, err
			}
		}
	},
	"uploads of a prefix": func(b *broken) {
		b.uploads = func(ctx context.Context, key string) ([]storage.Upload, error) {
			us, err := b.Bucket.ListUploads(ctx, "")
			return slices.DeleteFunc(us, func(u storage.Upload) bool { return !strings.HasPrefix(u.Key, key) }), err
		}
	},
	"abort of nothing fails": func(b *broken) {
		b.abort = func(ctx context.Context, key, id string) error {
			if _, err := b.ListParts(ctx, key, id); err != nil {
				return err
			}
			return b.Bucket.AbortUpload(ctx, key, id)
		}
	},
	"abort leaves the upload": func(b *broken) {
		b.abort = func(ctx context.Context, _, _ string) error { return ctx.Err() }
	},
	"complete forgets the parts": func(b *broken) {
		b.complete = func(ctx context.Context, key, id string, ps []storage.Part) (storage.Object, error) {
			if len(ps) == 0 {
				return b.Bucket.CompleteUpload(ctx, key, id, ps)
			}
			if _, err := b.ListParts(ctx, key, id); err != nil {
				return storage.Object{}, err
			}
			_ = b.AbortUpload(ctx, key, id)
			return b.Bucket.Put(ctx, key, strings.NewReader(""), storage.PutOptions{})
		}
	},
	"copy takes whatever is there": func(b *broken) {
		b.copy = func(ctx context.Context, src storage.Source, o storage.Object, key string) (storage.Object, error) {
			i, err := src.Stat(ctx, o.Key)
			if err != nil {
				return storage.Object{}, err
			}
			return b.Bucket.CopyFrom(ctx, src, i.Object, key, storage.CopyOptions{})
		}
	},
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	return 0, io.EOF
}

const breakBy = "SLUICE_STORAGETEST_FAULT"

// TestSuiteNotices runs the suite in a child process over each broken bucket
// and asks that it fails there, and only there.
func TestSuiteNotices(t *testing.T) {
	if name := os.Getenv(breakBy); name != "" {
		h := memory(small).Wrapped(func(b storage.Bucket) storage.Bucket {
			bad := &broken{Bucket: b.(*mem.Bucket)}
			faults[name](bad)
			return bad
		})
		h.Reopen = nil
		storagetest.Run(t, h)
		return
	}
	for name := range faults {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestSuiteNotices$", "-test.timeout=50s", "-test.failfast")
			cmd.Env = append(os.Environ(), breakBy+"="+name)
			out, err := cmd.CombinedOutput()
			noticed := bytes.Contains(out, []byte("--- FAIL")) && !bytes.Contains(out, []byte("panic:"))
			if err == nil || !noticed {
				if name != "sound" || err != nil {
					t.Errorf("%v; the suite noticed: %v\n%s", err, noticed, out)
				}
			} else if name == "sound" {
				t.Errorf("the suite fails over a sound bucket\n%s", out)
			}
		})
	}
}
