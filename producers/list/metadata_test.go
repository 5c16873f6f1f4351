package list

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/metadata"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/file"
	"github.com/sluice-sync/sluice/storage/mem"
)

func putMem(t *testing.T, b storage.Bucket, key string, m storage.Metadata) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, bytes.NewReader([]byte(key)), storage.PutOptions{Size: int64(len(key)), Meta: m}); err != nil {
		t.Fatal(err)
	}
}

// Objects of equal bytes differ if their metadata does, and only if that is asked for.
func TestMetadataIsCompared(t *testing.T) {
	src, dst := mem.New(mem.Options{}), mem.New(mem.Options{})
	at := time.Unix(1e9, 0)
	for key, pair := range map[string][2]storage.Metadata{
		"same":  {{CacheControl: "x", MTime: at}, {CacheControl: "x", MTime: at}},
		"cache": {{CacheControl: "x", MTime: at}, {MTime: at}},
		"tags":  {{Tags: map[string]string{"a": "1"}, MTime: at}, {Tags: map[string]string{"a": "2"}, MTime: at}},
		"class": {{StorageClass: "STANDARD_IA", MTime: at}, {MTime: at}},
		"time":  {{MTime: at}, {MTime: at.Add(time.Hour)}},
		"user":  {{MTime: at, User: map[string]string{"k": "v"}}, {MTime: at}},
	} {
		putMem(t, src, key, pair[0])
		putMem(t, dst, key, pair[1])
	}
	for name, tc := range map[string]struct {
		rule Rule
		want []string
	}{
		"not asked for": {Rule{}, nil},
		"asked for":     {Rule{Metadata: true}, []string{"cache", "class", "tags", "time", "user"}},
		"of equal size": {Rule{Metadata: true, SizeOnly: true}, []string{"cache", "class", "tags", "time", "user"}},
	} {
		var got []string
		_, err := New(Config{
			Run: testRun, Source: src, Target: dst, State: newMemory(), Rule: tc.rule,
			Metadata: metadata.NewMapper(metadata.Policy{}, src.Features(), dst.Features(), nil),
			Diff: func(d Difference) {
				got = append(got, d.Key)
				if d.Reason != "metadata" {
					t.Errorf("%s: %s differs by %s", name, d.Key, d.Reason)
				}
			},
		}).Run(context.Background(), 0)
		slices.Sort(got)
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, tc.want)
		}
	}
}

// An empty directory has its marker at a store, if that is asked for, and once.
func TestDirMarkers(t *testing.T) {
	src, err := file.Open(t.TempDir(), file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"a/", "b/c/"} {
		if err := src.MakeDir(t.Context(), dir, storage.Metadata{}); err != nil {
			t.Fatal(err)
		}
	}
	dst := mem.New(mem.Options{})
	if _, err := dst.Put(t.Context(), "a/", bytes.NewReader(nil), storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, markers := range []bool{false, true} {
		out := &outlet{}
		totals, err := New(Config{Run: testRun, Source: src, Target: dst, State: newMemory(), Publish: out.publish, DirMarkers: markers}).Run(context.Background(), 0)
		want := map[string]int64{"directory": 2}
		var keys []string
		if markers {
			want, keys = map[string]int64{"equal": 1}, []string{"b/c/"}
		}
		if err != nil || !slices.Equal(out.keys(), keys) || totals.Skipped["directory"] != want["directory"] || totals.Skipped["equal"] != want["equal"] {
			t.Errorf("markers %v: %v, %+v, %v", markers, out.keys(), totals, err)
		}
	}
}
