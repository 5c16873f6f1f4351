package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

// clockSlack is how much earlier than our intent an upload may seem to have
// begun, by the clock of the target, and still be ours.
const clockSlack = 5 * time.Minute

// UploadRecord is what must be known about a multipart upload under way, to
// resume it or to remove it. A record without ID is an intent: the upload may
// or may not have been begun.
type UploadRecord struct {
	ID       string    `json:"id,omitempty"`
	Begun    time.Time `json:"begun"`               // by our clock, before the upload was created
	Version  string    `json:"version"`             // of the source object
	Size     int64     `json:"size"`                // bytes
	PartSize int64     `json:"part_size,omitempty"` // bytes
	Expect   string    `json:"expect,omitempty"`    // the ETag the whole will have; set before it is completed
}

// DecodeUpload reads a record as State keeps it.
func DecodeUpload(rec []byte) (UploadRecord, error) {
	var u UploadRecord
	if err := json.Unmarshal(rec, &u); err != nil {
		return u, fmt.Errorf("upload record: %w", err)
	}
	return u, nil
}

func (j *job) saveUpload(u UploadRecord) error {
	rec, err := json.Marshal(u)
	if err == nil {
		err = j.state.PutUpload(j.target, rec)
	}
	if err != nil {
		return stateError{err}
	}
	return nil
}

func (j *job) dropUpload() error {
	if err := j.state.DropUpload(j.target); err != nil {
		return stateError{err}
	}
	return nil
}

// upload returns the record of the key. One that cannot be read counts as an
// intent of unknown age.
func (j *job) upload() (u UploadRecord, ok bool, err error) {
	rec, ok, err := j.state.Upload(j.target)
	if err != nil {
		return u, false, stateError{err}
	}
	if !ok {
		return u, false, nil
	}
	if u, err = DecodeUpload(rec); err != nil {
		return UploadRecord{}, true, nil
	}
	return u, true, nil
}

// abandon removes the upload of the key, if there is one, with its parts.
func (j *job) abandon(ctx context.Context) error {
	u, ok, err := j.upload()
	if err != nil || !ok {
		return err
	}
	ids := []string{u.ID}
	if u.ID == "" {
		if ids, err = j.unknownUploads(ctx, u.Begun); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if err := j.multipart.AbortUpload(ctx, j.target, id); err != nil {
			return at(Target, err)
		}
	}
	return j.dropUpload()
}

// unknownUploads are those of the key that were begun since our intent: the
// answer to our own request to begin one may have been lost.
func (j *job) unknownUploads(ctx context.Context, since time.Time) ([]string, error) {
	all, err := j.multipart.ListUploads(ctx, j.target)
	if errors.Is(err, storage.ErrUnsupported) {
		return nil, nil
	}
	if err != nil {
		return nil, at(Target, err)
	}
	var ids []string
	for _, u := range all {
		if !u.Started.Before(since.Add(-clockSlack)) {
			ids = append(ids, u.ID)
		}
	}
	return ids, nil
}

// resume returns the upload under way and its finished parts, if it is of this
// version and still there. It removes any other.
func (j *job) resume(ctx context.Context, obj *storage.Object) (u UploadRecord, have []storage.Part, ok bool, err error) {
	u, ok, err = j.upload()
	if err != nil || !ok {
		return u, nil, false, err
	}
	if u.ID != "" && u.Version == obj.Version() && u.Size == obj.Size && u.PartSize > 0 {
		have, err = j.multipart.ListParts(ctx, j.target, u.ID)
		if err == nil {
			return u, have, true, nil
		}
		if !errors.Is(err, storage.ErrNoUpload) {
			return u, nil, false, at(Target, err)
		}
	}
	return u, nil, false, j.abandon(ctx)
}

// begin creates an upload. The intent is kept first, so that an upload whose id
// never reached us is found and removed.
func (j *job) begin(ctx context.Context, info *storage.Info, partSize int64) (UploadRecord, error) {
	u := UploadRecord{Begun: time.Now(), Version: info.Version(), Size: info.Size}
	if err := j.saveUpload(u); err != nil {
		return u, err
	}
	id, err := j.multipart.CreateUpload(ctx, j.target, storage.UploadOptions{Size: info.Size, PartSize: partSize, Meta: carried(info)})
	if err != nil {
		return u, at(Target, err)
	}
	u.ID, u.PartSize = id, partSize
	return u, j.saveUpload(u)
}
