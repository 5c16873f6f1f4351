package main

import (
	"context"
	"fmt"
	"math/rand"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"golang.org/x/sync/errgroup"
)

// lab is the servers, data and environment of all rows.
type lab struct {
	options
	ctx        context.Context //nolint:containedctx // a lab lives as long as one command
	dir        string
	bin, tools string
	env        []string
	servers    []*exec.Cmd
	a, z       *minio.Client // two MinIO servers
	buckets    int
}

const user, secret = "benchuser", "benchsecret"

// start starts the servers and names them in every tool's way.
func (b *lab) start() error {
	var urls [4]string
	for i := range urls {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		urls[i] = l.Addr().String()
		l.Close()
	}
	b.env = append(os.Environ(), "HOME="+b.path("home"), "SLUICE_STATE="+b.path("state"), "MC_CONFIG_DIR="+b.path("mc"),
		"RCLONE_CONFIG="+b.path("rclone.conf"), "MINIO_ROOT_USER="+user, "MINIO_ROOT_PASSWORD="+secret)
	var conf strings.Builder
	for _, e := range []struct{ name, user, url string }{
		{"one", user, urls[0]}, {"two", user, urls[1]}, {"free", user, urls[2]},
		{"sink", "another", urls[2]}, // so that nobody takes it for the same store and copies inside it
	} {
		b.env = append(b.env, fmt.Sprintf("SLUICE_ENDPOINT_%s=minio+http://%s:%s@%s", strings.ToUpper(e.name), e.user, secret, e.url),
			fmt.Sprintf("MC_HOST_%s=http://%s:%s@%s", e.name, e.user, secret, e.url))
		fmt.Fprintf(&conf, "[%s]\ntype = s3\nprovider = Minio\naccess_key_id = %s\nsecret_access_key = %s\nendpoint = http://%s\n", e.name, e.user, secret, e.url)
	}
	// Two accounts' names for one double, so that it copies nothing inside itself.
	for name, host := range map[string]string{"ALI": urls[3], "ALI2": strings.Replace(urls[3], "127.0.0.1", "127.0.0.2", 1)} {
		b.env = append(b.env, fmt.Sprintf("SLUICE_ENDPOINT_%s=oss+http://%s:%s@%s?region=cn-hangzhou", name, user, secret, host))
	}
	if err := os.WriteFile(b.path("rclone.conf"), []byte(conf.String()), 0o600); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for i, args := range [][]string{
		{b.tools + "/minio", "server", "--quiet", "--address", urls[0], b.path("a")},
		{b.tools + "/minio", "server", "--quiet", "--address", urls[1], b.path("z")},
		{self, "free-server", urls[2]},
		{self, "oss-double", ":" + urls[3][strings.LastIndexByte(urls[3], ':')+1:]},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = b.env
		if err := cmd.Start(); err != nil {
			return err
		}
		b.servers = append(b.servers, cmd)
		if err := waitPort(b.ctx, urls[i]); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
	}
	creds := credentials.NewStaticV4(user, secret, "")
	if b.a, err = minio.New(urls[0], &minio.Options{Creds: creds}); err != nil {
		return err
	}
	b.z, err = minio.New(urls[1], &minio.Options{Creds: creds})
	return err
}

func (b *lab) stop() {
	for _, s := range b.servers {
		_ = s.Process.Kill()
		_ = s.Wait()
	}
}

func waitPort(ctx context.Context, addr string) error {
	for range 600 {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			return c.Close()
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("nothing listens on %s", addr)
}

// bucket makes a bucket with a new name; MinIO can take a moment to be ready.
func (b *lab) bucket(c *minio.Client) (string, error) {
	b.buckets++
	name := "bench-" + strconv.Itoa(b.buckets)
	for try := 0; ; try++ {
		err := c.MakeBucket(b.ctx, name, minio.MakeBucketOptions{})
		if err == nil || try == 50 {
			return name, err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// drop removes a bucket and all it holds.
func (b *lab) drop(c *minio.Client, name string) error {
	objects := c.ListObjects(b.ctx, name, minio.ListObjectsOptions{Recursive: true})
	for e := range c.RemoveObjects(b.ctx, name, objects, minio.RemoveObjectsOptions{}) {
		return e.Err
	}
	return c.RemoveBucket(b.ctx, name)
}

// fill puts n objects of size random bytes, in directories of 1,000. Large ones go up in
// parts of 16 MiB, as clients do.
func (b *lab) fill(c *minio.Client, bucket string, n int, size int64) error {
	g, ctx := errgroup.WithContext(b.ctx)
	g.SetLimit(16)
	for i := range n {
		g.Go(func() error {
			body := rand.New(rand.NewSource(int64(i)))
			_, err := c.PutObject(ctx, bucket, key(i), limited{body, size}.reader(), size, minio.PutObjectOptions{PartSize: 16 << 20})
			return err
		})
	}
	return g.Wait()
}

func key(i int) string { return fmt.Sprintf("d%03d/f%07d.bin", i/1000, i) }

// tree writes n files of size random bytes below dir.
func (b *lab) tree(dir string, n, perDir int, size int64) error {
	buf := make([]byte, size)
	rand.New(rand.NewSource(1)).Read(buf)
	for i := range n {
		d := fmt.Sprintf("%s/d%04d", dir, i/perDir)
		if i%perDir == 0 {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return err
			}
		}
		if len(buf) >= 8 {
			copy(buf, fmt.Sprintf("%08d", i))
		}
		if err := os.WriteFile(fmt.Sprintf("%s/f%07d.bin", d, i), buf, 0o644); err != nil {
			return err
		}
	}
	return nil
}
