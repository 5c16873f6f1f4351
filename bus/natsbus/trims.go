package natsbus

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// trims remembers up to where the streams of a task were trimmed on purpose. A
// damaged store loses its first messages without a word, and looks trimmed.
//
// With an embedded server it is a file beside the store. The stream's own
// metadata would not do: the server writes it and its checksum one after the
// other, and drops the stream if it is killed in between. An external server
// has its own operators and replicas; there whatever is missing at the front
// counts as trimmed.
type trims struct {
	path string // "" with an external server

	mu   sync.Mutex
	last map[string]uint64 // by stream
}

func (b *Bus) trimsPath(task string) string {
	if b.embedded == nil {
		return ""
	}
	return filepath.Join(b.embedded.dir, "trimmed", task+".json")
}

func (b *Bus) loadTrims(task string) (*trims, error) {
	t := &trims{path: b.trimsPath(task), last: map[string]uint64{}}
	if t.path == "" {
		return t, nil
	}
	if err := os.MkdirAll(filepath.Dir(t.path), 0o700); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(t.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil || json.Unmarshal(data, &t.last) != nil {
		t.last = map[string]uint64{} // at worst a scan too many
	}
	return t, nil
}

func (b *Bus) removeTrims(task string) error {
	path := b.trimsPath(task)
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// of is the last sequence of a stream that was trimmed, 0 for none.
func (t *trims) of(stream string, state jetstream.StreamState) uint64 {
	if t.path == "" {
		return max(state.FirstSeq, 1) - 1
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last[stream]
}

func (t *trims) save(stream string, seq uint64) error {
	if t.path == "" {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last[stream] = seq
	data, err := json.Marshal(t.last)
	if err != nil {
		return err
	}
	if err := os.WriteFile(t.path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(t.path+".new", t.path)
}
