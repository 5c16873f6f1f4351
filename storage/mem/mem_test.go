package mem_test

import (
	"strconv"
	"testing"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/mem"
	"github.com/sluice-sync/sluice/storage/storagetest"
)

func TestConformance(t *testing.T) {
	for _, o := range []mem.Options{{PageSize: 7, MinPart: 1000, MaxPut: 16 << 20}, {PageSize: 1}, {}} {
		s, n := mem.NewServer(o), 0
		storagetest.Run(t, storagetest.Harness{
			New: func(t *testing.T) storage.Bucket {
				n++
				b := s.Bucket(strconv.Itoa(n))
				if err := b.Create(t.Context()); err != nil {
					t.Fatal(err)
				}
				return b
			},
			Reopen: func(t *testing.T, b storage.Bucket) storage.Bucket {
				return s.Bucket(b.String()[len("mem://"):])
			},
			PageSize: o.PageSize,
		})
	}
}
