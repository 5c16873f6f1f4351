package endpoint

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

const goodConfig = `# stores of the team
endpoints:
  Minio_Local:
    provider: minio
    url: http://127.0.0.1:9000/
    access_key: ${AK}
    secret_key: ${file:/run/secret}
    path_style: true
  other:
    provider: ceph
    url: https://ceph.example.com
    region: eu-1
    access_key: 0123
    secret_key: 'a"b: #c/+='
    session_token: |
      multi+line=
    ca_file: /etc/ca.pem
    insecure_skip_verify: false
  plain: {provider: s3, url: "http://h", access_key: 1e5, secret_key: 2026-01-02}
  broken:
    provider: minio
    url: ${NO_SUCH}
    secret_key: ${file:/none}
  s3:
    provider: aws
    profile: work
`

func readFiles(files map[string]string) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		if s, ok := files[path]; ok {
			return []byte(s), nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
}

func TestLoad(t *testing.T) {
	set := mustLoad(t, Sources{
		ConfigPath: "/c.yaml",
		ReadFile:   readFiles(map[string]string{"/c.yaml": goodConfig, "/run/secret": " s/e+c=\n"}),
		Environ:    []string{"AK=access", "HOME=/root", "SLUICE_ENDPOINT_OTHER=minio+http://x:y@z", "SLUICE_ENDPOINT_New_One=aws+https://", "SLUICE_ENDPOINTS=/c.yaml"},
	})
	if got, want := set.Names(), []string{"broken", "minio-local", "new-one", "oss", "other", "plain", "s3"}; !slices.Equal(got, want) {
		t.Errorf("Names() = %v, want %v", got, want)
	}
	m := set.entries["minio-local"]
	if m.err != nil || m.Provider != "minio" || m.URL != "http://127.0.0.1:9000" || m.AccessKey.Reveal() != "access" ||
		m.SecretKey.Reveal() != "s/e+c=" || m.PathStyle == nil || !*m.PathStyle || m.where != "/c.yaml:3" {
		t.Errorf("minio-local is %+v", m)
	}
	if p := set.entries["plain"]; p.AccessKey.Reveal() != "1e5" || p.SecretKey.Reveal() != "2026-01-02" {
		t.Errorf("plain values are not kept as written: %q, %q", p.AccessKey.Reveal(), p.SecretKey.Reveal())
	}
	if o := set.entries["other"]; o.Provider != "minio" || o.where != "the variable SLUICE_ENDPOINT_OTHER" {
		t.Errorf("the variable does not replace the file: %+v", o)
	}
	if s := set.entries["s3"]; s.Profile != "work" {
		t.Errorf("the file does not replace what is built in: %+v", s)
	}
	want := "/c.yaml:22:10: endpoint broken: url: the environment variable NO_SUCH is not set or empty\n" +
		"/c.yaml:23:17: endpoint broken: secret_key: open /none: file does not exist"
	if b := set.entries["broken"]; b.err == nil || b.err.Error() != want {
		t.Errorf("broken: %v\nwant %s", b.err, want)
	}
	alone := mustLoad(t, Sources{ConfigPath: "/c.yaml", Environ: []string{"AK=a"},
		ReadFile: readFiles(map[string]string{"/c.yaml": goodConfig, "/run/secret": "s"})})
	o := alone.entries["other"]
	if o.AccessKey.Reveal() != "0123" || o.SecretKey.Reveal() != `a"b: #c/+=` || o.SessionToken.Reveal() != "multi+line=" ||
		o.Region != "eu-1" || o.CAFile != "/etc/ca.pem" || o.InsecureSkipVerify || o.PathStyle != nil {
		t.Errorf("other is %+v: %q %q %q", o, o.AccessKey.Reveal(), o.SecretKey.Reveal(), o.SessionToken.Reveal())
	}
}

func TestLoadWithoutFile(t *testing.T) {
	for name, s := range map[string]Sources{
		"none":        {},
		"optional":    {ConfigPath: "/none", ConfigOptional: true, ReadFile: readFiles(nil)},
		"empty":       {ConfigPath: "/c", ReadFile: readFiles(map[string]string{"/c": ""})},
		"comments":    {ConfigPath: "/c", ReadFile: readFiles(map[string]string{"/c": "# nothing\n"})},
		"no entry":    {ConfigPath: "/c", ReadFile: readFiles(map[string]string{"/c": "endpoints:\n"})},
		"empty entry": {ConfigPath: "/c", ReadFile: readFiles(map[string]string{"/c": "endpoints: {}\n"})},
	} {
		if set := mustLoad(t, s); !slices.Equal(set.Names(), []string{"oss", "s3"}) {
			t.Errorf("%s: Names() = %v", name, set.Names())
		}
	}
	_, err := Load(Sources{ConfigPath: "/none", ReadFile: readFiles(nil)})
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that was asked for and is not there: %v", err)
	}
	if _, err = Load(Sources{ConfigPath: "/c", ConfigOptional: true, ReadFile: func(string) ([]byte, error) { return nil, fs.ErrPermission }}); err == nil {
		t.Error("a file that cannot be read passes for an empty one")
	}
}

// TestConfigErrors holds the messages; none may repeat a value ("SECRET").
func TestConfigErrors(t *testing.T) {
	one := func(lines string) string {
		return "endpoints:\n  m1:\n    provider: minio\n    url: http://h\n    " + lines + "\n"
	}
	const badProxy = `proxy must be http://, https:// or socks5://, if need be USER:PASSWORD@, a host and a port; or none`
	for config, want := range map[string]string{
		"endpoint:\n":                              `c.yaml:1:1: unknown key "endpoint" in the file; did you mean endpoints?`,
		"tasks: []\n":                              `c.yaml:1:1: unknown key "tasks" in the file; known: endpoints`,
		"endpoints: SECRET\n":                      `c.yaml:1:12: endpoints must be a mapping of keys to values`,
		"SECRET":                                   `c.yaml:1:1: the file must be a mapping of keys to values`,
		"endpoints:\n  m1: SECRET\n":               `c.yaml:2:7: the endpoint m1 must be a mapping of keys to values`,
		"endpoints:\n  x: {}\n":                    `c.yaml:2:3: "x": the name of an endpoint is made of letters, digits, '-' and '_', begins with a letter and is 2 to 64 long`,
		"endpoints:\n  m1: {}\n":                   `c.yaml:2:3: endpoint m1: provider is missing: one of ` + list(Providers()),
		one("accesKey: SECRET"):                    `c.yaml:5:5: unknown key "accesKey" in the endpoint m1; did you mean access_key?`,
		one("url: http://g"):                       `c.yaml:5:5: the key "url" of the endpoint m1 is there twice`,
		one("access_key:"):                         `c.yaml:5:17: access_key must be one value, not empty (for text with special characters use 'quotes')`,
		one("access_key: ''"):                      `c.yaml:5:17: access_key must be one value, not empty (for text with special characters use 'quotes')`,
		one("access_key: [SECRET]"):                `c.yaml:5:17: access_key must be one value, not empty (for text with special characters use 'quotes')`,
		one("access_key: *SECRET"):                 `c.yaml:5:17: access_key must be one value, not empty (for text with special characters use 'quotes')`,
		one("access_key: SECRET"):                  `c.yaml:2:3: endpoint m1: access_key is there and secret_key is missing`,
		one("path_style: SECRET"):                  `c.yaml:5:17: endpoint m1: path_style must be true or false`,
		one("region: a-${REGION}"):                 `c.yaml:5:13: endpoint m1: region: a ${reference} must be the whole value`,
		one("ca_file: ca.pem"):                     `c.yaml:5:14: endpoint m1: ca_file must be an absolute path`,
		one("profile: SECRET"):                     `c.yaml:2:3: endpoint m1: profile is for the provider aws only: give access_key and secret_key`,
		one("secret_key: \"SECRET\n"):              `c.yaml:5:17: is not YAML: could not find end character of double-quoted text`,
		one("secret_key: %SECRET: x: y"):           ``,
		one("secret_key: @SECRET"):                 ``,
		one("x: y\n  M1: {provider: aws}"):         `c.yaml:5:5: unknown key "x" in the endpoint m1; known: ` + list(keys()),
		one("region: r\n  M1: {provider: aws}"):    `c.yaml:6: the endpoint m1 is defined at c.yaml:2 too (capitals, - and _ make no difference)`,
		"endpoints:\n  m1:\n    provider: minoi\n": `c.yaml:3:15: endpoint m1: provider is unknown; did you mean minio?; one of ` + list(Providers()),
		"endpoints:\n  m1:\n    provider: oss\n":   `c.yaml:2:3: endpoint m1: url and region are both missing: give one of them`,
		"endpoints:\n  m1:\n    provider: oss\n    region: r\n    custom_domain: true\n":                           `c.yaml:2:3: endpoint m1: custom_domain is there and url, which names that domain, is missing`,
		"endpoints:\n  m1:\n    provider: oss\n    url: http://h\n    custom_domain: true\n    path_style: true\n": `c.yaml:2:3: endpoint m1: custom_domain and path_style contradict each other: give one of them`,
		one("signature: SECRET"):                                               `c.yaml:5:16: endpoint m1: signature must be v1 or v4`,
		one("signature: v1"):                                                   `c.yaml:2:3: endpoint m1: signature and custom_domain are for the provider oss only`,
		one("custom_domain: true"):                                             `c.yaml:2:3: endpoint m1: signature and custom_domain are for the provider oss only`,
		one("proxy: SECRET"):                                                   `c.yaml:5:12: endpoint m1: ` + badProxy,
		one("proxy: http://u:SECRET@"):                                         `c.yaml:5:12: endpoint m1: ` + badProxy,
		one("proxy: ftp://u:SECRET@h"):                                         `c.yaml:5:12: endpoint m1: ` + badProxy,
		one("proxy: 'http://u:%SECRET@h:'"):                                    `c.yaml:5:12: endpoint m1: ` + badProxy,
		"endpoints:\n  m1:\n    provider: minio\n":                             `c.yaml:2:3: endpoint m1: url is missing: the provider minio has none of its own`,
		"endpoints:\n  m1:\n    provider: minio\n    url: h:9000\n":            `c.yaml:4:10: endpoint m1: url must be http:// or https://, a host, and if need be a port, and nothing behind`,
		"endpoints:\n  m1:\n    provider: minio\n    url: http://A:SECRET@h\n": `c.yaml:4:10: endpoint m1: url must not hold credentials: give access_key and secret_key`,
		"endpoints:\n  m1:\n    provider: minio\n    url: http://h:SECRET\n":   `c.yaml:4:10: endpoint m1: url must be http:// or https://, a host, and if need be a port, and nothing behind`,
	} {
		_, err := Load(Sources{ConfigPath: "c.yaml", ReadFile: readFiles(map[string]string{"c.yaml": config})})
		switch {
		case err == nil:
			t.Errorf("no error for\n%s", config)
		case strings.Contains(err.Error(), "SECRET"):
			t.Errorf("a value leaks: %v", err)
		case want == "" && !strings.HasPrefix(err.Error(), "c.yaml:"):
			t.Errorf("%v names no place", err)
		case want != "" && err.Error() != want:
			t.Errorf("%s\n got %v\nwant %s", config, err, want)
		}
	}
}

func TestReferences(t *testing.T) {
	files := map[string]string{"/empty": " \n", "/s": "\tx y\n"}
	lookup := references(map[string]string{"SET": "v", "EMPTY": ""}, readFiles(files))
	for ref, want := range map[string]string{"SET": "v", "file:/s": "x y"} {
		if got, err := lookup(ref); err != nil || got != want {
			t.Errorf("${%s} = %q, %v", ref, got, err)
		}
	}
	for ref, want := range map[string]string{
		"EMPTY": "the environment variable EMPTY is not set or empty", "UNSET": "the environment variable UNSET is not set or empty",
		"file:/empty": "the file /empty is empty", "file:s": "${file:…} needs an absolute path",
		"": "a reference is ${VARIABLE} or ${file:/path}", "A-B": "a reference is ${VARIABLE} or ${file:/path}", "1A": "a reference is ${VARIABLE} or ${file:/path}",
	} {
		if _, err := lookup(ref); err == nil || err.Error() != want {
			t.Errorf("${%s}: %v, want %s", ref, err, want)
		}
	}
}

func TestVariableNames(t *testing.T) {
	for _, c := range []struct {
		environ []string
		want    string
	}{
		{[]string{"SLUICE_ENDPOINT_=minio+http://h"}, "the variable SLUICE_ENDPOINT_: the name of an endpoint is made of"},
		{[]string{"SLUICE_ENDPOINT_X=minio+http://h"}, "the variable SLUICE_ENDPOINT_X: the name of an endpoint is made of"},
		{[]string{"SLUICE_ENDPOINT_XY=AK:PASSWORD@h"}, "the variable SLUICE_ENDPOINT_XY: must be PROVIDER+http"},
		{[]string{"SLUICE_ENDPOINT_A_B=minio+http://h", "SLUICE_ENDPOINT_a-b=minio+http://h"}, "the variable SLUICE_ENDPOINT_a-b: the endpoint a-b is defined at the variable SLUICE_ENDPOINT_A_B too"},
	} {
		if _, err := Load(Sources{Environ: c.environ}); err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "PASSWORD") {
			t.Errorf("%v: %v", c.environ, err)
		}
	}
}

// FuzzConfig: no file breaks the reader, and no syntax error repeats a value.
func FuzzConfig(f *testing.F) {
	f.Add(goodConfig)
	f.Add("endpoints: {aa: {secret_key: \"zzSECRETzz\n")
	f.Add("endpoints:\n  aa:\n    secret_key: zzSECRETzz: b: c\n")
	f.Add("a: &x [*x]\n---\n? b\n")
	f.Fuzz(func(t *testing.T, config string) {
		_, err := Load(Sources{ConfigPath: "c", ReadFile: readFiles(map[string]string{"c": config})})
		if err != nil && !strings.HasPrefix(err.Error(), "c:") {
			t.Fatalf("%v names no place", err)
		}
		secret := "endpoints:\n  aa:\n    secret_key: zzSECRETzz" + config
		if _, err = Load(Sources{ConfigPath: "c", ReadFile: readFiles(map[string]string{"c": secret})}); err != nil &&
			strings.Contains(err.Error(), "zzSECRETzz") && !strings.Contains(config, "zzSECRETzz") {
			t.Fatalf("the value leaks: %v", err)
		}
	})
}

// TestSection reads endpoints out of a file that holds other things.
func TestSection(t *testing.T) {
	files := map[string]string{
		"/c.yaml":    "endpoints:\n  one: {provider: minio, url: 'http://config'}\n  two: {provider: minio, url: 'http://config'}\n",
		"/t.yaml":    "tasks: [{id: a}]\nendpoints:\n  two: {provider: minio, url: 'http://section'}\n  three: {provider: minio, url: 'http://section'}\n",
		"/none.yaml": "tasks: []\n",
		"/bad.yaml":  "tasks: []\nendpoints:\n  two: {provder: minio}\n",
	}
	load := func(section string) (*Set, error) {
		return Load(Sources{ConfigPath: "/c.yaml", SectionPath: section, ReadFile: readFiles(files),
			Environ: []string{"SLUICE_ENDPOINT_THREE=minio+http://environ"}})
	}
	set, err := load("/t.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, url := range map[string]string{"one": "http://config", "two": "http://section", "three": "http://environ"} {
		if got := set.entries[name].URL; got != url {
			t.Errorf("%s is at %s, want %s", name, got, url)
		}
	}
	if _, err := load("/none.yaml"); err != nil {
		t.Errorf("a file without endpoints: %v", err)
	}
	for path, want := range map[string]string{
		"/bad.yaml": `/bad.yaml:3:9: unknown key "provder" in the endpoint two; did you mean provider?`,
		"/gone":     "the config file cannot be read: open /gone: file does not exist",
	} {
		if _, err := load(path); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}
