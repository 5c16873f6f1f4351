package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-sync/sluice/endpoint"
	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
)

func (a *app) providersCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "providers [NAME]",
		Short: "Show which stores are known and what they can do",
		Long: `Show what is known of each provider that an endpoint may name, and of files. With
NAME everything about one: addresses, limits, storage classes, traps, and how an
endpoint of it is defined.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("want no argument, or NAME")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.providers(cmd.Context(), args, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per provider (default off)")
	return cmd
}

// provider is what people and programs read about one.
type provider struct {
	Name string `json:"name"`
	dialect.About
	Addressing  string          `json:"addressing"`
	Listing     string          `json:"listing"`
	Checksums   string          `json:"checksums"` // that prove what a write delivered
	Tags        bool            `json:"tags"`
	Conditional string          `json:"conditional_writes"` // yes, no, or "if absent"
	Classes     []providerClass `json:"classes"`            // the default first
	Limits      providerLimits  `json:"limits"`
	Keys        []string        `json:"keys,omitempty"`     // of an endpoint in the config file
	Variable    string          `json:"variable,omitempty"` // an example
	YAML        string          `json:"yaml,omitempty"`     // the same in the config file
}

type providerClass struct {
	Name string `json:"name"`
	Tier string `json:"tier"`
}

// providerLimits are in bytes; 0: none.
type providerLimits struct {
	MaxPut   int64 `json:"max_put"`
	MaxCopy  int64 `json:"max_copy"`
	MinPart  int64 `json:"min_part"`
	MaxPart  int64 `json:"max_part"`
	MaxParts int   `json:"max_parts"`
}

func (a *app) providers(ctx context.Context, args []string, asJSON bool) error {
	names := append(endpoint.Providers(), "file")
	slices.Sort(names)
	if len(args) > 0 {
		name := strings.ToLower(args[0])
		if !slices.Contains(names, name) {
			return usagef("there is no provider %q; known: %s", args[0], strings.Join(names, ", "))
		}
		names = []string{name}
	}
	all := make([]provider, 0, len(names))
	for _, name := range names {
		p, err := describe(ctx, name)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	switch {
	case asJSON:
		for _, p := range all {
			if err := json.NewEncoder(a.stdout).Encode(p); err != nil {
				return err
			}
		}
		return nil
	case len(args) > 0:
		return a.providerDetail(all[0])
	}
	return a.providerTable(all)
}

// describe puts together what the dialect table knows, and what a bucket of the
// example declares, which is opened for that and asks nobody anything.
func describe(ctx context.Context, name string) (provider, error) {
	p := provider{Name: name}
	if row, ok := dialect.Lookup(name); ok {
		p.fromRow(row)
	} else if name == "file" {
		p.About, p.Checksums = aboutFiles(), "none needed: what is written is flushed, then renamed"
		return p, nil
	} else {
		p.About = aboutOSS()
		p.Addressing, p.Listing, p.Checksums = "host name", "V2, keys encoded", "CRC64 of every object and part"
	}
	p.Keys = configKeys(name)
	p.examples()
	f, err := p.features(ctx)
	if err != nil {
		return p, err
	}
	p.Tags, p.Conditional = f.Tags, "no"
	switch {
	case f.PutIfAbsent && f.PutIfVersion:
		p.Conditional = "yes"
	case f.PutIfAbsent:
		p.Conditional = "if absent"
	}
	p.Limits = providerLimits{MaxPut: f.MaxPut, MaxCopy: f.MaxCopy, MinPart: f.MinPart, MaxPart: f.MaxPart, MaxParts: f.MaxParts}
	for _, c := range f.Classes {
		p.Classes = append(p.Classes, providerClass{c.Name, tierWords(c.Tier)})
	}
	return p, nil
}

func (p *provider) fromRow(r dialect.Row) {
	p.About, _ = dialect.Describe(r.Name)
	p.Addressing = "host name"
	switch {
	case r.PathStyle:
		p.Addressing = "path"
	case r.VirtualOnly:
		p.Addressing = "host name only"
	}
	p.Listing = "V2"
	if r.ListV1 {
		p.Listing = "V1"
	}
	if r.EncodeKeys {
		p.Listing += ", keys encoded"
	}
	switch r.Checksum {
	case dialect.CRC32C:
		p.Checksums = "CRC32C, as a trailer of large bodies"
	case dialect.MD5:
		p.Checksums = "MD5"
	}
}

// configKeys are those of an endpoint of the provider.
func configKeys(name string) []string {
	keys := []string{"provider", "url", "region", "access_key", "secret_key", "session_token", "path_style", "proxy", "ca_file", "insecure_skip_verify"}
	switch name {
	case "aws":
		keys = append(keys, "profile")
	case "oss":
		keys = append(keys, "signature", "custom_domain")
	}
	return keys
}

// examples writes an endpoint of the provider in both forms.
func (p *provider) examples() {
	region := "" // that an address of no vendor cannot tell
	if _, r, ok := strings.Cut(p.Region, "such as "); ok {
		region = r
	}
	scheme, host, _ := strings.Cut(p.Example, "://")
	p.Variable = fmt.Sprintf("SLUICE_ENDPOINT_STORE='%s+%s://ACCESS:SECRET@%s", p.Name, scheme, host)
	p.YAML = fmt.Sprintf("endpoints:\n  store:\n    provider: %s\n    url: %s\n", p.Name, p.Example)
	if region != "" {
		p.Variable += "?region=" + region
		p.YAML += "    region: " + region + "\n"
	}
	p.Variable += "'"
	p.YAML += "    access_key: ACCESS\n    secret_key: ${file:/etc/sluice/secret}\n"
}

// features are those of a bucket of the example.
func (p *provider) features(ctx context.Context) (storage.Features, error) {
	name, value, _ := strings.Cut(p.Variable, "=")
	set, err := endpoint.Load(endpoint.Sources{Environ: []string{name + "=" + strings.Trim(value, "'")}})
	if err != nil {
		return storage.Features{}, err
	}
	l, err := set.Parse("store://bucket", "/")
	if err != nil {
		return storage.Features{}, err
	}
	b, err := set.Open(ctx, l, endpoint.OpenOptions{})
	if err != nil {
		return storage.Features{}, err
	}
	return b.Features(), nil
}
