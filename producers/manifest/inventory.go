package manifest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// inventory is a manifest.json. Amazon S3 and Aliyun OSS write the same one
// (AWS, "Locating your inventory list"; Aliyun, "Bucket inventory").
type inventory struct {
	FileFormat string `json:"fileFormat"`
	FileSchema string `json:"fileSchema"`
	Files      []struct {
		Key string `json:"key"` // in the bucket that the inventory is in
		MD5 string `json:"MD5checksum"`
	} `json:"files"`
}

// index reads a manifest.json and returns the files that it names.
func (m *Manifest) index(ctx context.Context, main file) ([]file, error) {
	t, err := open(ctx, m.cfg.Source, main.key, main)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	b, err := io.ReadAll(io.LimitReader(t, maxIndex+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > maxIndex:
		return nil, errors.New("it is larger than 64 MiB: this is no manifest.json of an S3 Inventory")
	}
	var inv inventory
	if err := json.Unmarshal(b, &inv); err != nil {
		return nil, fmt.Errorf("this is no manifest.json of an S3 Inventory: %w", err)
	}
	schema := strings.Split(inv.FileSchema, ",")
	if inv.FileFormat != "CSV" {
		return nil, fmt.Errorf("an S3 Inventory in format %q: only CSV can be read", inv.FileFormat)
	}
	if _, ok := find(schema); !ok {
		return nil, fmt.Errorf("its fileSchema %q names no Key: this is no manifest.json of an S3 Inventory", inv.FileSchema)
	}
	files := make([]file, 0, len(inv.Files))
	for _, f := range inv.Files {
		files = append(files, file{key: f.Key, md5: f.MD5, layout: csvLayout{schema}})
	}
	return files, t.finish(ctx)
}
