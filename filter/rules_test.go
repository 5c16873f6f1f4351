package filter

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestParseRulesKeepsOrder(t *testing.T) {
	file := "\ufeff# comment\r\n\n  *.tmp \n+ keep.tmp\r\n-  b\nc\\ \n\\#d\n+x\n\t# e\nre:a b\nf\\\\  "
	got, err := ParseRules([]Arg{{"include", "*.jpg"}, {"exclude-from", "list"}, {"exclude", " z "}},
		func(name string) ([]byte, error) { return []byte(file), nil })
	want := []Rule{{true, "*.jpg"}, {false, "*.tmp"}, {true, "keep.tmp"}, {false, "b"}, {false, "c\\ "},
		{false, "\\#d"}, {false, "+x"}, {false, "re:a b"}, {false, "f\\\\"}, {false, " z "}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ParseRules = %+v, %v", got, err)
	}
}

func TestParseRulesErrors(t *testing.T) {
	files := map[string]string{"bad": "a\n\n# c\n+ [x\n", "sign": "- \n"}
	read := func(name string) ([]byte, error) {
		if s, ok := files[name]; ok {
			return []byte(s), nil
		}
		return nil, errors.New("open " + name + ": no such file")
	}
	for _, c := range []struct {
		arg  Arg
		want string
	}{
		{Arg{"include", "{a"}, `--include: pattern "{a": a { has no }; for the character write \{`},
		{Arg{"exclude", ""}, `--exclude: pattern "": is empty; all keys are **`},
		{Arg{"exclude-from", "bad"}, `--exclude-from: bad:4: pattern "[x": a [ has no ]; for the character write \[`},
		{Arg{"exclude-from", "none"}, `--exclude-from: open none: no such file`},
		{Arg{"filter", "x"}, `--filter is no selection flag`},
	} {
		if _, err := ParseRules([]Arg{c.arg}, read); err == nil || err.Error() != c.want {
			t.Errorf("%v: %v\nwant %s", c.arg, err, c.want)
		}
	}
}

func FuzzRuleFile(f *testing.F) {
	f.Add("a\n+ b\n# c\n- d\\ \n")
	f.Add("\\ \r\n{\n")
	f.Fuzz(func(t *testing.T, data string) {
		rs, err := parseFile("f", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Fatalf("error %q names no line", err)
			}
			return
		}
		if _, err := New(Config{Rules: rs}); err != nil {
			t.Fatalf("a file that was read makes no filter: %v", err)
		}
	})
}
