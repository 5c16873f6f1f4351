package endpoint

import (
	"path/filepath"
	"runtime"
	"testing"
)

func TestParseLocations(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the table is of slash paths; parse's drive letters are tested apart")
	}
	for _, c := range []struct {
		in   string
		want Location
		str  string
	}{
		{"/data", Location{Path: "/data"}, "/data"},
		{"/data/", Location{Path: "/data", Slash: true}, "/data"},
		{"./data", Location{Path: "/home/u/data"}, "/home/u/data"},
		{"data", Location{Path: "/home/u/data"}, "/home/u/data"},
		{"a/../b//c/./d", Location{Path: "/home/u/b/c/d"}, "/home/u/b/c/d"},
		{".", Location{Path: "/home/u", Slash: true}, "/home/u"},
		{"..", Location{Path: "/home", Slash: true}, "/home"},
		{"x/..", Location{Path: "/home/u", Slash: true}, "/home/u"},
		{"/", Location{Path: "/", Slash: true}, "/"},
		{"./s3:/x", Location{Path: "/home/u/s3:/x"}, "/home/u/s3:/x"},
		{"./C:\\x", Location{Path: `/home/u/C:\x`}, `/home/u/C:\x`},
		{"a:b", Location{Path: "/home/u/a:b"}, "/home/u/a:b"},
		{"12:/x", Location{Path: "/home/u/12:/x"}, "/home/u/12:/x"},
		{"a/b://c", Location{Path: "/home/u/a/b:/c"}, "/home/u/a/b:/c"},
		{"./~", Location{Path: "/home/u/~"}, "/home/u/~"},
		{"~user", Location{Path: "/home/u/~user"}, "/home/u/~user"},
		{"a\xffb", Location{Path: "/home/u/a\xffb"}, "/home/u/a\xffb"},

		{"s3://b", Location{Endpoint: "s3", Bucket: "b", Slash: true}, "s3://b"},
		{"s3://b/", Location{Endpoint: "s3", Bucket: "b", Slash: true}, "s3://b"},
		{"s3://b/photos", Location{Endpoint: "s3", Bucket: "b", Prefix: "photos"}, "s3://b/photos"},
		{"s3://b/photos/", Location{Endpoint: "s3", Bucket: "b", Prefix: "photos", Slash: true}, "s3://b/photos"},
		{"S3://b/Photos/2026", Location{Endpoint: "s3", Bucket: "b", Prefix: "Photos/2026"}, "s3://b/Photos/2026"},
		{"My_Store://b-1.x_y/p", Location{Endpoint: "my-store", Bucket: "b-1.x_y", Prefix: "p"}, "my-store://b-1.x_y/p"},
		{"s3://b/a%20b?c#d+é\xff", Location{Endpoint: "s3", Bucket: "b", Prefix: "a%20b?c#d+é\xff"}, "s3://b/a%20b?c#d+é\xff"},
		{"s3://b/a@b:c", Location{Endpoint: "s3", Bucket: "b", Prefix: "a@b:c"}, "s3://b/a@b:c"},
	} {
		got, err := parse(c.in, "/home/u", false)
		if err != nil || got != c.want || got.String() != c.str {
			t.Errorf("parse(%q) = %+v (%s), %v; want %+v", c.in, got, got, err, c.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                       `an empty location: write a path, or ENDPOINT://bucket/prefix`,
		"a\x00b":                 `a location cannot hold a NUL byte`,
		"~":                      `"~": the shell did not replace ~ by your home directory; write the path out (or ./~ for a directory of that name)`,
		"~/x":                    `"~/x": the shell did not replace ~ by your home directory; write the path out (or ./~/x for a directory of that name)`,
		"s3:/bucket":             `"s3:/…" has one slash too few: did you mean s3://bucket/prefix? (for a file of that name write ./s3:/…)`,
		`C:\x`:                   `"C:\\x" is a path of Windows, and this is another system (for a file of that name write ./C:\x)`,
		`c:/x`:                   `"c:/x" is a path of Windows, and this is another system (for a file of that name write ./c:/x)`,
		"s3://":                  `s3:// names no bucket: write s3://bucket/prefix`,
		"s3:///x":                `s3:// names no bucket: write s3://bucket/prefix`,
		"://b":                   `the endpoint before :// in a location: the name of an endpoint is made of letters, digits, '-' and '_', begins with a letter and is 2 to 64 long`,
		"x://b":                  `the endpoint before :// in a location: the name of an endpoint is made of letters, digits, '-' and '_', begins with a letter and is 2 to 64 long`,
		"minio+http://AK:SK@h/b": `the endpoint before :// in a location: the name of an endpoint is made of letters, digits, '-' and '_', begins with a letter and is 2 to 64 long`,
		"s3://a b/x":             `s3://: "a b" cannot be the name of a bucket: it is made of letters, digits, '.', '-' and '_'`,
		"s3://../x":              `s3://: ".." cannot be the name of a bucket: it is made of letters, digits, '.', '-' and '_'`,
		"s3://b/a/../c":          `s3://b: the prefix has a component "..", which object stores do not resolve: write the prefix out`,
		"s3://b//":               `s3://b: the prefix has two slashes in a row: write one`,
		"s3://b//a":              `s3://b: the prefix has two slashes in a row: write one`,
		"s3://b/a//":             `s3://b: the prefix has two slashes in a row: write one`,
		"s3://b/a//c":            `s3://b: the prefix has two slashes in a row: write one`,
		"s3://b/.":               `s3://b: the prefix has a component ".", which object stores do not resolve: write the prefix out`,
		"https://h/b":            `https:// is no endpoint: give the store a name (SLUICE_ENDPOINT_NAME=PROVIDER+https://ACCESS:SECRET@HOST, or endpoints: in the config file) and write NAME://bucket/prefix`,
		"file:///data":           `file:// is no endpoint: write the path itself, as in /data`,
		"my-m://AK:SK@host/b":    `my-m://…: a location holds no credentials and no host: put them into the endpoint (SLUICE_ENDPOINT_MY_M=PROVIDER+https://ACCESS:SECRET@HOST, or endpoints: in the config file) and write my-m://bucket/prefix`,
	} {
		if l, err := parse(in, "/home/u", false); err == nil || err.Error() != want {
			t.Errorf("parse(%q) = %+v, %v\nwant %s", in, l, err, want)
		}
	}
}

func TestDriveLettersOnWindows(t *testing.T) {
	for _, s := range []string{`C:\x`, `c:/x`, `s3:/x`} {
		if l, err := parse(s, `/home/u`, true); err != nil || !l.IsPath() {
			t.Errorf("parse(%q) on Windows = %+v, %v", s, l, err)
		}
	}
	if l, err := parse(`data\`, "/home/u", true); err != nil || !l.Slash {
		t.Errorf(`parse(data\) on Windows = %+v, %v; want Slash`, l, err)
	}
	if _, err := parse("s3://b/x", "/home/u", true); err != nil {
		t.Error(err)
	}
}

func TestParent(t *testing.T) {
	for _, c := range []struct {
		in, dir, base string
		ok            bool
	}{
		{"/data/a.txt", "/data", "a.txt", true},
		{"/data", "/", "data", true},
		{"/", "", "", false},
		{"s3://b/p/a.txt", "s3://b/p", "a.txt", true},
		{"s3://b/a.txt", "s3://b", "a.txt", true},
		{"s3://b", "", "", false},
	} {
		dir, base, ok := mustParse(t, c.in).Parent()
		if ok != c.ok || ok && (base != c.base || dir.String() != c.dir || !dir.Slash) {
			t.Errorf("%s: Parent = %s, %q, %v", c.in, dir, base, ok)
		}
	}
}

func TestInside(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"/data", "/data/", true}, {"/data", "/data/x", true}, {"/", "/data", true},
		{"/data", "/data-old", false}, {"/data", "/dat", false}, {"/data", "s3://data", false},
		{"s3://b", "s3://b/x", true}, {"s3://b/photos", "s3://b/photos/", true}, {"s3://b/photos", "s3://b/photos/x", true},
		{"s3://b/photos", "s3://b/photos-old", false}, {"s3://b", "s3://c", false}, {"s3://b/x", "s3://b/y", false},
		{"s3://b", "other://b", false}, {"s3://b/x", "S3://b/x", true},
	} {
		a, b := mustParse(t, c.a), mustParse(t, c.b)
		if Inside(a, b) != c.want || Inside(b, a) != c.want {
			t.Errorf("Inside(%s, %s) = %v, %v", a, b, Inside(a, b), Inside(b, a))
		}
	}
}

// TestInsideSeesOneStore: two names of one host are one store.
func TestInsideSeesOneStore(t *testing.T) {
	set := mustLoad(t, Sources{Environ: []string{
		"SLUICE_ENDPOINT_ONE=minio+http://a:b@HOST:80", "SLUICE_ENDPOINT_TWO=ceph+http://c:d@host",
		"SLUICE_ENDPOINT_TLS=minio+https://a:b@host:443", "SLUICE_ENDPOINT_AWS2=aws+https://a:b@"}})
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"one://b", "two://b/x", true}, {"one://b", "two://c", false}, {"one://b", "tls://b", true},
		{"s3://b", "aws2://b", true}, {"s3://b", "one://b", false}, {"/b", "/b/c", true}, {"/b", "one://b", false},
	} {
		a, b := mustParse(t, c.a), mustParse(t, c.b)
		if set.Inside(a, b) != c.want || set.Inside(b, a) != c.want {
			t.Errorf("Inside(%s, %s) is not %v", a, b, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"/data/", "a/../b", "s3://b/p//", "s3:/b", `C:\x`, "~/x", "x://AK:SK@h/b", "s3://b/a/../b", "", "a\x00", "s3://b///"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := parse(s, "/home/u", false)
		if err != nil {
			return
		}
		if l.IsPath() != (l.Bucket == "") || l.IsPath() && !filepath.IsAbs(l.Path) {
			t.Fatalf("parse(%q) = %+v", s, l)
		}
		again, err := parse(l.String(), "/elsewhere", false)
		l.Slash, again.Slash = false, false
		if err != nil || again != l {
			t.Fatalf("%q gives %+v, and its String gives %+v, %v", s, l, again, err)
		}
		dir, base, ok := l.Parent()
		if !Inside(l, l) || ok && !Inside(dir, l) {
			t.Fatalf("%q: not inside its parent %s", s, dir)
		}
		if whole := dir.Prefix + "/" + base; ok && !l.IsPath() && whole != l.Prefix && (dir.Prefix != "" || base != l.Prefix) {
			t.Fatalf("%q: parent %q and base %q do not make it", s, dir.Prefix, base)
		}
	})
}

func mustParse(t testing.TB, s string) Location {
	t.Helper()
	l, err := parse(s, "/home/u", false)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustLoad(t testing.TB, s Sources) *Set {
	t.Helper()
	set, err := Load(s)
	if err != nil {
		t.Fatal(err)
	}
	return set
}
