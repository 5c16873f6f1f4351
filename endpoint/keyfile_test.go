package endpoint

import (
	"io/fs"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// disk is a few files that a test replaces, and how often they were read.
type disk struct {
	mu    sync.Mutex
	files map[string]string
	reads int
}

func (d *disk) read(path string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads++
	if s, ok := d.files[path]; ok {
		return []byte(s), nil
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

func (d *disk) write(path, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[path] = text
}

func TestKeysOfFilesAreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{files: map[string]string{"/ak": "A1\n", "/sk": "S1\n", "/st": "T1\n", "/c.yaml": `endpoints:
  m1: {provider: minio, url: "http://h", access_key: "${file:/ak}", secret_key: "${file:/sk}", session_token: "${file:/st}"}
`}}
		set := mustLoad(t, Sources{ConfigPath: "/c.yaml", ReadFile: d.read})
		keys := set.entries["m1"].keys()
		is := func(when, access, secret, session string) {
			t.Helper()
			if k, err := keys(t.Context()); err != nil || k.Access != access || k.Secret != secret || k.Session != session {
				t.Errorf("%s: %+v, %v", when, k, err)
			}
		}
		is("at first", "A1", "S1", "T1")
		for path, text := range map[string]string{"/ak": "A2", "/sk": "S2", "/st": " T2 "} {
			d.write(path, text)
		}
		reads := d.reads
		for range 1000 {
			is("at once", "A1", "S1", "T1")
		}
		if d.reads != reads {
			t.Errorf("%d reads within %s", d.reads-reads, reread)
		}
		time.Sleep(reread)
		reads = d.reads
		for range 1000 {
			is("later", "A2", "S2", "T2")
		}
		if d.reads != reads+3 {
			t.Errorf("%d reads of 3 files", d.reads-reads)
		}
		d.write("/ak", "")
		d.mu.Lock()
		delete(d.files, "/sk")
		d.mu.Unlock()
		time.Sleep(reread)
		is("while a file is empty and one gone", "A2", "S2", "T2")
		d.write("/ak", "A3")
		d.write("/sk", "S3")
		time.Sleep(reread)
		is("when they are back", "A3", "S3", "T2")
	})
}

// TestNobodyWaitsForAKeyFile: a file system that hangs holds up one request,
// not all.
func TestNobodyWaitsForAKeyFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		s := fileSecret("old", "/f", func(string) ([]byte, error) { <-hang; return []byte("new"), nil })
		time.Sleep(reread)
		first := make(chan string)
		go func() { first <- s.Reveal() }()
		synctest.Wait()
		time.Sleep(reread)
		if got := s.Reveal(); got != "old" {
			t.Errorf("meanwhile: %q", got)
		}
		close(hang)
		if got := <-first; got != "new" {
			t.Errorf("in the end: %q", got)
		}
	})
}
