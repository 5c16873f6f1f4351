package endpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestSecretsDoNotShow prints everything that holds a secret in every way.
func TestSecretsDoNotShow(t *testing.T) {
	const word = "hunter2hunter2"
	s := NewSecret(word)
	e := Endpoint{Name: "m1", AccessKey: s, SecretKey: s, SessionToken: s, Proxy: s}
	hidden := struct{ inner Endpoint }{e} // fmt does not ask methods here
	set := mustLoad(t, Sources{Environ: []string{"SLUICE_ENDPOINT_M1=minio+http://" + word + ":" + word + "@h?session_token=" + word}})
	values := map[string]any{"secret": s, "pointer": &s, "endpoint": e, "hidden": hidden, "pointer to hidden": &hidden,
		"set": set, "entry": set.entries["m1"], "map": map[string]Secret{"a": s}, "slice": []Secret{s}, "any": []any{s, e}}
	for name, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%t", "%T", "% x", "%10s"} {
			check(t, name+" under "+verb, fmt.Sprintf(verb, v), word)
		}
		check(t, name+" in an error", fmt.Errorf("x: %v", v).Error(), word)
		j, _ := json.Marshal(v)
		check(t, name+" as JSON", string(j), word)
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		check(t, name+" in a log", log.String(), word)
	}
	for name, v := range map[string]any{"secret": s, "endpoint": e} {
		y, err := yaml.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		check(t, name+" as YAML", string(y), word)
	}
	if fmt.Sprint(s) != "***" || fmt.Sprint(NewSecret("")) != "" {
		t.Errorf("a secret prints as %v, an empty one as %v", s, NewSecret(""))
	}
	if j, err := json.Marshal(s); err != nil || string(j) != `"***"` {
		t.Errorf("JSON of a secret is %s, %v", j, err)
	}
	if s.Reveal() != word || (Secret{}).Reveal() != "" {
		t.Error("Reveal does not return the secret")
	}
}

func check(t *testing.T, what, text, word string) {
	t.Helper()
	hex := fmt.Sprintf("%x", word)
	if l := strings.ToLower(text); strings.Contains(l, word) || strings.Contains(l, hex) || strings.Contains(l, strings.TrimSpace(fmt.Sprintf("% x", word))) {
		t.Errorf("%s shows the secret: %s", what, text)
	}
}
