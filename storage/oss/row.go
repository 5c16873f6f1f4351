package oss

import (
	"errors"
	"strings"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
)

// row is what s3wire needs to know of OSS. The figures are those of the API
// references PutObject, UploadPart, CopyObject and CompleteMultipartUpload; the
// classes those of "Storage classes".
//
// x-oss-forbid-overwrite is PutIfAbsent; there is nothing for PutIfVersion.
// Checksum is none,
// because OSS answers every write with the CRC64 of what it received, and
// s3wire compares it.
func row(pathStyle bool) dialect.Row {
	return dialect.Row{
		Name:        "oss",
		PathStyle:   pathStyle,
		EncodeKeys:  true,
		ETagIsMD5:   true, // of PutObject; those of multipart uploads end in -N
		PutIfAbsent: true,
		Tags:        true,
		Classes: []storage.Class{
			{Name: "Standard", Tier: storage.TierStandard},
			{Name: "IA", Tier: storage.TierInfrequent},
			{Name: "Archive", Tier: storage.TierArchive},
			{Name: "ColdArchive", Tier: storage.TierCold},
			{Name: "DeepColdArchive", Tier: storage.TierDeep},
		},
		MinPart:  100 << 10,
		MaxPart:  5 << 30,
		MaxParts: 10_000,
		MaxPut:   5 << 30,
		MaxCopy:  1 << 30, // larger objects "must" be copied in parts: UploadPartCopy
	}
}

// region is what V4 signatures name: the one configured, or the endpoint's.
func region(c Config, host string) (string, error) {
	r := strings.TrimPrefix(c.Region, "oss-")
	if r == "" {
		r = regionOf(host)
	}
	if r == "" && !c.SignV1 {
		return "", errors.New("oss: the endpoint " + host + " names no region: set the region, for example cn-hangzhou, which V4 signatures need")
	}
	return r, nil
}

// regionOf finds the region in oss-REGION[-internal].aliyuncs.com and in
// REGION.oss.aliyuncs.com, which is for IPv6; "" if there is none ("Regions and
// endpoints", "Transfer acceleration").
func regionOf(host string) string {
	name, ok := strings.CutSuffix(strings.ToLower(host), ".aliyuncs.com")
	if !ok {
		return ""
	}
	r, ok := strings.CutPrefix(strings.TrimSuffix(name, "-internal"), "oss-")
	if !ok {
		r, ok = strings.CutSuffix(name, ".oss")
	}
	if !ok || strings.Contains(r, ".") || strings.HasPrefix(r, "accelerate") {
		return ""
	}
	return r
}
