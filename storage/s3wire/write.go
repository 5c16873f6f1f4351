package s3wire

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/sluice-sync/sluice/storage"
	"github.com/sluice-sync/sluice/storage/crc64ecma"
	"github.com/sluice-sync/sluice/storage/dialect"
)

// maxBuffered is the largest body that is read before its request is sent, so
// that its checksum can be a header. Every concurrent write may hold as much.
const maxBuffered = 128 << 10

// upload is the body of a write and how it is proven.
type upload struct {
	op, key string
	query   string // of a part
	header  http.Header
	size    int64
	md5     func() []byte // as in storage.PutOptions
}

// Put writes an object whole.
func (c *Client) Put(ctx context.Context, key string, body io.Reader, o storage.PutOptions) (storage.Object, error) {
	if err := c.CheckKey("put", key); err != nil {
		return storage.Object{}, err
	}
	if limit := c.Dialect.MaxPut; o.Size > limit && limit > 0 {
		return storage.Object{}, c.fail("put", key, storage.ErrTooLarge, "%d bytes, at most %d", o.Size, limit)
	}
	if o.IfAbsent && !c.Dialect.PutIfAbsent || o.IfVersion != nil && !c.Dialect.PutIfVersion {
		return storage.Object{}, c.fail("put", key, storage.ErrUnsupported, "conditional writes")
	}
	h := make(http.Header, 16)
	if err := c.says.setHeader(h, o.Meta); err != nil {
		return storage.Object{}, c.fail("put", key, storage.ErrInvalid, "%w", err)
	}
	if o.IfAbsent {
		c.says.ifAbsent.set(h)
	} else {
		pin(h, o.IfVersion)
	}
	tag, err := c.send(ctx, upload{op: "put", key: key, header: h, size: o.Size, md5: o.MD5}, body)
	if err != nil {
		return storage.Object{}, conditionKind(err, o)
	}
	return storage.Object{Key: key, Size: o.Size, ETag: tag}, nil
}

// conditionKind says which condition failed.
func conditionKind(err error, o storage.PutOptions) error {
	var e *storage.Error
	if errors.As(err, &e) {
		switch {
		case o.IfAbsent && errors.Is(e.Kind, storage.ErrChanged):
			e.Kind = storage.ErrExists
		case o.IfVersion != nil && errors.Is(e.Kind, storage.ErrNotFound):
			e.Kind = storage.ErrChanged
		}
	}
	return err
}

// UploadPart writes one part of a multipart upload.
func (c *Client) UploadPart(ctx context.Context, key, id string, n int, body io.Reader, o storage.PartOptions) (storage.Part, error) {
	if err := c.CheckKey("upload part", key); err != nil {
		return storage.Part{}, err
	}
	if o.Size > c.Dialect.MaxPart {
		return storage.Part{}, c.fail("upload part", key, storage.ErrTooLarge, "%d bytes, at most %d", o.Size, c.Dialect.MaxPart)
	}
	query := "partNumber=" + strconv.Itoa(n) + "&uploadId=" + escapeQuery(id)
	tag, err := c.send(ctx, upload{op: "upload part", key: key, query: query, header: make(http.Header, 8), size: o.Size, md5: o.MD5}, body)
	if err != nil {
		return storage.Part{}, err
	}
	return storage.Part{Number: n, Size: o.Size, ETag: tag}, nil
}

// proof is what is known of the bytes that were sent.
type proof struct {
	md5   []byte // nil: nobody knows it
	crc64 uint64 // CRC64-ECMA, where answers name that of what was received
}

// send writes a body and returns the ETag, once the store has proven that it
// holds those bytes.
func (c *Client) send(ctx context.Context, u upload, body io.Reader) (tag string, err error) {
	var resp *http.Response
	var sent proof
	switch {
	case u.size < 0:
		return "", c.fail(u.op, u.key, storage.ErrInvalid, "a size of %d bytes", u.size)
	case ctx.Err() != nil: // before anything is read
		err = ctx.Err()
	case u.size <= maxBuffered:
		resp, sent, err = c.sendBuffered(ctx, u, body) //nolint:bodyclose // discarded below
	default:
		resp, sent, err = c.sendStream(ctx, u, body) //nolint:bodyclose // discarded below
	}
	if err != nil {
		return "", c.Fail(ctx, u.op, u.key, err)
	}
	discard(resp)
	if tag = etag(resp.Header); tag == "" {
		// Rather something between us and the store has answered than the store.
		return "", c.fail(u.op, u.key, storage.ErrBusy, "the answer is a success that names no ETag")
	}
	return tag, c.prove(u, resp.Header, tag, sent)
}

// prove compares what the store says it holds with what was sent.
func (c *Client) prove(u upload, h http.Header, tag string, sent proof) error {
	if name := c.says.crc64; name != "" {
		switch got, err := strconv.ParseUint(first(h, name), 10, 64); {
		case err != nil:
			return c.fail(u.op, u.key, storage.ErrBusy, "the answer is a success that names no CRC64")
		case got != sent.crc64:
			return c.fail(u.op, u.key, storage.ErrCorrupt, "sent CRC64 %d, the store holds %d", sent.crc64, got)
		}
		return nil
	}
	if sent.md5 != nil && c.Dialect.ETagIsMD5 && !c.encrypted(h) {
		o := storage.Object{ETag: tag}
		if got, ok := o.PlainMD5(); ok && !bytes.Equal(got, sent.md5) {
			return c.fail(u.op, u.key, storage.ErrCorrupt, "sent %s, the store holds %s", hex.EncodeToString(sent.md5), tag)
		}
	}
	return nil
}

// encrypted tells whether the ETag is no MD5 because of how the store encrypts.
func (c *Client) encrypted(h http.Header) bool {
	return strings.HasPrefix(first(h, c.says.encryption), "aws:kms") ||
		first(h, c.says.encryption+"-Customer-Algorithm") != ""
}

// sendBuffered reads the body first; nothing is sent if its length is wrong.
// The buffer is not used again: net/http, which goes through proxies, may still
// read it after the answer, and only from a plain bytes.Reader does it send
// headers and body in one write.
func (c *Client) sendBuffered(ctx context.Context, u upload, r io.Reader) (*http.Response, proof, error) {
	src := exact{r: r, left: u.size}
	data := make([]byte, u.size)
	_, err := io.ReadFull(&src, data)
	if err == nil && src.err == nil { // an empty body has not been asked yet
		_, _ = src.Read(nil)
	}
	if err := src.cause(err); err != nil {
		return nil, proof{}, err
	}
	sent := c.addChecksum(u, data)
	req := request{method: http.MethodPut, key: c.FullKey(u.key), query: u.query, header: u.header, size: u.size}
	if u.size > 0 {
		req.getBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
		req.body, _ = req.getBody()
	}
	resp, err := c.do(ctx, req)
	return resp, sent, err
}

// addChecksum sets the proof that goes with a body known whole and returns what
// it knows of the bytes.
func (c *Client) addChecksum(u upload, data []byte) (sent proof) {
	if u.md5 != nil {
		sent.md5 = u.md5()
	}
	form := c.Dialect.Checksum
	if c.says.crc64 != "" {
		sent.crc64 = crc64ecma.Checksum(data)
		if sent.md5 != nil { // costs nothing, and keeps what is damaged from becoming visible
			form = dialect.MD5
		}
	}
	switch form {
	case dialect.CRC32C:
		var b [4]byte
		crc := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
		b[0], b[1], b[2], b[3] = byte(crc>>24), byte(crc>>16), byte(crc>>8), byte(crc)
		u.header["X-Amz-Checksum-Crc32c"] = []string{base64.StdEncoding.EncodeToString(b[:])}
	case dialect.MD5:
		if sent.md5 == nil {
			s := md5.Sum(data)
			sent.md5 = s[:]
		}
		u.header["Content-Md5"] = []string{base64.StdEncoding.EncodeToString(sent.md5)}
	}
	return sent
}

// sendStream sends the body as it comes.
func (c *Client) sendStream(ctx context.Context, u upload, r io.Reader) (*http.Response, proof, error) {
	src := &exact{r: r, left: u.size}
	req := request{method: http.MethodPut, key: c.FullKey(u.key), query: u.query, header: u.header, size: u.size}
	body := &lent{r: src}
	switch {
	case c.says.crc64 != "":
		src.sum = crc64ecma.New()
	case c.Dialect.Checksum == dialect.CRC32C:
		src.sum = crc32.New(crc32.MakeTable(crc32.Castagnoli))
		body.r = &trailed{src: src, left: u.size}
		u.header["X-Amz-Trailer"] = []string{trailerName}
		u.header["X-Amz-Decoded-Content-Length"] = []string{strconv.FormatInt(u.size, 10)}
		u.header["Content-Encoding"] = []string{chunkedEncoding(first(u.header, "Content-Encoding"))}
		req.payload, req.size = "STREAMING-UNSIGNED-PAYLOAD-TRAILER", framed(u.size)
	case c.Dialect.Checksum == dialect.MD5 && u.md5 == nil:
		src.sum = md5.New()
	}
	req.body = body
	resp, err := c.do(ctx, req)
	body.take()
	if cause := src.cause(nil); cause != nil { // the request failed because of it
		if resp != nil {
			resp.Body.Close()
		}
		return nil, proof{}, cause
	}
	if err != nil {
		return nil, proof{}, err
	}
	if !isEnd(src.err) {
		resp.Body.Close()
		return nil, proof{}, &Fault{Status: resp.StatusCode, Message: "success was answered before all was sent"}
	}
	return resp, src.proof(u), nil
}

// chunkedEncoding puts the framing in front of the object's own encoding;
// stores take it off.
func chunkedEncoding(own string) string {
	if own == "" {
		return "aws-chunked"
	}
	return "aws-chunked," + own
}

// cause returns what is wrong with the body, or else what there is.
func (e *exact) cause(instead error) error {
	if e.err != nil && !isEnd(e.err) {
		return e.err
	}
	return instead
}

// proof returns what is known of a body that was read to its end.
func (e *exact) proof(u upload) (sent proof) {
	if u.md5 != nil {
		sent.md5 = u.md5()
	}
	switch sum := e.sum.(type) {
	case nil, hash.Hash32: // which went along as a trailer
	case hash.Hash64:
		sent.crc64 = sum.Sum64()
	default:
		sent.md5 = sum.Sum(nil)
	}
	return sent
}
