package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
)

func tierWords(t storage.Tier) string {
	return [...]string{
		storage.TierStandard: "standard", storage.TierInfrequent: "infrequent access", storage.TierInstant: "archive, read at once",
		storage.TierArchive: "archive, restored within hours", storage.TierCold: "archive, restored within half a day",
		storage.TierDeep: "archive, restored within days",
	}[t]
}

func (a *app) providerTable(all []provider) error {
	w := tabwriter.NewWriter(a.stdout, 2, 8, 2, ' ', 0)
	fmt.Fprintln(w, "PROVIDER\tWHAT\tENDPOINT\tADDRESSING\tLISTING\tTAGS\tCLASSES\tCONDITIONAL WRITES")
	for _, p := range all {
		listing, _, _ := strings.Cut(p.Listing, ",")
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", p.Name, p.Title, p.Endpoint, p.Addressing, listing, yesNo(p.Tags), len(p.Classes), p.Conditional)
	}
	return w.Flush()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// providerDetail prints a page: lines of a name and a value, of which empty ones
// are left out and lists take a line each.
func (a *app) providerDetail(p provider) error {
	w := tabwriter.NewWriter(a.stdout, 2, 8, 2, ' ', 0)
	row := func(k string, values ...string) {
		for _, v := range values {
			if v != "" {
				fmt.Fprintf(w, "%s\t%s\n", k, v)
				k = ""
			}
		}
	}
	row("provider", p.Name)
	row("what", p.Title)
	row("endpoint", p.Endpoint)
	row("example", p.Example)
	row("region", p.Region)
	row("addressing", p.Addressing)
	row("signatures", p.Signatures)
	row("listing", p.Listing)
	row("checksums", p.Checksums)
	row("part ETags", p.PartETags)
	if l := p.Limits; l.MaxParts > 0 {
		row("largest put", size(l.MaxPut))
		row("largest copy", size(l.MaxCopy))
		row("parts", fmt.Sprintf("at most %s of %s to %s", humanize.Comma(int64(l.MaxParts)), size(l.MinPart), size(l.MaxPart)))
		row("tags", yesNo(p.Tags))
		row("conditional writes", p.Conditional)
	}
	var classes []string
	for _, c := range p.Classes {
		classes = append(classes, c.Name+" ("+c.Tier+")")
	}
	row("classes", classes...)
	row("restore", p.Restore)
	row("rates", p.Rates)
	row("notes", p.Notes...)
	row("keys", strings.Join(p.Keys, ", "))
	row("variables", strings.Join(p.Environment, ", "))
	row("sources", p.Sources...)
	if err := w.Flush(); err != nil || p.Variable == "" {
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "\nAn endpoint named store, as a variable:\n\n  export %s\n\nor in the config file:\n\n  %s\n",
		p.Variable, strings.ReplaceAll(strings.TrimSuffix(p.YAML, "\n"), "\n", "\n  "))
	return err
}

// aboutOSS is about the driver oss; the figures are those of storage/oss.
func aboutOSS() dialect.About {
	return dialect.About{
		Title: "Aliyun OSS, by its own API", Endpoint: "oss-REGION.aliyuncs.com", Example: "https://oss-cn-hangzhou.aliyuncs.com",
		Region: "the endpoint's, such as cn-hangzhou", Signatures: "OSS4-HMAC-SHA256; version 1 with signature: v1",
		PartETags: "not of Amazon's form; every object has a CRC64, which is compared",
		Restore:   "Archive minutes, ColdArchive 1 to 12 hours, DeepColdArchive 12 to 48 hours",
		Rates:     "10,000 requests per second and account (2,000 of sequential keys), then 503",
		Environment: []string{
			"OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN", "OSS_ENDPOINT", "OSS_REGION",
		},
		Notes: []string{
			"the endpoint oss:// needs no definition where these variables are set",
			"accounts made since March 2025 take no signatures of version 1",
			"keys do not begin with / or \\ and have at most 1,023 bytes",
			"restored copies stay readable for one day unless more are asked for",
		},
		Sources: []string{"https://www.alibabacloud.com/help/en/oss/developer-reference/"},
	}
}

func aboutFiles() dialect.About {
	return dialect.About{
		Title: "directories of this machine", Endpoint: "none: write the path itself", Example: "/data/photos",
		Notes: []string{
			"kept: modification time to the nanosecond, permission bits, symbolic links; owner and group with --owner",
			"not kept: content headers, user metadata, tags, storage classes",
			"a key must be a clean relative path; obj and obj/child cannot both be files",
		},
	}
}
