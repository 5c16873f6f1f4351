package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sluice-sync/sluice/endpoint"
)

// say runs a command line and returns what it printed.
func say(t *testing.T, args string) (string, error) {
	t.Helper()
	var out strings.Builder
	cmd := (&app{stdout: &out, stderr: &out}).command()
	cmd.SetArgs(strings.Fields(args))
	err := cmd.Execute()
	return out.String(), err
}

func providerPages(t *testing.T) []provider {
	t.Helper()
	out, err := say(t, "providers --json")
	if err != nil {
		t.Fatal(err)
	}
	var all []provider
	for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
		var p provider
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// TestProviders: every provider has its page, which says the same in all forms.
func TestProviders(t *testing.T) {
	table, err := say(t, "providers")
	if err != nil {
		t.Fatal(err)
	}
	all := providerPages(t)
	if want := len(endpoint.Providers()) + 1; len(all) != want || strings.Count(table, "\n") != want+1 {
		t.Errorf("%d providers and a table of\n%swant %d", len(all), table, want)
	}
	for _, p := range all {
		page, err := say(t, "providers "+strings.ToUpper(p.Name))
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		for _, words := range append([]string{p.Title, p.Endpoint, p.Example, p.Variable}, p.Notes...) {
			if !strings.Contains(page, words) {
				t.Errorf("the page of %s does not say %q", p.Name, words)
			}
		}
		for _, c := range p.Classes {
			if c.Tier == "" || !strings.Contains(page, c.Name+" ("+c.Tier+")") {
				t.Errorf("the page of %s does not explain class %s", p.Name, c.Name)
			}
		}
	}
	var usage usageError
	if _, err := say(t, "providers nobody"); !errors.As(err, &usage) || !strings.Contains(err.Error(), "minio, ") {
		t.Errorf("an unknown provider: %v", err)
	}
}

// TestProviderExamples: what the pages show can be pasted, and every key that
// they name is taken.
func TestProviderExamples(t *testing.T) {
	values := map[string]string{
		"path_style": "false", "insecure_skip_verify": "true", "proxy": "none", "ca_file": "/etc/ca.pem",
		"signature": "v1", "custom_domain": "false", "session_token": "TOKEN",
	}
	load := func(yaml string) error {
		_, err := endpoint.Load(endpoint.Sources{ConfigPath: "config.yaml", ReadFile: func(path string) ([]byte, error) {
			if path == "config.yaml" {
				return []byte(yaml), nil
			}
			return []byte("SECRET"), nil
		}})
		return err
	}
	for _, p := range providerPages(t) {
		if p.YAML == "" {
			continue
		}
		if err := load(p.YAML); err != nil {
			t.Errorf("the example of %s: %v\n%s", p.Name, err, p.YAML)
		}
		for _, key := range p.Keys {
			yaml := p.YAML
			switch v, known := values[key]; {
			case known:
				yaml += "    " + key + ": " + v + "\n"
			case key == "profile": // which takes the place of keys
				yaml, _, _ = strings.Cut(yaml, "    access_key")
				yaml += "    profile: work\n"
			}
			if err := load(yaml); err != nil || !strings.Contains(yaml, key+":") && key != "region" {
				t.Errorf("%s takes no %s: %v\n%s", p.Name, key, err, yaml)
			}
		}
	}
}
