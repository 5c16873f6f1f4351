package transfer

import (
	"encoding/json"
	"fmt"
	"time"
)

// recordVersion is raised when older releases cannot read a record.
const recordVersion = 1

// UploadRecord is what is remembered about a multipart upload so that a later
// process can go on with it, or remove it. State keeps it by target key.
type UploadRecord struct {
	V     int       `json:"v"`
	Begun time.Time `json:"begun"` // the intent: saved before the upload is created
	ID    string    `json:"id,omitempty"`

	Version  string `json:"version,omitempty"` // of the source
	Size     int64  `json:"size,omitempty"`
	PartSize int64  `json:"part_size,omitempty"`
	Copy     bool   `json:"copy,omitempty"` // filled by server-side copies

	// Alg names how the bytes are proven; Sums are the digests of parts by
	// number where the target does not tell them. Hash is the running state
	// after Ordered parts where these are read in order.
	Alg     string         `json:"alg,omitempty"`
	Sums    map[int][]byte `json:"sums,omitempty"`
	Ordered int            `json:"ordered,omitempty"`
	Hash    []byte         `json:"hash,omitempty"`

	// Completing is set before the upload is completed, together with what the
	// target held until then and the ETag it will have if that can be told.
	Completing bool   `json:"completing,omitempty"`
	Before     string `json:"before,omitempty"`
	Expect     string `json:"expect,omitempty"`
}

// DecodeUpload reads a record as State holds it.
func DecodeUpload(rec []byte) (UploadRecord, error) {
	var r UploadRecord
	if err := json.Unmarshal(rec, &r); err != nil {
		return UploadRecord{}, fmt.Errorf("upload record: %w", err)
	}
	if r.V < 1 || r.V > recordVersion {
		return UploadRecord{}, fmt.Errorf("upload record of version %d", r.V)
	}
	if r.ID != "" && (r.Size <= 0 || r.PartSize <= 0) {
		return UploadRecord{}, fmt.Errorf("upload record of %d bytes in parts of %d", r.Size, r.PartSize)
	}
	return r, nil
}

func (r UploadRecord) encode() ([]byte, error) {
	r.V = recordVersion
	return json.Marshal(r)
}
