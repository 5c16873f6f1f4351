package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The types below are written from docs/streams.md, not from package bus.

type documentedEvent struct {
	V     int       `json:"v"`
	Task  string    `json:"task"`
	Run   string    `json:"run"`
	Op    string    `json:"op"`
	Key   *string   `json:"key"`
	Key64 []byte    `json:"key_b64"`
	Kind  string    `json:"kind"`
	Size  int64     `json:"size"`
	MTime time.Time `json:"mtime"`
	ETag  string    `json:"etag"`
	Inode uint64    `json:"inode"`
	CTime int64     `json:"ctime"`
	Class string    `json:"class"`
	Tries int       `json:"tries"`
	Force bool      `json:"force"`
}

type documentedResult struct {
	Seq       uint64           `json:"seq"`
	Task      string           `json:"task"`
	Run       string           `json:"run"`
	Op        string           `json:"op"`
	Key       *string          `json:"key"`
	Key64     []byte           `json:"key_b64"`
	Class     string           `json:"class"`
	Kind      string           `json:"kind"`
	Size      int64            `json:"size"`
	Outcome   string           `json:"outcome"`
	Reason    string           `json:"reason"`
	Moved     int64            `json:"moved"`
	Src       string           `json:"src"`
	Dst       string           `json:"dst"`
	Unvouched bool             `json:"unvouched"`
	Cause     string           `json:"cause"`
	Error     string           `json:"error"`
	Tries     int              `json:"tries"`
	NextTry   time.Time        `json:"next_try"`
	Event     *documentedEvent `json:"event"`
	At        time.Time        `json:"at"`
}

type documentedResults struct {
	V       int                `json:"v"`
	Task    string             `json:"task"`
	Run     string             `json:"run"`
	Results []documentedResult `json:"results"`
}

// keyOf is a key as the message says it: either field, never both.
func keyOf(t *testing.T, key *string, raw []byte) string {
	t.Helper()
	switch {
	case key != nil && raw == nil:
		return *key
	case key == nil && raw != nil && !utf8.Valid(raw):
		return string(raw)
	}
	t.Errorf("a message names its key by %v and %q", key, raw)
	return ""
}

// strict reads a message that may hold only what is documented.
func strict(t *testing.T, data []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Errorf("%s: %v", data, err)
	}
}

// listener reads the streams of a task with a client of its own.
type listener struct {
	t    *testing.T
	js   jetstream.JetStream
	task string
}

func newListener(t *testing.T, url, task string) *listener {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return &listener{t, js, task}
}

func (l *listener) stream(kind string) string { return "sluice_" + l.task + "_" + kind }

// consume opens a consumer once there is a stream.
func (l *listener) consume(kind string, c jetstream.ConsumerConfig) jetstream.Consumer {
	l.t.Helper()
	var got jetstream.Consumer
	waitFor(l.t, func() (ok bool) {
		var err error
		got, err = l.js.CreateConsumer(context.Background(), l.stream(kind), c)
		if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			l.t.Fatal(err)
		}
		return err == nil
	})
	return got
}

// take reads n messages of a consumer that acks nothing.
func (l *listener) take(c jetstream.Consumer, n int) (all []jetstream.Msg) {
	l.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for len(all) < n && time.Now().Before(deadline) {
		batch, err := c.Fetch(n-len(all), jetstream.FetchMaxWait(time.Second))
		if err != nil {
			l.t.Fatal(err)
		}
		for m := range batch.Messages() {
			all = append(all, m)
		}
	}
	if len(all) < n {
		l.t.Fatalf("%d messages in %s, want %d", len(all), c.CachedInfo().Stream, n)
	}
	return all
}

func (l *listener) config(kind string) jetstream.StreamConfig {
	l.t.Helper()
	s, err := l.js.Stream(context.Background(), l.stream(kind))
	if err != nil {
		l.t.Fatal(err)
	}
	return s.CachedInfo().Config
}

// TestStreamsHaveTheDocumentedForm reads both streams beside the task.
func TestStreamsHaveTheDocumentedForm(t *testing.T) {
	t.Parallel()
	l := newNATSLab(t)
	src, bucket := t.TempDir(), l.minio.Bucket(t)
	want := map[string]int64{}
	for i := range 60 {
		key := fmt.Sprintf("dir %d.*>/f%02d", i%3, i)
		want[key] = int64(i)
		write(t, filepath.Join(src, key), strings.Repeat("x", i))
	}
	for key, size := range map[string]int64{"large": 9 << 20, "bad\xff name": 3} {
		want[key] = size
		writePattern(t, filepath.Join(src, key), 1, size)
	}
	p := l.u.start("sync", "--json", "--interval", "50ms", "--nats", l.nats.URL, "--requests-per-second", "15",
		"--multipart-threshold", "8MiB", "--retries", "1", src, "store://"+bucket)
	task := p.until(20*time.Second, "progress line", func(line) bool { return true }).Task
	ear := newListener(t, l.nats.URL, task)
	events := ear.consume("events", jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy})
	results := ear.consume("results", jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy})
	ear.checkConfig("events", "sluice."+task+".events.*.*")
	ear.checkConfig("results", "sluice."+task+".results")
	for _, m := range ear.take(events, len(want)) {
		ear.checkEvent(m, want)
	}
	outcomes := map[string]string{}
	for len(outcomes) < len(want) {
		ear.checkResults(ear.take(results, 1)[0], outcomes)
	}
	code, s := p.summary()
	if code != 3 || s.Copied != int64(len(want)-1) || s.Failed != 1 {
		t.Errorf("exit %d, %+v", code, s)
	}
	for key := range want {
		should := "copied"
		if key == "bad\xff name" { // MinIO takes none that is not UTF-8
			should = "given_up"
		}
		if outcomes[key] != should {
			t.Errorf("%q: outcome %q, want %q", key, outcomes[key], should)
		}
	}
}

func (l *listener) checkConfig(kind, subject string) {
	l.t.Helper()
	c := l.config(kind)
	if len(c.Subjects) != 1 || c.Subjects[0] != subject || c.Storage != jetstream.FileStorage ||
		c.Retention != jetstream.LimitsPolicy || c.Discard != jetstream.DiscardNew || c.MaxBytes <= 0 {
		l.t.Errorf("stream of %s: %+v", kind, c)
	}
}

func (l *listener) checkEvent(m jetstream.Msg, want map[string]int64) {
	l.t.Helper()
	var e documentedEvent
	strict(l.t, m.Data(), &e)
	key := keyOf(l.t, e.Key, e.Key64)
	size, ok := want[key]
	class := "scan"
	if size >= 8<<20 {
		class = "bulk"
	}
	if !ok || e.V != 1 || e.Task != l.task || e.Run == "" || e.Op != "put" || e.Size != size || e.Class != class ||
		e.MTime.IsZero() || e.MTime.Location() != time.UTC || e.Inode == 0 || e.CTime == 0 || e.Kind != "" {
		l.t.Errorf("event %s", m.Data())
	}
	if s := "sluice." + l.task + ".events." + class + ".put"; m.Subject() != s {
		l.t.Errorf("subject %s, want %s", m.Subject(), s)
	}
}

func (l *listener) checkResults(m jetstream.Msg, outcomes map[string]string) {
	l.t.Helper()
	var all documentedResults
	strict(l.t, m.Data(), &all)
	if all.V != 1 || all.Task != l.task || all.Run == "" || len(all.Results) == 0 || len(all.Results) > 256 {
		l.t.Errorf("results %s", m.Data())
	}
	for _, r := range all.Results {
		if r.Seq == 0 || r.Op != "put" || r.At.IsZero() || r.Tries != 1 ||
			r.Outcome == "copied" && (r.Moved != r.Size || r.Src == "" || r.Dst == "") ||
			r.Outcome == "given_up" && (r.Cause == "" || r.Error == "") {
			l.t.Errorf("result %+v", r)
		}
		outcomes[keyOf(l.t, r.Key, r.Key64)] = r.Outcome
	}
}

// TestForeignConsumerDoesNotDisturb has somebody make a durable consumer on
// both streams and never read from it.
func TestForeignConsumerDoesNotDisturb(t *testing.T) {
	t.Parallel()
	l := newNATSLab(t)
	src, dst := t.TempDir(), t.TempDir()
	sampleTree(t, src, 4, 50)
	p := l.u.start(l.args(src, dst)...)
	task := p.until(20*time.Second, "copied object", func(l line) bool { return l.Copied > 0 }).Task
	ear := newListener(t, l.nats.URL, task)
	for _, kind := range []string{"events", "results"} {
		ear.consume(kind, jetstream.ConsumerConfig{Durable: "audit", AckPolicy: jetstream.AckExplicitPolicy})
	}
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		p.signal(os.Interrupt)
		t.Fatalf("the task waits for a consumer that is not its own: %+v", p.last())
	}
	if code, s := p.summary(); code != 0 || s.Copied != 200 {
		t.Errorf("exit %d, %+v", code, s)
	}
	s, err := ear.js.Stream(context.Background(), ear.stream("events"))
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.Msgs; n != 0 {
		t.Errorf("%d events are kept for a consumer that is not the task's own", n)
	}
}

// TestPoisonMessages has somebody write what is no event, and events of a
// version to come, into the stream of a task that runs.
func TestPoisonMessages(t *testing.T) {
	t.Parallel()
	l := newNATSLab(t)
	src, dst := t.TempDir(), t.TempDir()
	sampleTree(t, src, 4, 50)
	p := l.u.start(l.args(src, dst)...)
	task := p.until(20*time.Second, "copied object", func(l line) bool { return l.Copied > 0 }).Task
	ear := newListener(t, l.nats.URL, task)
	for _, bad := range []string{"garbage", `{"v":99,"key":"from the future"}`, ""} {
		for _, class := range []string{"scan", "bulk", "retry"} {
			if _, err := ear.js.Publish(context.Background(), "sluice."+task+".events."+class+".put", []byte(bad)); err != nil {
				t.Fatal(err)
			}
		}
	}
	code, s := p.summary()
	if code != 0 || s.Found != 200 || s.Copied != 200 { // they are no objects
		t.Errorf("exit %d, %+v: %s", code, s, p.err.String())
	}
	if out := l.u.ok("failures", "list", task).out; !strings.Contains(out, "unknown_message") {
		t.Errorf("failures:\n%s", out)
	}
	sameTree(t, src, dst)
	if s := l.u.sync(src, dst, "--nats", l.nats.URL); s.Failed != 0 || s.Skipped != 200 {
		t.Errorf("again: %+v", s)
	}
}
