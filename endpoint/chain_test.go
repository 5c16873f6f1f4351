package endpoint

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// issuer is every service that the AWS tools get credentials from, and a store
// that refuses them. What it issues has expired when it arrives, so that each
// request needs new ones.
type issuer struct {
	refusing
	issued int
	lock   sync.Mutex
}

func (s *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.lock.Lock()
	defer s.lock.Unlock()
	_ = r.ParseForm()
	past := time.Now().Add(-time.Minute).UTC()
	key := fmt.Sprintf("ISSUED%d", s.issued+1)
	asJSON := fmt.Sprintf(`{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":%q,"SecretAccessKey":"s","Token":"t","Expiration":%q}`, key, past.Format(time.RFC3339))
	switch p := r.URL.Path; {
	case r.FormValue("Action") == "AssumeRoleWithWebIdentity" && r.FormValue("WebIdentityToken") == "jwt":
		fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>%s</AccessKeyId>`+
			`<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials>`+
			`</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, key, past.Format(time.RFC3339))
	case p == "/container" && r.Header.Get("Authorization") == "task":
		fmt.Fprint(w, asJSON)
	case p == "/federation/credentials" && r.Header.Get("X-Amz-Sso_bearer_token") == "sso":
		fmt.Fprintf(w, `{"roleCredentials":{"accessKeyId":%q,"secretAccessKey":"s","sessionToken":"t","expiration":%d}}`, key, past.UnixMilli())
	case p == "/latest/api/token":
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60")
		fmt.Fprint(w, "imds")
		return
	case p == "/latest/meta-data/iam/security-credentials/":
		fmt.Fprint(w, "role")
		return
	case p == "/latest/meta-data/iam/security-credentials/role" && r.Header.Get("X-Aws-Ec2-Metadata-Token") == "imds":
		fmt.Fprint(w, strings.Replace(asJSON, past.Format(time.RFC3339), time.Now().Add(time.Hour).UTC().Format(time.RFC3339), 1))
	default:
		s.refusing.ServeHTTP(w, r)
		return
	}
	s.issued++
}

// TestAWSChain takes the credentials of the AWS tools from all their sources.
// What expires is asked for again by the SDK.
func TestAWSChain(t *testing.T) {
	for _, c := range []struct {
		name    string
		env     map[string]string
		profile string
		keys    []string // of the two requests
	}{
		{name: "environment", env: map[string]string{"AWS_ACCESS_KEY_ID": "VARIABLE", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}, keys: []string{"VARIABLE", "VARIABLE"}},
		{name: "profile", profile: "keys", keys: []string{"PROFILE", "PROFILE"}},
		{name: "profile of the environment", env: map[string]string{"AWS_PROFILE": "keys"}, keys: []string{"PROFILE", "PROFILE"}},
		{name: "sso", profile: "sso", keys: []string{"ISSUED1", "ISSUED2"}},
		{name: "web identity", env: map[string]string{"AWS_ROLE_ARN": "arn:aws:iam::1:role/r", "AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/jwt", "AWS_ENDPOINT_URL_STS": "URL"}, keys: []string{"ISSUED1", "ISSUED2"}},
		{name: "container", env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "URL/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "task"}, keys: []string{"ISSUED1", "ISSUED2"}},
		{name: "machine", env: map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": "URL", "AWS_EC2_METADATA_DISABLED": ""}, keys: []string{"ISSUED1", "ISSUED1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			service := &issuer{}
			server := httptest.NewServer(service)
			defer server.Close()
			home := t.TempDir()
			writeAWSFiles(t, home)
			cleanAWS(t, home)
			for name, value := range c.env {
				t.Setenv(name, strings.NewReplacer("HOME", home, "URL", server.URL).Replace(value))
			}
			t.Setenv("AWS_ENDPOINT_URL_SSO", server.URL)
			t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
			set := mustLoad(t, Sources{Environ: []string{"SLUICE_ENDPOINT_ST=aws+https://?profile=" + c.profile}})
			b, err := set.Open(t.Context(), mustParse(t, "st://bucket"), OpenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for range c.keys {
				if err := b.Check(t.Context()); !errors.Is(err, storage.ErrCredentials) || !strings.Contains(err.Error(), "SignatureDoesNotMatch") {
					t.Fatalf("Check: %v", err)
				}
			}
			for i, key := range c.keys {
				if i >= len(service.auth) || !strings.Contains(service.auth[i], "Credential="+key+"/") || service.paths[i] != "/bucket" {
					t.Errorf("the store saw paths %q and keys %q, want %q", service.paths, service.auth, c.keys)
				}
			}
		})
	}
}

func writeAWSFiles(t *testing.T, home string) {
	t.Helper()
	const start = "https://start.example.com"
	sum := sha1.Sum([]byte(start))
	for path, text := range map[string]string{
		"jwt":              "jwt",
		".aws/credentials": "[keys]\naws_access_key_id = PROFILE\naws_secret_access_key = s\n",
		".aws/config": "[profile sso]\nsso_start_url = " + start + "\nsso_region = eu-9\nsso_account_id = 1\nsso_role_name = r\n" +
			"[profile keys]\nregion = eu-9\n",
		".aws/sso/cache/" + hex.EncodeToString(sum[:]) + ".json": `{"accessToken":"sso","expiresAt":"2099-01-01T00:00:00Z"}`,
	} {
		path = filepath.Join(home, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// cleanAWS takes away what the person who runs the test has set.
func cleanAWS(t *testing.T, home string) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // so that it comes back
			os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", home)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(home, ".aws/config")) // the SDK looks for a home once
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(home, ".aws/credentials"))
	t.Setenv("AWS_REGION", "eu-9")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// TestGivenURLComesFirst: what the AWS tools' variables say is for endpoints
// that say nothing.
func TestGivenURLComesFirst(t *testing.T) {
	cleanAWS(t, t.TempDir())
	given, variable, service := &refusing{}, &refusing{}, &refusing{}
	address := map[*refusing]string{}
	for _, r := range []*refusing{given, variable, service} {
		s := httptest.NewServer(r)
		defer s.Close()
		address[r] = s.URL
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	t.Setenv("AWS_ENDPOINT_URL", address[variable])
	check := func(value string) {
		t.Helper()
		b, err := mustLoad(t, Sources{Environ: []string{"SLUICE_ENDPOINT_ST=" + value}}).Open(t.Context(), mustParse(t, "st://bucket"), OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_ = b.Check(t.Context())
		mp, _ := storage.As[storage.Multipart](b)
		_, _ = mp.ListUploads(t.Context(), "k") // the SDK's own client
	}
	check("aws+https://")
	t.Setenv("AWS_ENDPOINT_URL_S3", address[service])
	check("aws+https://")
	check("aws+" + address[given])
	for r, what := range map[*refusing]string{variable: "AWS_ENDPOINT_URL", service: "AWS_ENDPOINT_URL_S3", given: "the URL given"} {
		if len(r.paths) != 2 {
			t.Errorf("%s got %q", what, r.paths)
		}
	}
}

// TestCABundle: the certificates of the AWS tools are trusted by endpoints that
// use their credentials.
func TestCABundle(t *testing.T) {
	cleanAWS(t, t.TempDir())
	store := httptest.NewTLSServer(&refusing{})
	defer store.Close()
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: store.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	t.Setenv("AWS_ENDPOINT_URL", store.URL)
	t.Setenv("AWS_CA_BUNDLE", bundle)
	for environ, want := range map[string]error{"AWS_CA_BUNDLE=" + bundle: storage.ErrCredentials, "": storage.ErrUnavailable} {
		b, err := mustLoad(t, Sources{Environ: []string{environ}}).Open(t.Context(), mustParse(t, "s3://bucket"), OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Check(t.Context()); !errors.Is(err, want) {
			t.Errorf("with %q: %v", environ, err)
		}
	}
}
