package osspipe

import (
	"path"
	"strings"

	"github.com/sluice-sync/sluice/yamltree"
)

// place is a source or target of the old file.
type place struct {
	name   string // source or target
	at     yamltree.Node
	dir    string // a directory; "": a bucket
	bucket string
	prefix string
	lines  []string // of its endpoint, without name and keys
}

// providers by the names of oss_pipe.
func providers() map[string]string {
	return map[string]string{
		"jd": "jd", "jrss": "jrss", "ali": "oss", "aws": "aws", "s3": "s3", "huawei": "obs", "cos": "cos", "minio": "minio",
	}
}

func readPlace(t *translator, p yamltree.Pair) (*place, error) {
	l := &place{name: p.Key, at: p.At}
	if text, ok := p.Value.Text(); ok {
		l.dir = text
		return l, nil
	}
	pairs, err := p.Value.Pairs(p.Key)
	if err != nil {
		return nil, err
	}
	old := map[string]yamltree.Node{}
	text := map[string]string{}
	for _, kv := range pairs {
		switch kv.Key {
		case "provider", "endpoint", "region", "bucket", "prefix", "request_style":
			old[kv.Key] = kv.Value
			text[kv.Key], _ = kv.Value.Text()
		case "access_key_id", "secret_access_key":
		default:
			t.note(kv.At, "%s of %s is not known, and is left out", kv.Key, p.Key)
		}
	}
	provider := providers()[strings.ToLower(text["provider"])]
	switch {
	case text["provider"] == "":
		return nil, p.At.Errorf("%s has no provider", p.Key)
	case provider == "":
		return nil, old["provider"].Errorf("the provider of %s is not known; JD, JRSS, ALI, AWS, S3, HUAWEI, COS and MINIO are", p.Key)
	case text["bucket"] == "":
		return nil, p.At.Errorf("%s has no bucket", p.Key)
	case strings.HasPrefix(text["prefix"], "/"), strings.Contains(text["prefix"], "//"):
		return nil, old["prefix"].Errorf("prefix begins with a slash or has two in a row, which sluice does not take for a directory")
	}
	l.bucket, l.prefix = text["bucket"], text["prefix"]
	l.describe(t, provider, text, old)
	t.note(p.At, "the keys of %s are not written down: set the variables %s and %s", p.Key, l.variable("ACCESS_KEY"), l.variable("SECRET_KEY"))
	return l, nil
}

func (l *place) variable(what string) string { return strings.ToUpper(l.name) + "_" + what }

// describe makes the lines of the endpoint.
func (l *place) describe(t *translator, provider string, text map[string]string, old map[string]yamltree.Node) {
	url := strings.TrimSuffix(text["endpoint"], "/")
	if provider == "s3" && (url == "" || strings.Contains(url, ".amazonaws.com")) {
		provider = "aws"
	}
	l.lines = append(l.lines, "provider: "+provider)
	if url != "" {
		if !strings.Contains(url, "://") {
			url = "https://" + url
			t.note(old["endpoint"], "the endpoint of %s has no scheme: https is taken", l.name)
		}
		l.lines = append(l.lines, "url: "+quote(url))
	}
	switch region := text["region"]; {
	case region == "":
	case provider == "oss" && strings.HasSuffix(url, ".aliyuncs.com"):
		if !strings.Contains(url, region) {
			t.note(old["region"], "the region of %s is left out: the endpoint says another one", l.name)
		}
	default:
		l.lines = append(l.lines, "region: "+quote(region))
	}
	switch style := strings.ToLower(text["request_style"]); {
	case strings.HasPrefix(style, "path"):
		l.lines = append(l.lines, "path_style: true")
	case strings.HasPrefix(style, "virtual"):
		l.lines = append(l.lines, "path_style: false")
	case style != "":
		t.note(old["request_style"], "request_style of %s is not known, and is left out", l.name)
	}
}

// endpoint is what stands below endpoints: for the place.
func (l *place) endpoint() []string {
	if l.dir != "" {
		return nil
	}
	lines := []string{l.name + ":"}
	for _, s := range l.lines {
		lines = append(lines, "  "+s)
	}
	return append(lines, "  access_key: ${"+l.variable("ACCESS_KEY")+"}", "  secret_key: ${"+l.variable("SECRET_KEY")+"}")
}

// locations makes source and target of the task. oss_pipe puts the target's
// prefix in front of the whole key of the source.
func (t *translator) locations() (from, to string, err error) {
	s, d := t.source, t.target
	if s.prefix != "" && !strings.HasSuffix(s.prefix, "/") {
		t.note(s.at, "the prefix of source meant every key that begins with it; sluice takes the directory of that name alone")
	}
	if s.dir != "" {
		from = s.dir
	} else {
		from = s.name + "://" + s.bucket + "/" + s.prefix
	}
	if s.prefix != "" {
		t.note(d.at, "oss_pipe wrote to its target's prefix and the whole key of the source, with the prefix of the source in it; the target of the task is that place")
	}
	if d.dir != "" {
		return from, path.Join(d.dir, s.prefix), nil
	}
	if d.prefix != "" && !strings.HasSuffix(d.prefix, "/") {
		if s.prefix == "" {
			t.note(d.at, "the prefix of target was put in front of keys as it stood, without a slash; sluice writes into the directory of that name")
		} else {
			t.note(d.at, "the prefix of target ends without a slash: it runs on into the prefix of the source, as it did")
		}
	}
	return from, d.name + "://" + d.bucket + "/" + d.prefix + s.prefix, nil
}
