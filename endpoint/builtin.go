package endpoint

import (
	"errors"
	"fmt"
	"strings"
)

// ossProvider is Aliyun OSS by its own API, which is no dialect of S3.
const ossProvider = "oss"

// ossDomain ends the names of Aliyun's own endpoints: oss-REGION, the same with
// -internal, oss-accelerate and others.
const ossDomain = ".aliyuncs.com"

// builtIn are the endpoints that nobody has to define.
func builtIn(environ map[string]string) map[string]*entry {
	oss := &entry{Endpoint: Endpoint{Name: "oss", Provider: ossProvider}, where: "built in, of the variables OSS_…"}
	oss.err = oss.fromOSSVariables(environ)
	return map[string]*entry{
		"s3":  {Endpoint: Endpoint{Name: "s3", Provider: "aws"}, where: "built in"},
		"oss": oss,
	}
}

// fromOSSVariables reads the variables of ossutil 2,
// https://help.aliyun.com/zh/oss/developer-reference/configure-ossutil2. The
// endpoint may stand there without a scheme, which then is https.
func (e *Endpoint) fromOSSVariables(environ map[string]string) error {
	address := environ["OSS_ENDPOINT"]
	if address != "" && !strings.Contains(address, "://") {
		address = "https://" + address
	}
	for _, v := range []struct{ key, name, value string }{
		{"url", "OSS_ENDPOINT", address}, {"region", "OSS_REGION", environ["OSS_REGION"]},
		{"access_key", "OSS_ACCESS_KEY_ID", environ["OSS_ACCESS_KEY_ID"]},
		{"secret_key", "OSS_ACCESS_KEY_SECRET", environ["OSS_ACCESS_KEY_SECRET"]},
		{"session_token", "OSS_SESSION_TOKEN", environ["OSS_SESSION_TOKEN"]},
	} {
		if v.value == "" {
			continue
		}
		if err := e.set(v.key, v.value); err != nil {
			return fmt.Errorf("oss://: the variable %s: %w", v.name, err)
		}
	}
	switch {
	case e.AccessKey.Reveal() == "" || e.SecretKey.Reveal() == "":
		return errors.New("oss:// needs the variables OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET: set them, or define the endpoint oss (" + howToDefine("oss") + ")")
	case e.URL == "" && e.Region == "":
		return errors.New("oss:// needs the variable OSS_ENDPOINT or OSS_REGION: set one of them")
	}
	return nil
}
