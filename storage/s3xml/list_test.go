package s3xml

import (
	"encoding/xml"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluice-sync/sluice/storage"
)

const head = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`

func TestList(t *testing.T) {
	at := time.Date(2026, 11, 24, 15, 7, 54, 447_000_000, time.UTC)
	one := func(key string) Page {
		return Page{Objects: []storage.Object{{Key: key, Size: 1}}}
	}
	for name, c := range map[string]struct {
		doc  string
		want Page
	}{
		"empty": {head + `<IsTruncated>false</IsTruncated></ListBucketResult>`, Page{}},
		"a MinIO answer": {head + `<Name>b</Name><Prefix></Prefix><KeyCount>1</KeyCount><MaxKeys>7</MaxKeys><IsTruncated>true</IsTruncated>` +
			`<Contents><Key>a+b%2Fc</Key><LastModified>2026-11-24T15:07:54.447Z</LastModified><ETag>&#34;9dd4&#34;</ETag><Size>12</Size>` +
			`<Owner><ID>x</ID><DisplayName/></Owner><StorageClass>STANDARD</StorageClass></Contents>` +
			`<EncodingType>url</EncodingType><NextContinuationToken>a%2F+b</NextContinuationToken></ListBucketResult>`,
			Page{Objects: []storage.Object{{Key: "a b/c", Size: 12, ETag: "9dd4", ModTime: at}}, Truncated: true, NextToken: "a%2F+b"}},
		"V1, other order": {"\ufeff" + `<x:ListBucketResult xmlns:x='a>b' ><NextMarker>m%31</NextMarker><Contents a="/>" ><Size> 3 </Size><StorageClass>GLACIER</StorageClass>` +
			"\n" + `<Key >k</Key ></Contents><CommonPrefixes><Prefix>p</Prefix></CommonPrefixes><x:IsTruncated> true </x:IsTruncated></x:ListBucketResult> <!-- end -->`,
			Page{Objects: []storage.Object{{Key: "k", Size: 3, Class: "GLACIER"}}, Truncated: true, NextMarker: "m%31"}},
		"entities":   {entry("&lt;&gt;&amp;&quot;&apos;&#65;&#x1;&#x1F600;\r\n\r&#13;"), one("<>&\"'A\x01\U0001f600\n\n\r")},
		"cdata":      {entry("a<![CDATA[<b>&amp;]]]]><![CDATA[>]]>c<!-- x --><?y?>d"), one("a<b>&amp;]]>cd")},
		"child":      {entry("a<i>no<b/></i>b&amp;<j/>c"), one("ab&c")},
		"blanks":     {entry(" k "), one(" k ")},
		"not UTF-8":  {entry("a\xff"), one("a\xff")},
		"last wins":  {entry("no</Key><Key>yes"), one("yes")},
		"odd clocks": {strings.Replace(entry("k"), "<Size>", "<LastModified>2026-11-24T16:07:54.447+01:00</LastModified><Size>", 1), Page{Objects: []storage.Object{{Key: "k", Size: 1, ModTime: at}}}},
	} {
		got, err := new(Decoder).List([]byte(c.doc))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantPage(t, name, got, c.want)
	}
}

func entry(key string) string {
	return head + `<IsTruncated>false</IsTruncated><Contents><Key>` + key + `</Key><Size>1</Size></Contents></ListBucketResult>`
}

func wantPage(t *testing.T, name string, got, want Page) {
	t.Helper()
	if got.Truncated != want.Truncated || got.NextToken != want.NextToken || got.NextMarker != want.NextMarker || len(got.Objects) != len(want.Objects) {
		t.Fatalf("%s: %+v\nwant %+v", name, got, want)
	}
	for i, w := range want.Objects {
		g := got.Objects[i]
		if !g.ModTime.Equal(w.ModTime) {
			t.Errorf("%s: time %v, want %v", name, g.ModTime, w.ModTime)
		}
		g.ModTime, w.ModTime = time.Time{}, time.Time{}
		if g != w {
			t.Errorf("%s: %+v\nwant %+v", name, g, w)
		}
	}
}

// TestListRefuses: what is not surely the whole answer is no listing.
func TestListRefuses(t *testing.T) {
	whole := entry("k")
	for i := range len(whole) {
		if p, err := new(Decoder).List([]byte(whole[:i])); err == nil {
			t.Fatalf("the first %d bytes gave %+v", i, p)
		}
	}
	for name, doc := range map[string]string{
		"no IsTruncated":    strings.Replace(whole, "<IsTruncated>false</IsTruncated>", "", 1),
		"odd IsTruncated":   strings.Replace(whole, "false", "maybe", 1),
		"self-closed root":  `<ListBucketResult/>`,
		"no key":            strings.Replace(whole, "<Key>k</Key>", "", 1),
		"empty key":         entry(""),
		"empty entry":       strings.Replace(whole, "<IsTruncated>", "<Contents/><IsTruncated>", 1),
		"no size":           strings.Replace(whole, "<Size>1</Size>", "", 1),
		"negative size":     strings.Replace(whole, "<Size>1", "<Size>-1", 1),
		"huge size":         strings.Replace(whole, "<Size>1", "<Size>9223372036854775808", 1),
		"odd time":          strings.Replace(whole, "<Size>", "<LastModified>yesterday</LastModified><Size>", 1),
		"wrong end":         strings.Replace(whole, "</Key>", "</key>", 1),
		"unknown entity":    entry("&nbsp;"),
		"entity without ;":  entry("a & b"),
		"NUL":               entry("&#0;"),
		"surrogate":         entry("&#xD800;"),
		"document type":     `<!DOCTYPE x>` + whole,
		"text in front":     "x" + whole,
		"text behind":       whole + "x",
		"two roots":         whole + whole,
		"another root":      "<html><body>proxy</body></html>",
		"broken URL coding": strings.Replace(entry("a%2"), "<IsT", "<EncodingType>url</EncodingType><IsT", 1),
		"too deep":          head + strings.Repeat("<a>", 100),
		"nothing":           "",
	} {
		if p, err := new(Decoder).List([]byte(doc)); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestFault(t *testing.T) {
	doc := `<?xml version="1.0"?><Error><Code>SlowDown</Code><StringToSign>secret</StringToSign><Message>reduce &amp;
  wait</Message><Region>eu-1</Region></Error>`
	want := Fault{Code: "SlowDown", Message: "reduce &\n  wait", Region: "eu-1"}
	_, err := new(Decoder).List([]byte(doc))
	var f *Fault
	if !errors.As(err, &f) || *f != want {
		t.Errorf("List gave %v", err)
	}
	if f, ok := ParseFault([]byte(doc)); !ok || *f != want || f.Error() != "SlowDown: reduce & wait" {
		t.Errorf("ParseFault gave %+v, %v", f, ok)
	}
	for _, doc := range []string{"", "<html></html>", "<Error><Code>x</Code>", "Error"} {
		if f, ok := ParseFault([]byte(doc)); ok {
			t.Errorf("%q gave %+v", doc, f)
		}
	}
}

// reference is the same document as encoding/xml sees it.
type reference struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	IsTruncated           bool
	NextContinuationToken string
	NextMarker            string
	EncodingType          string
	Contents              []struct {
		Key, ETag, StorageClass string
		Size                    int64
		LastModified            time.Time
	}
}

func (r *reference) page() (p Page, err error) {
	decode := func(s string) string { return s }
	if strings.TrimSpace(r.EncodingType) == "url" {
		decode = func(s string) string {
			out, e := url.QueryUnescape(s)
			err = errors.Join(err, e)
			return out
		}
	}
	p = Page{Truncated: r.IsTruncated, NextToken: r.NextContinuationToken, NextMarker: decode(r.NextMarker)}
	for _, c := range r.Contents {
		o := storage.Object{Key: decode(c.Key), Size: c.Size, ETag: strings.Trim(c.ETag, `"`), Class: c.StorageClass, ModTime: c.LastModified}
		if o.Class == "STANDARD" {
			o.Class = ""
		}
		p.Objects = append(p.Objects, o)
	}
	return p, err
}

// TestAgainstEncodingXML compares on random documents.
func TestAgainstEncodingXML(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	d := new(Decoder)
	for range 5000 {
		doc := randomDoc(r)
		var ref reference
		if err := xml.Unmarshal([]byte(doc), &ref); err != nil {
			t.Fatalf("%v:\n%s", err, doc)
		}
		want, err := ref.page()
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.List([]byte(doc))
		if err != nil {
			t.Fatalf("%v:\n%s", err, doc)
		}
		wantPage(t, doc, got, want)
	}
}

func randomDoc(r *rand.Rand) string {
	urls := r.IntN(2) == 0
	text := func() string {
		var b strings.Builder
		for range 1 + r.IntN(8) {
			pieces := []string{"a", "b c", "/", "é", "&amp;", "&#34;", "&#x41;", "<![CDATA[<z>&]]>", "<!-- c -->", "\r\n", "日", "=", "<?p q?>", "\t", "<n>x</n>"}
			if urls {
				pieces = append(pieces, "+", "%20", "%2b", "%C3%A9", "%00")
			}
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		return b.String()
	}
	space := func() string {
		return []string{"", "", "\n  ", " <!-- - -->", "<Other a='>'><Key>no</Key></Other>"}[r.IntN(5)]
	}
	parts := []string{"<IsTruncated>" + []string{"true", "false", " true\n"}[r.IntN(3)] + "</IsTruncated>"}
	if urls {
		parts = append(parts, "<EncodingType>url</EncodingType>")
	}
	if r.IntN(2) == 0 {
		parts = append(parts, "<NextMarker>"+text()+"</NextMarker>", "<NextContinuationToken>"+text()+"</NextContinuationToken>")
	}
	for range r.IntN(6) {
		f := []string{
			"<Key>k" + text() + "</Key>", fmt.Sprintf("<Size>%d</Size>", r.Int64()),
			"<ETag>&quot;" + fmt.Sprint(r.IntN(3)) + "&#34;</ETag>", "<StorageClass>" + []string{"STANDARD", "GLACIER", ""}[r.IntN(3)] + "</StorageClass>",
			"<LastModified>" + time.Unix(r.Int64N(4e9), r.Int64N(1e9)).UTC().Format([]string{time.RFC3339, time.RFC3339Nano, "2006-01-02T15:04:05.000Z"}[r.IntN(3)]) + "</LastModified>",
		}
		r.Shuffle(len(f), reflect.Swapper(f))
		parts = append(parts, "<Contents>"+space()+strings.Join(f, space())+"</Contents>")
	}
	r.Shuffle(len(parts), reflect.Swapper(parts))
	return head + space() + strings.Join(parts, space()) + space() + "</ListBucketResult>"
}

// FuzzList: no input harms, and what encoding/xml takes is understood alike.
func FuzzList(f *testing.F) {
	f.Add([]byte(entry("k&amp;<![CDATA[x]]>")))
	f.Add([]byte(randomDoc(rand.New(rand.NewPCG(1, 2)))))
	f.Add([]byte("<Error><Code>x</Code></Error>"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, err := new(Decoder).List(doc)
		ParseFault(doc)
		if err != nil {
			return
		}
		var ref reference
		if xml.Unmarshal(doc, &ref) != nil {
			return // we take what it refuses, as control characters
		}
		want, err := ref.page()
		if err != nil {
			t.Fatalf("took what is not URL-encoded: %v", err)
		}
		wantPage(t, string(doc), got, want)
	})
}

func bigPage() []byte {
	var b strings.Builder
	b.WriteString(head + "<IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>")
	for i := range 1000 {
		fmt.Fprintf(&b, `<Contents><Key>d00042/f%010d.bin</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&#34;%032x&#34;</ETag><Size>4096</Size><StorageClass>STANDARD</StorageClass></Contents>`, i, i)
	}
	b.WriteString("</ListBucketResult>")
	return []byte(b.String())
}

func BenchmarkList(b *testing.B) {
	doc := bigPage()
	d := new(Decoder)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.List(doc); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/key")
}

func BenchmarkEncodingXML(b *testing.B) {
	doc := bigPage()
	for b.Loop() {
		var ref reference
		if err := xml.Unmarshal(doc, &ref); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/key")
}
