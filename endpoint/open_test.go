package endpoint

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/dialect"
	"github.com/sluice-sync/sluice/storage/file"
	"github.com/sluice-sync/sluice/storage/minio"
	"github.com/sluice-sync/sluice/storage/oss"
	"github.com/sluice-sync/sluice/storage/s3"
)

// TestEveryProviderHasADriver opens each provider and looks at what came out.
func TestEveryProviderHasADriver(t *testing.T) {
	want := append(dialect.Names(), "oss")
	slices.Sort(want)
	if !slices.Equal(Providers(), want) {
		t.Fatalf("providers %v, dialects %v", Providers(), want)
	}
	for _, p := range Providers() {
		set := mustLoad(t, Sources{Environ: []string{"SLUICE_ENDPOINT_THE_STORE=" + p + "+https://AK:SK@store.example.com?region=eu-1"}})
		b, err := set.Open(t.Context(), mustParse(t, "the_store://buck/pre/"), OpenOptions{})
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		if b.String() != "the-store://buck/pre" {
			t.Errorf("%s: String() = %s", p, b)
		}
		var row dialect.Row
		switch b := b.(type) {
		case *s3.Bucket:
			if row = b.Dialect; p != "aws" {
				t.Errorf("%s is opened by the driver of AWS", p)
			}
		case *minio.Bucket:
			if row = b.Dialect; p == "aws" {
				t.Error("aws is opened by minio-go")
			}
		case *oss.Bucket:
			if p != "oss" || b.Region != "eu-1" {
				t.Errorf("%s in %s is opened by the driver of OSS", p, b.Region)
			}
			continue
		default:
			t.Errorf("%s is opened as %T", p, b)
		}
		if def, _ := dialect.Lookup(p); !reflect.DeepEqual(row, def) {
			t.Errorf("%s has the dialect %+v", p, row)
		}
	}
}

func TestPathsOpenAsFiles(t *testing.T) {
	dir := t.TempDir()
	l, err := Parse(dir+"/", "/")
	if err != nil {
		t.Fatal(err)
	}
	b, err := mustLoad(t, Sources{}).Open(t.Context(), l, OpenOptions{Owner: "task", TempDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := b.(*file.Bucket); !ok || b.String() != filepath.Clean(dir) {
		t.Errorf("%s opens as %T %s", dir, b, b)
	}
}

func TestPathStyle(t *testing.T) {
	yes, no := true, false
	virtual, path := dialect.Row{}, dialect.Row{PathStyle: true}
	for _, c := range []struct {
		asked   *bool
		row     dialect.Row
		address string
		want    bool
	}{
		{nil, virtual, "https://a.example.com", false}, {nil, path, "https://a.example.com", true}, {nil, virtual, "", false},
		{nil, virtual, "http://127.0.0.1:9000", true}, {nil, virtual, "http://[::1]:9000", true}, {nil, virtual, "http://localhost:1", true},
		{&yes, virtual, "https://a.example.com", true}, {&no, path, "http://127.0.0.1", false},
	} {
		if got := pathStyle(&Endpoint{PathStyle: c.asked}, c.row, c.address); got != c.want {
			t.Errorf("%+v gives %v", c, got)
		}
	}
}

func TestUnknownEndpoints(t *testing.T) {
	set := mustLoad(t, Sources{Environ: []string{"SLUICE_ENDPOINT_MINIO=minio+http://h"}})
	const define = `=PROVIDER+https://ACCESS:SECRET@HOST, or endpoints: in the config file)`
	for in, want := range map[string]string{
		"mino://b":     `mino:// is no known endpoint; did you mean minio?; known: minio, oss, s3 (to define it: SLUICE_ENDPOINT_MINO` + define,
		"my_x://b":     `my-x:// is no known endpoint; known: minio, oss, s3 (to define it: SLUICE_ENDPOINT_MY_X` + define,
		"minio:b/x":    `"minio:…" begins like the endpoint minio: write minio://bucket/prefix (or ./minio:… for a file of that name)`,
		"MINIO:/b":     `"MINIO:/…" has one slash too few: did you mean MINIO://bucket/prefix? (for a file of that name write ./MINIO:/…)`,
		"s3://b/../c":  `s3://b: the prefix has a component "..", which object stores do not resolve: write the prefix out`,
		"unknown:/a:b": `"unknown:/…" has one slash too few: did you mean unknown://bucket/prefix? (for a file of that name write ./unknown:/…)`,
	} {
		if l, err := set.Parse(in, "/home/u"); err == nil || err.Error() != want {
			t.Errorf("Parse(%q) = %v, %v\nwant %s", in, l, err, want)
		}
	}
	for _, in := range []string{"minio://b", "S3://b/x", "/x", "unknown:x", "./minio:b"} {
		if _, err := set.Parse(in, "/home/u"); err != nil {
			t.Errorf("Parse(%q): %v", in, err)
		}
	}
	if _, err := set.Open(t.Context(), Location{Endpoint: "nope", Bucket: "b"}, OpenOptions{}); err == nil || !strings.HasPrefix(err.Error(), "nope:// is no known endpoint") {
		t.Errorf("Open of an unknown endpoint: %v", err)
	}
}

// TestBrokenReferenceFailsAtOpen: an endpoint nobody uses may be incomplete.
func TestBrokenReferenceFailsAtOpen(t *testing.T) {
	set := mustLoad(t, Sources{ConfigPath: "/c.yaml", ReadFile: readFiles(map[string]string{"/c.yaml": goodConfig})})
	_, err := set.Open(t.Context(), mustParse(t, "broken://b"), OpenOptions{})
	if err == nil || !strings.Contains(err.Error(), "endpoint broken: url: the environment variable NO_SUCH is not set or empty") {
		t.Errorf("Open: %v", err)
	}
	if _, err := set.Open(t.Context(), mustParse(t, "plain://b"), OpenOptions{}); err != nil {
		t.Errorf("another endpoint of the file: %v", err)
	}
}

// refusing is a store that answers every request as S3 does for a bad
// signature, with all it knows about the keys.
type refusing struct {
	mu    sync.Mutex
	hosts []string
	paths []string
	auth  []string
}

func (s *refusing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.hosts, s.paths, s.auth = append(s.hosts, r.Host), append(s.paths, r.URL.Path), append(s.auth, r.Header.Get("Authorization"))
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusForbidden)
	_, _ = w.Write([]byte(`<Error><Code>SignatureDoesNotMatch</Code><Message>The signature does not match.</Message><AWSAccessKeyId>` +
		secretAccess + `</AWSAccessKeyId><StringToSign>` + secretKey + `</StringToSign></Error>`))
}

const secretAccess, secretKey, secretToken = "ACCESSzzACCESS", "SECRET/zz+SE:CRET@x", "TOKENzzTOKEN"

// TestNoSecretInErrors makes requests that fail in several ways through both
// drivers and reads every word of the errors.
func TestNoSecretInErrors(t *testing.T) {
	refuse := &refusing{}
	store := httptest.NewServer(refuse)
	defer store.Close()
	gone := httptest.NewServer(refuse)
	goneURL := gone.URL
	gone.Close()
	notHTTP := httptest.NewTLSServer(refuse)
	defer notHTTP.Close()
	keys := secretAccess + ":" + secretKey + "@"
	for _, provider := range []string{"minio", "aws", "cos", "oss"} {
		for what, target := range map[string]string{"refuses": store.URL, "is gone": goneURL, "has a strange certificate": notHTTP.URL} {
			scheme, host, _ := strings.Cut(target, "://")
			set := mustLoad(t, Sources{Environ: []string{"SLUICE_ENDPOINT_ST=" + provider + "+" + scheme + "://" + keys + host + "?region=r&session_token=" + secretToken}})
			b, err := set.Open(t.Context(), mustParse(t, "st://bucket/prefix"), OpenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			_, err1 := b.Stat(t.Context(), "key")
			_, err2 := b.Put(t.Context(), "key", strings.NewReader("x"), storage.PutOptions{Size: 1})
			for op, err := range map[string]error{"check": b.Check(t.Context()), "create": b.Create(t.Context()), "stat": err1, "put": err2} {
				if err == nil {
					t.Errorf("%s, a store that %s: %s succeeds", provider, what, op)
					continue
				}
				for _, s := range []string{secretAccess, secretKey, secretToken, url.QueryEscape(secretKey), "Signature="} {
					if strings.Contains(err.Error(), s) {
						t.Errorf("%s, a store that %s: the error of %s holds a secret: %v", provider, what, op, err)
					}
				}
			}
		}
	}
	refuse.mu.Lock()
	defer refuse.mu.Unlock()
	if i := slices.IndexFunc(refuse.auth, func(s string) bool { return strings.Contains(s, "Credential="+secretAccess+"/") }); i < 0 {
		t.Error("no request was signed: the test proves nothing")
	}
}

// TestBuiltInS3 goes through the AWS default chain, which reads this process's
// environment, to a store named by AWS_ENDPOINT_URL.
func TestBuiltInS3(t *testing.T) {
	refuse := &refusing{}
	store := httptest.NewServer(refuse)
	defer store.Close()
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "CHAIN", "AWS_SECRET_ACCESS_KEY": "chain-secret", "AWS_SESSION_TOKEN": "",
		"AWS_PROFILE": "", "AWS_REGION": "eu-9", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_ENDPOINT_URL": store.URL,
		"AWS_ENDPOINT_URL_S3": "", "AWS_CA_BUNDLE": ""} {
		t.Setenv(name, value)
	}
	b, err := mustLoad(t, Sources{}).Open(t.Context(), mustParse(t, "s3://bucket/prefix"), OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Check(t.Context()); !errors.Is(err, storage.ErrCredentials) {
		t.Errorf("Check: %v", err)
	}
	if len(refuse.paths) == 0 || !strings.HasPrefix(refuse.paths[0], "/bucket") || !strings.Contains(refuse.auth[0], "Credential=CHAIN/") ||
		!strings.Contains(refuse.auth[0], "/eu-9/s3/") {
		t.Errorf("the store saw paths %q, signed %q", refuse.paths, refuse.auth)
	}
}
